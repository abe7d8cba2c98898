package provider_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
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

// throttled counts the calls that EC2 throttled.
func throttled(w *world.World) int {
	count := 0
	for _, call := range w.Calls() {
		if call.Err != nil && strings.Contains(call.Err.Error(), "RequestLimitExceeded") {
			count++
		}
	}
	return count
}

// One chain of any length stays below EC2's buckets.
func TestOneChainIsNotThrottled(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
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

// Three independent runs share the account's buckets. Each succeeds in at most twice the time that
// the buckets alone take, plus 5 s. The SDK's waits are random, so that is the median of five
// histories.
func TestThreeRunsThrottled(t *testing.T) {
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

// throttledTogether creates and deletes three chains at once, and returns how long each took.
func throttledTogether(t *testing.T) (create, remove time.Duration) {
	t.Helper()
	rigs := sharing(t, newRig(t), 3)
	first, ids := rigs[0], make([]string, 3)
	create = together(t, rigs, ids, func(_ int, r *rig) cfn.Response { return r.create(long()) })
	<-time.After(time.Minute) // virtual: the buckets are full again
	remove = together(t, rigs, ids, func(i int, r *rig) cfn.Response { return r.destroy(ids[i], long()) })
	if throttled(first.world) == 0 {
		t.Error("no call was throttled: the runs did not meet")
	}
	if left := first.world.String(); strings.Contains(left, "Tier") {
		t.Errorf("left over:\n%s", left)
	}
	return create, remove
}

// TestFiftyStacksThrottled checks the figures of docs/operations.md. Fifty stacks of three tiers are
// created at once, and updated at once without a change. They share the account's buckets.
func TestFiftyStacksThrottled(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	bound := func(row string) time.Duration {
		found := regexp.MustCompile(`(?m)^\| ` + row + ` \|.*\| under (\d+) s \|$`).FindStringSubmatch(string(page))
		if found == nil {
			t.Fatalf("docs/operations.md has no figure for %s", row)
		}
		seconds, err := strconv.Atoi(found[1])
		if err != nil {
			t.Fatal(err)
		}
		return time.Duration(seconds) * time.Second
	}
	simulate(t, func(t *testing.T, r *rig) {
		fifty := props(tier("Web", "Ports", 443), tier("App", "Ports", 8080), tier("Db", "Ports", 5432))
		rigs := sharing(t, r, 50)
		ids := make([]string, len(rigs))
		for _, one := range []struct {
			row string
			act func(i int, r *rig) cfn.Response
		}{
			{"50 creates of 3 tiers", func(_ int, r *rig) cfn.Response { return r.create(fifty) }},
			{"50 updates without a change", func(i int, r *rig) cfn.Response { return r.update(ids[i], fifty, fifty) }},
		} {
			before := throttled(r.world)
			took := together(t, rigs, ids, one.act)
			t.Logf("%s: %v, %d calls throttled", one.row, took, throttled(r.world)-before)
			if took > bound(one.row) {
				t.Errorf("%s took %v, and docs/operations.md has under %v", one.row, took, bound(one.row))
			}
			<-time.After(time.Minute) // virtual: the buckets are full again
		}
	})
}

// sharing returns further rigs in the first one's world, each with a stack of its own.
func sharing(t *testing.T, first *rig, count int) []*rig {
	t.Helper()
	first.world.Throttles, first.world.Latency = true, latency
	rigs := []*rig{first}
	for i := range count - 1 {
		other := newRig(t)
		other.world, other.stackID = first.world, strings.Replace(stackID, "/Shop/", fmt.Sprintf("/Shop%d/", i), 1)
		rigs = append(rigs, other)
	}
	return rigs
}

// together runs every rig at once, each as a process of its own. It keeps the IDs that they answer,
// and returns how long it took.
func together(t *testing.T, rigs []*rig, ids []string, act func(i int, r *rig) cfn.Response) time.Duration {
	t.Helper()
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
