package lifecycle

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/internal/world"
)

// Fence is the promise that a run ends with its request: once CloudFormation gave an Update or
// a Create up, what undoes it has the groups for itself.
const Fence = "one at a time"

// undisturbedAfter is when a run that was given up writes no more: a reading is at most 5
// seconds old under a write, and what undoes it waits for 10 before it looks.
const undisturbedAfter = 10 * time.Second

// alone holds a write against the request for which it is made.
func (w *Watch) alone(call world.Call) {
	id, _, isRun := strings.Cut(call.Client, " run ")
	if !isRun {
		return
	}
	w.cf.mu.Lock()
	r := w.cf.requests[id]
	w.cf.mu.Unlock()
	if r == nil || r.kind == cfn.RequestDelete || r.given.IsZero() {
		return
	}
	w.count(Fence)
	behind := time.Duration(r.mishap.Behind) * time.Second
	if late := time.Since(r.given); call.Err == nil && late > undisturbedAfter+behind {
		w.violate(Fence, fmt.Sprintf("%s writes %v after CloudFormation gave its request up", call, late))
	}
}

// wayOutByHand is the rule of a stranger that EC2's own twin of the default egress looks like.
const wayOutByHand = `egress -1 ::/0 "by hand"`

// waysOut holds that no group at rest has a way out by IPv6 that a stranger opened: only EC2's
// own rule, which has no description, is taken as it is.
func (w *Watch) waysOut(chain Chain) {
	w.mu.Lock()
	looks := w.ways && !w.hands && !chain.Keep
	w.mu.Unlock()
	if !looks {
		return
	}
	for tier, id := range w.cf.GroupIDs() {
		if _, has := w.cf.World.RuleTags(id)[wayOutByHand]; has && !w.isLoose(id) {
			w.violate(AnyToAny, fmt.Sprintf("at rest, tier %s (%s) has %s", tier, id, wayOutByHand))
		}
	}
}
