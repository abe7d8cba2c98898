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

// number reads a number that make soak passes.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name) //nolint:forbidigo // passed by make soak
	if text == "" {
		return otherwise
	}
	value, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return value
}

// tally counts what histories met.
type tally struct {
	mu        sync.Mutex
	histories int
	events    []int
	met       map[string]int
}

func (b *tally) add(out lifecycle.Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.histories++
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

// lacks lists what fewer than one history in a hundred met, which is too few to prove anything.
func (b *tally) lacks() []string {
	var lacking []string
	want := []string{
		"row 1", "row 2", "row 4", "row 4 simple", "row 5", "row 6", "row 7", "row 8", "row 9", "row 10", "row 11", "row 12", "row 13", "row 14",
		"row 15", "row 16", "row 16 skipped", "row 17", "row 18", "row 19", "row 20", "row cancelled Update",
		"fault: duplicate", "fault: status denied", "fault: status behind", "fault: answer lost", "fault: answer late", "fault: answer without ID", "fault: cancelled",
		"fault: create a group out of band", "fault: plan", "fault: check", "fault: repair", "fault: repair in a COMPLETE status",
		"row moved", "row moved back", "fault: move beside", "fault: move away", "fault: move at once", "fault: move kept", "fault: move stack deleted",
		"fault: move left", "fault: move left and updated", "fault: move left, both updated", "fault: move left and undone",
		"fault: dated", "fault: right missing", "fault: another list takes the name, or drops it", "fault: a peer is created again under its name",
		"fault: a tag is set out of band", "fault: only the stack's tags change", "fault: the stack has more tags than a group can have",
	}
	for _, kind := range append(lifecycle.Kinds(), lifecycle.LaterKinds()...) {
		want = append(want, "fault: "+kind)
	}
	for _, promise := range lifecycle.Promises() {
		want = append(want, "promise: "+promise)
	}
	for _, one := range want {
		if 100*b.met[one] < b.histories {
			lacking = append(lacking, one)
		}
	}
	if median := b.events[len(b.events)/2]; median < 6 {
		lacking = append(lacking, fmt.Sprintf("events: the median history has %d, not 6", median))
	}
	return lacking
}

func (b *tally) String() string {
	var text strings.Builder
	slices.Sort(b.events)
	fmt.Fprintf(&text, "%d histories, median of %d events\n", b.histories, b.events[len(b.events)/2])
	var keys []string
	for key := range b.met {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		fmt.Fprintf(&text, "  %-40s %6.2f %%\n", key, 100*float64(b.met[key])/float64(b.histories))
	}
	return text.String()
}

// TestHistories plays many random histories, each from a seed, and checks the promises after every
// call. make soak passes other numbers.
func TestHistories(t *testing.T) {
	histories, seed := number(t, "SOAK_HISTORIES", 300), number(t, "SOAK_SEED", 1)
	if testing.Short() {
		histories = 100
	}
	met := &tally{met: map[string]int{}}
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
	t.Log("random: " + cost(met.histories, int(violations.Load()), since))
	if lacking := met.lacks(); histories >= 5000 && len(lacking) > 0 && !failed.Load() {
		t.Errorf("too few histories met: %s", strings.Join(lacking, ", "))
	}
}

// report shrinks a history that broke a promise and prints its story.
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
