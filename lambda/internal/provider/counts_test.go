package provider_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/proof/world"
	"sgchain/lambda/internal/sg"
	"sgchain/lambda/plan"
)

// figure is what an operation may cost: EC2 calls and dependent rounds, whatever the number of
// rules in a tier. Strict is the egress mode chain.
type figure struct {
	name   string
	from   int // the number of tiers that it needs
	calls  func(n int, strict bool) int
	rounds func(n int, strict bool) int
}

func pick(strict bool, all, chain int) int {
	if strict {
		return chain
	}
	return all
}

func figures() []figure {
	always := func(n int) func(int, bool) int { return func(int, bool) int { return n } }
	either := func(all, chain int) func(int, bool) int {
		return func(_ int, strict bool) int { return pick(strict, all, chain) }
	}
	return []figure{
		{"create", 1, func(n int, strict bool) int { return pick(strict, 2*n+2, 4*n+1) }, always(4)},
		{"update, nothing differs", 1, always(1), always(1)},
		{"one rule added", 2, either(3, 4), always(3)},
		{"one rule removed", 2, either(3, 4), always(3)},
		{"one rule replaced", 2, either(4, 6), always(4)},
		{"last tier added", 1, either(5, 7), always(5)},
		{"last tier removed", 1, always(3), always(3)},
		{"delete", 1, func(n int, strict bool) int { return pick(strict, n+(n-1)/2+2, 2*n+1) }, func(n int, strict bool) int {
			switch {
			case n == 1:
				return 3
			case n == 2 && !strict:
				return 4
			}
			return 5
		}},
	}
}

// engine runs the operations of a chain: through the whole handler, or through planner and edge
// alone.
type engine interface {
	become(properties)
	tidy() // CloudFormation's cleanup
	end()
}

// whole runs the handler.
type whole struct {
	*rig

	id       string
	now, old properties
	was      string
}

func (w *whole) become(next properties) {
	w.old, w.was = w.now, w.id
	if w.now == nil {
		w.id = w.succeeds(w.create(next)).PhysicalResourceID
	} else {
		w.id = w.succeeds(w.update(w.id, next, w.now)).PhysicalResourceID
	}
	w.now = next
}

func (w *whole) tidy() {
	w.succeeds(w.cleanup("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", w.was, w.id, w.old))
}
func (w *whole) end() { w.succeeds(w.destroy(w.id, w.now)) }

// edge runs planner and edge alone, for chains whose answer would exceed 4,096 bytes.
type edge struct {
	tb    testing.TB
	world *world.World
	now   properties
	edge  *sg.Edge
	old   string
	id    string
}

// open allows every write.
type open struct{}

func (open) Renew(context.Context) error { return nil }

func (open) Write(ctx context.Context, call func(context.Context) error) error { return call(ctx) }

func newEdge(tb testing.TB) *edge {
	tb.Helper()
	w := &world.World{}
	w.AddVPC(vpcID)
	return &edge{tb: tb, world: w, edge: &sg.Edge{
		API: w.Client("edge"), Owner: sg.Owner{Provider: "arn:provider", Resource: place()}, Limiter: &sg.Limiter{}, Log: slog.New(slog.DiscardHandler),
	}}
}

func place() chain.Resource { return chain.Resource{StackID: stackID, LogicalID: "Chain"} }

func (e *edge) state(now properties) (chain.State, string) {
	if now == nil {
		return chain.State{}, ""
	}
	spec, err := chain.Parse(now, math.MaxInt)
	if err != nil {
		e.tb.Fatal(err)
	}
	return chain.Desired(spec).Named(place()), chain.PhysicalID(place(), spec.Identities())
}

func (e *edge) become(next properties) {
	old, was := e.state(e.now)
	now, id := e.state(next)
	observed, err := e.edge.Observe(e.tb.Context(), sg.Query{})
	if err != nil {
		e.tb.Fatal(err)
	}
	if _, err = e.edge.Converge(e.tb.Context(), open{}, sg.Query{}, sg.Target{Change: plan.Change{New: now, Old: old}, PhysicalID: id, Quota: plan.Quota{Rules: 60}}, observed); err != nil {
		e.tb.Fatal(err)
	}
	e.now, e.old, e.id = next, was, id
}

func (e *edge) remove(leaves func(chain.Group) bool) {
	observed, err := e.edge.Observe(e.tb.Context(), sg.Query{})
	if err == nil {
		err = e.edge.Remove(e.tb.Context(), open{}, sg.Query{}, observed, sg.RemoveOptions{Targets: func(state chain.State) [][]chain.Identity {
			chosen := slices.DeleteFunc(slices.Clone(state.Groups), func(group chain.Group) bool { return !leaves(group) })
			return [][]chain.Identity{chain.State{Groups: chosen}.Identities()}
		}})
	}
	if err != nil {
		e.tb.Fatal(err)
	}
}

func (e *edge) tidy() {
	e.remove(func(group chain.Group) bool { return group.Epoch.PhysicalID == e.old })
}
func (e *edge) end() { e.remove(func(chain.Group) bool { return true }) }

// line returns a chain of n tiers, each with rules for several ports from the one before it. The
// second tier's ports may differ.
func line(n, ports int, egress string, second ...any) properties {
	var tiers []any
	for i := range n {
		var open []any
		for port := range ports {
			open = append(open, 6060+port)
		}
		if i == 1 {
			open = append(open, second...)
		}
		tiers = append(tiers, tier(fmt.Sprintf("Tier%02d", i), "Ports", open, "Egress", egress))
	}
	return props(tiers...)
}

