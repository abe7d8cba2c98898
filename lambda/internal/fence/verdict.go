package fence

import (
	"fmt"
	"strings"
	"time"

	"sgchain/lambda/chain"
)

// RequestType is the kind of a request.
type RequestType string

// The three requests of CloudFormation.
const (
	Create RequestType = "Create"
	Update RequestType = "Update"
	Delete RequestType = "Delete"
)

// Request is the part of an event that the fence uses.
type Request struct {
	Type RequestType
	// PhysicalID is the event's physical ID; empty on Create.
	PhysicalID string
	// Date is when CloudFormation sent the request, or zero if unknown.
	Date time.Time
}

// lateBy is how much older than the resource's last change a request must be to count
// as late. Clocks differ, and CloudFormation dates a request before it changes the
// status.
const lateBy = time.Minute

// OverError reports a request for which CloudFormation no longer waits.
type OverError struct {
	Request Request
	Reading Reading
	Reason  string
}

func (e *OverError) Error() string {
	return fmt.Sprintf("the %s request is over: %s (%s)", e.Request.Type, e.Reason, e.Reading)
}

// Remedy returns what to do about it.
func (e *OverError) Remedy() string {
	return "If CloudFormation has moved on, do nothing. If the stack is still waiting, cancel the operation and retry it."
}

// Over returns an error if a Create or an Update is over. First is the reading with which the
// run began. It is over only if a reading positively shows that.
func Over(request Request, first, now Reading) error {
	reason := late(request, now)
	switch {
	case reason != "":
	case request.Type == Create:
		reason = createOver(first, now)
	case request.Type == Update:
		reason = updateOver(request, first, now)
	}
	if reason == "" {
		return nil
	}
	return &OverError{Request: request, Reading: now, Reason: reason}
}

// late detects a duplicate that arrives during a newer operation.
func late(request Request, now Reading) string {
	if request.Date.IsZero() || now.Changed.IsZero() || !request.Date.Add(lateBy).Before(now.Changed) {
		return ""
	}
	return fmt.Sprintf("it was sent at %s, before the resource changed at %s", request.Date.UTC().Format(time.RFC3339), now.Changed.UTC().Format(time.RFC3339))
}

func createOver(first, now Reading) string {
	switch {
	case now.Stack == "":
		return "the stack does not exist"
	case isDelete(now.Stack), isBackward(now.Stack), isCleanup(now.Stack), isEnded(now.Stack):
		return "the stack is not creating resources"
	case now.Resource != "" && now.Resource != "CREATE_IN_PROGRESS":
		return "the resource is not being created"
	case !now.Updated.Equal(first.Updated):
		return "another operation has begun"
	default:
		return ""
	}
}

func updateOver(request Request, first, now Reading) string {
	switch {
	case now.Stack == "":
		return "the stack does not exist"
	case isDelete(now.Stack), isCleanup(now.Stack), isEnded(now.Stack):
		return "the stack is not being updated"
	case now.Resource != "" && !strings.HasSuffix(now.Resource, inProgress):
		// A duplicate that starts after its own response finds this status.
		return "no operation of the resource is in progress"
	case isDelete(now.Resource):
		return "the resource is being deleted"
	case !isBackward(now.Stack) && now.PhysicalID != "" && now.PhysicalID != request.PhysicalID:
		return "the resource now has another physical ID"
	case now.Stack != first.Stack || !now.Updated.Equal(first.Updated):
		return "another operation has begun"
	default:
		return ""
	}
}

// Scope is what a Delete must remove.
type Scope int

const (
	// Cleanup removes the groups with the request's physical ID.
	Cleanup Scope = iota + 1
	// ForGood removes every group of the resource.
	ForGood
)

// String returns the scope's name for the log.
func (s Scope) String() string {
	if s == ForGood {
		return "for good"
	}
	return "cleanup"
}

