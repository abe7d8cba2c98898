// Package gocode writes the values of a chain's properties as Go code that uses the construct.
package gocode

import (
	"fmt"
	"strconv"
	"strings"

	"sgchain/lambda/chain"
)

// names are the constructors of ports that have a name, by the name.
var names = map[string]string{ //nolint:gochecknoglobals // a constant in all but syntax
	"http": "Http", "https": "Https", "ssh": "Ssh", "rdp": "Rdp", "nfs": "Nfs", "postgres": "Postgres", "mysql": "Mysql", "mssql": "Mssql",
	"oracle": "Oracle", "mongodb": "Mongodb", "redis": "Redis", "memcached": "Memcached", "kafka": "Kafka", "amqp": "Amqp",
}

// Ports returns a list of ports.
func Ports(texts []string) string {
	list := make([]string, 0, len(texts))
	for _, text := range texts {
		list = append(list, Port(text))
	}
	return "[]sgchain.Port{" + strings.Join(list, ", ") + "}"
}

// Port returns the constructor of a port. It parses the text as the function does, which accepts
// several forms.
func Port(text string) string {
	if name := names[strings.ToLower(text)]; name != "" {
		return call(name)
	}
	spec, err := chain.Parse(map[string]any{"VpcId": "vpc-0", "Tiers": []any{map[string]any{"Name": "A", "Ports": []any{text}, "Sources": []any{"self"}}}}, chain.DefaultAnswerBytes)
	if err != nil {
		return "sgchain.PortOf(/* " + text + " */)" // no chain has it
	}
	rule := spec.Tiers[0].Ingress[0]
	from, to := rule.Ports.From, rule.Ports.To
	name := map[chain.Protocol]string{chain.TCP: "Tcp", chain.UDP: "Udp", chain.ICMP: "Icmp", chain.ICMPv6: "IcmpV6"}[rule.Protocol]
	switch {
	case rule.Protocol == chain.All:
		return call("AllTraffic")
	case name == "":
		return "sgchain.Protocol(" + string(rule.Protocol) + ")"
	case rule.Protocol == chain.ICMP || rule.Protocol == chain.ICMPv6:
		switch {
		case from == -1:
			return call(name)
		case to == -1:
			return call(name+"Type", from)
		}
		return call(name+"TypeAndCode", from, to)
	case from == to:
		return call(name, from)
	case from == 0 && to == 65535:
		return call("All" + name)
	}
	return call(name+"Range", from, to)
}

func call(name string, arguments ...int32) string {
	list := make([]string, 0, len(arguments))
	for _, one := range arguments {
		list = append(list, strconv.Itoa(int(one)))
	}
	return "sgchain." + name + "(" + strings.Join(list, ", ") + ")"
}

// Word returns the constructor of a peer that has a word, or an empty text for all others.
func Word(text string) string {
	name := map[string]string{"internet": "Internet", "internet-v4": "InternetV4", "internet-v6": "InternetV6", "vpc": "Vpc", "self": "Self"}[strings.ToLower(text)]
	if name == "" {
		return ""
	}
	return call(name)
}

// Tier returns the constructor of a tier as a peer.
func Tier(name string) string { return fmt.Sprintf("sgchain.TierNamed(%q)", name) }

// Peer returns the constructor of a group, a prefix list or a range.
func Peer(text string) string {
	_, name, _ := strings.Cut(text, "/")
	switch lower := strings.ToLower(text); {
	case strings.HasPrefix(lower, "group/"):
		return fmt.Sprintf("sgchain.GroupNamed(%q)", name)
	case strings.HasPrefix(lower, "list/"):
		return fmt.Sprintf("sgchain.ListNamed(%q)", name)
	case strings.Contains(lower, "sg-"):
		return fmt.Sprintf("sgchain.GroupId(jsii.String(%q))", text)
	case strings.HasPrefix(lower, "pl-"):
		return fmt.Sprintf("sgchain.PrefixList(jsii.String(%q))", text)
	case chain.IsListName(lower):
		return fmt.Sprintf("sgchain.PrefixListNamed(%q)", text)
	default:
		return fmt.Sprintf("sgchain.Cidr(%q)", text)
	}
}
