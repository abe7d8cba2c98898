package plan

import (
	"fmt"
	"slices"
	"strings"

	"sgchain/lambda/chain"
)

// Picture draws a chain for a terminal: outermost tier first, on each arrow what
// the neighbor above may send, beside each group every other door and where the
// group may go. GroupIDs, by tier, may be nil.
//
//	internet
//	   |  tcp 80,443
//	   v
//	[Alb] ALB-SG sg-0a1b
//	   |  tcp 6060
//	   v
//	[Fargate] Fargate-SG sg-0c2d
func Picture(state chain.State, groupIDs map[string]string) string {
	var text strings.Builder
	above := "internet"
	for i, group := range state.Groups {
		sources, doors := doorsBySource(group)
		switch {
		case i == 0 && doors[above] != "":
			text.WriteString(above + "\n")
			fallthrough
		case doors[above] != "":
			fmt.Fprintf(&text, "   |  %s\n   v\n", doors[above])
		case i > 0:
			text.WriteString("\n")
		}
		fmt.Fprintf(&text, "%s\n", strings.Join(slices.DeleteFunc([]string{
			"[" + group.Tier + "]", group.GroupName, groupIDs[group.Tier],
		}, func(word string) bool { return word == "" }), " "))
		for _, source := range sources {
			if source != above {
				fmt.Fprintf(&text, "   <-- %s: %s\n", source, doors[source])
			}
		}
		fmt.Fprintf(&text, "   --> %s\n", destinations(group))
		above = group.Tier
	}
	return text.String()
}

// doorsBySource lists who may come into a group, and through what.
func doorsBySource(group chain.Group) (sources []string, doors map[string]string) {
	traffic := map[string][]chain.Rule{}
	for _, rule := range group.Rules {
		if rule.Direction != chain.Ingress {
			continue
		}
		source := peerName(rule.Peer, group.Tier)
		if traffic[source] == nil {
			sources = append(sources, source)
		}
		traffic[source] = append(traffic[source], rule)
	}
	doors = make(map[string]string, len(traffic))
	for source, rules := range traffic {
		doors[source] = chain.TrafficList(rules)
	}
	return sources, doors
}

func destinations(group chain.Group) string {
	var words []string
	for _, rule := range group.Rules {
		switch {
		case rule.Direction != chain.Egress:
		case rule.Key() == chain.AllTrafficV4():
			words = append(words, "anywhere")
		case rule.Key() == chain.AllTrafficV6() && len(words) > 0: // its twin said it
		default:
			words = append(words, peerName(rule.Peer, group.Tier)+": "+chain.Traffic(rule.Protocol, rule.Ports))
		}
	}
	if len(words) == 0 {
		return "nowhere"
	}
	return strings.Join(words, ", ")
}

func peerName(peer chain.Peer, self string) string {
	if name := chain.PeerName(peer); name != self {
		return name
	}
	return "itself"
}
