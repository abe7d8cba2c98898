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

// IsGroupNotFound says whether a group is not there, or not there yet: EC2 is
// eventually consistent after a create.
func IsGroupNotFound(err error) bool { return hasCode(err, codeGroupNotFound, codeGroupIDNotFound) }

// IsDependencyViolation says whether a group cannot be deleted because something
// uses or names it.
func IsDependencyViolation(err error) bool {
	return hasCode(err, codeDependencyViolation, codeGroupInUse)
}

// IsTransient says whether a call that failed may succeed a little later, or one of several
// that failed together. The SDK has repeated it by then.
func IsTransient(err error) bool {
	if _, isPassing := errors.AsType[*passingError](err); isPassing {
		return true
	}
	_, isCall := errors.AsType[*CallError](err)
	return isCall && classOf(err) == transient
}

// passingError is the first of several errors of which another one is transient.
type passingError struct{ error }

func (e *passingError) Unwrap() error { return e.error }

// isStaleView reports whether a refusal only tells that somebody moved since the last
// observation, that a call whose answer was lost took effect, or that it is not known
// whether one did. Nothing else is ever made a second time; what may help there, the SDK
// has done.
func isStaleView(err error) bool { return classOf(err) == staleView || isLapsed(err) }

// isLapsed says whether the gate ended a call half way: whether it took effect is
// not known.
func isLapsed(err error) bool {
	var lapsed interface{ Lapsed() bool }
	return errors.As(err, &lapsed) && lapsed.Lapsed()
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

// DriftError is a chain that did not become what it should be: the plan is what
// is still to be done.
type DriftError struct {
	LogicalID string
	Rest      plan.Plan
}

func (e *DriftError) Error() string {
	return "verifying chain (" + e.LogicalID + "): still to do: " + strings.Join(lines(e.Rest), "; ")
}

// lines returns the lines of a plan.
func lines(todo plan.Plan) []string {
	lines := strings.FieldsFunc(todo.String(), func(r rune) bool { return r == '\n' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return lines
}

// Remedy is one sentence of what to do.
func (e *DriftError) Remedy() string {
	return "Look for whoever else changes these security groups (CloudTrail shows it), stop it, and try again."
}

// LaggingError is a chain whose groups EC2 does not show in full.
type LaggingError struct{ LogicalID string }

func (e *LaggingError) Error() string {
	return "describing security groups of chain (" + e.LogicalID + "): EC2 goes on leaving out some of them"
}

// Remedy is one sentence of what to do.
func (e *LaggingError) Remedy() string {
	return "Try again; if it stays so, look whether somebody removed the sgchain tags of a group."
}

// NameTakenError is a group that cannot be created because of its name.
type NameTakenError struct {
	Name, VPCID, Holder string
	// Before is the logical ID of the chain that has the name, where that is of the same stack:
	// a resource whose logical ID changes is another one to CloudFormation, which makes the new
	// one before it deletes the old one.
	Before string
	// Moved says that the group was a chain's of this place, from which it was moved.
	Moved bool
}

func (e *NameTakenError) Error() string {
	text := "creating security group (" + e.Name + "): the name is taken in VPC " + e.VPCID
	if e.Holder != "" {
		text += " by " + e.Holder
	}
	if e.Moved {
		text += ", to which it was moved"
	}
	return text
}

// Remedy is one sentence of what to do.
func (e *NameTakenError) Remedy() string {
	if e.Moved {
		return "Give this chain another logical ID, or its tiers a GroupName; or delete the other chain first."
	}
	if e.Before != "" {
		return "Choose another GroupName, or leave GroupName out to have one generated; if this chain was only moved or renamed in the template, give it its logical ID " + e.Before + " back (OverrideLogicalId in CDK)."
	}
	return "Choose another GroupName, leave GroupName out to have one generated, or delete the other group."
}

// RenameError is a change of a group that EC2 cannot make while the group's name
// stays the same.
type RenameError struct{ plan.NameConflict }

func (e *RenameError) Error() string {
	change := fmt.Sprintf("its Description changed from %q to %q", e.Holder.Description, e.Wanted.Description)
	switch {
	case e.Wanted.Tier != e.Holder.Tier:
		change = fmt.Sprintf("its tier changed from %s to %s", e.Holder.Tier, e.Wanted.Tier)
	case e.Wanted.Description == e.Holder.Description:
		change = fmt.Sprintf("its GroupName changed from %s to %s in nothing but the letter case", e.Holder.GroupName, e.Wanted.GroupName)
	}
	return fmt.Sprintf("replacing security group (%s): %s, which needs a new group, and the name cannot be had twice in VPC %s", e.Holder.GroupName, change, e.Wanted.VPCID)
}

// Remedy is one sentence of what to do.
func (e *RenameError) Remedy() string {
	return "Change the GroupName as well, leave it out to have one generated, or take the other change back."
}

// NoVPCError is a VPC that is not there.
type NoVPCError struct{ VPCID string }

func (e *NoVPCError) Error() string {
	return "looking up VPC (" + e.VPCID + "): there is none in this account and Region"
}

// Remedy is one sentence of what to do.
func (e *NoVPCError) Remedy() string {
	return "Nothing was changed. Set VpcId to a VPC of this account and Region."
}

// maxNamedBlockers is how many blockers a failed Delete names; an answer to
// CloudFormation has little room.
const maxNamedBlockers = 6

// BlockedError is groups that cannot be deleted, and what is in the way.
type BlockedError struct {
	GroupIDs []string
	Blockers []string
	Cause    error
}

func (e *BlockedError) Error() string {
	text := "deleting security groups (" + capped(e.GroupIDs) + "): "
	switch {
	case len(e.Blockers) > maxNamedBlockers:
		text += fmt.Sprintf("used by %s and %d more", strings.Join(e.Blockers[:maxNamedBlockers], "; "), len(e.Blockers)-maxNamedBlockers)
	case len(e.Blockers) > 0:
		text += "used by " + strings.Join(e.Blockers, "; ")
	default:
		text += Cause(e.Cause)
	}
	return text
}

func (e *BlockedError) Unwrap() error { return e.Cause }

// Remedy is one sentence of what to do.
func (e *BlockedError) Remedy() string {
	if len(e.Blockers) == 0 {
		return "Look for what else uses these groups, such as an association with another VPC (aws ec2 describe-security-group-vpc-associations), remove it, then delete again."
	}
	return "Remove these uses, or wait where it says that they go by themselves, then delete again."
}

// LostTagsError is a group that has the name of one that is to be created, and most likely is
// the chain's: somebody took its tags away.
type LostTagsError struct {
	GroupID, Tier string
	Tags          []string // as the AWS CLI takes them
	MayBeAdopted  bool
	Wrote         bool // whether the run had changed something by then
}

func (e *LostTagsError) Error() string {
	return fmt.Sprintf("creating security group of tier %s: %s has its name and lacks tags that make it the chain's", e.Tier, e.GroupID)
}

// Remedy is what to do.
func (e *LostTagsError) Remedy() string {
	text := fmt.Sprintf("If it is the chain's, give it the tags back (aws ec2 create-tags --resources %s --tags %s); otherwise choose another GroupName.",
		e.GroupID, strings.Join(e.Tags, " "))
	if e.MayBeAdopted {
		text += " Leave out sgchain:adopted only if the chain made the group: with it the group is released at its end, and not deleted."
	}
	if !e.Wrote {
		text = "Nothing was changed. " + text
	}
	return text
}

// AdoptionError is a group that has the name that a tier wants, and must not be taken over.
type AdoptionError struct {
	GroupID, Name, Tier string
	Why                 string
	Todo                string
	// Wrote says that the run had changed something by then.
	Wrote bool
}

func (e *AdoptionError) Error() string {
	return fmt.Sprintf("adopting security group (%s, %s) for tier %s: %s", e.GroupID, e.Name, e.Tier, e.Why)
}

// Remedy is one sentence of what to do.
func (e *AdoptionError) Remedy() string {
	if e.Wrote {
		return e.Todo
	}
	return "Nothing was changed. " + e.Todo
}

// adoptionDeniedError is an adoption that the role does not allow: most providers may not.
type adoptionDeniedError struct{ *CallError }

func (e *adoptionDeniedError) Unwrap() error { return e.CallError }

func (e *adoptionDeniedError) Remedy() string {
	return "Deploy the provider with AllowAdoption (the all-in-one has it with AdoptExisting), and check permission boundaries and service control policies."
}

// PeerError is rules that EC2 refuses because of whom they name.
type PeerError struct {
	*CallError

	Peers []string
}

func (e *PeerError) Error() string {
	return fmt.Sprintf("%s; refused because of %s", e.CallError.Error(), capped(e.Peers))
}

// Unwrap leads to EC2's own error.
func (e *PeerError) Unwrap() error { return e.CallError }

// Remedy is one sentence of what to do.
func (e *PeerError) Remedy() string {
	if !IsGroupNotFound(e.Err) || isOtherNetworks(e.Err) {
		return e.CallError.Remedy()
	}
	return "Name a security group that is there, with its own account before it where that is another one, or leave the peer out, then deploy again."
}
