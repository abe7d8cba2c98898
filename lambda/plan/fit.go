package plan

import (
	"fmt"
	"slices"

	"sgchain/lambda/chain"
)

// Fit makes room in groups whose quota has no room for their old and new rules together.
// In stages of the phase [MakeRoom], it revokes an old rule as soon as every new rule that
// shares a flow with it exists. An old rule that shares a flow with no new rule is revoked
// first. So no traffic that the new chain allows is interrupted.
//
// A group that isNew reports has no members yet and loses all its old rules first. If a
// group does not exist yet, its new rules wait for the next plan, which sees the rules that
// EC2 created. Warnings name the groups with members in which old rules are revoked early.
//
// The error is a [*QuotaError] if no such order exists, or the error of ended, which Fit
// calls before each stage.
func (p Plan) Fit(current, goal chain.State, quota Quota, isNew func(chain.Identity) bool, ended func() error) (fitted Plan, warnings []string, err error) {
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
			was.Rules = append(was.Rules, chain.AllTrafficV6()) // EC2 may create it
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
			// Only without any other order, assume that no member is in the groups of two tiers.
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
			warnings = append(warnings, fmt.Sprintf("security group %s is near its quota of %d rules. Some old %s rules were revoked before all new ones existed. No traffic that the new chain allows was interrupted",
				step.Group, quota.Rules, step.Direction))
		}
	}
	return Plan{Steps: changed.steps(p.Steps)}, warnings, nil
}

func inDirection(rules []chain.Rule, direction chain.Direction) []chain.Rule {
	return those(rules, func(rule chain.Rule) bool { return rule.Direction == direction })
}

// place identifies the rules of one direction of a group.
type place struct {
	group     chain.Identity
	direction chain.Direction
}

// staged holds the parts of a plan that are done in stages.
type staged struct {
	squeezes map[place]*squeeze
	order    []*squeeze
	later    map[place]bool // whose new rules wait for the next plan
}

func (s *staged) add(room *squeeze) {
	s.squeezes[place{room.step.Group, room.step.Direction}] = room
	s.order = append(s.order, room)
}

// steps returns the plan's steps with the stages inserted, and without the rules that
// the stages handle.
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

// appendStages appends the first stage of every group, then the second one, and so on.
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
