package sgchain

import (
	"fmt"
	"strconv"
	"strings"

	"sgchain/lambda/chain"
)

// withoutEffect finds ways out that change nothing because the tier may go everywhere. EgressAll
// means IPv4 alone in a chain without IPv6: there a range of IPv6 has an effect, and so may a group
// or a list.
func withoutEffect(facts *known, spec chain.Spec, tiers []Tier) error {
	for i, tier := range spec.Tiers {
		if !tier.Egress.All || i >= len(tiers) {
			continue
		}
		path := "Tiers[" + strconv.Itoa(i) + "]"
		if tier.Egress.Chain && spec.IPv6 {
			facts.problem(path+".Egress", "has chain beside all, which covers it; write EgressAll or EgressChain alone")
		}
		for _, rule := range tier.Egress.Rules {
			if spec.IPv6 || (rule.Peer.Kind == chain.PeerCIDR && rule.Peer.CIDR.Addr().Is4()) {
				facts.problem(path+".EgressTo", fmt.Sprintf("has no effect on what goes to %s, because EgressAll lets the tier go everywhere; set Egress to EgressChain or leave it out, or leave EgressTo out",
					facts.named(rule.Peer.String(), func(string) string { return "(known at deploy time)" })))
				break
			}
		}
	}
	if len(facts.problems) == 0 {
		return nil
	}
	return facts.problems
}

// ignored says why an option of the chain has no effect on what its provider does; empty where it
// has one.
func (p *SecurityGroupChainProps) ignored(server IProvider) string {
	own, isOurs := server.(*provider)
	if isOurs && own.enforces && strings.EqualFold(string(p.Guardrails), string(GuardrailMode_WARN)) {
		return "Guardrails: warn has no effect, because the provider (" + *own.Node().Path() + ") has EnforceGuardrails; leave Guardrails out here, or leave EnforceGuardrails out there"
	}
	return ""
}
