package plan

import (
	"slices"

	"sgchain/lambda/chain"
)

// Side is one direction of a group's rules.
type Side struct {
	Group     chain.Identity
	Direction chain.Direction
}

// RevokeFirst returns the plan with the old rules of some sides revoked before new ones are
// authorized. It is the last resort if EC2 has no room for both and the change must be made.
// It briefly interrupts traffic that old and new rules both allow.
func (p Plan) RevokeFirst(sides []Side) Plan {
	steps := slices.Clone(p.Steps)
	for i, step := range steps {
		if step.Action == RevokeRules && slices.Contains(sides, Side{step.Group, step.Direction}) {
			steps[i].Phase, steps[i].Stage = MakeRoom, max(1, step.Stage)
		}
	}
	chain.Sort(steps, byPhase)
	return Plan{Steps: steps}
}

// Without returns the plan without the rules to authorize for which left is true.
func (p Plan) Without(left func(chain.Identity, chain.Rule) bool) Plan {
	var steps []Step
	for _, step := range p.Steps {
		if step.Action == AuthorizeRules {
			step.Rules = slices.DeleteFunc(slices.Clone(step.Rules), func(rule chain.Rule) bool { return left(step.Group, rule) })
			if len(step.Rules) == 0 {
				continue
			}
		}
		steps = append(steps, step)
	}
	return Plan{Steps: steps}
}
