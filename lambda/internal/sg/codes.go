package sg

import (
	"errors"
	"strings"
	"sync"
)

// The error codes of EC2 that this package handles.
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

// class is what an error code of EC2 means for the call.
type class int

const (
	// permanent means that EC2 refuses the call however often it is repeated.
	permanent class = iota
	// transient means that the call may succeed later. The SDK has already retried it
	// (aws/retry: throttling codes, RequestTimeout, and HTTP 500, 502, 503 and 504).
	// Nothing else does.
	transient
	// staleView means that the call was planned on a view of EC2 that is wrong, or not
	// yet right: observe and plan again.
	staleView
)

// codeEntry is the class of a code and the remedy.
type codeEntry struct {
	class  class
	remedy string
}

const (
	remedyCredentials = "Find out why the function's credentials are not accepted: its role may be deleted, its sessions revoked, or its clock wrong. Fix that, then retry the operation."
	remedyAccount     = "Bring the AWS account into good standing (see AWS Support and the billing console), then retry the operation."
	remedyRights      = "Give the function's role the permissions of the provider's template, check permission boundaries and service control policies, then retry the operation."
	remedyLater       = "Retry the operation in a few minutes. If EC2 still fails, see the AWS Health Dashboard."
	remedyThrottled   = "Retry the operation when fewer EC2 calls are made in this account and Region."
	remedyValue       = "Change the value that EC2 names, in the chain's properties or in a resource that they name, then deploy again. If neither has it, report a bug of the provider, with the log."
	remedyOthers      = "Find out what else changes these security groups (CloudTrail shows it), stop it, then retry the operation."
	remedyBug         = "Report this as a bug of the provider, with the log. Deploying again does not help."
)

// codes has the error codes that the calls of [API] can return. The sources are:
//   - "Error codes for the Amazon EC2 API", EC2 developer guide ("Common client error
//     codes", "Client error codes for specific actions", "Server error codes")
//   - "Tag policies", AWS Organizations user guide (TagPolicyViolation)
//   - "Common errors", IAM (ExpiredToken and UnrecognizedClientException)
//
// A code that it lacks is permanent: a call is only repeated if that is known to help. It is
// built at the first error, to save the memory of functions that are only kept warm.
var codes = sync.OnceValue(func() map[string]codeEntry {
	return map[string]codeEntry{
		// Another principal changed the group, or an answer was lost.
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
		"ConcurrentTagAccess":          {transient, "Retry the operation once nothing else changes the tags of these security groups."},
		"ResourceCountExceeded":        {permanent, remedySmaller},
		"DryRunOperation":              {permanent, remedyBug},
		"RequestExpired":               {permanent, remedyCredentials},
		"RequestResourceCountExceeded": {permanent, remedySmaller},

		// Permissions, credentials and accounts.
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
		"OptInRequired":               {permanent, "Enable the Region for this account, check that the account is subscribed to Amazon EC2 and not suspended, then retry the operation."},
		"TagPolicyViolation":          {permanent, "Change Tags, or the stack's tags, to what the organization's tag policy allows, then deploy again."},

		// Quotas.
		codeGroupLimit:          {permanent, remedyGroupLimit},
		"ResourceLimitExceeded": {permanent, remedyGroupLimit},
		codeRuleLimit:           {permanent, "Use fewer or wider rules in this group, or request a higher quota of rules per security group, then deploy again."},
		"SecurityGroupsPerInterfaceLimitExceeded":     {permanent, "Remove security groups from the network interfaces, or request a higher quota of security groups per interface, then deploy again."},
		"RulesPerSecurityGroupInterfaceLimitExceeded": {permanent, "Use fewer rules, or fewer security groups per network interface (the product is at most 1,000), then deploy again."},
		codeTagLimit:          {permanent, "Remove tags from Tags or from the group, then deploy again. EC2 allows 50 tags, and the chain needs seven of them."},
		"FilterLimitExceeded": {permanent, remedyBug},

		// What the chain names.
		codeVPCNotFound:                    {permanent, remedyVPC},
		"InvalidVpcId.Malformed":           {permanent, remedyVPC},
		"InvalidVpcID.Malformed":           {permanent, remedyVPC},
		"InvalidPrefixListID.NotFound":     {permanent, remedyList},
		"InvalidPrefixListId.NotFound":     {permanent, remedyList},
		"InvalidPrefixListID.Malformed":    {permanent, remedyList},
		"InvalidPrefixListId.Malformed":    {permanent, remedyList},
		"InvalidGroupId.Malformed":         {permanent, "Correct the ID of the security group that EC2 names, then deploy again."},
		"InvalidSecurityGroupId.Malformed": {permanent, "Correct the ID of the security group that EC2 names, then deploy again."},
		"InvalidGroup.Reserved":            {permanent, "Choose another GroupName, then deploy again."},
		codeGroupDuplicate:                 {permanent, remedyName},
		"InvalidUserID.Malformed":          {permanent, "Correct the account ID of the security group that EC2 names, then deploy again."},
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
		codeCannotDelete:                   {permanent, "EC2 allows no user to delete this group. Remove its sgchain tags, then retry the operation."},
		codeDependencyViolation:            {permanent, "Remove what EC2 says depends on the security group, then retry the operation."},
		codeGroupInUse:                     {permanent, "Remove what EC2 says uses the security group, then retry the operation."},
	}
})

const (
	remedyVPC        = "Set VpcId to a VPC of this account and Region, then deploy again."
	remedyList       = "Use the ID or name of an existing prefix list of this account and Region (aws ec2 describe-managed-prefix-lists), or remove the peer, then deploy again."
	remedyName       = "Choose another GroupName, remove GroupName to get a generated name, or delete the other group. Then deploy again."
	remedySmaller    = "Make the change in smaller steps. EC2 allows fewer resources in a call."
	remedyGroupLimit = "Delete unused security groups, or request a higher quota of security groups per Region, then deploy again."
	remedyState      = "Wait until the VPC or security group that EC2 names is no longer being created, shared or deleted, then deploy again."
	// remedyUnknown is for codes that are not in the table.
	remedyUnknown = "Change what EC2 names, if anything, then retry the operation. This code is unknown to the provider, so the call was not retried."
)

// otherNetworks is in EC2's message about a rule that names a group in a VPC that is not
// connected to this one. The code is InvalidGroup.NotFound (boto3 issue 569).
const otherNetworks = "belong to different networks"

func isOtherNetworks(err error) bool {
	var api interface{ ErrorMessage() string }
	return errors.As(err, &api) && strings.Contains(api.ErrorMessage(), otherNetworks)
}

// codeOf returns EC2's code in an error. It is empty if the error has none, such as that of
// a lost connection.
func codeOf(err error) string {
	var coded interface{ ErrorCode() string }
	if !errors.As(err, &coded) {
		return ""
	}
	return coded.ErrorCode()
}

// classOf returns the class of an error. One without a code comes from the network, and the
// SDK has already retried it.
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

// Remedy returns what to do about an error of EC2. It is empty if the error has no code.
func Remedy(err error) string {
	code := codeOf(err)
	entry, known := codes()[code]
	switch {
	case code == "":
		return ""
	case isOtherNetworks(err):
		return "Connect the two VPCs by a peering, or by a transit gateway with security group referencing, or use addresses instead of the security group. Then deploy again."
	case known:
		return entry.remedy
	default:
		return remedyUnknown
	}
}
