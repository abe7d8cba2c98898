package plan_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// openTo returns a tier that allows some sources on port 443.
func openTo(name string, sources ...any) map[string]any {
	return map[string]any{"Name": name, "Ports": 443, "Sources": sources, "Egress": "none"}
}

func fit(tb testing.TB, old, now chain.State, quota plan.Quota) (plan.Plan, []string, error) {
	tb.Helper()
	start := built(old, first)
	goal := plan.Goal(plan.Change{New: now, Old: old}, start, first)
	return plan.Diff(start, goal).Fit(start, goal, quota, noneIsNew, endless)
}

func TestFit(t *testing.T) {
	t.Parallel()
	from := func(ranges ...any) chain.State { return desired(t, openTo("A", ranges...)) }
	list := chain.Rule{Direction: chain.Ingress, Protocol: chain.TCP, Ports: chain.PortRange{From: 443, To: 443}, Peer: chain.Peer{Kind: chain.PeerPrefixList, ID: "pl-1"}, Description: "x"}
	withList := from("10.1.0.0/16")
	withList.Groups[0].Rules = append(withList.Groups[0].Rules, list)
	heavy := []chain.PrefixList{{ID: "pl-1", Name: "com.amazonaws.global.cloudfront.origin-facing", Weight: 55}}
	for _, test := range []struct {
		name     string
		old, now chain.State
		quota    plan.Quota
		want     string // the plan, or the error
		warnings string
	}{
		{
			"there is room", from("10.1.0.0/16", "10.2.0.0/16"), from("10.1.0.0/16", "10.3.0.0/16"),
			plan.Quota{Rules: 3},
			"authorize A\n  ingress tcp 443 from 10.3.0.0/16\nrevoke A\n  ingress tcp 443 from 10.2.0.0/16\n", "",
		},
		{
			"old rules without a shared flow are revoked first", from("10.1.0.0/16", "10.2.0.0/16"), from("10.1.0.0/16", "10.3.0.0/16"),
			plan.Quota{Rules: 2},
			"revoke A\n  ingress tcp 443 from 10.2.0.0/16\nauthorize A\n  ingress tcp 443 from 10.3.0.0/16\n",
			"is near its quota of 2 rules. Some old ingress rules were revoked before all new ones existed",
		},
		{
			"an old rule with a shared flow stays until the new one exists", from("10.1.0.0/16", "10.2.0.0/16"), from("10.1.0.0/16", "10.2.1.0/24"),
			plan.Quota{Rules: 2},
			"until old rules are revoked, the group needs 3 IPv4 rules (2 existing and 1 new), and the quota is 2", "",
		},
		{
			"a wide rule makes room for others", from("10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"), from("10.0.0.0/8", "203.0.113.0/24"),
			plan.Quota{Rules: 4},
			"authorize A\n  ingress tcp 443 from 10.0.0.0/8\nrevoke A\n  ingress tcp 443 from 10.1.0.0/16\n  ingress tcp 443 from 10.2.0.0/16\n  ingress tcp 443 from 10.3.0.0/16\nauthorize A\n  ingress tcp 443 from 203.0.113.0/24\n",
			"is near its quota of 4 rules",
		},
		{
			"and the reverse", from("10.0.0.0/8", "203.0.113.0/24"), from("10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"),
			plan.Quota{Rules: 4},
			"revoke A\n  ingress tcp 443 from 203.0.113.0/24\nauthorize A\n  ingress tcp 443 from 10.1.0.0/16\n  ingress tcp 443 from 10.2.0.0/16\n  ingress tcp 443 from 10.3.0.0/16\nrevoke A\n  ingress tcp 443 from 10.0.0.0/8\n",
			"is near its quota of 4 rules",
		},
		{
			"the rule that makes the most room is authorized first",
			from("10.1.0.0/17", "10.1.128.0/17", "10.2.0.0/17", "10.2.64.0/18", "10.3.0.0/16"), from("10.1.0.0/16", "10.2.0.0/18", "10.2.64.0/19", "10.3.0.0/17", "10.3.128.0/17"),
			plan.Quota{Rules: 7},
			"authorize A\n  ingress tcp 443 from 10.1.0.0/16\nrevoke A\n  ingress tcp 443 from 10.1.0.0/17\n  ingress tcp 443 from 10.1.128.0/17\nauthorize A\n  ingress tcp 443 from 10.2.0.0/18\n  ingress tcp 443 from 10.2.64.0/19\nrevoke A\n  ingress tcp 443 from 10.2.0.0/17\n  ingress tcp 443 from 10.2.64.0/18\nauthorize A\n  ingress tcp 443 from 10.3.0.0/17\n  ingress tcp 443 from 10.3.128.0/17\nrevoke A\n  ingress tcp 443 from 10.3.0.0/16\n",
			"is near its quota of 7 rules",
		},
		{
			"the chain is too large", from("10.1.0.0/16"), from("10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"),
			plan.Quota{Rules: 2},
			"the chain needs 3 IPv4 rules, and the quota is 2", "",
		},
		{
			"families are counted apart", from("10.1.0.0/16", "2001:db8::/64"), from("10.1.0.0/16", "10.2.0.0/16", "2001:db8::/64", "2001:db8:1::/64"),
			plan.Quota{Rules: 2},
			"authorize A\n  ingress tcp 443 from 10.2.0.0/16\n  ingress tcp 443 from 2001:db8:1::/64\n", "",
		},
		{
			"IPv6 is too much", from("10.1.0.0/16"), from("10.1.0.0/16", "2001:db8::/64", "2001:db8:1::/64"),
			plan.Quota{Rules: 1},
			"the chain needs 2 IPv6 rules, and the quota is 1", "",
		},
		{
			"a prefix list counts with its weight", from("10.1.0.0/16"), withList,
			plan.Quota{Rules: 55, Lists: heavy},
			"the chain needs 56 IPv4 rules, and the quota is 55. Prefix list pl-1 com.amazonaws.global.cloudfront.origin-facing counts as 55", "",
		},
		{"no new rules are never too many", from("10.1.0.0/16", "10.2.0.0/16"), from("10.1.0.0/16"), plan.Quota{Rules: 1}, "revoke A\n  ingress tcp 443 from 10.2.0.0/16\n", ""},
		{
			"new rules of a group wait until it exists",
			chain.State{},
			desired(t, map[string]any{"Name": "A", "Egress": []any{map[string]any{"Ports": 443, "Destinations": "10.1.0.0/16"}}}),
			plan.Quota{Rules: 1},
			"create group A\nrevoke A\n  egress all traffic to 0.0.0.0/0\n", "",
		},
	} {
		todo, warnings, err := fit(t, test.old, test.now, test.quota)
		got := todo.String()
		if err != nil {
			got = err.Error()
		}
		id := test.now.Groups[0].Identity.String()
		got = strings.ReplaceAll(strings.ReplaceAll(got, id, "A"), ` "Security group of tier A"`, "")
		if !strings.HasSuffix(got, test.want) || !strings.Contains(strings.Join(warnings, ""), test.warnings) || (test.warnings == "") != (len(warnings) == 0) {
			t.Errorf("%s: got\n%s%v, want\n%s%s", test.name, got, warnings, test.want, test.warnings)
		}
		if tight, ok := errors.AsType[*plan.QuotaError](err); ok {
			before := tight.Remedy()
			tight.Wrote = true
			if !strings.HasPrefix(before, "Nothing was changed. ") || strings.HasPrefix(tight.Remedy(), "Nothing was changed") || !strings.Contains(before, "RuleQuota") {
				t.Errorf("%s: the remedies are %q and %q", test.name, before, tight.Remedy())
			}
		}
	}
}

