package sgchain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sgchain/lambda/chain"
)

// The words of a template as the Go code of an author.

func (c *advice) goIngress(doors []Ingress) string {
	list := make([]string, 0, len(doors))
	for _, door := range doors {
		list = append(list, "{"+c.goDoor(door.Ports, "Sources", door.Sources)+"}")
	}
	return "[]sgchain.Ingress{" + strings.Join(list, ", ") + "}"
}

func (c *advice) goDoor(ports []Port, key string, peers []Peer) string {
	list := make([]string, 0, len(peers))
	for _, peer := range peers {
		list = append(list, c.goPeer(peer))
	}
	return "Ports: " + goPorts(ports) + ", " + key + ": []sgchain.Peer{" + strings.Join(list, ", ") + "}"
}

func goPorts(ports []Port) string {
	list := make([]string, 0, len(ports))
	for _, port := range ports {
		list = append(list, goPort(port))
	}
	return "[]sgchain.Port{" + strings.Join(list, ", ") + "}"
}

// goPort prints a port from what the function reads in it: an author's text may have any of its forms.
func goPort(port Port) string {
	call := func(name string, arguments ...int32) string {
		list := make([]string, 0, len(arguments))
		for _, one := range arguments {
			list = append(list, strconv.Itoa(int(one)))
		}
		return "sgchain." + name + "(" + strings.Join(list, ", ") + ")"
	}
	if name := portNames[strings.ToLower(port.text)]; name != "" {
		return call(name)
	}
	spec, err := newKnown(nil).check(map[string]any{"VpcId": someVPC, "Tiers": []any{map[string]any{
		"Name": "A", "Ingress": []any{door([]Port{port}, "Sources", []Peer{Self()}, "")},
	}}})
	if err != nil {
		return "sgchain.PortOf(/* " + port.text + " */)" // no chain has it
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

// portNames is the constructors of ports that have a name, by the name.
var portNames = map[string]string{ //nolint:gochecknoglobals // a constant in all but syntax
	"http": "Http", "https": "Https", "ssh": "Ssh", "rdp": "Rdp", "nfs": "Nfs", "postgres": "Postgres", "mysql": "Mysql", "mssql": "Mssql",
	"oracle": "Oracle", "mongodb": "Mongodb", "redis": "Redis", "memcached": "Memcached", "kafka": "Kafka", "amqp": "Amqp",
}

func (c *advice) goPeer(peer Peer) string {
	words := map[string]string{"internet": "Internet()", "internet-v4": "InternetV4()", "internet-v6": "InternetV6()", "vpc": "Vpc()", "self": "Self()"}
	lower := strings.ToLower(peer.text)
	isToken := isToken(peer.text)
	switch {
	case slices.Contains(c.TierNames(), peer.text):
		return fmt.Sprintf("sgchain.TierNamed(%q)", peer.text)
	case peer.kind == anyPeer && words[lower] != "":
		return "sgchain." + words[lower]
	case peer.text == c.vpcRange():
		return "sgchain.Vpc()"
	case isToken && peer.kind == groupPeer:
		return "sgchain.Group(/* " + c.named(peer.text) + " */)"
	case isToken && peer.kind == listPeer:
		return "sgchain.PrefixList(/* " + c.named(peer.text) + " */)"
	case isToken:
		return "sgchain.Cidr(/* " + c.named(peer.text) + " */)"
	case strings.Contains(lower, "sg-"):
		return fmt.Sprintf("sgchain.GroupId(jsii.String(%q))", peer.text)
	case strings.HasPrefix(lower, "pl-"):
		return fmt.Sprintf("sgchain.PrefixList(jsii.String(%q))", peer.text)
	case strings.Contains(lower, "amazonaws."):
		return fmt.Sprintf("sgchain.PrefixListNamed(%q)", peer.text)
	}
	return fmt.Sprintf("sgchain.Cidr(%q)", peer.text)
}
