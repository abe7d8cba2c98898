package lifecycle_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sgchain/lambda/internal/proof/lifecycle"
)

// number reads a number that make soak gives.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name) //nolint:forbidigo // the way from make soak to here
	if text == "" {
		return otherwise
	}
	value, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return value
}

// table counts what histories met.
type table struct {
	mu     sync.Mutex
	lives  int
	events []int
	met    map[string]int
}

func (b *table) add(out lifecycle.Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lives++
	b.events = append(b.events, out.Events)
	for row := range out.Rows {
		b.met["row "+row]++
	}
	for kind := range out.Kinds {
		b.met["fault: "+kind]++
	}
	for promise := range out.Checks {
		b.met["promise: "+promise]++
	}
}

// lacks lists what too few histories met to prove anything: less than one in a
// hundred.
func (b *table) lacks() []string {
	var lacking []string
	want := []string{
		"row 1", "row 2", "row 4", "row 4 simple", "row 5", "row 6", "row 7", "row 8", "row 9", "row 10", "row 11", "row 12", "row 13", "row 14",
		"row 15", "row 16", "row 16 skipped", "row 17", "row 18", "row 19", "row 20", "row cancelled Update",
		"fault: duplicate", "fault: status denied", "fault: status behind", "fault: answer lost", "fault: answer late", "fault: answer without ID", "fault: cancelled",
		"fault: make a group by hand", "fault: plan", "fault: check", "fault: repair", "fault: repair at rest",
		"row moved", "row moved back", "fault: move beside", "fault: move away", "fault: move at once", "fault: move kept", "fault: move stack deleted",
		"fault: move left", "fault: move left and updated", "fault: move left, both updated", "fault: move left and undone",
		"fault: dated", "fault: right missing", "fault: another list takes the name, or gives it back", "fault: a peer is made again under its name",
		"fault: somebody tags a group", "fault: only the stack's tags change", "fault: the stack has more tags than a group has room for",
	}
	for _, kind := range append(lifecycle.Kinds(), lifecycle.LaterKinds()...) {
		want = append(want, "fault: "+kind)
	}
	for _, promise := range lifecycle.Promises() {
		want = append(want, "promise: "+promise)
	}
	for _, one := range want {
		if 100*b.met[one] < b.lives {
			lacking = append(lacking, one)
		}
	}
	if median := b.events[len(b.events)/2]; median < 6 {
		lacking = append(lacking, fmt.Sprintf("events: the median history has %d, not 6", median))
	}
	return lacking
}

func (b *table) String() string {
	var text strings.Builder
	slices.Sort(b.events)
	fmt.Fprintf(&text, "%d histories, median of %d events\n", b.lives, b.events[len(b.events)/2])
	var keys []string
	for key := range b.met {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		fmt.Fprintf(&text, "  %-40s %6.2f %%\n", key, 100*float64(b.met[key])/float64(b.lives))
	}
	return text.String()
}

// TestHistories lives many histories, each drawn from a seed, and holds the promises
// after every call. make soak gives other numbers.
func TestHistories(t *testing.T) {
	histories, seed := number(t, "SOAK_HISTORIES", 300), number(t, "SOAK_SEED", 1)
	if testing.Short() {
		histories = 100
	}
	met := &table{met: map[string]int{}}
	var next atomic.Uint64
	var failed atomic.Bool
	var violations atomic.Int64
	since := used()
	t.Run("all", func(t *testing.T) {
		for range 2 {
			t.Run("half", func(t *testing.T) {
				t.Parallel()
				for {
					i := next.Add(1) - 1
					if i >= histories || failed.Load() {
						return
					}
					history := lifecycle.Draw(seed, i)
					out := play(t, history, false)
					met.add(out)
					if out.Failure != nil {
						violations.Add(1)
					}
					if out.Failure != nil && failed.CompareAndSwap(false, true) {
						report(t, seed, i, history, out.Failure)
					}
				}
			})
		}
	})
	t.Logf("seed %d: %s", seed, met)
	t.Log("drawn: " + cost(met.lives, int(violations.Load()), since))
	if lacking := met.lacks(); histories >= 5000 && len(lacking) > 0 && !failed.Load() {
		t.Errorf("too few histories met: %s", strings.Join(lacking, ", "))
	}
}

// report shrinks a history that broke a promise and tells its story.
func report(t *testing.T, seed, index uint64, history lifecycle.History, failure *lifecycle.Failure) {
	t.Helper()
	short := lifecycle.Shrink(history, func(h lifecycle.History) bool {
		again := play(t, h, false).Failure
		return again != nil && again.Promise == failure.Promise && again.Text[:12] == failure.Text[:12]
	})
	out := play(t, short, true)
	text, err := json.Marshal(short)
	if err != nil {
		t.Fatal(err)
	}
	t.Errorf("seed %d, history %d: %v\nThe shortest that still fails: %v\n%s\n%s", seed, index, failure, out.Failure, text, strings.Join(out.Story, "\n"))
}
