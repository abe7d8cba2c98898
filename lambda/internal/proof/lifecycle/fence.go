package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/internal/proof/world"
)

// Fence is the promise that a run ends with its request. Once CloudFormation has given up an Update
// or a Create, the request that undoes it has the groups to itself.
const Fence = "one at a time"

// longestReading is the maximum age of the last reading of the stack before a write. A run that
// undoes another waits longer than that before it reads.
const longestReading = 5 * time.Second

// checkSingleRun checks a write against the state of its request.
func (w *Watch) checkSingleRun(call world.Call) {
	id, _, isRun := strings.Cut(call.Client, " run ")
	if !isRun {
		return
	}
	w.cf.mu.Lock()
	r := w.cf.requests[id]
	w.cf.mu.Unlock()
	if r == nil || r.kind == cfn.RequestDelete || r.abandonedAt.IsZero() {
		return
	}
	w.count(Fence)
	most := longestReading + w.cf.World.Latency + time.Duration(r.mishap.Behind)*time.Second
	if slices.ContainsFunc(r.mishap.Faults, func(one Fault) bool { return one.Kind == "late" }) {
		most += latest
	}
	if late := time.Since(r.abandonedAt); call.Err == nil && late > most {
		w.violate(Fence, fmt.Sprintf("%s: write %v after CloudFormation gave up the request", call, late))
	}
}

// outOfBandEgress is an out-of-band rule that looks like EC2's own default egress for IPv6.
const outOfBandEgress = `egress -1 ::/0 "by hand"`

// checkIPv6Egress checks that no group in a COMPLETE status has an out-of-band egress rule for
// IPv6. EC2's own rule, which has no description, may stay.
func (w *Watch) checkIPv6Egress(chain Chain) {
	w.mu.Lock()
	applies := w.ipv6Egress && !w.outOfBand && !chain.Keep
	w.mu.Unlock()
	if !applies {
		return
	}
	for tier, id := range w.cf.GroupIDs() {
		if _, has := w.cf.World.RuleTags(id)[outOfBandEgress]; has && !w.hasExtraRules(id) {
			w.violate(AnyToAny, fmt.Sprintf("tier %s (%s) has the out-of-band rule %s in a COMPLETE status", tier, id, outOfBandEgress))
		}
	}
}
