package plan_test

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// shape is a kind of change that replaces all rules of a group: the old and the new rule
// by index.
type shape struct {
	name     string
	old, now func(i, n int) chain.Rule
	fits     bool
}

func rule(peer chain.Peer, from, to int) chain.Rule {
	return chain.Rule{Direction: chain.Ingress, Protocol: chain.TCP, Ports: chain.PortRange{From: int32(from), To: int32(to)}, Peer: peer}
}

func host4(i, bits int) chain.Peer {
	return chain.CIDRPeer(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), bits))
}

func host6(i, bits int) chain.Peer {
	return chain.CIDRPeer(netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(i >> 8), byte(i), 15: 1}), bits))
}

func groupPeer(i int) chain.Peer {
	return chain.Peer{Kind: chain.PeerGroup, ID: fmt.Sprintf("sg-%05d", i)}
}

func listPeer(i int) chain.Peer {
	return chain.Peer{Kind: chain.PeerPrefixList, ID: fmt.Sprintf("pl-%05d", i)}
}

func memberPeer(tier string) chain.Peer {
	return chain.MemberPeer(chain.Identity{VPCID: "vpc-1", Tier: tier, Description: tier})
}

// shapes lists changes of n rules, and whether each is possible if the group has room for two more.
func shapes() []shape {
	world := chain.CIDRPeer(chain.InternetV4)
	return []shape{
		{"addresses to networks", func(i, _ int) chain.Rule { return rule(host4(i, 32), 443, 443) }, func(i, _ int) chain.Rule { return rule(host4(i, 24), 443, 443) }, true},
		{"networks to addresses", func(i, _ int) chain.Rule { return rule(host4(i, 24), 443, 443) }, func(i, _ int) chain.Rule { return rule(host4(i, 32), 443, 443) }, true},
		{"IPv6 addresses", func(i, _ int) chain.Rule { return rule(host6(i, 128), 443, 443) }, func(i, _ int) chain.Rule { return rule(host6(i, 64), 443, 443) }, true},
		{"ports", func(i, _ int) chain.Rule { return rule(world, 1000+i, 1000+i) }, func(i, _ int) chain.Rule { return rule(world, 5000+i, 5000+i) }, true},
		{"ranges of ports", func(i, _ int) chain.Rule { return rule(world, 1000+10*i, 1008+10*i) }, func(i, _ int) chain.Rule { return rule(world, 1004+10*i, 1012+10*i) }, true},
		{"nested ports", func(i, _ int) chain.Rule { return rule(world, 1000, 1000+i) }, func(i, _ int) chain.Rule { return rule(host4(1, 32), 1000+i, 1000+i) }, true},
		{"wide ranges of ports", func(i, n int) chain.Rule { return rule(world, 1000+i, 1000+n) }, func(i, n int) chain.Rule { return rule(world, 1000, 1000+n+i) }, false},
		{"nested networks", func(i, _ int) chain.Rule { return rule(host6(1, 128-2*(i%30)), 1000+i/30, 1000+i/30) }, func(i, _ int) chain.Rule { return rule(host6(1, 127-2*(i%30)), 1000+i/30, 1000+i/30) }, false},
		{"groups on a port", func(i, _ int) chain.Rule { return rule(groupPeer(i), 443, 443) }, func(i, _ int) chain.Rule { return rule(groupPeer(10000+i), 443, 443) }, false},
		{"groups on ports", func(i, _ int) chain.Rule { return rule(groupPeer(i), 1000+i, 1000+i) }, func(i, _ int) chain.Rule { return rule(groupPeer(10000+i), 1000+i, 1000+i) }, true},
		{"lists on ports", func(i, _ int) chain.Rule { return rule(host4(i, 32), 1000+i, 1000+i) }, func(i, _ int) chain.Rule { return rule(listPeer(i), 1000+i, 1000+i) }, true},
		{"everything", func(i, _ int) chain.Rule { return rule(listPeer(i), 0, 65535) }, func(i, _ int) chain.Rule { return rule(host4(i, 32), 0, 65535) }, false},
		{"mixed", func(i, _ int) chain.Rule {
			return rule([]chain.Peer{host4(i, 32), host6(i, 128), groupPeer(i), listPeer(i)}[i%4], 1000+i/4*4, 1000+i/4*4)
		}, func(i, _ int) chain.Rule {
			return rule([]chain.Peer{host4(i, 24), host6(i, 64), host4(i, 28), host4(i, 24)}[i%4], 1000+i/4*4, 1002+i/4*4)
		}, true},
		{"tiers", func(i, _ int) chain.Rule { return rule(memberPeer([]string{"A", "B"}[i%2]), 1000+i/2, 1000+i/2) }, func(i, _ int) chain.Rule { return rule(memberPeer([]string{"C", "B"}[i%2]), 1000+i/2, 2000+i/2) }, true},
	}
}

