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

// Request is what the fence has to know of an event.
type Request struct {
	Type RequestType
	// PhysicalID is the event's; empty on Create.
	PhysicalID string
	// Date is when CloudFormation made the request; zero where that is not known.
	Date time.Time
}

// lateBy is how much older than the resource's last change a request must be to
// count as late: clocks differ, and CloudFormation dates a request before it
// changes the status.
const lateBy = time.Minute

// OverError is a request that CloudFormation does not wait for any more.
type OverError struct {
	Request Request
	Reading Reading
	Reason  string
}

func (e *OverError) Error() string {
	return fmt.Sprintf("the %s request is over: %s (%s)", e.Request.Type, e.Reason, e.Reading)
}

// Remedy is one sentence of what to do.
func (e *OverError) Remedy() string {
	return "Nothing is to be done where CloudFormation moved on; if the stack waits for this request, cancel the operation and start it again."
}

// Over decides whether a Create or an Update is over; nil where it is not. First
// is the reading with which the run began. A request is over when that is
// positively seen.
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

// late finds a duplicate that arrives inside a newer operation.
func late(request Request, now Reading) string {
	if request.Date.IsZero() || now.Changed.IsZero() || !request.Date.Add(lateBy).Before(now.Changed) {
		return ""
	}
	return fmt.Sprintf("it was made at %s and the resource changed at %s", request.Date.UTC().Format(time.RFC3339), now.Changed.UTC().Format(time.RFC3339))
}

func createOver(first, now Reading) string {
	switch {
	case now.Stack == "":
		return "the stack is gone"
	case isDelete(now.Stack), isBackward(now.Stack), isCleanup(now.Stack), isEnded(now.Stack):
		return "the stack does not go forward"
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
		return "the stack is gone"
	case isDelete(now.Stack), isCleanup(now.Stack), isEnded(now.Stack):
		return "the stack is not being updated"
	case now.Resource != "" && !strings.HasSuffix(now.Resource, inProgress):
		// A duplicate that starts after its own answer finds the resource so.
		return "the resource is at rest"
	case isDelete(now.Resource):
		return "the resource is being deleted"
	case !isBackward(now.Stack) && now.PhysicalID != "" && now.PhysicalID != request.PhysicalID:
		return "the resource has another physical ID by now"
	case now.Stack != first.Stack || !now.Updated.Equal(first.Updated):
		return "another operation has begun"
	default:
		return ""
	}
}

// Scope is what a Delete has to remove.
type Scope int

const (
	// Cleanup removes the groups that carry the request's physical ID.
	Cleanup Scope = iota + 1
	// ForGood removes every group of the resource.
	ForGood
)

// String names the scope for the log.
func (s Scope) String() string {
	if s == ForGood {
		return "for good"
	}
	return "cleanup"
}

// Judge decides what a Delete means, by what CloudFormation shows and by the
// newest tag among the resource's groups. The verdicts are tried in this order:
//
//   - for good: the stack is being deleted, its creation undone, or gone; or it
//     cleans up, the resource is being deleted or absent, and the ID is either
//     none of ours or the newest one and the recorded one, if any is recorded; or the
//     resource is being deleted under an ID that is none of ours, even while the stack goes
//     forward (a Create that stayed failed is removed before it is made anew);
//   - over: the stack does none of that, unless the resource itself is being
//     deleted; or the ID is the newest while the resource lives (a Delete that was
//     sent again after X -> Y -> X would remove the live chain);
//   - cleanup otherwise.
func Judge(request Request, now Reading, newest chain.Epoch) (Scope, error) {
	over := func(reason string) (Scope, error) {
		return 0, &OverError{Request: request, Reading: now, Reason: reason}
	}
	if reason := late(request, now); reason != "" {
		return over(reason)
	}
	isNewest := newest.PhysicalID != "" && newest.PhysicalID == request.PhysicalID
	lives := now.Resource != "" && !isDelete(now.Resource)
	invented := !chain.IsPhysicalID(request.PhysicalID)
	switch {
	case now.Stack == "" || isDelete(now.Stack) || strings.HasPrefix(now.Stack, "ROLLBACK_"):
		return ForGood, nil
	case invented && (isDelete(now.Resource) || (isCleanup(now.Stack) && !lives)):
		return ForGood, nil
	case isCleanup(now.Stack) && !lives && isNewest && isRecorded(request, now):
		return ForGood, nil
	case !isCleanup(now.Stack) && !isDelete(now.Resource):
		return over("the stack neither deletes nor cleans up")
	case isNewest && lives:
		return over("its groups are the live ones")
	default:
		return Cleanup, nil
	}
}

// Rejudge is Judge for a Delete that goes on: one that was for good is over once it would not be any more.
func Rejudge(request Request, now Reading, newest chain.Epoch, scope Scope) error {
	again, err := Judge(request, now, newest)
	if err == nil && scope == ForGood && again != ForGood {
		err = &OverError{Request: request, Reading: now, Reason: "the chain was made again"}
	}
	return err
}

