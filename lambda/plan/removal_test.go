package plan_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// tierGroup is a group of a tier, whose rules say whom it takes traffic from.
func tierGroup(tier string, from ...string) chain.Group {
	group := chain.Group{Identity: named(tier), Epoch: first}
	for _, other := range from {
		group.Rules = append(group.Rules, doorFor(other))
	}
	return group
}

func named(tier string) chain.Identity {
	return chain.Identity{VPCID: "vpc-1", Tier: tier, Description: tier}
}

func doorFor(tier string) chain.Rule { return rule(chain.MemberPeer(named(tier)), 443, 443) }

func wayTo(tier string) chain.Rule {
	way := doorFor(tier)
	way.Direction = chain.Egress
	return way
}

func adopted(group chain.Group, how chain.Adoption, unmanaged ...chain.Rule) chain.Group {
	group.Adoption, group.Unmanaged = how, unmanaged
	group.Rules = append(group.Rules, unmanaged...)
	return group
}

// marked is a group that left the chain by ReleaseTiers.
func marked(group chain.Group) chain.Group {
	group.Tags = map[string]string{"sgchain:release": "yes"}
	return group
}

var fresh = chain.AdoptedBy("request-1", "2026-01-01T00:00:00.000Z")

func TestRemoval(t *testing.T) {
	t.Parallel()
	withWay := tierGroup("A")
	withWay.Rules = append(withWay.Rules, wayTo("B"))
	for name, test := range map[string]struct {
		groups    []chain.Group
		targets   []string // all where there are none
		departure plan.Departure
		want      string
	}{
		"a rule goes with its group, where that goes first": {
			groups: []chain.Group{tierGroup("A"), tierGroup("B", "A")},
			want:   "delete group B\ndelete group A\n",
		},
		"a rule that names a group of the first wave is revoked": {
			groups: []chain.Group{withWay, tierGroup("B", "A")},
			want:   "revoke A\n  egress tcp 443 B\ndelete group B\ndelete group A\n",
		},
		"three tiers go in two waves": {
			groups: []chain.Group{tierGroup("A"), tierGroup("B", "A"), tierGroup("C", "B")},
			want:   "revoke B\n  ingress tcp 443 A\ndelete group A\ndelete group C\ndelete group B\n",
		},
		"a group that stays loses what names one that goes": {
			groups: []chain.Group{tierGroup("A"), tierGroup("B", "A")}, targets: []string{"A"},
			want: "revoke B\n  ingress tcp 443 A\ndelete group A\n",
		},
		"each for itself, all that names another one is revoked": {
			groups: []chain.Group{tierGroup("A", "A"), tierGroup("B", "A")}, departure: plan.Departure{EachAlone: true},
			want: "revoke B\n  ingress tcp 443 A\ndelete group B\ndelete group A\n",
		},
		"what somebody else made is released, and loses the chain's doors": {
			groups: []chain.Group{tierGroup("A"), adopted(tierGroup("B", "A"), chain.Settled, rule(host4(1, 32), 80, 80))},
			want:   "revoke B\n  ingress tcp 443 A\ndelete group A\nrelease group B\n",
		},
		"what is marked is released, undeletable before its tags go": {
			groups: []chain.Group{tierGroup("A"), marked(tierGroup("B", "A"))},
			want:   "revoke B\n  ingress tcp 443 A\ndelete group A\nre-tag B\nrelease group B\n",
		},
		"what is marked loses the doors to groups that stay": {
			groups: []chain.Group{tierGroup("A", "B"), marked(tierGroup("B", "A", "B"))}, targets: []string{"B"},
			want: "revoke A\n  ingress tcp 443 B\nrevoke B\n  ingress tcp 443 A\nre-tag B\nrelease group B\n",
		},
		"two that are marked keep the doors between them": {
			groups: []chain.Group{marked(tierGroup("A")), marked(tierGroup("B", "A"))},
			want:   "re-tag A\nre-tag B\nrelease group A\nrelease group B\n",
		},
		"who moves out of a marked group keeps its doors": {
			groups:    []chain.Group{marked(tierGroup("A")), tierGroup("B", "A")},
			targets:   []string{"A"},
			departure: plan.Departure{InUse: []chain.Identity{named("A")}, MembersMoving: true},
			want:      "nothing to do\n",
		},
		"a group that stays loses its door for one that is released": {
			groups: []chain.Group{adopted(tierGroup("A"), chain.Settled), tierGroup("B", "A")}, targets: []string{"A"},
			want: "revoke B\n  ingress tcp 443 A\nrelease group A\n",
		},
		"on the way back an adopted group loses what it was given": {
			groups:    []chain.Group{adopted(chain.Group{Identity: named("A"), Rules: []chain.Rule{rule(host4(1, 32), 443, 443)}}, fresh, rule(host4(1, 32), 80, 80))},
			departure: plan.Departure{Rollback: true},
			want:      "revoke A\n  ingress tcp 443 10.0.1.1/32\nrelease group A\n",
		},
		"while one is in use, nothing goes": {
			groups: []chain.Group{tierGroup("A"), tierGroup("B", "A")}, departure: plan.Departure{InUse: []chain.Identity{named("A")}},
			want: "nothing to do\n",
		},
		"each for itself, the others go": {
			groups: []chain.Group{tierGroup("A"), tierGroup("B", "A")}, departure: plan.Departure{InUse: []chain.Identity{named("A")}, EachAlone: true},
			want: "delete group B\n",
		},
		"who moves out of an adopted group keeps its doors": {
			groups:    []chain.Group{adopted(tierGroup("A"), chain.Settled), tierGroup("B", "A")},
			targets:   []string{"A"},
			departure: plan.Departure{InUse: []chain.Identity{named("A")}, MembersMoving: true},
			want:      "nothing to do\n",
		},
		"but not for ever": {
			groups:    []chain.Group{adopted(tierGroup("A"), chain.Settled), tierGroup("B", "A")},
			targets:   []string{"A"},
			departure: plan.Departure{InUse: []chain.Identity{named("A")}, MembersMoving: true, Hurried: true},
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

// shortened prints a plan with tiers in the place of identities.
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

// drawnRemoval is some groups of four tiers, made, adopted, marked to be released, and of two generations, with rules between
// them of which some are not the chain's, and which of them go how.
func drawnRemoval(r *rand.Rand) (current chain.State, targets []chain.Identity, departure plan.Departure) {
	oneIn := func(n int) bool { return r.IntN(n) == 0 }
	for _, tier := range []string{"A", "B", "C", "D"} {
		for _, description := range []string{"first", "second"} {
			if oneIn(3) {
				continue
			}
			group := chain.Group{Identity: chain.Identity{VPCID: "vpc-1", Tier: tier, Description: description}, Epoch: first}
			group.Adoption = []chain.Adoption{chain.Made, chain.Made, chain.Settled, fresh}[r.IntN(4)]
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
	departure.Rollback, departure.MembersMoving, departure.Hurried, departure.EachAlone = oneIn(3), oneIn(2), oneIn(4), oneIn(3)
	for i, group := range current.Groups {
		if moves := oneIn(4) && !departure.MembersMoving; moves && slices.Contains(departure.All, group.Identity) {
			current.Groups[i].Tags = chain.Former{Resource: chain.Resource{StackID: "stack", LogicalID: "Old"}, Epoch: first}.Marks()
			departure.Returned = append(departure.Returned, group.Identity)
		}
	}
	return current.Normalize(), targets, departure
}

// court holds one removal against what is promised of all of them.
type court struct {
	current   chain.State
	targets   []chain.Identity
	departure plan.Departure
	todo      plan.Plan
}

func (c court) find(identity chain.Identity) chain.Group {
	group, _ := c.current.Find(identity)
	return group
}

// TestRemovalOfAnything: whatever goes, no group is deleted before what names it is gone, those
// that somebody else made are released and never deleted, nobody is cut off who is still in a
// group, and nothing else changes.
func TestRemovalOfAnything(t *testing.T) {
	t.Parallel()
	met := map[string]int{}
	for seed := range uint64(20_000) {
		current, targets, departure := drawnRemoval(rand.New(rand.NewPCG(seed, 0)))
		one := court{current, targets, departure, plan.Removal(current, targets, departure)}
		for _, broken := range []string{one.order(), one.ends(), one.members(), one.rules()} {
			if broken != "" {
				t.Fatalf("seed %d: %s\ntargets %v\n%+v\n%s\n%s", seed, broken, targets, departure, current, one.todo)
			}
		}
		for _, step := range one.todo.Steps {
			met[fmt.Sprint(step.Action, " ", step.Stage, " ", departure.EachAlone)]++
		}
	}
	for _, want := range []string{"revoke 0 true", "revoke 0 false", "delete group 1 true", "delete group 2 true", "delete group 1 false", "delete group 2 false", "re-tag 1 true", "re-tag 1 false", "release group 2 true", "release group 2 false", "give back group 3 true", "give back group 3 false"} {
		if met[want] < 500 {
			t.Errorf("only %d times: %s", met[want], want)
		}
	}
}

// order takes the steps phase by phase: EC2 deletes no group that a rule of another one names.
func (c court) order() string {
	rules := map[chain.Identity][]chain.Rule{}
	for _, group := range c.current.Groups {
		rules[group.Identity] = slices.Clone(group.Rules)
	}
	for _, phase := range c.todo.Phases() {
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

// ends says whether each target that goes ends as it must, once, and nothing else does.
func (c court) ends() string {
	ended, undeletable := map[chain.Identity]plan.Action{}, map[chain.Identity]int{}
	for i, step := range c.todo.Steps {
		group := c.find(step.Group)
		isMarked := group.Tags["sgchain:release"] == "yes"
		switch {
		case step.Action == plan.RevokeRules:
			continue
		case step.Action == plan.RetagGroup && isMarked && group.Adoption == chain.Made && step.Adoption == chain.Settled:
			undeletable[step.Group] = step.Stage
			continue
		}
		want := plan.DeleteGroup
		switch {
		case slices.Contains(c.departure.Returned, step.Group):
			want = plan.ReturnGroup
		case group.Adoption.IsForeign() || isMarked:
			want = plan.ReleaseGroup
		}
		if want == plan.ReleaseGroup && group.Adoption == chain.Made && (undeletable[step.Group] == 0 || undeletable[step.Group] == step.Stage) {
			return fmt.Sprintf("step %d releases %v, which the role could still delete", i, step.Group)
		}
		if step.Action != want || ended[step.Group] != "" || !slices.Contains(c.targets, step.Group) {
			return fmt.Sprintf("%s of %v", step.Action, step.Group)
		}
		ended[step.Group] = want
	}
	waits := c.departure.Waits(c.current, c.targets)
	for _, identity := range c.targets {
		if stays := slices.Contains(waits, identity) || (len(waits) > 0 && !c.departure.EachAlone); stays != (ended[identity] == "") {
			return fmt.Sprintf("what becomes of %v is %q", identity, ended[identity])
		}
	}
	return ""
}

// members says whether somebody is cut off who moves out of the groups: whether a rule goes
// through which members of two groups, or of one and the world, reach each other.
func (c court) members() string {
	if c.departure.Hurried || !c.departure.MembersMoving {
		return ""
	}
	isInUse := func(identity chain.Identity) bool { return slices.Contains(c.departure.InUse, identity) }
	isTarget := func(identity chain.Identity) bool { return slices.Contains(c.targets, identity) }
	for _, step := range c.todo.Steps {
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

// rules says whether exactly those rules go that have to: of those that stay none names a group
// that is deleted, and none goes without a reason.
func (c court) rules() string {
	for _, group := range c.current.Groups {
		isReleased := slices.ContainsFunc(c.todo.Steps, func(step plan.Step) bool { return step.Action == plan.ReleaseGroup && step.Group == group.Identity })
		for _, rule := range group.Rules {
			isRevoked := slices.ContainsFunc(c.todo.Steps, func(step plan.Step) bool {
				return step.Action == plan.RevokeRules && step.Group == group.Identity && slices.Contains(step.Rules, rule)
			})
			ends := func(action plan.Action, identity chain.Identity) bool {
				return slices.ContainsFunc(c.todo.Steps, func(step plan.Step) bool { return step.Action == action && step.Group == identity })
			}
			isDeleted := ends(plan.DeleteGroup, group.Identity)
			namesDeleted, namesReleased := ends(plan.DeleteGroup, rule.Peer.Member), ends(plan.ReleaseGroup, rule.Peer.Member)
			isTakenBack := isReleased && c.departure.Rollback && group.Adoption.IsFresh()
			switch {
			case namesDeleted && !isDeleted && !isRevoked:
				return fmt.Sprintf("%v keeps %s, which names a group that is deleted", group.Identity, rule)
			case isRevoked && !namesDeleted && !namesReleased && !isReleased:
				return fmt.Sprintf("%v loses %s for nothing", group.Identity, rule)
			case isRevoked && isReleased && rule.Peer.Kind != chain.PeerMember && !isTakenBack:
				return fmt.Sprintf("%v is released without %s", group.Identity, rule)
			case isRevoked && !slices.Contains(c.departure.All, rule.Peer.Member) && slices.Contains(group.Unmanaged, rule) && group.Adoption != chain.Settled:
				return fmt.Sprintf("%v loses %s, which the chain never made", group.Identity, rule)
			}
		}
	}
	return ""
}

// TestLeftOvers: orphans of the newest generation may be the work of another run.
func TestLeftOvers(t *testing.T) {
	t.Parallel()
	older, newest := chain.Epoch{Generation: 1, PhysicalID: "x"}, chain.Epoch{Generation: 2, PhysicalID: "y"}
	group := func(tier string, epoch chain.Epoch) chain.Group {
		return chain.Group{Identity: named(tier), Epoch: epoch}
	}
	current := chain.State{Groups: []chain.Group{group("Live", newest), group("Retired", newest), group("Old", older), group("New", newest)}}
	change := plan.Change{New: chain.State{Groups: []chain.Group{group("Live", newest)}}, Old: chain.State{Groups: []chain.Group{group("Retired", newest)}}}
	for takesOwn, want := range map[bool]string{false: "left [Old New], taken [Old]", true: "left [Retired Old New], taken [Retired Old New]"} {
		left, targets := plan.LeftOvers(change, current, newest, takesOwn)
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

// TestDoubtful: what may be the past is looked at again.
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
		if got := plan.Doubtful(test.change, test.current, test.recorded, recorded); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