// change returns a change of n rules, as the current state and the goal.
func (s shape) change(n int) (was, goal chain.State) {
	identity := chain.Identity{VPCID: "vpc-1", Tier: "A", Description: "d"}
	state := func(of func(i, n int) chain.Rule) chain.State {
		group := chain.Group{Identity: identity, Epoch: first}
		for i := range n {
			group.Rules = append(group.Rules, of(i, n))
		}
		return chain.State{Groups: []chain.Group{group}}.Normalize()
	}
	return state(s.old), state(s.now)
}

// BenchmarkFit measures changes of all rules with room for two. Twice as many rules should take
// at most two and a half times as much CPU time. The metrics are:
//
//   - ms-of-60 and so on: the CPU time for that many rules.
//   - x-of-120 and so on: the ratio to the time for half as many rules.
//   - ms-to-stop: the longest time between two checks of the deadline.
//
// Other processes may use the machine. So times are those of the fastest round, and a ratio is
// the median over rounds that each measure every number of rules.
//
// It is for make bench, or for "go test -run '^$' -bench Fit -benchtime 6x ./lambda/plan".
func BenchmarkFit(b *testing.B) {
	sizes := []int{60, 120, 240, 480}
	for _, shape := range shapes() {
		b.Run(shape.name, func(b *testing.B) {
			least, stop := slices.Repeat([]float64{math.Inf(1)}, len(sizes)), 0.0
			ratios := make([][]float64, len(sizes))
			for b.Loop() {
				half := 0.0
				for i, n := range sizes {
					took, gap := shape.cost(b, n)
					least[i], stop = min(least[i], took), max(stop, gap)
					if i > 0 {
						ratios[i] = append(ratios[i], took/half)
					}
					half = took
				}
			}
			for i, n := range sizes {
				b.ReportMetric(1000*least[i], fmt.Sprintf("ms-of-%d", n))
				if i > 0 {
					slices.Sort(ratios[i])
					b.ReportMetric(ratios[i][len(ratios[i])/2], fmt.Sprintf("x-of-%d", n))
				}
			}
			b.ReportMetric(1000*stop, "ms-to-stop")
		})
	}
}

// cost returns the CPU time of a change of n rules, and the longest time between two checks of
// the deadline.
func (s shape) cost(b *testing.B, n int) (took, gap float64) {
	b.Helper()
	was, goal := s.change(n)
	quota := plan.Quota{Rules: len(was.Groups[0].Rules) + 2}
	often := 1920 / n // equally many rules for each n, so that every measurement includes garbage collection
	before := cpuTime(b)
	for range often {
		_, _, _ = plan.Diff(was, goal).Fit(was, goal, quota, noneIsNew, endless)
	}
	took = (cpuTime(b) - before) / float64(often)
	last := cpuTime(b)
	_, _, _ = plan.Diff(was, goal).Fit(was, goal, quota, noneIsNew, func() error {
		now := cpuTime(b)
		gap, last = max(gap, now-last), now
		return nil
	})
	return took, max(gap, cpuTime(b)-last)
}

// cpuTime returns the CPU time that this process has used, in seconds.
func cpuTime(tb testing.TB) float64 {
	tb.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
}

