package sg

import (
	"errors"
	"strings"
	"sync"
)

// The codes of EC2 that this package tells apart.
const (
	codeCannotDelete        = "CannotDelete"
	codeDependencyViolation = "DependencyViolation"
	codeGroupDuplicate      = "InvalidGroup.Duplicate"
	codeGroupInUse          = "InvalidGroup.InUse"
	codeGroupNotFound       = "InvalidGroup.NotFound"
	codeGroupIDNotFound     = "InvalidSecurityGroupID.NotFound"
	codeGroupLimit          = "SecurityGroupLimitExceeded"
	codePermissionDuplicate = "InvalidPermission.Duplicate"
	codePermissionNotFound  = "InvalidPermission.NotFound"
	codeRuleNotFound        = "InvalidSecurityGroupRuleId.NotFound"
	codeRuleLimit           = "RulesPerSecurityGroupLimitExceeded"
	codeTagLimit            = "TagLimitExceeded"
	codeThrottled           = "RequestLimitExceeded"
	codeUnauthorized        = "UnauthorizedOperation"
	codeVPCNotFound         = "InvalidVpcID.NotFound"
)

// class says what a refusal of EC2 means for the call.
type class int

const (
	// permanent is a call that is refused again however often it is made.
	permanent class = iota
	// transient is a call that may succeed later. The SDK has repeated it by then
	// (aws/retry: throttling codes, RequestTimeout, and HTTP 500, 502, 503 and 504);
	// nothing repeats it on top.
	transient
	// staleView is a call that was planned on a view of EC2 that is not right, or not
	// right yet: observe again and plan anew.
	staleView
)

// codeEntry is what a code means and what to do about it.
type codeEntry struct {
	class  class
	remedy string
}

const (
	remedyCredentials = "Look why the function's credentials are not accepted: its role may have been deleted or its sessions revoked, or its clock may be wrong; mend that, then deploy again."
	remedyAccount     = "Bring the AWS account into good standing (AWS Support and the billing console say what is missing), then deploy again."
	remedyRights      = "Give the function's role the rights of the provider's template, and check permission boundaries and service control policies."
	remedyLater       = "Deploy again in some minutes; if EC2 goes on failing, see the AWS Health Dashboard."
	remedyThrottled   = "Try again when fewer EC2 calls are made in this account and Region."
	remedyValue       = "Change the value that EC2 names, in the properties of the chain or in what they name, then deploy again; if the properties do not have it, report a bug of the provider with the log."
	remedyOthers      = "Look for whoever else changes these security groups (CloudTrail shows it), stop it, and deploy again."
	remedyBug         = "Report this as a bug of the provider, with the log: deploying again does not help."
)

