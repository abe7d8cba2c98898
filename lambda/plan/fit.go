package plan

import (
	"fmt"
	"slices"

	"sgchain/lambda/chain"
)

// Fit makes room in groups that have not room enough for their old rules and their new
// ones together. There, in stages of the phase [MakeRoom], an old rule goes as soon as
// every new rule that shares a flow with it is there; one that shares a flow with none
// goes first. So no traffic that the new chain allows is interrupted. Groups of which isNew
// reports that they have no members yet lose all their old rules first; the new rules of one
// that is still to be created wait for the next plan, which sees what EC2 gave it. Made says,
// for people, in which groups there were members.
//
// The error is a [*QuotaError], where there is no such way, or what ended returns: Fit asks
// it before each stage, and stops where it returns an error.
func (p Plan) Fit(current, goal chain.State, quota Quota, isNew func(chain.Identity) bool, ended func() error) (fitted Plan, made []string, err error) {
	weights := quota.scale()
	changed := staged{squeezes: map[place]*squeeze{}, later: map[place]bool{}}
	for _, step := range p.Steps {
		if step.Action != AuthorizeRules {
			continue
		}
		if err := ended(); err != nil {
			return Plan{}, nil, err
		}
		was, exists := current.Find(step.Group)
		if !exists {
			was = Fresh(step.Group, chain.Epoch{})
			was.Rules = append(was.Rules, chain.AllTrafficV6()) // as it may be
		}
		coming := weights.sum(step.Rules, step.Direction)
		if weights.lacksRoom(weights.sum(was.Rules, step.Direction), coming) == "" {
			continue
		}
		wanted, _ := goal.Find(step.Group)
		there, final := inDirection(was.Rules, step.Direction), inDirection(wanted.Rules, step.Direction)
		if family := weights.lacksRoom(counts{}, weights.sum(final, step.Direction)); family != "" {
			return Plan{}, nil, quota.failure(step, family, there, step.Rules, final)
		}
		if !exists {
			changed.later[place{step.Group, step.Direction}] = true
			continue
		}
		room := &squeeze{weights: weights, step: step, hasMembers: !isNew(step.Group), first: there, all: step.Rules, old: missing(final, there)}
		fits, err := room.fit(ended)
		if err == nil && !fits {
			// Only now does it count that somebody may be in the groups of two tiers.
			room.byTier = true
			fits, err = room.fit(ended)
		}
		if err != nil {
			return Plan{}, nil, err
		}
		if !fits {
			return Plan{}, nil, quota.failure(step, weights.lacksRoom(room.there, room.toCome), room.present(), room.coming(), final)
		}
		changed.add(room)
		if room.hasMembers {
			made = append(made, fmt.Sprintf("security group %s is near its quota of %d rules: some old %s rules were revoked before all new ones were there; no traffic that the new chain allows was interrupted",
				step.Group, quota.Rules, step.Direction))
		}
	}
	return Plan{Steps: changed.steps(p.Steps)}, made, nil
}

func inDirection(rules []chain.Rule, direction chain.Direction) []chain.Rule {
	return those(rules, func(rule chain.Rule) bool { return rule.Direction == direction })
}

// place is the rules of one direction of a group.
type place struct {
	group     chain.Identity
	direction chain.Direction
}

// staged is how a plan changes where rules are changed in stages.
type staged struct {
	squeezes map[place]*squeeze
	order    []*squeeze
	later    map[place]bool // whose new rules wait for the next plan
}

func (s *staged) add(room *squeeze) {
	s.squeezes[place{room.step.Group, room.step.Direction}] = room
	s.order = append(s.order, room)
}

// steps returns the steps of a plan with the stages among them, and without what is done in
// these.
func (s *staged) steps(steps []Step) []Step {
	changed := make([]Step, 0, len(steps))
	place := func(step Step) place { return place{step.Group, step.Direction} }
	for i, step := range steps {
		if room := s.squeezes[place(step)]; room != nil && step.Action == AuthorizeRules {
			step.Rules = room.coming()
		} else if room != nil && step.Action == RevokeRules {
			step.Rules = room.going()
		}
		if step.Phase > MakeRoom && (i == 0 || steps[i-1].Phase < MakeRoom) {
			changed = s.appendStages(changed)
		}
		isEmpty := len(step.Rules) == 0 && (step.Action == AuthorizeRules || step.Action == RevokeRules)
		if isEmpty || (step.Action == AuthorizeRules && s.later[place(step)]) {
			continue
		}
		changed = append(changed, step)
	}
	return changed
}

// appendStages adds the first stage of every group, then the second one, and so on.
func (s *staged) appendStages(steps []Step) []Step {
	for _, room := range s.order {
		steps = slices.Grow(steps, len(room.stages))
	}
	for stage, more := 0, true; more; stage++ {
		more = false
		for _, room := range s.order {
			if stage < len(room.stages) {
				steps, more = append(steps, room.stages[stage]), true
			}
		}
	}
	return steps
}
