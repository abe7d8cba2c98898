package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/internal/clients"
	"sgchain/lambda/internal/proof/world"
	"sgchain/lambda/internal/sg"
)

// long is a chain of 35 tiers.
func long() properties {
	var tiers []any
	for i := range 35 {
		tiers = append(tiers, tier(fmt.Sprintf("Tier%d", i), "Ports", 6000+i))
	}
	return props(tiers...)
}

// sdk gives the rig the real SDK client with the function's own retries, over EC2's query protocol.
func (r *rig) sdk(name string) *world.Client {
	r.t.Helper()
	client := r.world.Client(name)
	variables := map[string]string{"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
	built, err := clients.New(func(name string) string { return variables[name] }, client.RoundTripper())
	if err != nil {
		r.t.Fatal(err)
	}
	r.handler.EC2, r.handler.Limiter = built.EC2, &sg.Limiter{}
	return client
}

// throttled counts the calls that EC2 refused for their number.
func throttled(w *world.World) int {
	count := 0
	for _, call := range w.Calls() {
		if call.Err != nil && strings.Contains(call.Err.Error(), "RequestLimitExceeded") {
			count++
		}
	}
	return count
}

// TestThrottledNever: one chain, however long, stays below EC2's buckets.
func TestThrottledNever(t *testing.T) {
	life(t, func(t *testing.T, r *rig) {
		r.world.Throttles, r.world.Latency = true, latency
		r.sdk("handler")
		id := r.succeeds(r.create(long())).PhysicalResourceID
		r.succeeds(r.destroy(id, long()))
		want := (2*35 + 2) + (35 + 17 + 2) // as in docs/counts.md
		if got := throttled(r.world); got != 0 || len(r.world.Calls()) != want {
			t.Errorf("%d of %d calls were throttled, want none of %d", got, len(r.world.Calls()), want)
		}
	})
}

// TestThrottledTogether: three runs that know nothing of each other share the account's buckets. Each
// of them succeeds, in at most twice the time that the buckets alone take, and 5 s. How long the SDK
// waits before it asks again is chance, so that is the middle one of five lives.
func TestThrottledTogether(t *testing.T) {
	// 105 calls of one kind, out of a bucket of 50 that fills by 5 a second.
	bound := time.Duration(105-50) * time.Second / 5
	var creates, deletes []time.Duration
	for range 5 {
		synctest.Test(t, func(t *testing.T) {
			create, remove := throttledTogether(t)
			creates, deletes = append(creates, create), append(deletes, remove)
		})
	}
	for what, took := range map[string][]time.Duration{"creates": creates, "deletes": deletes} {
		if slices.Sort(took); took[2] > 2*bound+5*time.Second {
			t.Errorf("three %s took %v, and the buckets alone %v", what, took, bound)
		}
	}
}

// throttledTogether makes and deletes three chains at once, and says how long each took.
func throttledTogether(t *testing.T) (create, remove time.Duration) {
	t.Helper()
	first := newRig(t)
	first.world.Throttles, first.world.Latency = true, latency
	rigs := []*rig{first}
	for i := range 2 {
		other := newRig(t)
		other.world, other.stackID = first.world, strings.Replace(stackID, "/Shop/", fmt.Sprintf("/Shop%d/", i), 1)
		rigs = append(rigs, other)
	}
	ids := make([]string, len(rigs))
	together := func(act func(i int, r *rig) cfn.Response) time.Duration {
		started := time.Now()
		var runs sync.WaitGroup
		for i, r := range rigs {
			r.sdk(fmt.Sprintf("run %d", i))
			runs.Go(func() {
				answer := act(i, r)
				if answer.Status != cfn.StatusSuccess {
					t.Errorf("run %d answered %s: %s", i, answer.Status, answer.Reason)
				}
				ids[i] = answer.PhysicalResourceID
			})
		}
		runs.Wait()
		return time.Since(started)
	}
	create = together(func(_ int, r *rig) cfn.Response { return r.create(long()) })
	<-time.After(time.Minute) // virtual: the buckets are full again
	remove = together(func(i int, r *rig) cfn.Response { return r.destroy(ids[i], long()) })
	if throttled(first.world) == 0 {
		t.Error("no call was throttled: the runs did not meet")
	}
	if left := first.world.String(); strings.Contains(left, "Tier") {
		t.Errorf("left over:\n%s", left)
	}
	return create, remove
}
