package plan

import "sgchain/lambda/chain"

// Notes is what a picture says of the groups of a chain beside their rules: what guardrails
// found, and what their author lifted.
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
