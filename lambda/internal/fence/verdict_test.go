package fence_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/fence"
)

const (
	x = "sgchain-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	y = "sgchain-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	// invented is an ID that CloudFormation invents for a Create that never responded.
	invented = "Shop-Chain-1A2B3C4D5E6F"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// reading returns a reading of a stack and a resource. An empty status means that it does not exist.
func reading(stack, resource, physicalID string) fence.Reading {
	return fence.Reading{At: noon, Stack: stack, Updated: noon, Resource: resource, ResourceType: chain.ResourceType, PhysicalID: physicalID, Changed: noon}
}

func isOver(t *testing.T, err error, words string) {
	t.Helper()
	switch {
	case words == "" && err != nil:
		t.Errorf("is over: %v", err)
	case words != "" && (err == nil || !strings.Contains(err.Error(), words)):
		t.Errorf("got %v, want an error that says %q", err, words)
	}
}

func TestCreateOver(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, stack, resource, over string }{
		{"stack is being created", "CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", ""},
		{"CloudFormation does not show the resource yet", "CREATE_IN_PROGRESS", "", ""},
		{"resource is added by an update", "UPDATE_IN_PROGRESS", "CREATE_IN_PROGRESS", ""},
		{"another resource is imported", "IMPORT_IN_PROGRESS", "CREATE_IN_PROGRESS", ""},
		{"duplicate after its own answer", "CREATE_IN_PROGRESS", "CREATE_COMPLETE", "not being created"},
		{"failed and kept (DisableRollback)", "CREATE_IN_PROGRESS", "CREATE_FAILED", "not being created"},
		{"cancelled", "ROLLBACK_IN_PROGRESS", "CREATE_IN_PROGRESS", "not creating resources"},
		{"cancelled in an update", "UPDATE_ROLLBACK_IN_PROGRESS", "CREATE_IN_PROGRESS", "not creating resources"},
		{"its stack cleans up", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "DELETE_IN_PROGRESS", "not creating resources"},
		{"stack is complete", "CREATE_COMPLETE", "", "not creating resources"},
		{"stack failed", "CREATE_FAILED", "", "not creating resources"},
		{"stack is being deleted", "DELETE_IN_PROGRESS", "", "not creating resources"},
		{"stack is gone", "", "", "the stack does not exist"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			now := reading(test.stack, test.resource, "")
			isOver(t, fence.Over(fence.Request{Type: fence.Create}, now, now), test.over)
		})
	}
}

