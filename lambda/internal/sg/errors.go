package sg

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sgchain/lambda/plan"
)

func hasCode(err error, codes ...string) bool {
	var coded interface{ ErrorCode() string }
	return errors.As(err, &coded) && slices.Contains(codes, coded.ErrorCode())
}

// IsGroupNotFound reports whether a group does not exist, or not yet: EC2 is
// eventually consistent after a create.
func IsGroupNotFound(err error) bool { return hasCode(err, codeGroupNotFound, codeGroupIDNotFound) }

// IsDependencyViolation reports whether a group cannot be deleted because something
// uses or names it.
func IsDependencyViolation(err error) bool {
	return hasCode(err, codeDependencyViolation, codeGroupInUse)
}

// IsTransient reports whether a failed call, or one of several that failed together, may
// succeed a little later. The SDK has already retried it.
func IsTransient(err error) bool {
	if _, isTransient := errors.AsType[*transientError](err); isTransient {
		return true
	}
	_, isCall := errors.AsType[*CallError](err)
	return isCall && classOf(err) == transient
}

// transientError is the first of several errors, one of which is transient.
type transientError struct{ error }

func (e *transientError) Unwrap() error { return e.error }

// isStaleView reports whether an error only means that the last observation is stale. Another
// principal changed something, a call whose answer was lost took effect, or the effect of one
// is unknown. No other call is repeated: the SDK has already retried what a retry may help.
func isStaleView(err error) bool { return classOf(err) == staleView || isLapsed(err) }

// isLapsed reports whether the gate ended a call halfway. Whether it took effect is
// unknown.
func isLapsed(err error) bool {
	var lapsed interface{ Lapsed() bool }
	return errors.As(err, &lapsed) && lapsed.Lapsed()
}

// Cause returns the text of an error for a stack event, on one line: EC2's code and
// message, without the SDK's wrapping. It also lacks the encoded authorization message,
// which alone is longer than an answer may be.
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

// CallError is an EC2 call that failed in the end.
type CallError struct {
	Doing string // verb-ing noun (id)
	Err   error
}

func (e *CallError) Error() string { return e.Doing + ": " + Cause(e.Err) }

func (e *CallError) Unwrap() error { return e.Err }

// Remedy returns what to do.
func (e *CallError) Remedy() string { return Remedy(e.Err) }

// DriftError is a chain that did not reach its goal. Rest is the plan of the missing changes.
type DriftError struct {
	LogicalID string
	Rest      plan.Plan
}

func (e *DriftError) Error() string {
	return "verifying chain (" + e.LogicalID + "): missing changes: " + oneLine(e.Rest)
}

// oneLine returns a plan on one line: semicolons separate the steps, commas their rules.
func oneLine(todo plan.Plan) string {
	text := strings.ReplaceAll(strings.TrimSpace(todo.String()), "\n  ", ", ")
	return strings.ReplaceAll(text, "\n", "; ")
}

// Remedy returns what to do.
func (e *DriftError) Remedy() string { return remedyOthers }

// LaggingError is a chain for which EC2 does not return all groups.
type LaggingError struct{ LogicalID string }

func (e *LaggingError) Error() string {
	return "describing security groups of chain (" + e.LogicalID + "): EC2 keeps omitting some of them"
}

// Remedy returns what to do.
func (e *LaggingError) Remedy() string {
	return "Retry the operation. If that fails too, check whether a group lost its sgchain tags."
}

// NameTakenError is a group that cannot be created because its name is taken.
type NameTakenError struct {
	Name, VPCID, Holder string
	// Before is the logical ID of the chain that has the name, if that is in the same stack.
	// CloudFormation treats a resource with a new logical ID as another one, and creates it
	// before it deletes the old one.
	Before string
	// Moved is set if the group was moved to the chain that has it.
	Moved bool
}

func (e *NameTakenError) Error() string {
	text := "creating security group (" + e.Name + "): the name is taken in VPC " + e.VPCID
	if e.Holder != "" {
		text += " by " + e.Holder
	}
	if e.Moved {
		text += ", after a move"
	}
	return text
}

// Remedy returns what to do.
func (e *NameTakenError) Remedy() string {
	if e.Moved {
		return "Give this chain another logical ID or its tiers a GroupName, or delete the other chain. Then deploy again."
	}
	if e.Before != "" {
		return "Use another GroupName or none. If you renamed or moved this chain, restore logical ID " + e.Before + " (OverrideLogicalId in CDK). Then deploy again."
	}
	return remedyName
}

// RenameError is a change that needs a new group, which EC2 cannot create while the name
// stays the same.
type RenameError struct{ plan.NameConflict }