func TestF9FitOfEveryShape(t *testing.T) {
	t.Parallel()
	for _, shape := range shapes() {
		was, goal := shape.change(240)
		quota := plan.Quota{Rules: len(was.Groups[0].Rules) + 2}
		todo, _, err := plan.Diff(was, goal).Fit(was, goal, quota, noneIsNew, endless)
		if shape.fits != (err == nil) {
			t.Errorf("%s: got %v", shape.name, err)
		}
		if err != nil {
			continue
		}
		if rest := plan.Diff(apply(was, todo), goal); !rest.Empty() {
			t.Errorf("%s: after the stages there is still\n%s", shape.name, rest)
		}
	}
}

// TestF9FitEnds checks that the planner stops soon after its deadline.
func TestF9FitEnds(t *testing.T) {
	t.Parallel()
	enough := errors.New("time is up")
	was, goal := shapes()[0].change(480)
	asked := 0
	_, _, err := plan.Diff(was, goal).Fit(was, goal, plan.Quota{Rules: 482}, noneIsNew, func() error {
		if asked++; asked < 50 {
			return nil
		}
		return enough
	})
	if !errors.Is(err, enough) || asked != 50 {
		t.Errorf("asked %d times, got %v", asked, err)
	}
	began := time.Now()
	if _, _, err = plan.Diff(was, goal).Fit(was, goal, plan.Quota{Rules: 482}, noneIsNew, endless); err != nil || time.Since(began) > 10*time.Second {
		t.Errorf("480 rules took %s, got %v", time.Since(began), err)
	}
}

// slowly computes the stages by their definition, comparing each rule with each other one.
func slowly(was, goal chain.State, quota int, shares func(a, b chain.Rule) bool) (stages []string, fits bool) {
	weigh := func(rules []chain.Rule) (sum [2]int) {
		for _, one := range rules {
			is6 := one.Peer.Kind == chain.PeerCIDR && one.Peer.CIDR.Addr().Is6()
			is4 := (one.Peer.Kind == chain.PeerCIDR && !is6) || one.Peer.Kind == chain.PeerPrefixList
			if !is6 {
				sum[0]++
			}
			if !is4 {
				sum[1]++
			}
		}
		return sum
	}
	lacksRoom := func(there, more []chain.Rule) bool {
		a, b := weigh(there), weigh(more)
		return (b[0] > 0 && a[0]+b[0] > quota) || (b[1] > 0 && a[1]+b[1] > quota)
	}
	without := func(all, some []chain.Rule) []chain.Rule {
		return slices.DeleteFunc(slices.Clone(all), func(one chain.Rule) bool { return slices.Contains(some, one) })
	}
	there := was.Groups[0].Rules
	coming, going := without(goal.Groups[0].Rules, there), without(there, goal.Groups[0].Rules)
	sharing := func(one chain.Rule) []chain.Rule {
		return slices.DeleteFunc(slices.Clone(coming), func(other chain.Rule) bool { return !shares(one, other) })
	}
	for lacksRoom(there, coming) {
		free := slices.DeleteFunc(slices.Clone(going), func(one chain.Rule) bool { return len(sharing(one)) > 0 })
		if len(free) > 0 {
			stages = append(stages, fmt.Sprint("revoke", free))
			there, going = without(there, free), without(going, free)
			continue
		}
		var best []chain.Rule
		gain := 0
		for _, one := range going {
			some := sharing(one)
			if lacksRoom(there, some) {
				continue
			}
			freed := slices.DeleteFunc(slices.Clone(going), func(other chain.Rule) bool { return len(without(sharing(other), some)) > 0 })
			a, b := weigh(freed), weigh(some)
			if now := a[0] + a[1] - b[0] - b[1]; best == nil || now > gain {
				best, gain = some, now
			}
		}
		if best == nil {
			return stages, false
		}
		stages = append(stages, fmt.Sprint("authorize", best))
		there, coming = slices.Concat(there, best), without(coming, best)
	}
	return stages, true
}

func sharesByTier(a, b chain.Rule) bool {
	return sharesFlow(a, b) && (a.Peer.Kind != chain.PeerMember || b.Peer.Kind != chain.PeerMember || a.Peer.Member.Tier == b.Peer.Member.Tier)
}