func noneIsNew(chain.Identity) bool { return false }

func endless() error { return nil }

// TestFitOfANewGroup checks that a group which this run created loses EC2's own rules first: it has no members yet.
func TestFitOfANewGroup(t *testing.T) {
	t.Parallel()
	now := desired(t, map[string]any{"Name": "A", "Egress": []any{map[string]any{"Ports": 443, "Destinations": "2001:db8::/64"}}})
	want := plan.Change{New: now}
	fresh := plan.Fresh(now.Groups[0].Identity, first)
	fresh.Rules = append(fresh.Rules, chain.AllTrafficV6())
	start := chain.State{Groups: []chain.Group{fresh}}
	goal := plan.Goal(want, start, first)
	isNew := func(chain.Identity) bool { return true }
	todo, warnings, err := plan.Diff(start, goal).Fit(start, goal, plan.Quota{Rules: 1}, isNew, endless)
	phases := todo.Phases()
	if err != nil || len(warnings) > 0 || len(phases) != 2 || phases[0][0].Action != plan.RevokeRules || len(phases[0][0].Rules) != 2 || phases[1][0].Action != plan.AuthorizeRules {
		t.Errorf("got\n%s, %v, %v", todo, warnings, err)
	}
	if _, _, err := plan.Diff(start, goal).Fit(start, goal, plan.Quota{Rules: 1}, noneIsNew, endless); err == nil {
		t.Error("a group with members lost its rules first")
	}
}

