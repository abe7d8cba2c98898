package sgchain

import (
	"fmt"
	"iter"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// GuardrailMode says what becomes of a chain that guardrails refuse: one that is open to the
// world where nobody means it to be. docs/guardrails.md lists them.
type GuardrailMode string

// The modes.
const (
	// GuardrailMode_ENFORCE refuses it, at synth and at deploy.
	GuardrailMode_ENFORCE GuardrailMode = "enforce" //nolint:revive,staticcheck // the CDK's form of an enum
	// GuardrailMode_WARN builds it and warns. A provider may enforce all the same.
	GuardrailMode_WARN GuardrailMode = "warn" //nolint:revive,staticcheck // the same
)

// guard refuses what the function would refuse: by a guardrail, or because a group has not
// room for its rules. What prefix lists weigh is not known here, and counts as one. Forced
// says that the provider enforces guardrails.
func guard(spec chain.Spec, forced bool) error {
	_, refused := chain.Guard(spec, forced)
	switch {
	case refused != nil && forced:
		return fmt.Errorf("%w; the provider has EnforceGuardrails", refused)
	case refused != nil:
		return fmt.Errorf("%w; GuardrailMode_WARN builds it all the same, and warns", refused)
	}
	desired := plan.Goal(plan.Change{New: chain.Desired(spec)}, chain.State{}, chain.Epoch{})
	nobodyLivesThere := func(chain.Identity) bool { return true }
	if _, _, err := plan.Diff(chain.State{}, desired).Fit(chain.State{}, desired, plan.Quota{Rules: spec.RuleQuota}, nobodyLivesThere, func() error { return nil }); err != nil {
		return fmt.Errorf("%w; use fewer or wider rules, or have the account's quota raised and set RuleQuota to it", err)
	}
	return nil
}

// findings yields what guardrails warn of, each with the ID of an annotation that is stable for each guardrail, tier and door.
func findings(spec chain.Spec) iter.Seq2[string, string] {
	return func(yield func(id, text string) bool) {
		for _, finding := range chain.Guardrails(spec) {
			id := fmt.Sprintf("sgchain:%s:%s", finding.Rule, finding.Tier)
			if finding.Doors != "" {
				id += ":" + dashed(finding.Doors)
			}
			if !yield(id, finding.String()) {
				return
			}
		}
	}
}