func TestUpdateOver(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, stack, resource, recorded, over string }{
		{"stack is being updated", "UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", x, ""},
		{"stack is being rolled back", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS", x, ""},
		{"rollback records the new ID", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS", y, ""},
		{"stack goes forward with another recorded ID", "UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", y, "another physical ID"},
		{"duplicate after its own answer", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", x, "no operation of the resource"},
		{"resource failed and the rollback has not reached it", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_FAILED", x, "no operation of the resource"},
		{"resource is being deleted", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", x, "being deleted"},
		{"cleanup has begun", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE", x, "not being updated"},
		{"stack is complete", "UPDATE_COMPLETE", "UPDATE_COMPLETE", x, "not being updated"},
		{"rollback failed", "UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED", x, "not being updated"},
		{"stack is being deleted", "DELETE_IN_PROGRESS", "UPDATE_COMPLETE", x, "not being updated"},
		{"stack is gone", "", "", "", "the stack does not exist"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			now := reading(test.stack, test.resource, test.recorded)
			isOver(t, fence.Over(fence.Request{Type: fence.Update, PhysicalID: x}, now, now), test.over)
		})
	}
}

// TestOverByAnotherOperation checks that a request is over if another operation began after this run.
func TestOverByAnotherOperation(t *testing.T) {
	t.Parallel()
	request := fence.Request{Type: fence.Update, PhysicalID: x}
	first := reading("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", x)
	turned := reading("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS", x)
	isOver(t, fence.Over(request, first, turned), "another operation has begun")
	next := first
	next.Updated = noon.Add(time.Hour)
	isOver(t, fence.Over(request, first, next), "another operation has begun")
	later := first
	later.At = noon.Add(time.Second)
	isOver(t, fence.Over(request, first, later), "")

	create := fence.Request{Type: fence.Create}
	first = reading("UPDATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "")
	isOver(t, fence.Over(create, first, first), "")
	next = first
	next.Updated = noon.Add(20 * time.Second)
	isOver(t, fence.Over(create, first, next), "another operation has begun")
}

// TestLateRequests checks that a request which is more than a minute older than the resource's
// last change counts as a late duplicate.
func TestLateRequests(t *testing.T) {
	t.Parallel()
	for _, kind := range []fence.RequestType{fence.Create, fence.Update, fence.Delete} {
		stack := map[fence.RequestType]string{fence.Create: "CREATE_IN_PROGRESS", fence.Update: "UPDATE_IN_PROGRESS", fence.Delete: "DELETE_IN_PROGRESS"}[kind]
		for _, test := range []struct {
			name string
			made time.Time
			over string
		}{
			{"sent as the status changed", noon, ""},
			{"sent within a minute", noon.Add(-time.Minute), ""},
			{"sent earlier", noon.Add(-time.Minute - time.Second), "the resource changed at 2026-11-23T12:00:00Z"},
			{"date not known", time.Time{}, ""},
		} {
			t.Run(string(kind)+" "+test.name, func(t *testing.T) {
				t.Parallel()
				now := reading(stack, stack, x)
				request := fence.Request{Type: kind, PhysicalID: x, Date: test.made}
				var err error
				if kind == fence.Delete {
					_, err = fence.Judge(request, now, chain.Epoch{})
				} else {
					err = fence.Over(request, now, now)
				}
				isOver(t, err, test.over)
			})
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	newestX, newestY, tie := chain.Epoch{Generation: 3, PhysicalID: x}, chain.Epoch{Generation: 2, PhysicalID: y}, chain.Epoch{Generation: 2}
	for _, test := range []struct {
		name                      string
		id                        string
		stack, resource, recorded string
		newest                    chain.Epoch
		scope                     fence.Scope
		over                      string
	}{
		{"row 13: stack is being deleted", x, "DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", x, newestX, fence.ForGood, ""},
		{"stack is being deleted, for an old ID", x, "DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", y, newestY, fence.ForGood, ""},
		{"row 2: a failed Create is undone", x, "ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS", x, newestX, fence.ForGood, ""},
		{"row 15: undone for a second time", x, "ROLLBACK_FAILED", "DELETE_IN_PROGRESS", x, newestX, fence.ForGood, ""},
		{"row 4: undone under an invented ID", invented, "ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS", invented, newestX, fence.ForGood, ""},
		{"stack is gone", x, "", "", "", newestX, fence.ForGood, ""},
		{"row 6: cleanup of a replaced ID", x, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE", y, newestY, fence.Cleanup, ""},
		{"row 6, the resource shown as being deleted", x, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "DELETE_IN_PROGRESS", x, newestY, fence.Cleanup, ""},
		{"row 10: cleanup after a rollback", y, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE", x, newestX, fence.Cleanup, ""},
		{"row 12: resource removed from the template", x, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "DELETE_IN_PROGRESS", x, newestX, fence.ForGood, ""},
		{"row 12, the resource no longer shown", x, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "", "", newestX, fence.ForGood, ""},
		{"newest, but another ID is recorded", x, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "DELETE_IN_PROGRESS", y, newestX, fence.Cleanup, ""},
		{"row 11: added in an update that is undone, invented ID", invented, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "DELETE_IN_PROGRESS", invented, newestX, fence.ForGood, ""},
		{"row 17: a failed Create is removed before it is created again, invented ID", invented, "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", invented, newestX, fence.ForGood, ""},
		{"invented ID while the resource lives", invented, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE", x, newestX, fence.Cleanup, ""},
		{"two IDs share the highest generation", x, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "DELETE_IN_PROGRESS", x, tie, fence.Cleanup, ""},
		{"row 17: sent while the stack goes forward", x, "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", x, newestX, fence.Cleanup, ""},
		{"stale, after X -> Y -> X, in the cleanup", x, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE", x, newestX, 0, "its physical ID is the live chain's"},
		{"stale, in a COMPLETE status", y, "UPDATE_COMPLETE", "UPDATE_COMPLETE", x, newestX, 0, "nothing in the stack is being deleted"},
		{"stale, in the next update", y, "UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", x, newestX, 0, "nothing in the stack is being deleted"},
		{"stale, in a rollback", y, "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS", x, newestX, 0, "nothing in the stack is being deleted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			scope, err := fence.Judge(fence.Request{Type: fence.Delete, PhysicalID: test.id}, reading(test.stack, test.resource, test.recorded), test.newest)
			isOver(t, err, test.over)
			if scope != test.scope {
				t.Errorf("scope is %v, want %v", scope, test.scope)
			}
		})
	}
}

func TestOlderMayRun(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		kind  fence.RequestType
		id    string
		stack string
		want  bool
	}{
		{"Create", fence.Create, "", "CREATE_IN_PROGRESS", false},
		{"Update", fence.Update, x, "UPDATE_IN_PROGRESS", false},
		{"rollback", fence.Update, x, "UPDATE_ROLLBACK_IN_PROGRESS", true},
		{"cleanup", fence.Delete, x, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", true},
		{"failed Create", fence.Delete, x, "ROLLBACK_IN_PROGRESS", true},
		{"invented ID", fence.Delete, invented, "DELETE_IN_PROGRESS", true},
		{"stack delete", fence.Delete, x, "DELETE_IN_PROGRESS", false},
	} {
		if got := fence.OlderMayRun(fence.Request{Type: test.kind, PhysicalID: test.id}, reading(test.stack, "", "")); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

// TestBehind checks that a reading from before the request is recognized.
func TestBehind(t *testing.T) {
	t.Parallel()
	made := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		name    string
		date    time.Time
		changed time.Time
		want    bool
	}{
		{"changed with the request", made, made.Add(-time.Second), false},
		{"changed after it", made, made.Add(time.Minute), false},
		{"changed long before it", made, made.Add(-4 * time.Second), true},
		{"no date", time.Time{}, made, false},
		{"no resource", made, time.Time{}, false},
	} {
		now := reading("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", x)
		now.Changed = test.changed
		request := fence.Request{Type: fence.Update, PhysicalID: x, Date: test.date}
		if got := fence.Behind(request, now); got != test.want || fence.OlderMayRun(request, now) != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

// TestRejudge checks that a Delete for good is over once the chain exists again, while a cleanup continues if its stack is deleted.
func TestRejudge(t *testing.T) {
	t.Parallel()
	newest := chain.Epoch{Generation: 1, PhysicalID: x}
	made := fence.Reading{Stack: "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Resource: "CREATE_COMPLETE", PhysicalID: x}
	deleted := fence.Reading{Stack: "DELETE_IN_PROGRESS", Resource: "DELETE_IN_PROGRESS", PhysicalID: x}
	for _, test := range []struct {
		now    fence.Reading
		scope  fence.Scope
		isOver bool
	}{{made, fence.ForGood, true}, {made, fence.Cleanup, false}, {deleted, fence.ForGood, false}, {deleted, fence.Cleanup, false}} {
		err := fence.Rejudge(fence.Request{Type: fence.Delete, PhysicalID: invented}, test.now, newest, test.scope)
		if _, isOver := errors.AsType[*fence.OverError](err); isOver != test.isOver {
			t.Errorf("%v, %v: %v", test.now, test.scope, err)
		}
	}
}

func TestJudgeOnEmulator(t *testing.T) {
	t.Parallel()
	for newest, want := range map[string]fence.Scope{x: fence.ForGood, y: fence.Cleanup} {
		if got := fence.JudgeOnEmulator(fence.Request{PhysicalID: x}, chain.Epoch{Generation: 1, PhysicalID: newest}); got != want {
			t.Errorf("newest %s: scope is %v, want %v", newest, got, want)
		}
	}
}

// TestAtRest checks that others may change a chain only in a COMPLETE status and with the recorded ID,
// and only until a status changes.
func TestAtRest(t *testing.T) {
	t.Parallel()
	const id = "sgchain-0123456789012345678901234567890123456789"
	rest := fence.Reading{Stack: "UPDATE_COMPLETE", Resource: "CREATE_COMPLETE", PhysicalID: id, Changed: time.Unix(1000, 0), Updated: time.Unix(990, 0)}
	for name, test := range map[string]struct {
		change     func(*fence.Reading)
		inProgress bool
		want       string
	}{
		"unchanged":                     {func(*fence.Reading) {}, false, ""},
		"created":                       {func(r *fence.Reading) { r.Stack = "CREATE_COMPLETE" }, true, "the stack has changed"},
		"rolled back":                   {func(r *fence.Reading) { r.Stack = "UPDATE_ROLLBACK_COMPLETE" }, true, "the stack has changed"},
		"updating":                      {func(r *fence.Reading) { r.Stack = "UPDATE_IN_PROGRESS" }, true, "in progress"},
		"cleaning up":                   {func(r *fence.Reading) { r.Stack = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" }, true, "in progress"},
		"the resource is being created": {func(r *fence.Reading) { r.Resource = "CREATE_IN_PROGRESS" }, true, "in progress"},
		"deleting":                      {func(r *fence.Reading) { r.Stack = "DELETE_IN_PROGRESS" }, true, "in progress"},
		"failed":                        {func(r *fence.Reading) { r.Stack = "UPDATE_FAILED" }, false, "failed"},
		"the resource failed":           {func(r *fence.Reading) { r.Resource = "UPDATE_FAILED" }, false, "failed"},
		"deleted":                       {func(r *fence.Reading) { r.Stack = "DELETE_COMPLETE" }, false, "does not exist"},
		"gone":                          {func(r *fence.Reading) { r.Stack = "" }, false, "does not exist"},
		"the resource is gone":          {func(r *fence.Reading) { r.Resource = "" }, false, "does not exist"},
		"the resource was deleted":      {func(r *fence.Reading) { r.Resource = "DELETE_COMPLETE" }, false, "does not exist"},
		"another chain":                 {func(r *fence.Reading) { r.PhysicalID = "sgchain-1" }, false, "the properties are those of physical ID " + id},
		"updated since":                 {func(r *fence.Reading) { r.Updated = time.Unix(2000, 0) }, true, "the stack has changed"},
		"the resource changed since":    {func(r *fence.Reading) { r.Changed = time.Unix(2000, 0) }, true, "the stack has changed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := rest
			test.change(&now)
			err := fence.StillIdle(id, rest, now)
			var busy *fence.BusyError
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (!errors.As(err, &busy) || busy.InProgress != test.inProgress || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q, in progress: %v", err, test.want, test.inProgress)
			case strings.HasPrefix(test.want, "the stack has changed") && fence.Idle(id, now) != nil:
				t.Error("Idle refuses a stack in a COMPLETE status")
			}
		})
	}
}
