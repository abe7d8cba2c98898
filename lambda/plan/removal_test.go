package plan_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// tierGroup returns the group of a tier with rules for traffic from other tiers.
func tierGroup(tier string, from ...string) chain.Group {
	group := chain.Group{Identity: named(tier), Epoch: first}
	for _, other := range from {
		group.Rules = append(group.Rules, ingressFrom(other))
	}
	return group
}

func named(tier string) chain.Identity {
	return chain.Identity{VPCID: "vpc-1", Tier: tier, Description: tier}
}

func ingressFrom(tier string) chain.Rule { return rule(chain.MemberPeer(named(tier)), 443, 443) }

func egressTo(tier string) chain.Rule {
	rule := ingressFrom(tier)
	rule.Direction = chain.Egress
	return rule
}

func adopted(group chain.Group, how chain.Adoption, unmanaged ...chain.Rule) chain.Group {
	group.Adoption, group.Unmanaged = how, unmanaged
	group.Rules = append(group.Rules, unmanaged...)
	return group
}

// marked returns a group that left the chain by ReleaseTiers.
func marked(group chain.Group) chain.Group {
	group.Tags = map[string]string{"sgchain:release": "yes"}
	return group
}

var fresh = chain.AdoptedBy("request-1", "2026-01-01T00:00:00.000Z")