func sharesFlow(a, b chain.Rule) bool {
	hasPorts := a.Protocol == chain.TCP || a.Protocol == chain.UDP
	ports := a.Protocol == chain.All || b.Protocol == chain.All ||
		(a.Protocol == b.Protocol && (!hasPorts || (a.Ports.From <= b.Ports.To && b.Ports.From <= a.Ports.To)))
	areRanges := a.Peer.Kind == chain.PeerCIDR && b.Peer.Kind == chain.PeerCIDR
	return ports && (!areRanges || a.Peer.CIDR.Overlaps(b.Peer.CIDR))
}

// TestF9StagesAreAsDefined compares the stages with those of the definition, rule by rule.
func TestF9StagesAreAsDefined(t *testing.T) {
	t.Parallel()
	drawRules := func(rt *rapid.T, label string) chain.State {
		one := rapid.Custom(func(rt *rapid.T) chain.Rule {
			peer := rapid.OneOf(
				rapid.Custom(func(rt *rapid.T) chain.Peer {
					return host4(rapid.IntRange(0, 7).Draw(rt, "net"), rapid.SampledFrom([]int{0, 8, 20, 22, 23, 24, 32}).Draw(rt, "bits"))
				}),
				rapid.Custom(func(rt *rapid.T) chain.Peer {
					return host6(rapid.IntRange(0, 3).Draw(rt, "net"), rapid.SampledFrom([]int{0, 46, 48, 128}).Draw(rt, "bits"))
				}),
				rapid.Custom(func(rt *rapid.T) chain.Peer { return groupPeer(rapid.IntRange(0, 2).Draw(rt, "group")) }),
				rapid.Custom(func(rt *rapid.T) chain.Peer { return listPeer(rapid.IntRange(0, 2).Draw(rt, "list")) }),
				rapid.Custom(func(rt *rapid.T) chain.Peer {
					return memberPeer(rapid.SampledFrom([]string{"A", "B"}).Draw(rt, "tier"))
				}),
			).Draw(rt, "peer")
			from := rapid.IntRange(1, 12).Draw(rt, "from")
			one := rule(peer, from, from+rapid.SampledFrom([]int{0, 0, 0, 1, 3}).Draw(rt, "more"))
			one.Protocol = rapid.SampledFrom([]chain.Protocol{chain.TCP, chain.TCP, chain.TCP, chain.UDP, chain.ICMP, chain.All}).Draw(rt, "protocol")
			if one.Protocol == chain.All || one.Protocol == chain.ICMP {
				one.Ports = chain.AllPorts
			}
			return one
		})
		group := chain.Group{Identity: chain.Identity{VPCID: "vpc-1", Tier: "A", Description: "d"}, Epoch: first}
		group.Rules = rapid.SliceOfN(one, 1, 20).Draw(rt, label)
		return chain.State{Groups: []chain.Group{group}}.Normalize()
	}
	solved, refused := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		was, goal := drawRules(rt, "was"), drawRules(rt, "goal")
		quota := max(len(was.Groups[0].Rules), len(goal.Groups[0].Rules)) + rapid.IntRange(-1, 4).Draw(rt, "room")
		todo, _, err := plan.Diff(was, goal).Fit(was, goal, plan.Quota{Rules: quota}, noneIsNew, endless)
		if tight, ok := errors.AsType[*plan.QuotaError](err); ok && tight.Final > quota {
			return
		}
		want, fits := slowly(was, goal, quota, sharesFlow)
		if !fits {
			want, fits = slowly(was, goal, quota, sharesByTier)
		}
		if fits != (err == nil) {
			rt.Fatalf("quota %d: fits by definition: %v; got %v", quota, fits, err)
		}
		if !fits {
			refused++
			return
		}
		var got []string
		for _, step := range todo.Steps {
			if step.Phase == plan.MakeRoom {
				got = append(got, fmt.Sprint(step.Action, step.Rules))
			}
		}
		if !slices.Equal(got, want) {
			rt.Fatalf("quota %d: the stages are\n%q\nwant\n%q", quota, got, want)
		}
		if len(want) > 0 {
			solved++
		}
		if rest := plan.Diff(apply(was, todo), goal); !rest.Empty() {
			rt.Fatalf("after\n%sthere is still\n%s", todo, rest)
		}
	})
	if !testing.Short() && (solved == 0 || refused == 0) {
		t.Errorf("%d changes needed stages, %d had no order: the random changes prove nothing", solved, refused)
	}
}