// live takes a chain through every operation, and calls measure for each.
func live(e engine, n, ports int, egress string, measure func(name string, act func())) {
	base, more, other := line(n, ports, egress), line(n, ports, egress, 7070), line(n, ports, egress, 7071)
	to := func(next properties) func() { return func() { e.become(next) } }
	measure("create", to(base))
	measure("update, nothing differs", to(base))
	if n > 1 {
		measure("one rule added", to(more))
		measure("one rule replaced", to(other))
		measure("one rule removed", to(base))
	}
	measure("last tier added", to(line(n+1, ports, egress)))
	measure("last tier removed", to(base))
	e.tidy()
	measure("delete", e.end)
}

// TestCounts compares every operation with its figure, and the page of the figures with what was
// measured. With UPDATE_DOCS=1 it writes the page.
func TestCounts(t *testing.T) { //nolint:tparallel // the page is compared after all engines have run
	t.Parallel()
	var mu sync.Mutex
	measured := map[string]int{}
	key := func(name, egress string, n int) string { return fmt.Sprintf("%s/%s/%d", name, egress, n) }
	t.Run("all", func(t *testing.T) {
		for _, n := range []int{1, 2, 5, 20, 35, 50} {
			for _, egress := range []string{"all", "chain"} {
				for _, ports := range []int{1, 3, 15} {
					if n != 5 && ports != 3 {
						continue
					}
					t.Run(fmt.Sprintf("%d tiers with %d rules, egress %s", n, ports, egress), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							count(t, n, ports, egress, func(name string, calls int) {
								mu.Lock()
								defer mu.Unlock()
								measured[key(name, egress, n)] = calls
							})
						})
					})
				}
			}
		}
	})
	var table strings.Builder
	for _, egress := range []string{"all", "chain"} {
		fmt.Fprintf(&table, "\nEgress `%s`:\n\n| operation | 1 tier | 2 | 5 | 20 | 35 | 50, edge alone | rounds |\n|---|---|---|---|---|---|---|---|\n", egress)
		for _, one := range figures() {
			fmt.Fprintf(&table, "| %s |", one.name)
			for _, n := range []int{1, 2, 5, 20, 35, 50} {
				calls, known := measured[key(one.name, egress, n)]
				if text := fmt.Sprint(calls); known {
					fmt.Fprintf(&table, " %s |", text)
				} else {
					table.WriteString(" |")
				}
			}
			rounds := fmt.Sprint(one.rounds(5, egress == "chain"))
			if one.name == "delete" {
				rounds += fmt.Sprintf(" (1 tier: %d; 2 tiers: %d)", one.rounds(1, egress == "chain"), one.rounds(2, egress == "chain"))
			}
			fmt.Fprintf(&table, " %s |\n", rounds)
		}
	}
	documented(t, "counts.md", "counts", table.String()+"\n")
}

// count compares the operations of one engine with the figures.
func count(t *testing.T, n, ports int, egress string, note func(name string, calls int)) {
	t.Helper()
	var e engine
	var ec2 *world.World
	if n <= 35 {
		r := newRig(t)
		e, ec2 = &whole{rig: r}, r.world
	} else {
		alone := newEdge(t)
		e, ec2 = alone, alone.world
	}
	ec2.Latency = latency
	strict := egress == "chain"
	live(e, n, ports, egress, func(name string, act func()) {
		<-time.After(2 * time.Minute) // virtual: the limiter's buckets are full again
		ec2.Forget()
		started := time.Now()
		act()
		took := time.Since(started)
		place := slices.IndexFunc(figures(), func(one figure) bool { return one.name == name })
		calls, rounds := figures()[place].calls(n, strict), figures()[place].rounds(n, strict)
		note(name, len(ec2.Calls()))
		if got := len(ec2.Calls()); got != calls {
			t.Errorf("%s: %d calls, want %d: %v", name, got, calls, ec2.Calls())
		}
		if ec2.Widest() > sg.MaxConnections {
			t.Errorf("%s: %d calls at once, want at most %d", name, ec2.Widest(), sg.MaxConnections)
		}
		// Ten calls run at once, so a phase of more takes several rounds, and a delete of more
		// waits for the limiter. If none does, time counts the rounds.
		if got := int(took / latency); ec2.Widest() < sg.MaxConnections && got != rounds {
			t.Errorf("%s: %d rounds, want %d", name, got, rounds)
		}
	})
	if text := ec2.String(); text != "" {
		t.Errorf("left over:\n%s", text)
	}
}

// firstDifference returns where two texts differ.
func firstDifference(have, want string) string {
	old, now := strings.Split(have, "\n"), strings.Split(want, "\n")
	for i := range min(len(old), len(now)) {
		if old[i] != now[i] {
			return fmt.Sprintf("line %d is %q and should be %q", i+1, old[i], now[i])
		}
	}
	return fmt.Sprintf("it has %d lines and should have %d", len(old), len(now))
}

// documented compares a part of a page in docs, between two marks, with a text. With UPDATE_DOCS=1
// it writes that part.
func documented(t *testing.T, page, mark, text string) {
	t.Helper()
	file := filepath.Join("..", "..", "..", "docs", page)
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+mark+": begin -->\n", "<!-- "+mark+": end -->\n"
	before, rest, found := strings.Cut(string(have), begin)
	_, after, foundEnd := strings.Cut(rest, end)
	if !found || !foundEnd {
		t.Fatalf("docs/%s has no place for the %s", page, mark)
	}
	want := before + begin + text + end + after
	switch {
	case os.Getenv("UPDATE_DOCS") != "": //nolint:forbidigo // asks for the page to be written
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	case want != string(have):
		t.Errorf("docs/%s is not up to date; write it with UPDATE_DOCS=1: %s", page, firstDifference(string(have), want))
	}
}
