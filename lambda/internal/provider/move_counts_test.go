package provider_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
)

// moveFigures are what the operations of a move may cost, whatever the number of tiers and rules.
func moveFigures() []struct {
	name  string
	calls int
} {
	return []struct {
		name  string
		calls int
	}{{"move", 3}, {"the old resource is deleted", 2}, {"a move is taken back", 6}, {"the first update after a move", 4}}
}

// TestMoveCounts compares moves with their figures, and the page with what was measured. A move is
// one call for all groups between two reads. With UPDATE_DOCS=1 it writes the page.
func TestMoveCounts(t *testing.T) {
	t.Parallel()
	sizes := []int{1, 2, 10, 35}
	measured := map[string]string{}
	for _, n := range sizes {
		for _, goesBack := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				moveCounted(t, line(n, 3, "chain"), goesBack, func(name string, calls int) {
					measured[fmt.Sprintf("%s/%d", name, n)] = fmt.Sprint(calls)
				})
			})
		}
	}
	var table strings.Builder
	table.WriteString("\n| operation | 1 tier | 2 | 10 | 35 |\n|---|---|---|---|---|\n")
	for _, one := range moveFigures() {
		fmt.Fprintf(&table, "| %s |", one.name)
		for _, n := range sizes {
			got := measured[fmt.Sprintf("%s/%d", one.name, n)]
			if got != fmt.Sprint(one.calls) {
				t.Errorf("%s of %d tiers: %s calls, want %d", one.name, n, got, one.calls)
			}
			fmt.Fprintf(&table, " %s |", got)
		}
		table.WriteString("\n")
	}
	documented(t, "counts.md", "moves", table.String()+"\n")
}

// moveCounted moves a chain, and either rolls that back or continues. It calls note for each
// operation. None may make a call for rules, or create or delete a group.
func moveCounted(t *testing.T, was properties, goesBack bool, note func(name string, calls int)) {
	t.Helper()
	r, made := newMover(t, was)
	now := setting(was, "MovedFrom", "Chain")
	measure := func(name string, act func() cfn.Response) cfn.Response {
		<-time.After(2 * time.Minute) // of the virtual clock: the limiter's buckets are full again
		r.forget()
		answer := r.succeeds(act())
		calls := r.world.Calls()
		note(name, len(calls))
		for _, call := range calls {
			if call.Write && call.Operation != "CreateTags" && call.Operation != "DeleteTags" {
				t.Errorf("%s: %s", name, call)
			}
		}
		return answer
	}
	moved := measure("move", func() cfn.Response { return r.takeOver(now) })
	if goesBack {
		r.stack.set("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "DELETE_IN_PROGRESS", moved.PhysicalResourceID)
		measure("a move is taken back", func() cfn.Response {
			return r.deliver(r.event(cfn.RequestDelete, moved.PhysicalResourceID, now, nil))
		})
		return
	}
	r.stack.set("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "CREATE_COMPLETE", moved.PhysicalResourceID)
	r.logicalID, r.stack.others = "Chain", map[string]string{"Chain": "DELETE_IN_PROGRESS", "New": "CREATE_COMPLETE"}
	measure("the old resource is deleted", func() cfn.Response {
		return r.deliver(r.event(cfn.RequestDelete, made.PhysicalResourceID, was, nil))
	})
	r.logicalID, r.stack.others = "New", map[string]string{"Chain": ""}
	measure("the first update after a move", func() cfn.Response {
		return r.update(moved.PhysicalResourceID, setting(now, "Revision", "2"), now)
	})
}
