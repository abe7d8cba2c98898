package provider

import "sgchain/lambda/chain"

// guard holds the guardrails against a chain that is about to be built, and returns what
// they only warn of. One that is taken back to is never refused: it was there before, and a
// rollback that fails leaves the stack between the two.
func (r *run) guard(spec chain.Spec, isBack bool) ([]string, error) {
	warnings, refused := chain.Guard(spec, r.EnforceGuardrails)
	switch {
	case refused == nil:
		return warnings, nil
	case !isBack:
		return nil, refused
	}
	for _, finding := range refused.Findings {
		warnings = append(warnings, finding.String())
	}
	return warnings, nil
}
