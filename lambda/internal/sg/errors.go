package sg

import (
	"errors"
	"slices"
	"strings"
)

// The codes of EC2 that this package tells apart (EC2 API reference, "Error
// codes for the Amazon EC2 API").
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
	// Both spellings are in EC2's list of error codes.
	codePrefixListNotFound   = "InvalidPrefixListID.NotFound"
	codePrefixListIDNotFound = "InvalidPrefixListId.NotFound"
	codeRuleNotFound         = "InvalidSecurityGroupRuleId.NotFound"
	codeRuleLimit            = "RulesPerSecurityGroupLimitExceeded"
	codeTagLimit             = "TagLimitExceeded"
	codeThrottled            = "RequestLimitExceeded"
	codeUnauthorized         = "UnauthorizedOperation"
	codeVPCNotFound          = "InvalidVpcID.NotFound"
)

func hasCode(err error, codes ...string) bool {
	var coded interface{ ErrorCode() string }
	return errors.As(err, &coded) && slices.Contains(codes, coded.ErrorCode())
}

// IsGroupNotFound says whether a group is not there, or not there yet: EC2 is
// eventually consistent after a create.
func IsGroupNotFound(err error) bool { return hasCode(err, codeGroupNotFound, codeGroupIDNotFound) }

// IsDependencyViolation says whether a group cannot be deleted because something
// uses or names it.
func IsDependencyViolation(err error) bool {
	return hasCode(err, codeDependencyViolation, codeGroupInUse)
}

// isStaleView says whether a refusal only tells that somebody moved since the last
// observation, that a call whose answer was lost took effect, or that it is not known
// whether one did.
func isStaleView(err error) bool {
	return hasCode(err, codePermissionDuplicate, codePermissionNotFound, codeRuleNotFound) || IsGroupNotFound(err) || isLapsed(err)
}

// isLapsed says whether the gate ended a call half way: whether it took effect is
// not known.
func isLapsed(err error) bool {
	var lapsed interface{ Lapsed() bool }
	return errors.As(err, &lapsed) && lapsed.Lapsed()
}

// Remedy is one sentence of what to do about an error of EC2, empty where none
// is known.
func Remedy(err error) string {
	switch {
	case hasCode(err, codeUnauthorized):
		return "Give the function's role the rights of the provider's template, and check permission boundaries and service control policies."
	case hasCode(err, codeVPCNotFound):
		return "Set VpcId to a VPC of this account and Region."
	case hasCode(err, codeGroupLimit):
		return "Delete security groups that nobody uses, or ask for a higher quota of groups per Region."
	case hasCode(err, codeRuleLimit):
		return "Use fewer or wider rules in this group, or ask for a higher quota of rules per security group."
	case hasCode(err, codeTagLimit):
		return "Take some tags from Tags, or from the group: it has room for 50, and the chain needs seven of them."
	case hasCode(err, codeThrottled):
		return "Try again when fewer EC2 calls are made in this account and Region."
	case hasCode(err, codeCannotDelete):
		return "EC2 does not let anybody delete this group; remove its sgchain tags."
	default:
		return ""
	}
}

// Cause is the text of an error for a stack event, on one line: EC2's code and
// message without the SDK's wrapping, and without the encoded authorization
// message, which alone is longer than an answer may be.
func Cause(err error) string {
	var api interface {
		ErrorCode() string
		ErrorMessage() string
	}
	if !errors.As(err, &api) {
		return err.Error()
	}
	message, _, _ := strings.Cut(api.ErrorMessage(), "Encoded authorization failure message")
	return strings.TrimSpace(api.ErrorCode() + ": " + strings.TrimSpace(message))
}

// CallError is a call of EC2 that failed for good.
type CallError struct {
	Doing string // verb-ing noun (id)
	Err   error
}

func (e *CallError) Error() string { return e.Doing + ": " + Cause(e.Err) }

func (e *CallError) Unwrap() error { return e.Err }

// Remedy is one sentence of what to do.
func (e *CallError) Remedy() string { return Remedy(e.Err) }
