package sgchain

import (
	"fmt"
	"strconv"
	"strings"

	"sgchain/lambda/chain"
)

// withoutEffect finds outbound rules that have no effect because EgressAll allows all traffic. In a
// chain without IPv6, EgressAll covers only IPv4. There a rule for an IPv6 range has an effect, and
// a rule for a group or prefix list can have one.
func withoutEffect(facts *known, spec chain.Spec, tiers []Tier) error {
	for i, tier := range spec.Tiers {
		if !tier.Egress.All || i >= len(tiers) {
			continue
		}
		path := "Tiers[" + strconv.Itoa(i) + "]"
		if tier.Egress.Chain && spec.IPv6 {
			facts.problem(path+".Egress", "combines chain with all, which covers it. Use only EgressAll or only EgressChain.")
		}
		for _, rule := range tier.Egress.Rules {
			if spec.IPv6 || (rule.Peer.Kind == chain.PeerCIDR && rule.Peer.CIDR.Addr().Is4()) {
				facts.problem(path+".EgressTo", fmt.Sprintf("the rule to %s has no effect, because EgressAll allows all outbound traffic. Set Egress to EgressChain or remove it, or remove EgressTo.",
					facts.named(rule.Peer.String(), func(string) string { return "(known at deployment)" })))
				break
			}
		}
	}
	if len(facts.problems) == 0 {
		return nil
	}
	return facts.problems
}

// withoutEffectOnProvider returns why an option of the chain has no effect on its provider, or "".
func (p *SecurityGroupChainProps) withoutEffectOnProvider(server IProvider) string {
	own, isOurs := server.(*provider)
	if isOurs && own.enforces && strings.EqualFold(string(p.Guardrails), string(GuardrailMode_WARN)) {
		return "Guardrails: warn has no effect, because provider " + *own.Node().Path() + " has EnforceGuardrails. Remove Guardrails from the chain, or EnforceGuardrails from the provider."
	}
	return ""
}