// Judge decides what a Delete means, from CloudFormation's statuses and from the newest
// epoch among the resource's groups. The first verdict that applies counts:
//
//   - For good: the stack is being deleted, is rolling back its creation, or does not exist.
//   - For good: the stack cleans up, the resource is being deleted or absent, and the ID is
//     not one of ours. Or it is the newest one, and the recorded one if one is recorded.
//   - For good: the resource is being deleted under an ID that is not one of ours, even in
//     the forward phase. CloudFormation removes a failed Create before it creates again.
//   - Over: none of these, and the resource is not being deleted.
//   - Over: the ID is the newest and the resource exists. A Delete that was sent again after
//     X -> Y -> X would remove the live chain.
//   - Cleanup otherwise.
func Judge(request Request, now Reading, newest chain.Epoch) (Scope, error) {
	over := func(reason string) (Scope, error) {
		return 0, &OverError{Request: request, Reading: now, Reason: reason}
	}
	if reason := late(request, now); reason != "" {
		return over(reason)
	}
	isNewest := newest.PhysicalID != "" && newest.PhysicalID == request.PhysicalID
	exists := now.Resource != "" && !isDelete(now.Resource)
	invented := !chain.IsPhysicalID(request.PhysicalID)
	switch {
	case now.Stack == "" || isDelete(now.Stack) || strings.HasPrefix(now.Stack, "ROLLBACK_"):
		return ForGood, nil
	case invented && (isDelete(now.Resource) || (isCleanup(now.Stack) && !exists)):
		return ForGood, nil
	case isCleanup(now.Stack) && !exists && isNewest && isRecorded(request, now):
		return ForGood, nil
	case !isCleanup(now.Stack) && !isDelete(now.Resource):
		return over("nothing in the stack is being deleted")
	case isNewest && exists:
		return over("its physical ID is the live chain's")
	default:
		return Cleanup, nil
	}
}

// Rejudge repeats Judge while a Delete runs. A Delete for good is over if the new verdict is another one.
func Rejudge(request Request, now Reading, newest chain.Epoch, scope Scope) error {
	again, err := Judge(request, now, newest)
	if err == nil && scope == ForGood && again != ForGood {
		err = &OverError{Request: request, Reading: now, Reason: "the chain was created again"}
	}
	return err
}

// Ambiguous reports whether a Delete for good may be about an ID that the chain never had.
// While a stack cleans up after a rollback, CloudFormation deletes IDs that it invented. They
// are those of a Create that is rolled back, or of an Update of a live chain.
func Ambiguous(request Request, now Reading) bool {
	return !chain.IsPhysicalID(request.PhysicalID) && isCleanup(now.Stack) && isDelete(now.Resource) && !now.Updated.IsZero()
}

// isRecorded reports whether an ID is the recorded one, or none is recorded.
func isRecorded(request Request, now Reading) bool {
	return now.PhysicalID == "" || now.PhysicalID == request.PhysicalID
}

// JudgeOnEmulator replaces Judge on an engine that does not keep statuses (MiniStack). A
// Delete of the newest ID is for good, another one is a cleanup.
func JudgeOnEmulator(request Request, newest chain.Epoch) Scope {
	if newest.PhysicalID == request.PhysicalID {
		return ForGood
	}
	return Cleanup
}

// BusyError reports a chain that must not be changed now. Its stack is in an operation, failed or
// changed a short while ago, or the properties do not belong to the deployed chain.
type BusyError struct {
	Reading Reading
	// InProgress reports whether the cause is an operation that is in progress.
	InProgress bool
	Reason     string
}

func (e *BusyError) Error() string { return e.Reason + " (" + e.Reading.String() + ")" }

// Remedy returns what to do about it.
func (e *BusyError) Remedy() string {
	if e.InProgress {
		return "Retry when the stack has had a COMPLETE status for 8 minutes, or wait for the next check."
	}
	return "Bring the stack to a COMPLETE status. If it has one, invoke the action with the deployed properties."
}

