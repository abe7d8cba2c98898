package sgchain

import (
	"fmt"
	"iter"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// GuardrailMode is what happens to a chain that guardrails refuse, for example one whose inner tier is
// open to the internet. docs/guardrails.md lists the guardrails.
type GuardrailMode string

// The values of GuardrailMode.
const (
	// GuardrailMode_ENFORCE refuses the chain, at synth and at deployment.
	GuardrailMode_ENFORCE GuardrailMode = "enforce" //nolint:revive,staticcheck // the CDK's form of an enum
	// GuardrailMode_WARN deploys the chain with warnings. It is refused if the provider has
	// EnforceGuardrails.
	GuardrailMode_WARN GuardrailMode = "warn" //nolint:revive,staticcheck // as above
)

// checkSpec returns the error with which the function would refuse a chain: of a guardrail, or because
// a group would exceed its quota of rules. Synth does not know the size of a prefix list, and counts it
// as one rule. Forced means that the provider enforces guardrails.
func checkSpec(spec chain.Spec, forced bool) error {
	_, refused := chain.Guard(spec, forced)
	switch {
	case refused != nil && forced:
		return &listError{refused, "The provider has EnforceGuardrails."}
	case refused != nil:
		return &listError{refused, "To get warnings instead of this error, set Guardrails to GuardrailMode_WARN."}
	}
	desired := plan.Goal(plan.Change{New: chain.Desired(spec)}, chain.State{}, chain.Epoch{})
	isUnused := func(chain.Identity) bool { return true }
	if _, _, err := plan.Diff(chain.State{}, desired).Fit(chain.State{}, desired, plan.Quota{Rules: spec.RuleQuota}, isUnused, func() error { return nil }); err != nil {
		return fmt.Errorf("%w. Use fewer or wider rules, or raise the account's quota and set RuleQuota to it.", err)
	}
	return nil
}

// findings yields the warnings of guardrails, each with the ID of its annotation, which is stable for a guardrail, tier and rule.
func findings(spec chain.Spec) iter.Seq2[string, string] {
	return func(yield func(id, text string) bool) {
		for _, finding := range chain.Guardrails(spec) {
			id := fmt.Sprintf("sgchain:%s:%s", finding.Rule, finding.Tier)
			if finding.Rules != "" {
				id += ":" + dashed(finding.Rules)
			}
			if !yield(id, finding.String()) {
				return
			}
		}
	}
}