// Ambiguous says whether a Delete that counts as for good may be about an ID that never was
// the chain's: while a stack cleans up after a rollback, CloudFormation deletes IDs that it
// made up for a Create that is undone, and for an Update of a chain that lives.
func Ambiguous(request Request, now Reading) bool {
	return !chain.IsPhysicalID(request.PhysicalID) && isCleanup(now.Stack) && isDelete(now.Resource) && !now.Updated.IsZero()
}

// isRecorded says whether an ID is the recorded one, if any is recorded.
func isRecorded(request Request, now Reading) bool {
	return now.PhysicalID == "" || now.PhysicalID == request.PhysicalID
}

// JudgeOnEmulator is Judge for an engine that does not keep statuses (MiniStack):
// the newest ID counts as for good, another one as cleanup.
func JudgeOnEmulator(request Request, newest chain.Epoch) Scope {
	if newest.PhysicalID == request.PhysicalID {
		return ForGood
	}
	return Cleanup
}

// NotAtRestError is a chain that must be left alone, because it is not at rest.
type NotAtRestError struct {
	Reading Reading
	// InProgress says that an operation is going on, after which the chain is at rest again.
	InProgress bool
	Reason     string
}

func (e *NotAtRestError) Error() string { return e.Reason + " (" + e.Reading.String() + ")" }

// Remedy is one sentence of what to do.
func (e *NotAtRestError) Remedy() string {
	if e.InProgress {
		return "Nothing is to be done: try again, or wait for the next check, once the stack has been at rest for some minutes."
	}
	return "Bring the stack to a state of rest; where it is in one, give the action the properties that the chain was deployed with."
}

// AtRest says why nobody but CloudFormation may touch a chain now; nil where somebody may.
// Nothing goes on in the stack, and what is recorded is the chain of the physical ID.
func AtRest(physicalID string, now Reading) error {
	busy := func(inProgress bool, reason string) error {
		return &NotAtRestError{Reading: now, InProgress: inProgress, Reason: reason}
	}
	switch {
	case strings.HasSuffix(now.Stack, inProgress) || strings.HasSuffix(now.Resource, inProgress):
		return busy(true, "an operation of the stack is in progress")
	case now.Stack == "" || now.Resource == "" || isDelete(now.Stack) || isDelete(now.Resource):
		return busy(false, "the chain is not there")
	case !strings.HasSuffix(now.Stack, "_COMPLETE") || !strings.HasSuffix(now.Resource, "_COMPLETE"):
		return busy(false, "the last operation of the stack failed")
	case now.PhysicalID != physicalID:
		return busy(false, "the properties give the chain the physical ID "+physicalID)
	default:
		return nil
	}
}

// QuietFor is how long nothing must have happened to a stack before others than CloudFormation
// touch its chain. A schedule's event carries the properties of its day, and may be late: a
// minute in EventBridge, six in Lambda, as the provider's templates set them.
const QuietFor = 8 * time.Minute

// Quiet is AtRest where nothing has happened for some time.
func Quiet(physicalID string, now Reading) error {
	if err := AtRest(physicalID, now); err != nil {
		return err
	}
	if last := latest(now.Changed, now.Updated); now.At.Sub(last) < QuietFor {
		return &NotAtRestError{Reading: now, InProgress: true, Reason: fmt.Sprintf("the stack changed at %s, less than %v ago", last.UTC().Format(time.RFC3339), QuietFor)}
	}
	return nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// StillAtRest is AtRest for as long as nothing has changed since a first reading.
func StillAtRest(physicalID string, first, now Reading) error {
	if err := AtRest(physicalID, now); err != nil {
		return err
	}
	if !now.Changed.Equal(first.Changed) || !now.Updated.Equal(first.Updated) || now.Stack != first.Stack {
		return &NotAtRestError{Reading: now, InProgress: true, Reason: "the stack has changed"}
	}
	return nil
}

// OlderMayRun says whether an older run of the same resource may still be alive
// when this one starts: CloudFormation turned round while something was going
// on, or made up an ID for a Create that never answered.
func OlderMayRun(request Request, now Reading) bool {
	invented := request.Type == Delete && !chain.IsPhysicalID(request.PhysicalID)
	return invented || strings.Contains(now.Stack, "ROLLBACK") || isCleanup(now.Stack) || Behind(request, now)
}

// behindBy is how much younger than the resource's last change a request must be for the
// reading to count as behind. CloudFormation changes the status and makes the request in
// one go.
const behindBy = 3 * time.Second

// Behind says whether a reading shows what was before the request: the status may then
// hide that CloudFormation turned round.
func Behind(request Request, now Reading) bool {
	return !request.Date.IsZero() && !now.Changed.IsZero() && request.Date.Sub(now.Changed) > behindBy
}

// Against returns the reading that a run is held against once it has looked twice: the first
// one, which shows the operation that the request belongs to. Where that one shows what was
// before the request, it is the second, unless the resource has changed again since the
// request was made: then CloudFormation turned round while the run waited.
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
