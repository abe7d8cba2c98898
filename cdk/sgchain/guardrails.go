package sgchain

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

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
// room for its rules. What prefix lists weigh is not known here, and counts as one. What is
// only warned of becomes an annotation of a stable ID for each guardrail, tier and door. Forced
// says that the provider enforces guardrails.
func guard(c constructs.Construct, spec chain.Spec, forced bool, words func(string) *string) error {
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
	for _, finding := range chain.Guardrails(spec) {
		id := fmt.Sprintf("sgchain:%s:%s", finding.Rule, finding.Tier)
		if finding.Doors != "" {
			id += ":" + dashed(finding.Doors)
		}
		awscdk.Annotations_Of(c).AddWarningV2(jsii.String(id), words(finding.String()))
	}
	return nil
}