// count counts rules against the quota, independently of the planner.
func count(group chain.Group, direction chain.Direction, ipv6 bool) int {
	sum := 0
	for _, rule := range group.Rules {
		if rule.Direction == direction && (rule.Peer.Kind != chain.PeerCIDR || rule.Peer.CIDR.Addr().Is6() == ipv6) {
			sum++
		}
	}
	return sum
}

// lets reports whether a group allows a probe, an address or a member of a tier, on a port.
func lets(group chain.Group, port int32, address netip.Addr, tier string) bool {
	return slices.ContainsFunc(group.Rules, func(rule chain.Rule) bool {
		if rule.Direction != chain.Ingress || (rule.Protocol != chain.All && (port < rule.Ports.From || port > rule.Ports.To)) {
			return false
		}
		return (rule.Peer.Kind == chain.PeerMember && rule.Peer.Member.Tier == tier) || (rule.Peer.Kind == chain.PeerCIDR && rule.Peer.CIDR.Contains(address))
	})
}

// TestFitKeepsQuotaAndFlows checks random changes with small quotas. No group ever exceeds
// the quota, in whichever order the calls of a phase take effect. What both chains allow is
// allowed all the time, and the plan reaches the goal. A refused change is really impossible.
func TestFitKeepsQuotaAndFlows(t *testing.T) {
	t.Parallel()
	ranges := []string{"10.1.0.0/16", "10.1.2.0/24", "10.2.0.0/16", "10.3.0.0/16", "0.0.0.0/0", "2001:db8::/64", "A", "B"}
	draw := func(rt *rapid.T, label string) chain.State {
		var tiers []any
		for _, name := range []string{"A", "B"} {
			sources := []any{}
			for _, source := range rapid.SliceOfNDistinct(rapid.SampledFrom(ranges), 1, 5, rapid.ID[string]).Draw(rt, label) {
				sources = append(sources, source)
			}
			one := openTo(name, sources...)
			one["Ports"] = rapid.SampledFrom([]any{80, "80-90", "all"}).Draw(rt, "ports")
			tiers = append(tiers, one)
		}
		spec, err := chain.Parse(map[string]any{"VpcId": "vpc-1", "Tiers": tiers}, chain.DefaultAnswerBytes)
		if err != nil {
			rt.Fatal(err)
		}
		return chain.Desired(spec)
	}
	refused, early := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		old, now := draw(rt, "old"), draw(rt, "now")
		quota := plan.Quota{Rules: rapid.IntRange(1, 7).Draw(rt, "quota")}
		start := built(old, first)
		goal := plan.Goal(plan.Change{New: now, Old: old}, start, first)
		todo, warnings, err := plan.Diff(start, goal).Fit(start, goal, quota, noneIsNew, endless)
		fits := func(state chain.State) error {
			for _, group := range state.Groups {
				for _, direction := range []chain.Direction{chain.Ingress, chain.Egress} {
					for _, ipv6 := range []bool{false, true} {
						was, _ := start.Find(group.Identity)
						if n := count(group, direction, ipv6); n > quota.Rules && n > count(was, direction, ipv6) {
							return fmt.Errorf("%d %s rules in %s", n, direction, group.Identity)
						}
					}
				}
			}
			return nil
		}
		if tight, ok := errors.AsType[*plan.QuotaError](err); ok {
			refused++
			if tight.Final <= quota.Rules && tight.There+tight.Added <= quota.Rules {
				rt.Fatalf("refused without a reason: %v", err)
			}
			if fits(apply(start, plan.Diff(start, goal))) != nil {
				return
			}
			// The final rules fit, but not the way: then authorizing first must not fit either.
			grown := start
			for _, step := range plan.Diff(start, goal).Steps {
				if step.Action != plan.RevokeRules {
					grown = apply(grown, plan.Plan{Steps: []plan.Step{step}})
				}
			}
			if fits(grown) == nil {
				rt.Fatalf("refused, and there was room: %v", err)
			}
			return
		}
		if early += len(warnings); err != nil {
			rt.Fatal(err)
		}
		state := start
		for _, phase := range todo.Phases() {
			for _, step := range rapid.Permutation(phase).Draw(rt, "order") {
				state = apply(state, plan.Plan{Steps: []plan.Step{step}})
				if err := fits(state); err != nil {
					rt.Fatalf("%v, quota %d, after\n%s", err, quota.Rules, todo)
				}
				for _, group := range state.Groups {
					was, _ := start.Find(group.Identity)
					end, _ := goal.Find(group.Identity)
					for _, probe := range []string{"10.1.2.3", "10.1.9.9", "10.2.0.1", "10.3.0.1", "192.0.2.1", "2001:db8::1"} {
						for _, tier := range []string{"A", "B", "none"} {
							for _, port := range []int32{80, 85, 99} {
								address := netip.MustParseAddr(probe)
								if lets(was, port, address, tier) && lets(end, port, address, tier) && !lets(group, port, address, tier) {
									rt.Fatalf("%s (%s) to %s on %d is shut during\n%s", probe, tier, group.Identity, port, todo)
								}
							}
						}
					}
				}
			}
		}
		if rest := plan.Diff(state, goal); !rest.Empty() {
			rt.Fatalf("after\n%sthere is still\n%s", todo, rest)
		}
	})
	// With -short rapid runs a fifth of the checks.
	if !testing.Short() && (refused == 0 || early == 0) {
		t.Errorf("%d changes were refused and %d groups made room: the random quotas prove nothing", refused, early)
	}
}

