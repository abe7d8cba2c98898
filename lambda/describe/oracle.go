package describe

import (
	"fmt"
	"strconv"
	"strings"

	"sgchain/lambda/chain"
)

// oracle asks the parser what can be written. It caches the answers, because the rules of a VPC are often alike.
type oracle struct {
	rules        map[[2]string]chain.Rule // by port and peer
	descriptions map[string]bool
}

func newOracle() *oracle {
	return &oracle{rules: map[[2]string]chain.Rule{}, descriptions: map[string]bool{}}
}

// someGroup stands for any security group, someRange for any range of addresses.
const (
	someGroup = "sg-0"
	someRange = "192.0.2.0/24"
)

// parse parses a tier.
func parse(tier map[string]any) (chain.Tier, bool) {
	tier["Name"] = "A"
	spec, err := chain.Parse(map[string]any{"VpcId": "vpc-0", "Tiers": []any{tier}}, chain.DefaultAnswerBytes)
	if err != nil {
		return chain.Tier{}, false
	}
	return spec.Tiers[0], true
}

// rule returns the inbound rule of a port and a peer, or the zero Rule if they make none or several.
func (o *oracle) rule(port, peer string) chain.Rule {
	key := [2]string{port, peer}
	known, isKnown := o.rules[key]
	if isKnown {
		return known
	}
	if tier, isParsed := parse(map[string]any{"Ports": []any{port}, "Sources": []any{peer}}); isParsed && len(tier.Ingress) == 1 {
		known = tier.Ingress[0]
	}
	o.rules[key] = known
	return known
}

// writable returns the trimmed description of a rule, or "" if the parser refuses it.
func (o *oracle) writable(rule chain.Rule) string {
	peer, text := someRange, strings.TrimSpace(rule.Description)
	if rule.Peer.Kind != chain.PeerCIDR {
		peer = someGroup
	}
	key := peer + " " + text
	isTaken, isKnown := o.descriptions[key]
	if !isKnown {
		_, isTaken = parse(map[string]any{"Ingress": []any{map[string]any{"Ports": "all", "Sources": peer, "Description": text}}})
		o.descriptions[key] = isTaken
	}
	if !isTaken {
		return ""
	}
	return text
}

// isListName reports whether a text is the name of a prefix list that AWS manages.
func (o *oracle) isListName(text string) bool {
	return o.rule("all", text).Peer == chain.Peer{Kind: chain.PeerListName, ID: text}
}

// keepsName reports whether the name of a group can be written.
func keepsName(group Group) bool {
	tier, isParsed := parse(map[string]any{"GroupName": group.Name})
	return isParsed && tier.GroupName == group.Name
}

// descriptionOf returns the trimmed description of a group, or "" if the parser refuses it.
func descriptionOf(group Group) string {
	text := strings.TrimSpace(group.Description)
	if _, isTaken := parse(map[string]any{"Description": text}); !isTaken {
		return ""
	}
	return text
}

// portOf writes a protocol and its ports.
func portOf(rule chain.Rule) string {
	ports := rule.Ports.String()
	switch rule.Protocol {
	case chain.TCP:
		return ports
	case chain.UDP:
		return "udp/" + ports
	case chain.All:
		return "all"
	case chain.ICMP, chain.ICMPv6:
		switch {
		case rule.Ports == chain.AllPorts:
			return string(rule.Protocol)
		case rule.Ports.To == -1:
			return fmt.Sprintf("%s/%d", rule.Protocol, rule.Ports.From)
		default:
			return fmt.Sprintf("%s/%d/%d", rule.Protocol, rule.Ports.From, rule.Ports.To)
		}
	default:
		return "proto/" + string(rule.Protocol)
	}
}

// plain returns a list as Properties has it, with numbers as numbers.
func plain(texts []string) []any {
	list := make([]any, 0, len(texts))
	for _, text := range texts {
		if number, err := strconv.Atoi(text); err == nil {
			list = append(list, number)
			continue
		}
		list = append(list, text)
	}
	return list
}