func TestRemoval(t *testing.T) {
	t.Parallel()
	withEgress := tierGroup("A")
	withEgress.Rules = append(withEgress.Rules, egressTo("B"))
	for name, test := range map[string]struct {
		groups    []chain.Group
		targets   []string // empty for all
		departure plan.RemovalOptions
		want      string
	}{
		"a rule is deleted with its group if that is deleted first": {
			groups: []chain.Group{tierGroup("A"), tierGroup("B", "A")},
			want:   "delete group B\ndelete group A\n",
		},
		"a rule that names a group of the first wave is revoked": {
			groups: []chain.Group{withEgress, tierGroup("B", "A")},
			want:   "revoke A\n  egress tcp 443 B\ndelete group B\ndelete group A\n",
		},
		"three tiers are deleted in two waves": {
			groups: []chain.Group{tierGroup("A"), tierGroup("B", "A"), tierGroup("C", "B")},
			want:   "revoke B\n  ingress tcp 443 A\ndelete group A\ndelete group C\ndelete group B\n",
		},
		"a group that stays loses rules that name a deleted group": {
			groups: []chain.Group{tierGroup("A"), tierGroup("B", "A")}, targets: []string{"A"},
			want: "revoke B\n  ingress tcp 443 A\ndelete group A\n",
		},
		"EachAlone revokes all rules that name another group": {
			groups: []chain.Group{tierGroup("A", "A"), tierGroup("B", "A")}, departure: plan.RemovalOptions{EachAlone: true},
			want: "revoke B\n  ingress tcp 443 A\ndelete group B\ndelete group A\n",
		},
		"an adopted group is released without the chain's rules": {
			groups: []chain.Group{tierGroup("A"), adopted(tierGroup("B", "A"), chain.Settled, rule(host4(1, 32), 80, 80))},
			want:   "revoke B\n  ingress tcp 443 A\ndelete group A\nrelease group B\n",
		},
		"a marked group is made undeletable, then released": {
			groups: []chain.Group{tierGroup("A"), marked(tierGroup("B", "A"))},
			want:   "revoke B\n  ingress tcp 443 A\ndelete group A\nre-tag B\nrelease group B\n",
		},
		"a marked group loses rules to groups that stay": {
			groups: []chain.Group{tierGroup("A", "B"), marked(tierGroup("B", "A", "B"))}, targets: []string{"B"},
			want: "revoke A\n  ingress tcp 443 B\nrevoke B\n  ingress tcp 443 A\nre-tag B\nrelease group B\n",
		},
		"two marked groups keep the rules between them": {
			groups: []chain.Group{marked(tierGroup("A")), marked(tierGroup("B", "A"))},
			want:   "re-tag A\nre-tag B\nrelease group A\nrelease group B\n",
		},
		"a marked group in use keeps its rules": {
			groups:    []chain.Group{marked(tierGroup("A")), tierGroup("B", "A")},
			targets:   []string{"A"},
			departure: plan.RemovalOptions{InUse: []chain.Identity{named("A")}, MembersMoving: true},
			want:      "nothing to do\n",
		},
		"a group that stays loses its rule for a released group": {
			groups: []chain.Group{adopted(tierGroup("A"), chain.Settled), tierGroup("B", "A")}, targets: []string{"A"},
			want: "revoke B\n  ingress tcp 443 A\nrelease group A\n",
		},
		"a rollback revokes the rules added to an adopted group": {
			groups:    []chain.Group{adopted(chain.Group{Identity: named("A"), Rules: []chain.Rule{rule(host4(1, 32), 443, 443)}}, fresh, rule(host4(1, 32), 80, 80))},
			departure: plan.RemovalOptions{Rollback: true},
			want:      "revoke A\n  ingress tcp 443 10.0.1.1/32\nrelease group A\n",
		},
		"nothing is removed while a group is in use": {
			groups: []chain.Group{tierGroup("A"), tierGroup("B", "A")}, departure: plan.RemovalOptions{InUse: []chain.Identity{named("A")}},
			want: "nothing to do\n",
		},
		"EachAlone deletes the groups that are not in use": {
			groups: []chain.Group{tierGroup("A"), tierGroup("B", "A")}, departure: plan.RemovalOptions{InUse: []chain.Identity{named("A")}, EachAlone: true},
			want: "delete group B\n",
		},
		"an adopted group in use keeps its rules": {
			groups:    []chain.Group{adopted(tierGroup("A"), chain.Settled), tierGroup("B", "A")},
			targets:   []string{"A"},
			departure: plan.RemovalOptions{InUse: []chain.Identity{named("A")}, MembersMoving: true},
			want:      "nothing to do\n",
		},
		"an adopted group in use is released if hurried": {
			groups:    []chain.Group{adopted(tierGroup("A"), chain.Settled), tierGroup("B", "A")},
			targets:   []string{"A"},
			departure: plan.RemovalOptions{InUse: []chain.Identity{named("A")}, MembersMoving: true, OutOfTime: true},
			want:      "revoke B\n  ingress tcp 443 A\nrelease group A\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			current := chain.State{Groups: test.groups}
			var targets []chain.Identity
			for _, tier := range test.targets {
				targets = append(targets, named(tier))
			}
			if len(targets) == 0 {
				targets = current.Identities()
			}
			test.departure.All = targets
			if got := shortened(plan.Removal(current, targets, test.departure)); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// shortened prints a plan with tiers instead of identities.
func shortened(todo plan.Plan) string {
	if todo.Empty() {
		return todo.String()
	}
	text := ""
	for _, step := range todo.Steps {
		text += string(step.Action) + " "
		if step.Action == plan.RevokeRules {
			text += step.Group.Tier + "\n"
			for _, rule := range step.Rules {
				peer := rule.Peer.String()
				if rule.Peer.Kind == chain.PeerMember {
					peer = rule.Peer.Member.Tier
				}
				text += fmt.Sprintf("  %s %s %s\n", rule.Direction, chain.Traffic(rule.Protocol, rule.Ports), peer)
			}
			continue
		}
		text += step.Group.Tier + "\n"
	}
	return text
}

// randomRemoval returns a random removal. Its groups are of four tiers and two generations, created, adopted or marked for a release.
// Some of the rules between them are not the chain's.
func randomRemoval(r *rand.Rand) (current chain.State, targets []chain.Identity, departure plan.RemovalOptions) {
	oneIn := func(n int) bool { return r.IntN(n) == 0 }
	for _, tier := range []string{"A", "B", "C", "D"} {
		for _, description := range []string{"first", "second"} {
			if oneIn(3) {
				continue
			}
			group := chain.Group{Identity: chain.Identity{VPCID: "vpc-1", Tier: tier, Description: description}, Epoch: first}
			group.Adoption = []chain.Adoption{chain.Created, chain.Created, chain.Settled, fresh}[r.IntN(4)]
			if oneIn(4) {
				group = marked(group)
			}
			current.Groups = append(current.Groups, group)
		}
	}
	for i := range current.Groups {
		group := &current.Groups[i]
		for _, other := range current.Groups {
			for _, direction := range []chain.Direction{chain.Ingress, chain.Egress} {
				if oneIn(3) {
					one := rule(chain.MemberPeer(other.Identity), 443, 443)
					one.Direction = direction
					group.Rules = append(group.Rules, one)
				}
			}
		}
		group.Rules = append(group.Rules, rule(host4(i, 32), 80, 80))
		for _, one := range group.Rules {
			if oneIn(3) {
				group.Unmanaged = append(group.Unmanaged, one)
			}
		}
		if !oneIn(4) {
			departure.All = append(departure.All, group.Identity)
		}
		if oneIn(4) {
			departure.InUse = append(departure.InUse, group.Identity)
		}
	}
	for _, identity := range departure.All {
		if !oneIn(5) {
			targets = append(targets, identity)
		}
	}
	departure.Rollback, departure.MembersMoving, departure.OutOfTime, departure.EachAlone = oneIn(3), oneIn(2), oneIn(4), oneIn(3)
	for i, group := range current.Groups {
		if moves := oneIn(4) && !departure.MembersMoving; moves && slices.Contains(departure.All, group.Identity) {
			current.Groups[i].Tags = chain.Former{Resource: chain.Resource{StackID: "stack", LogicalID: "Old"}, Epoch: first}.Marks()
			departure.Returned = append(departure.Returned, group.Identity)
		}
	}
	return current.Normalize(), targets, departure
}

// removal checks one removal against what is promised of all of them.
type removal struct {
	current   chain.State
	targets   []chain.Identity
	departure plan.RemovalOptions
	todo      plan.Plan
}

func (r removal) find(identity chain.Identity) chain.Group {
	group, _ := r.current.Find(identity)
	return group
}

// TestRandomRemovals checks random removals. No group is deleted before the rules that name it
// are gone. Adopted groups are released and never deleted. No member of a group loses traffic.
// Nothing else changes.
func TestRandomRemovals(t *testing.T) {
	t.Parallel()
	met := map[string]int{}
	for seed := range uint64(20_000) {
		current, targets, departure := randomRemoval(rand.New(rand.NewPCG(seed, 0)))
		one := removal{current, targets, departure, plan.Removal(current, targets, departure)}
		for _, broken := range []string{one.order(), one.ends(), one.members(), one.rules()} {
			if broken != "" {
				t.Fatalf("seed %d: %s\ntargets %v\n%+v\n%s\n%s", seed, broken, targets, departure, current, one.todo)
			}
		}
		for _, step := range one.todo.Steps {
			met[fmt.Sprint(step.Action, " ", step.Stage, " ", departure.EachAlone)]++
		}
	}
	for _, want := range []string{"revoke 0 true", "revoke 0 false", "delete group 1 true", "delete group 2 true", "delete group 1 false", "delete group 2 false", "re-tag 1 true", "re-tag 1 false", "release group 2 true", "release group 2 false", "return group 3 true", "return group 3 false"} {
		if met[want] < 500 {
			t.Errorf("only %d times: %s", met[want], want)
		}
	}
}

// order executes the steps phase by phase: EC2 deletes no group that a rule of another one names.
func (r removal) order() string {
	rules := map[chain.Identity][]chain.Rule{}
	for _, group := range r.current.Groups {
		rules[group.Identity] = slices.Clone(group.Rules)
	}
	for _, phase := range r.todo.Phases() {
		for _, step := range phase {
			switch step.Action {
			case plan.RevokeRules:
				rules[step.Group] = slices.DeleteFunc(rules[step.Group], func(rule chain.Rule) bool { return slices.Contains(step.Rules, rule) })
			case plan.DeleteGroup:
				for holder, held := range rules {
					if holder != step.Group && slices.ContainsFunc(held, func(rule chain.Rule) bool { return rule.Peer.Member == step.Group }) {
						return fmt.Sprintf("%v is deleted while %v names it", step.Group, holder)
					}
				}
			default:
			}
		}
		for _, step := range phase {
			if step.Action == plan.DeleteGroup {
				delete(rules, step.Group)
			}
		}
	}
	return ""
}

// ends checks that each target which is removed ends as it must, once, and that no other group does.
func (r removal) ends() string {
	ended, undeletable := map[chain.Identity]plan.Action{}, map[chain.Identity]int{}
	for i, step := range r.todo.Steps {
		group := r.find(step.Group)
		isMarked := group.Tags["sgchain:release"] == "yes"
		switch {
		case step.Action == plan.RevokeRules:
			continue
		case step.Action == plan.RetagGroup && isMarked && group.Adoption == chain.Created && step.Adoption == chain.Settled:
			undeletable[step.Group] = step.Stage
			continue
		}
		want := plan.DeleteGroup
		switch {
		case slices.Contains(r.departure.Returned, step.Group):
			want = plan.ReturnGroup
		case group.Adoption.IsForeign() || isMarked:
			want = plan.ReleaseGroup
		}
		if want == plan.ReleaseGroup && group.Adoption == chain.Created && (undeletable[step.Group] == 0 || undeletable[step.Group] == step.Stage) {
			return fmt.Sprintf("step %d releases %v, which the role could still delete", i, step.Group)
		}
		if step.Action != want || ended[step.Group] != "" || !slices.Contains(r.targets, step.Group) {
			return fmt.Sprintf("%s of %v", step.Action, step.Group)
		}
		ended[step.Group] = want
	}
	waits := r.departure.Waits(r.current, r.targets)
	for _, identity := range r.targets {
		if stays := slices.Contains(waits, identity) || (len(waits) > 0 && !r.departure.EachAlone); stays != (ended[identity] == "") {
			return fmt.Sprintf("%v ended with %q", identity, ended[identity])
		}
	}
	return ""
}

// members checks that members who move out of the groups lose no traffic. No rule is revoked
// that connects members of two groups, or of one and the world.
func (r removal) members() string {
	if r.departure.OutOfTime || !r.departure.MembersMoving {
		return ""
	}
	isInUse := func(identity chain.Identity) bool { return slices.Contains(r.departure.InUse, identity) }
	isTarget := func(identity chain.Identity) bool { return slices.Contains(r.targets, identity) }
	for _, step := range r.todo.Steps {
		for _, rule := range step.Rules {
			named := rule.Peer.Member
			isUsed := isInUse(step.Group) && (rule.Peer.Kind != chain.PeerMember || isInUse(named))
			if isUsed && (isTarget(step.Group) || isTarget(named)) {
				return fmt.Sprintf("%v loses %s, which is in use", step.Group, rule)
			}
		}
	}
	return ""
}

// rules checks that exactly the necessary rules are revoked. Afterwards no remaining rule names a
// deleted group, and each revoked rule has a reason.
func (r removal) rules() string {
	for _, group := range r.current.Groups {
		isReleased := slices.ContainsFunc(r.todo.Steps, func(step plan.Step) bool { return step.Action == plan.ReleaseGroup && step.Group == group.Identity })
		for _, rule := range group.Rules {
			isRevoked := slices.ContainsFunc(r.todo.Steps, func(step plan.Step) bool {
				return step.Action == plan.RevokeRules && step.Group == group.Identity && slices.Contains(step.Rules, rule)
			})
			ends := func(action plan.Action, identity chain.Identity) bool {
				return slices.ContainsFunc(r.todo.Steps, func(step plan.Step) bool { return step.Action == action && step.Group == identity })
			}
			isDeleted := ends(plan.DeleteGroup, group.Identity)
			namesDeleted, namesReleased := ends(plan.DeleteGroup, rule.Peer.Member), ends(plan.ReleaseGroup, rule.Peer.Member)
			isRolledBack := isReleased && r.departure.Rollback && group.Adoption.IsFresh()
			switch {
			case namesDeleted && !isDeleted && !isRevoked:
				return fmt.Sprintf("%v keeps %s, which names a group that is deleted", group.Identity, rule)
			case isRevoked && !namesDeleted && !namesReleased && !isReleased:
				return fmt.Sprintf("%v loses %s without a reason", group.Identity, rule)
			case isRevoked && isReleased && rule.Peer.Kind != chain.PeerMember && !isRolledBack:
				return fmt.Sprintf("%v is released without %s", group.Identity, rule)
			case isRevoked && !slices.Contains(r.departure.All, rule.Peer.Member) && slices.Contains(group.Unmanaged, rule) && group.Adoption != chain.Settled:
				return fmt.Sprintf("%v loses %s, which the chain did not create", group.Identity, rule)
			}
		}
	}
	return ""
}

// TestLeftOvers checks that orphans of the newest generation stay: another run may have created them.
func TestLeftOvers(t *testing.T) {
	t.Parallel()
	older, newest := chain.Epoch{Generation: 1, PhysicalID: "x"}, chain.Epoch{Generation: 2, PhysicalID: "y"}
	group := func(tier string, epoch chain.Epoch) chain.Group {
		return chain.Group{Identity: named(tier), Epoch: epoch}
	}
	current := chain.State{Groups: []chain.Group{group("Live", newest), group("Retired", newest), group("Old", older), group("New", newest)}}
	change := plan.Change{New: chain.State{Groups: []chain.Group{group("Live", newest)}}, Old: chain.State{Groups: []chain.Group{group("Retired", newest)}}}
	for takesOwn, want := range map[bool]string{false: "left [Old New], taken [Old]", true: "left [Retired Old New], taken [Retired Old New]"} {
		left, targets := plan.OrphanedGroups(change, current, newest, takesOwn)
		tiers := func(identities []chain.Identity) (all []string) {
			for _, one := range identities {
				all = append(all, one.Tier)
			}
			return all
		}
		if got := fmt.Sprintf("left %v, taken %v", tiers(left), tiers(targets)); got != want {
			t.Errorf("takes its own %t: %s, want %s", takesOwn, got, want)
		}
	}
}

// TestDoubtful checks which answers of EC2 may be stale, and so are read again.
func TestDoubtful(t *testing.T) {
	t.Parallel()
	a, b := tierGroup("A"), tierGroup("B", "A")
	asked := chain.State{Groups: []chain.Group{{Identity: a.Identity}, {Identity: b.Identity, Rules: []chain.Rule{rule(chain.TierPeer("A"), 443, 443)}}}}
	there := chain.State{Groups: []chain.Group{a, b}}
	one := chain.State{Groups: []chain.Group{{Identity: a.Identity}}}
	onlyA := chain.State{Groups: []chain.Group{a}}
	orphan := chain.State{Groups: []chain.Group{a, b, tierGroup("C")}}
	open := chain.State{Groups: []chain.Group{adopted(tierGroup("A"), chain.Adoptable)}}
	recorded := first.PhysicalID
	for name, test := range map[string]struct {
		change   plan.Change
		current  chain.State
		recorded string
		want     bool
	}{
		"a Create finds nothing":              {plan.Change{New: asked, Creating: true}, chain.State{}, "", false},
		"a Create finds groups":               {plan.Change{New: asked, Creating: true}, onlyA, "", true},
		"a Create finds what it may adopt":    {plan.Change{New: asked, Creating: true}, open, "", false},
		"an Update finds what was":            {plan.Change{New: asked, Old: one}, onlyA, recorded, false},
		"an Update finds itself done":         {plan.Change{New: asked, Old: one}, there, recorded, true},
		"an Update that asks for nothing":     {plan.Change{New: asked, Old: asked}, there, recorded, false},
		"an Update does not find all":         {plan.Change{New: one, Old: asked}, onlyA, recorded, true},
		"an Update finds another ID":          {plan.Change{New: asked, Old: one}, onlyA, "sgchain-other", true},
		"an Update finds a group of no chain": {plan.Change{New: one, Old: asked}, orphan, recorded, true},
	} {
		if got := plan.MayBeStale(test.change, test.current, test.recorded, recorded); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
