package lifecycle

import (
	"maps"
	"slices"
	"strings"
	"time"

	"sgchain/lambda/internal/proof/world"
)

// Mishap is what goes wrong with one event, in seconds where it is about time.
type Mishap struct {
	// Faults are those of the first run's calls of EC2.
	Faults []Fault `json:",omitempty"`
	// Again are the moments, after the first delivery, at which the event is
	// delivered once more.
	Again []int `json:",omitempty"`
	// Denied refuses the stack's status to the first run; Behind shows all runs an
	// older one.
	Denied bool `json:",omitempty"`
	Behind int  `json:",omitempty"`
	// Answer is "lost" where CloudFormation never sees the answer, "late" where it
	// sees it half a minute later, "without ID" where it takes it for a failure without
	// an ID of its own.
	Answer string `json:",omitempty"`
	// Cancel is when CloudFormation stops waiting: a user cancels, or another
	// resource fails.
	Cancel int `json:",omitempty"`
	// Dated is how many seconds after the resource's last change of status the request is
	// made, or before it where it is negative: the date in its ResponseURL is not that of
	// the change.
	Dated int `json:",omitempty"`
	// Lacks are the operations of EC2 that the role does not allow to the event's runs.
	Lacks []string `json:",omitempty"`
}

// Fault is what goes wrong at a call of EC2, by its number within the run.
type Fault struct {
	Call    int
	Kind    string
	Pick    int `json:",omitempty"`
	Seconds int `json:",omitempty"`
}

// The kinds of fault that came later: histories of the same seed are drawn as before.
const (
	repeated    = "repeated"     // the answer is lost, and the SDK makes the call once more
	refused     = "refused"      // for good: this call and all later ones of its operation
	refusedOnce = "refused once" // by an error that no repetition mends
	byOwner     = "the owner removes a peer"
	wayOut      = "hand " + string(world.AddIPv6Egress)
)

// LaterKinds are those kinds.
func LaterKinds() []string { return []string{repeated, refused, refusedOnce, byOwner, wayOut} }

// Kinds are the kinds of fault.
func Kinds() []string {
	return []string{
		"error", "throttled", "unauthorized", "lost", "crash", "crash after", "late", "hang", "stale", "blink", "panic",
		"hand " + string(world.AddRule), "hand " + string(world.RemoveRule), "hand " + string(world.EditDescription), "hand " + string(world.AddTag),
		"hand " + string(world.AddGroup), "hand " + string(world.RemoveGroup), "hand " + string(world.AttachInterface),
	}
}

// latest is how late a call takes effect at most: within the lease that its caller had.
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
		deed, _ := strings.CutPrefix(f.Kind, "hand ")
		hand := world.Hand{Deed: world.Deed(deed), Pick: f.Pick}
		if c.OnHand == nil {
			return world.Fault{Hand: &hand}
		}
		return world.Fault{Do: func() { c.OnHand(hand) }}
	}
}
