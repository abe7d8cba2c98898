package provider

import "sgchain/lambda/chain"

// checkGuardrails checks the chain against the guardrails and returns the findings that are only warnings. It
// never refuses a rollback: that chain was deployed before, and a rollback that fails leaves the
// stack between two versions.
func (r *run) checkGuardrails(spec chain.Spec, isRollback bool) ([]string, error) {
	warnings, refused := chain.Guard(spec, r.EnforceGuardrails)
	switch {
	case refused == nil:
		return warnings, nil
	case !isRollback:
		return nil, refused
	}
	for _, finding := range refused.Findings {
		warnings = append(warnings, finding.String())
	}
	return warnings, nil
}