// Idle returns an error if only CloudFormation may change a chain now. Others may if no
// operation is in progress and the recorded physical ID is the given one.
func Idle(physicalID string, now Reading) error {
	busy := func(inProgress bool, reason string) error {
		return &BusyError{Reading: now, InProgress: inProgress, Reason: reason}
	}
	switch {
	case strings.HasSuffix(now.Stack, inProgress) || strings.HasSuffix(now.Resource, inProgress):
		return busy(true, "an operation of the stack is in progress")
	case now.Stack == "" || now.Resource == "" || isDelete(now.Stack) || isDelete(now.Resource):
		return busy(false, "the chain does not exist")
	case !strings.HasSuffix(now.Stack, "_COMPLETE") || !strings.HasSuffix(now.Resource, "_COMPLETE"):
		return busy(false, "the last operation of the stack failed")
	case now.PhysicalID != physicalID:
		return busy(false, "the properties are those of physical ID "+physicalID)
	default:
		return nil
	}
}

// QuietFor is how long a stack must not have changed before others than CloudFormation change
// its chain. A schedule's event has the properties of the day when it was created. It may be
// late: a minute in EventBridge, six in Lambda, as set in the provider's templates. The
// remedy of [BusyError] names these minutes.
const QuietFor = 8 * time.Minute

// Quiet is Idle for a stack that has not changed for QuietFor.
func Quiet(physicalID string, now Reading) error {
	if err := Idle(physicalID, now); err != nil {
		return err
	}
	if last := latest(now.Changed, now.Updated); now.At.Sub(last) < QuietFor {
		return &BusyError{Reading: now, InProgress: true, Reason: fmt.Sprintf("the stack changed at %s, less than %v ago", last.UTC().Format(time.RFC3339), QuietFor)}
	}
	return nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// StillIdle is Idle for a stack that has not changed since a first reading.
func StillIdle(physicalID string, first, now Reading) error {
	if err := Idle(physicalID, now); err != nil {
		return err
	}
	if !now.Changed.Equal(first.Changed) || !now.Updated.Equal(first.Updated) || now.Stack != first.Stack {
		return &BusyError{Reading: now, InProgress: true, Reason: "the stack has changed"}
	}
	return nil
}

// OlderMayRun reports whether an older run of the same resource may still be active when
// this one starts. That is so after a rollback began during an operation, or if
// CloudFormation invented an ID for a Create that never responded.
func OlderMayRun(request Request, now Reading) bool {
	invented := request.Type == Delete && !chain.IsPhysicalID(request.PhysicalID)
	return invented || strings.Contains(now.Stack, "ROLLBACK") || isCleanup(now.Stack) || Behind(request, now)
}

// behindBy is how much younger than the resource's last change a request must be for the
// reading to count as behind. CloudFormation changes the status and sends the request in
// one step.
const behindBy = 3 * time.Second

// Behind reports whether a reading shows the state before the request: it may not yet show
// that a rollback has begun.
func Behind(request Request, now Reading) bool {
	return !request.Date.IsZero() && !now.Changed.IsZero() && request.Date.Sub(now.Changed) > behindBy
}

// Against returns the reading to compare later ones with, after a run has looked twice. That is
// the first one, which shows the operation that the request belongs to.
//
// If the first one shows the state before the request, it is the second one. It is not if the
// resource has changed again since the request: then a rollback began while the run waited.
func Against(request Request, first, second Reading) Reading {
	if Behind(request, first) && !second.Changed.After(request.Date.Add(behindBy)) {
		return second
	}
	return first
}

const inProgress = "_IN_PROGRESS"

func isDelete(status string) bool   { return strings.HasPrefix(status, "DELETE_") }
func isBackward(status string) bool { return strings.Contains(status, "ROLLBACK") }
func isCleanup(status string) bool  { return strings.HasSuffix(status, "_CLEANUP"+inProgress) }
func isEnded(status string) bool {
	return strings.HasSuffix(status, "_COMPLETE") || strings.HasSuffix(status, "_FAILED")
}
