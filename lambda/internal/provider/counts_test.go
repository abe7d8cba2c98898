package provider_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
)

// line is a chain of n tiers, each open to the one before it on several ports.
// The second one's ports may be others.
func line(n int, egress string, second ...any) properties {
	var tiers []any
	for i := range n {
		ports := []any{"6060", "6061", "6062"}
		if i == 1 && len(second) > 0 {
			ports = second
		}
		tiers = append(tiers, tier(fmt.Sprintf("Tier%02d", i), "Ports", ports, "Egress", egress))
	}
	return props(tiers...)
}

// TestCounts holds every operation against its figure: EC2 calls and dependent
// rounds, whatever the number of rules in a tier.
func TestCounts(t *testing.T) {
	for _, n := range []int{1, 2, 5, 20, 35} {
		for _, egress := range []string{"all", "chain"} {
			t.Run(fmt.Sprintf("%d tiers, egress %s", n, egress), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { countLife(t, n, egress) })
			})
		}
	}
}

func countLife(t *testing.T, n int, egress string) {
	t.Helper()
	r := newRig(t)
	r.world.Latency = latency
	strict := egress == "chain"
	pick := func(all, chain int) int {
		if strict {
			return chain
		}
		return all
	}
	measure := func(what string, calls, rounds int, act func() cfn.Response) cfn.Response {
		t.Helper()
		<-time.After(2 * time.Minute) // virtual: the limiter's buckets are full again
		r.forget()
		started := time.Now()
		answer := r.succeeds(act())
		took := time.Since(started)
		if got := len(r.world.Calls()); got != calls {
			t.Errorf("%s: %d calls, want %d: %v", what, got, calls, r.world.Calls())
		}
		if r.world.Widest() > 10 {
			t.Errorf("%s: %d calls at once, want at most 10", what, r.world.Widest())
		}
		// Ten calls go at once, so a phase of more takes several turns; where none
		// does, time counts the rounds.
		if got := int(took / latency); r.world.Widest() < 10 && got != rounds {
			t.Errorf("%s: %d rounds, want %d", what, got, rounds)
		}
		return answer
	}
	base := line(n, egress)
	id := measure("create", pick(2*n+2, 4*n+1), 4, func() cfn.Response { return r.create(base) }).PhysicalResourceID
	measure("update without difference", 1, 1, func() cfn.Response { return r.update(id, base, base) })
	if n > 1 {
		more := line(n, egress, "6060", "6061", "6062", "6063")
		replaced := line(n, egress, "6060", "6061", "7070")
		measure("rule added", pick(3, 4), 3, func() cfn.Response { return r.update(id, more, base) })
		measure("rule removed", pick(3, 4), 3, func() cfn.Response { return r.update(id, base, more) })
		measure("rule replaced", pick(4, 6), 4, func() cfn.Response { return r.update(id, replaced, base) })
		measure("rule replaced back", pick(4, 6), 4, func() cfn.Response { return r.update(id, base, replaced) })
	}
	if n < 35 {
		longer := line(n+1, egress)
		wider := measure("last tier added", pick(5, 7), 5, func() cfn.Response { return r.update(id, longer, base) }).PhysicalResourceID
		id = measure("last tier removed", 3, 3, func() cfn.Response { return r.update(wider, base, longer) }).PhysicalResourceID
		r.succeeds(r.cleanup("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", wider, id, longer))
	}
	rounds := 5
	switch {
	case n == 1:
		rounds = 3
	case n == 2 && !strict:
		rounds = 4
	}
	measure("delete", pick(n+(n-1)/2+2, 2*n+1), rounds, func() cfn.Response { return r.destroy(id, base) })
	if text := r.world.String(); text != "" {
		t.Errorf("left over:\n%s", text)
	}
}
