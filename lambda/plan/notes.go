package plan

import "sgchain/lambda/chain"

// Notes returns what a picture shows of the groups besides their rules: the findings of
// the guardrails, and the exceptions that the author allowed.
func Notes(spec chain.Spec) map[chain.Identity][]string {
	notes, findings := map[chain.Identity][]string{}, map[string][]chain.Finding{}
	for _, finding := range chain.Guardrails(spec) {
		findings[finding.Tier] = append(findings[finding.Tier], finding)
	}
	for i, identity := range spec.Identities() {
		said := map[string]bool{}
		for _, finding := range findings[spec.Tiers[i].Name] {
			if said[finding.Rule] {
				continue
			}
			said[finding.Rule] = true
			note := finding.Rule
			if finding.Rule == chain.RulePublicTier && spec.Tiers[i].AllowPublic {
				note += ", allowed by AllowPublic"
			}
			notes[identity] = append(notes[identity], note)
		}
	}
	return notes
}