// codes is what EC2 can say to the calls of [API], by code ("Error codes for the Amazon
// EC2 API", EC2 developer guide: "Common client error codes", "Client error codes for
// specific actions", "Server error codes"; TagPolicyViolation: "Tag policies", AWS
// Organizations user guide; ExpiredToken and UnrecognizedClientException: "Common errors",
// IAM). What is not in it is permanent: nothing is repeated of which nobody knows that
// repeating helps. It is built for the first error: a function that is only kept ready has
// no memory for it.
var codes = sync.OnceValue(func() map[string]codeEntry {
	return map[string]codeEntry{
		// Somebody moved, or an answer was lost.
		codePermissionDuplicate: {staleView, remedyOthers},
		codePermissionNotFound:  {staleView, remedyOthers},
		codeRuleNotFound:        {staleView, remedyOthers},
		codeGroupNotFound:       {staleView, remedyOthers},
		codeGroupIDNotFound:     {staleView, remedyOthers},

		// EC2 is busy or broken.
		codeThrottled:                  {transient, remedyThrottled},
		"Throttling":                   {transient, remedyThrottled},
		"ThrottlingException":          {transient, remedyThrottled},
		"EC2ThrottledException":        {transient, remedyThrottled},
		"SlowDown":                     {transient, remedyThrottled},
		"InternalError":                {transient, remedyLater},
		"InternalFailure":              {transient, remedyLater},
		"InternalServiceError":         {transient, remedyLater},
		"ServerInternal":               {transient, remedyLater},
		"ServiceUnavailable":           {transient, remedyLater},
		"Unavailable":                  {transient, remedyLater},
		"RequestTimeout":               {transient, remedyLater},
		"RequestTimeoutException":      {transient, remedyLater},
		"InsufficientCapacity":         {transient, remedyLater},
		"ConcurrentTagAccess":          {transient, "Deploy again once nothing else changes the tags of these security groups."},
		"ResourceCountExceeded":        {permanent, "Make the change in smaller steps: EC2 takes no call with so many resources."},
		"DryRunOperation":              {permanent, remedyBug},
		"RequestExpired":               {permanent, remedyCredentials},
		"RequestResourceCountExceeded": {permanent, "Make the change in smaller steps: EC2 takes no call with so many resources."},

		// Rights, credentials and accounts.
		codeUnauthorized:              {permanent, remedyRights},
		"AccessDenied":                {permanent, remedyRights},
		"AccessDeniedException":       {permanent, remedyRights},
		"AuthFailure":                 {permanent, remedyCredentials},
		"ExpiredToken":                {permanent, remedyCredentials},
		"ExpiredTokenException":       {permanent, remedyCredentials},
		"InvalidClientTokenId":        {permanent, remedyCredentials},
		"UnrecognizedClientException": {permanent, remedyCredentials},
		"InvalidAccessKeyId":          {permanent, remedyCredentials},
		"SignatureDoesNotMatch":       {permanent, remedyCredentials},
		"IncompleteSignature":         {permanent, remedyCredentials},
		"InvalidCharacter":            {permanent, remedyValue},
		"MissingAuthenticationToken":  {permanent, remedyCredentials},
		"Blocked":                     {permanent, remedyAccount},
		"PendingVerification":         {permanent, remedyAccount},
		"PendingSubscription":         {permanent, remedyAccount},
		"AccountDisabled":             {permanent, remedyAccount},
		"OptInRequired":               {permanent, "Enable the Region for this account and see that the account is subscribed to Amazon EC2 and not suspended, then deploy again."},
		"TagPolicyViolation":          {permanent, "Change Tags (and, with tags of the stack, those of the stack) to what the tag policy of the organization allows, then deploy again."},

		// Quotas.
		codeGroupLimit:          {permanent, "Delete security groups that nobody uses, or ask for a higher quota of groups per Region."},
		"ResourceLimitExceeded": {permanent, "Delete security groups that nobody uses, or ask for a higher quota of groups per Region."},
		codeRuleLimit:           {permanent, "Use fewer or wider rules in this group, or ask for a higher quota of rules per security group."},
		"SecurityGroupsPerInterfaceLimitExceeded":     {permanent, "Take security groups off the network interfaces, or ask for a higher quota of groups per interface."},
		"RulesPerSecurityGroupInterfaceLimitExceeded": {permanent, "Use fewer rules, or fewer security groups on the network interfaces that use them: the product of the two is at most 1,000."},
		codeTagLimit:          {permanent, "Take some tags from Tags, or from the group: it has room for 50, and the chain needs seven of them."},
		"FilterLimitExceeded": {permanent, remedyBug},

		// What the chain names.
		codeVPCNotFound:                    {permanent, "Set VpcId to a VPC of this account and Region."},
		"InvalidVpcId.Malformed":           {permanent, "Set VpcId to a VPC of this account and Region."},
		"InvalidVpcID.Malformed":           {permanent, "Set VpcId to a VPC of this account and Region."},
		"InvalidPrefixListID.NotFound":     {permanent, remedyList},
		"InvalidPrefixListId.NotFound":     {permanent, remedyList},
		"InvalidPrefixListID.Malformed":    {permanent, remedyList},
		"InvalidPrefixListId.Malformed":    {permanent, remedyList},
		"InvalidGroupId.Malformed":         {permanent, "Correct the ID of the security group that EC2 names, then deploy again."},
		"InvalidSecurityGroupId.Malformed": {permanent, "Correct the ID of the security group that EC2 names, then deploy again."},
		"InvalidGroup.Reserved":            {permanent, "Choose another GroupName."},
		codeGroupDuplicate:                 {permanent, "Choose another GroupName, leave GroupName out to have one generated, or delete the other group."},
		"InvalidUserID.Malformed":          {permanent, "Correct the account before the security group that EC2 names, then deploy again."},
		"InvalidPermission.Malformed":      {permanent, remedyValue},
		"InvalidParameter":                 {permanent, remedyValue},
		"InvalidParameterCombination":      {permanent, remedyValue},
		"InvalidParameterDependency":       {permanent, remedyValue},
		"InvalidParameterValue":            {permanent, remedyValue},
		"InvalidInput":                     {permanent, remedyValue},
		"ValidationError":                  {permanent, remedyValue},
		"InvalidFilter":                    {permanent, remedyBug},
		"InvalidNextToken":                 {permanent, remedyBug},
		"InvalidPaginationToken":           {permanent, remedyBug},
		"InvalidAction":                    {permanent, remedyBug},
		"InvalidQueryParameter":            {permanent, remedyBug},
		"MalformedQueryString":             {permanent, remedyBug},
		"MissingAction":                    {permanent, remedyBug},
		"MissingParameter":                 {permanent, remedyBug},
		"UnknownParameter":                 {permanent, remedyBug},
		"InvalidTagKey.Malformed":          {permanent, "Correct the key in Tags that EC2 names, then deploy again."},
		"InvalidID":                        {permanent, remedyOthers},
		"UnsupportedOperation":             {permanent, remedyState},
		"Unsupported":                      {permanent, remedyState},
		"OperationNotPermitted":            {permanent, remedyState},
		"IncorrectState":                   {permanent, remedyState},
		"InvalidState":                     {permanent, remedyState},
		codeCannotDelete:                   {permanent, "EC2 does not let anybody delete this group; remove its sgchain tags."},
		codeDependencyViolation:            {permanent, "Remove what EC2 says depends on the security group, then deploy again."},
		codeGroupInUse:                     {permanent, "Remove what EC2 says uses the security group, then deploy again."},
	}
})

