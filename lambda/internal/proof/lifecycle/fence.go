package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/internal/proof/world"
)

// Fence is the promise that a run ends with its request: once CloudFormation gave an Update or
// a Create up, what undoes it has the groups for itself.
const Fence = "one at a time"

// longestReading is how old the last reading of the stack is at most under a write. What
// undoes a run waits for longer than that before it looks.
const longestReading = 5 * time.Second

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
	most := longestReading + w.cf.World.Latency + time.Duration(r.mishap.Behind)*time.Second
	if slices.ContainsFunc(r.mishap.Faults, func(one Fault) bool { return one.Kind == "late" }) {
		most += latest
	}
	if late := time.Since(r.given); call.Err == nil && late > most {
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