func TestOwnGroups(t *testing.T) {
	t.Parallel()
	now := desired(t, openTo("A", "sg-0123"), openTo("B", "sg-0456"))
	ids := map[chain.Identity]string{now.Groups[0].Identity: "sg-0456"}
	err := plan.OwnGroups(plan.Change{New: now}, ids)
	named, ok := errors.AsType[*plan.OwnGroupError](err)
	if !ok || named.Tier != "B" || named.Named != "A" || !strings.Contains(named.Remedy(), "Name the tier A") || !strings.Contains(err.Error(), "sg-0456 is the group of tier A of this chain") {
		t.Errorf("got %v", err)
	}
	if err := plan.OwnGroups(plan.Change{New: now}, nil); err != nil {
		t.Errorf("groups of other owners: got %v", err)
	}
}

// TestUnknownLists checks that lists which neither chain names are weighed if rules are added to their group.
func TestUnknownLists(t *testing.T) {
	t.Parallel()
	named := func(ids ...string) chain.State {
		var sources []any
		for _, id := range ids {
			sources = append(sources, id)
		}
		return desired(t, openTo("A", sources...))
	}
	for _, test := range []struct {
		was, wanted chain.State
		want        string
	}{
		{named("pl-3", "pl-1", "pl-2"), named("10.1.0.0/16"), "[pl-1 pl-3]"},
		{named("pl-1", "10.1.0.0/16"), named("10.1.0.0/16"), "[]"}, // nothing is added
		{named("10.1.0.0/16"), named("pl-1"), "[]"},
	} {
		start := built(test.was, first)
		todo := plan.Diff(start, plan.Goal(plan.Change{New: test.wanted, Old: test.was}, start, first))
		if got := fmt.Sprint(todo.UnknownLists(start, plan.Quota{Lists: []chain.PrefixList{{ID: "pl-2"}}})); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

// TestFitRevokesFirstOnlyRulesWithoutSharedFlow checks that rules count as sharing a flow if they may share one.
func TestFitRevokesFirstOnlyRulesWithoutSharedFlow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		old, now string
		early    bool
	}{
		{"tcp/80", "udp/80", true},
		{"tcp/80", "tcp/81", true},
		{"80-90", "85", false},
		{"tcp/80", "all", false},
		{"icmp/8", "icmp/3", false}, // types are ignored
		{"icmp/8", "tcp/8", true},
		{"proto/50", "proto/51", true},
	} {
		one := func(port, source string) chain.State {
			return desired(t, map[string]any{"Name": "A", "Ports": port, "Sources": source, "Egress": "none"})
		}
		_, warnings, err := fit(t, one(test.old, "10.0.0.0/8"), one(test.now, "10.1.0.0/16"), plan.Quota{Rules: 1})
		if early := err == nil && len(warnings) == 1; early != test.early {
			t.Errorf("%s, then %s: revoked first: %v, %v", test.old, test.now, early, err)
		}
	}
}