const (
	remedyList  = "Name a prefix list of this account and Region that is there (aws ec2 describe-managed-prefix-lists), or leave the peer out, then deploy again."
	remedyState = "Look at the state of the VPC or security group that EC2 names (one that is being created, shared or deleted takes no change), and deploy again once it is settled."
	// remedyUnknown is for codes that are not in the table.
	remedyUnknown = "Read what EC2 says and change what it names: the call was not repeated, since it is not known that repeating helps. If nothing is to be changed, deploy again."
)

// otherNetworks begins what EC2 says of a rule that names a group in a VPC that is not
// connected with this one. Its code is InvalidGroup.NotFound (boto3 issue 569).
const otherNetworks = "belong to different networks"

func isOtherNetworks(err error) bool {
	var api interface{ ErrorMessage() string }
	return errors.As(err, &api) && strings.Contains(api.ErrorMessage(), otherNetworks)
}

// codeOf is EC2's code in an error; empty where none is there, as with a connection that
// was cut.
func codeOf(err error) string {
	var coded interface{ ErrorCode() string }
	if !errors.As(err, &coded) {
		return ""
	}
	return coded.ErrorCode()
}

// classOf is the class of an error. One without a code comes from the network, and the SDK
// has repeated what may be repeated.
func classOf(err error) class {
	switch code := codeOf(err); {
	case code == "":
		return transient
	case isOtherNetworks(err):
		return permanent
	default:
		return codes()[code].class
	}
}

// Remedy is one sentence of what to do about an error of EC2, empty where EC2 gave none.
func Remedy(err error) string {
	code := codeOf(err)
	entry, known := codes()[code]
	switch {
	case code == "":
		return ""
	case isOtherNetworks(err):
		return "Connect the two VPCs by a peering, or by a transit gateway with security group referencing; or name addresses in place of the security group."
	case known:
		return entry.remedy
	default:
		return remedyUnknown
	}
}
