package sgchain

import (
	"slices"
	"strings"

	"sgchain/cdk/internal/gocode"
)

// The functions below write properties as the Go code of an author.

func (c *advice) goIngress(rules []Ingress) string {
	list := make([]string, 0, len(rules))
	for _, rule := range rules {
		list = append(list, "{"+c.goRule(rule.Ports, "Sources", rule.Sources)+"}")
	}
	return "[]sgchain.Ingress{" + strings.Join(list, ", ") + "}"
}

func (c *advice) goRule(ports []Port, key string, peers []Peer) string {
	list := make([]string, 0, len(peers))
	for _, peer := range peers {
		list = append(list, c.goPeer(peer))
	}
	return "Ports: " + goPorts(ports) + ", " + key + ": []sgchain.Peer{" + strings.Join(list, ", ") + "}"
}

func goPorts(ports []Port) string {
	texts := make([]string, 0, len(ports))
	for _, port := range ports {
		texts = append(texts, port.text)
	}
	return gocode.Ports(texts)
}

func (c *advice) goPeer(peer Peer) string {
	word := gocode.Word(peer.text)
	isToken := isToken(peer.text)
	switch {
	case slices.Contains(c.TierNames(), peer.text):
		return gocode.Tier(peer.text)
	case peer.kind == anyPeer && word != "":
		return word
	case peer.text == c.vpcRange():
		return "sgchain.Vpc()"
	case isToken && peer.kind == groupPeer:
		return "sgchain.Group(/* " + c.named(peer.text) + " */)"
	case isToken && peer.kind == listPeer:
		return "sgchain.PrefixList(/* " + c.named(peer.text) + " */)"
	case isToken && peer.kind == namedGroupPeer:
		return "sgchain.GroupNamed(/* " + c.named(peer.text) + " */)"
	case isToken && peer.kind == namedListPeer:
		return "sgchain.ListNamed(/* " + c.named(peer.text) + " */)"
	case isToken:
		return "sgchain.Cidr(/* " + c.named(peer.text) + " */)"
	}
	return gocode.Peer(peer.text)
}