func (e *RenameError) Error() string {
	change := fmt.Sprintf("its Description changed from %q to %q", e.Holder.Description, e.Wanted.Description)
	switch {
	case e.Wanted.Tier != e.Holder.Tier:
		change = fmt.Sprintf("its tier changed from %s to %s", e.Holder.Tier, e.Wanted.Tier)
	case e.Wanted.Description == e.Holder.Description:
		change = fmt.Sprintf("its GroupName changed only in letter case, from %s to %s", e.Holder.GroupName, e.Wanted.GroupName)
	}
	return fmt.Sprintf("replacing security group (%s): %s. That needs a new group, but names are unique in VPC %s", e.Holder.GroupName, change, e.Wanted.VPCID)
}

// Remedy returns what to do.
func (e *RenameError) Remedy() string {
	return "Choose another GroupName, remove GroupName to get a generated name, or undo the change. Then deploy again."
}

// NoVPCError is a VPC that does not exist.
type NoVPCError struct{ VPCID string }

func (e *NoVPCError) Error() string {
	return "looking up VPC (" + e.VPCID + "): this account and Region have no such VPC"
}

// Remedy returns what to do.
func (e *NoVPCError) Remedy() string { return "Nothing was changed. " + remedyVPC }

// maxNamedBlockers is how many network interfaces, and how many rules, a failed Delete
// names: an answer to CloudFormation has little room.
const maxNamedBlockers = 6

// BlockedError is groups that cannot be deleted, and the reason.
type BlockedError struct {
	GroupIDs []string
	// Users describes what uses the groups: network interfaces, and rules of other groups.
	Users string
	Cause error
}

func (e *BlockedError) Error() string {
	cause := "used by " + e.Users
	if e.Users == "" {
		cause = Cause(e.Cause)
	}
	return "deleting security groups (" + capped(e.GroupIDs) + "): " + cause
}

func (e *BlockedError) Unwrap() error { return e.Cause }

// Remedy returns what to do.
func (e *BlockedError) Remedy() string {
	if e.Users == "" {
		return "Find out what else uses these groups, such as an association with another VPC (aws ec2 describe-security-group-vpc-associations), and remove it. Then retry the delete."
	}
	return "Remove these uses, or wait for the network interfaces that AWS deletes. Then retry the delete."
}

// LostTagsError is a group that has the name of a wanted one. It is probably the chain's and
// has lost its tags.
type LostTagsError struct {
	GroupID, Tier string
	Tags          []string // as the AWS CLI takes them
	MayBeAdopted  bool
	Wrote         bool // whether the run had already changed something
}

func (e *LostTagsError) Error() string {
	return fmt.Sprintf("creating security group of tier %s: %s has its name but lacks the chain's tags", e.Tier, e.GroupID)
}

// Remedy returns what to do.
func (e *LostTagsError) Remedy() string {
	text := fmt.Sprintf("If it is the chain's, restore its tags (aws ec2 create-tags --resources %s --tags %s). Otherwise choose another GroupName.",
		e.GroupID, strings.Join(e.Tags, " "))
	if e.MayBeAdopted {
		text += " Omit sgchain:adopted only if the chain created the group: with it, the group is released, not deleted."
	}
	if !e.Wrote {
		text = "Nothing was changed. " + text
	}
	return text
}

// AdoptionError is a group that has the name of a tier's group and must not be adopted.
type AdoptionError struct {
	GroupID, Name, Tier string
	Why                 string
	Fix                 string
	// Wrote is set if the run had already changed something.
	Wrote bool
}

func (e *AdoptionError) Error() string {
	return fmt.Sprintf("adopting security group (%s, %s) for tier %s: %s", e.GroupID, e.Name, e.Tier, e.Why)
}

// Remedy returns what to do.
func (e *AdoptionError) Remedy() string {
	if e.Wrote {
		return e.Fix
	}
	return "Nothing was changed. " + e.Fix
}

// adoptionDeniedError is an adoption that the function's role does not allow. A provider needs
// AllowAdoption for that.
type adoptionDeniedError struct{ *CallError }

func (e *adoptionDeniedError) Unwrap() error { return e.CallError }

func (e *adoptionDeniedError) Remedy() string {
	return "Deploy the provider with AllowAdoption (the all-in-one template: with AdoptExisting), and check permission boundaries and service control policies."
}

// PeerError is rules that EC2 refuses because of their peers.
type PeerError struct {
	*CallError

	Peers []string
}

func (e *PeerError) Error() string {
	return fmt.Sprintf("%s (refused peers: %s)", e.CallError.Error(), capped(e.Peers))
}

// Unwrap returns EC2's error.
func (e *PeerError) Unwrap() error { return e.CallError }

// Remedy returns what to do.
func (e *PeerError) Remedy() string {
	if !IsGroupNotFound(e.Err) || isOtherNetworks(e.Err) {
		return e.CallError.Remedy()
	}
	return "Use an existing security group, with its account ID if that is another one (123456789012/sg-...), or remove the peer. Then deploy again."
}
