package lifecycle

import (
	"maps"
	"slices"
	"strings"
	"time"

	"sgchain/lambda/internal/proof/world"
)

// Mishap is what goes wrong with one event. Times are in seconds.
type Mishap struct {
	// Faults are those of the first run's EC2 calls.
	Faults []Fault `json:",omitempty"`
	// Again lists when, after the first delivery, the event is delivered again.
	Again []int `json:",omitempty"`
	// Denied refuses the stack's status to the first run. Behind shows all runs an older one.
	Denied bool `json:",omitempty"`
	Behind int  `json:",omitempty"`
	// Answer is "lost" if CloudFormation never sees the answer, and "late" if it sees it half a
	// minute later. "without ID" makes it count as a failure without an ID of its own.
	Answer string `json:",omitempty"`
	// Cancel is when CloudFormation stops waiting because a user cancels or another resource fails.
	Cancel int `json:",omitempty"`
	// Dated is how many seconds after the resource's last change of status the request is created.
	// If negative, the date in its ResponseURL is that long before the change.
	Dated int `json:",omitempty"`
	// Lacks are the EC2 operations that the role denies to the event's runs.
	Lacks []string `json:",omitempty"`
}

// Fault is what goes wrong at one EC2 call, by its number within the run.
type Fault struct {
	Call    int
	Kind    string
	Pick    int `json:",omitempty"`
	Seconds int `json:",omitempty"`
}

// changeKind begins the kinds of fault that are out-of-band changes.
const changeKind = "out of band: "

// The newer kinds of fault. They are separate, so that the histories of a seed stay the same.
const (
	repeated    = "repeated"     // the answer is lost, and the SDK repeats the call
	refused     = "refused"      // permanently: this call and all later ones of its operation
	refusedOnce = "refused once" // with an error that a retry does not fix
	byOwner     = "the owner removes a peer"
	ipv6Egress  = changeKind + string(world.AddIPv6Egress)
)

// LaterKinds lists those kinds.
func LaterKinds() []string { return []string{repeated, refused, refusedOnce, byOwner, ipv6Egress} }

// Kinds lists the kinds of fault.
func Kinds() []string {
	return []string{
		"error", "throttled", "unauthorized", "lost", "crash", "crash after", "late", "hang", "stale", "blink", "panic",
		changeKind + string(world.AddRule), changeKind + string(world.RemoveRule), changeKind + string(world.EditDescription), changeKind + string(world.AddTag),
		changeKind + string(world.AddGroup), changeKind + string(world.RemoveGroup), changeKind + string(world.AttachInterface),
	}
}

// latest is the maximum delay until a call takes effect: its caller's lease still covers it.
const latest = 4 * time.Second

func (c *CloudFormation) asWorld(f Fault) world.Fault {
	took := time.Duration(f.Seconds) * time.Second
	switch f.Kind {
	case "error":
		return world.Fault{Err: world.NewError("InternalError", "An internal error has occurred")}
	case "throttled":
		return world.Fault{Err: world.NewError("RequestLimitExceeded", "Request limit exceeded.")}
	case "unauthorized":
		return world.Fault{Err: world.Unauthorized("EC2")}
	case "lost":
		return world.Fault{Lost: true}
	case "crash":
		return world.Fault{Cut: true}
	case "crash after":
		return world.Fault{Cut: true, Lost: true}
	case "late":
		return world.Fault{Late: min(took, latest)}
	case "hang":
		return world.Fault{Hang: took}
	case "stale":
		return world.Fault{Stale: took}
	case "blink":
		return world.Fault{Blink: true}
	case "panic":
		return world.Fault{Panic: "planted"}
	case repeated:
		return world.Fault{Repeated: true}
	case refused, refusedOnce:
		names := slices.Sorted(maps.Keys(world.Refusals()))
		return world.Fault{Err: world.Refusals()[names[f.Pick%len(names)]](), Lasting: f.Kind == refused}
	case namesake:
		return world.Fault{Do: func() {
			if c.OnNamesake != nil {
				c.OnNamesake()
			}
		}}
	case byOwner:
		return world.Fault{Do: func() {
			if c.OnOwner != nil {
				c.OnOwner(f.Pick)
			}
		}}
	default:
		kind, _ := strings.CutPrefix(f.Kind, changeKind)
		change := world.OutOfBandChange{Deed: world.ChangeKind(kind), Pick: f.Pick}
		if c.OnChange == nil {
			return world.Fault{Hand: &change}
		}
		return world.Fault{Do: func() { c.OnChange(change) }}
	}
}
