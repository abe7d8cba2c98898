package sgchain

import (
	"fmt"
	"strconv"
	"strings"
)

// The words of a template as the Go code of an author.

func (c advice) goIngress(doors []Ingress) string {
	list := make([]string, 0, len(doors))
	for _, door := range doors {
		list = append(list, "{"+c.goDoor(door.Ports, "Sources", door.Sources)+"}")
	}
	return "[]sgchain.Ingress{" + strings.Join(list, ", ") + "}"
}

func (c advice) goDoor(ports []Port, key string, peers []Peer) string {
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

func goPort(port Port) string {
	kind, rest, isKind := strings.Cut(port.text, "/")
	call := func(name string, arguments ...string) string {
		return "sgchain." + name + "(" + strings.Join(arguments, ", ") + ")"
	}
	ports := func(name, text string) string {
		from, to, isRange := strings.Cut(text, "-")
		switch {
		case !isRange:
			return call(name, text)
		case from == "0" && to == "65535":
			return call("All" + name)
		}
		return call(name+"Range", from, to)
	}
	name := map[string]string{"icmp": "Icmp", "icmpv6": "IcmpV6"}[kind]
	switch {
	case port == AllTraffic():
		return call("AllTraffic")
	case kind == "udp":
		return ports("Udp", rest)
	case kind == "proto":
		return call("Protocol", rest)
	case name != "" && !isKind:
		return call(name)
	case name != "":
		kindOf, code, isExact := strings.Cut(rest, "/")
		if isExact {
			return call(name+"TypeAndCode", kindOf, code)
		}
		return call(name+"Type", kindOf)
	}
	if _, err := strconv.Atoi(port.text[:1]); err != nil {
		return call(strings.ToUpper(port.text[:1]) + port.text[1:]) // a name, such as https
	}
	return ports("Tcp", port.text)
}

func (c advice) goPeer(peer Peer) string {
	words := map[string]string{"internet": "Internet()", "internet-v4": "InternetV4()", "internet-v6": "InternetV6()", "vpc": "Vpc()", "self": "Self()"}
	switch {
	case peer.kind == anyPeer && words[peer.text] != "":
		return "sgchain." + words[peer.text]
	case peer.kind == tierPeer:
		return fmt.Sprintf("sgchain.TierNamed(%q)", peer.text)
	case peer.text == c.vpcRange():
		return "sgchain.Vpc()"
	case isToken(peer.text) && peer.kind == groupPeer:
		return "sgchain.Group(/* " + c.named(peer.text) + " */)"
	case isToken(peer.text) && peer.kind == listPeer:
		return "sgchain.PrefixList(/* " + c.named(peer.text) + " */)"
	case isToken(peer.text):
		return "sgchain.Cidr(/* " + c.named(peer.text) + " */)"
	case peer.kind == groupPeer:
		return fmt.Sprintf("sgchain.GroupId(jsii.String(%q))", peer.text)
	case peer.kind == listPeer:
		return fmt.Sprintf("sgchain.PrefixList(jsii.String(%q))", peer.text)
	case peer.kind == listNamePeer:
		return fmt.Sprintf("sgchain.PrefixListNamed(%q)", peer.text)
	}
	return fmt.Sprintf("sgchain.Cidr(%q)", peer.text)
}
