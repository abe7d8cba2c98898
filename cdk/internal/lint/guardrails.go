package lint

import (
	"slices"
	"strings"

	"sgchain/cdk/internal/template"
	"sgchain/lambda/chain"
)

// guardrails reports the certain findings of the guardrails on a chain. The stand-ins of the spec
// have IPv4 only. So what IPv6 adds is left out if IpFamilies is unknown.
func (l *linter) guardrails(state *chainState, v variant) {
	if v.spec == nil {
		return
	}
	_, isUnknown := v.Properties["Guardrails"].(template.Unknown)
	for _, finding := range chain.Guardrails(*v.spec) {
		if !v.isCertain(finding) {
			continue
		}
		severity := Warning
		if finding.Severity == chain.Refused && !v.spec.WarnOnly && !isUnknown {
			severity = Error
		}
		path := v.guardedPath(finding)
		remedy := finding.Remedy
		if remedy == "" {
			remedy = strings.TrimSuffix(remedyOf(finding), ".")
		}
		l.add(state.Chain, v.At(path), Finding{
			Rule: finding.Rule, Severity: severity, Path: path,
			Message: finding.Path + ": tier " + v.standIns.named(finding.Tier+" "+finding.Problem), Remedy: sentence(remedy),
		})
	}
}

// remedyOf returns what to do about a finding that is only a warning.
func remedyOf(finding chain.Finding) string {
	if finding.Rule == chain.RulePublicTier {
		return "remove AllowPublic, unless you mean the world"
	}
	for _, rule := range Rules() {
		if rule.ID == finding.Rule {
			return rule.Remedy
		}
	}
	return ""
}

// isCertain reports whether a finding holds for all unknown values.
func (v *variant) isCertain(finding chain.Finding) bool {
	if len(v.unsure) == 0 {
		return true
	}
	tier := finding.Path
	unsureInbound := slices.ContainsFunc(v.unsure, func(path string) bool { return isOfInbound(path, tier) })
	switch {
	case v.isWhollyUnsure(tier), v.isWhollyUnsure("Tiers"):
		return false
	case finding.Rule == chain.RulePublicTier:
		return v.hasTierBefore(tier) && !v.isUnsure(tier+".AllowPublic")
	case finding.Rule == chain.RuleAddressForTier:
		return v.hasTierBefore(tier)
	case finding.Rule == chain.RuleHTTPWithoutHTTPS:
		return !unsureInbound
	case finding.Rule == chain.RuleNoEgress:
		return !v.isUnsure("IpFamilies") && !v.isUnsure(tier+".Egress") && v.isCertainEgress(finding)
	default:
		return true // additional rules never remove these findings
	}
}

// isCertainEgress reports whether a tier whose own Egress is known certainly cannot use an inbound
// rule of the next tier, or certainly has no rule.
func (v *variant) isCertainEgress(finding chain.Finding) bool {
	if finding.Rules != "" {
		return v.standIns.named(finding.Rules) == finding.Rules
	}
	return !slices.ContainsFunc(v.unsure, func(path string) bool {
		tier, _, _ := strings.Cut(path, ".")
		return tierOrName.MatchString(path) || isWithin(path, tier+".Sources") || isWithin(path, tier+".Ingress")
	})
}

// isOfInbound reports whether a path is among those of a tier's inbound rules.
func isOfInbound(path, tier string) bool {
	return isWithin(path, tier+".Ports") || isWithin(path, tier+".Sources") || isWithin(path, tier+".Ingress")
}

// isUnsure reports whether a value contains something unknown.
func (v *variant) isUnsure(path string) bool {
	return slices.ContainsFunc(v.unsure, func(unknown string) bool { return isWithin(unknown, path) })
}

func (v *variant) isWhollyUnsure(path string) bool { return slices.Contains(v.unsure, path) }

// hasTierBefore reports whether a tier is certainly not the first: an existing one precedes it. An
// unknown entry may be left out.
func (v *variant) hasTierBefore(tier string) bool {
	for i := 0; indexed("Tiers", i) != tier; i++ {
		if !v.isWhollyUnsure(indexed("Tiers", i)) {
			return true
		}
		if i > len(v.unsure) {
			return false
		}
	}
	return false
}

// guardedPath returns the property of a guardrail's finding, or the nearest one that the template
// has.
func (v *variant) guardedPath(finding chain.Finding) string {
	keys := map[string][]string{
		chain.RulePublicTier:       {"AllowPublic", "Sources", "Ingress", "Ports"},
		chain.RulePublicAllPorts:   {"Ports", "Ingress"},
		chain.RulePublicAdminPort:  {"Ports", "Ingress"},
		chain.RuleHTTPWithoutHTTPS: {"Ports", "Ingress"},
		chain.RuleNoEgress:         {"Egress"},
		chain.RuleAddressForTier:   {"Sources", "Ingress"},
	}
	tier, _ := lookup(v.Properties, finding.Path).(map[string]any)
	for _, key := range keys[finding.Rule] {
		if tier[key] != nil {
			return finding.Path + "." + key
		}
	}
	return finding.Path
}
