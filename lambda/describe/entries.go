package describe

import (
	"cmp"
	"slices"
	"strings"

	"sgchain/lambda/chain"
)

// Entry is ports and peers, each port for each peer, with the description of the rules. It is empty if it is the chain's own.
type Entry struct {
	Ports, Peers []string
	Description  string
}

// lane is one port and one word for a peer: one rule, or several if the word means several ranges.
type lane struct {
	port  string
	ports chain.Rule // protocol and ports
	word  word
	// description is what must be written to keep that of the rules. It is empty if the chain's own is the same, or if none is possible.
	description string
}

// word is a peer in the form that properties have it.
type word struct {
	text string
	rank int // of its kind
	peer chain.Peer
	// name is the peer's name in the chain's descriptions.
	name string
}

// The ranks of words in a list.
const (
	rankWorld = iota
	rankWorldV4
	rankWorldV6
	rankVPC
	rankSelf
	rankTier  // and so on, in the order of the tiers
	rankRange = 1_000_000
	rankGroup = rankRange + 1
	rankList  = rankRange + 2
)

func compareWords(a, b word) int {
	return cmp.Or(
		cmp.Compare(a.rank, b.rank), a.peer.CIDR.Addr().Compare(b.peer.CIDR.Addr()), cmp.Compare(a.peer.CIDR.Bits(), b.peer.CIDR.Bits()), strings.Compare(a.text, b.text),
	)
}

// comparePorts orders ports in the usual order: tcp, udp, ICMP, other protocols, all traffic.
func comparePorts(a, b chain.Rule) int {
	place := func(rule chain.Rule) int {
		order := []chain.Protocol{chain.TCP, chain.UDP, chain.ICMP, chain.ICMPv6}
		switch at := slices.Index(order, rule.Protocol); {
		case at >= 0:
			return at
		case rule.Protocol == chain.All:
			return len(order) + 1
		default:
			return len(order)
		}
	}
	return cmp.Or(
		cmp.Compare(place(a), place(b)), cmp.Compare(len(a.Protocol), len(b.Protocol)), strings.Compare(string(a.Protocol), string(b.Protocol)),
		cmp.Compare(a.Ports.From, b.Ports.From), cmp.Compare(a.Ports.To, b.Ports.To),
	)
}

func compareLanes(a, b lane) int {
	return cmp.Or(compareWords(a.word, b.word), comparePorts(a.ports, b.ports))
}

// entriesOf writes lanes as entries: first those with the chain's own descriptions, then the others in their order.
func entriesOf(lanes []lane) []Entry {
	lanes = chain.Sorted(lanes, compareLanes)
	var descriptions []string
	by := map[string][]lane{}
	for _, one := range lanes {
		if by[one.description] == nil {
			descriptions = append(descriptions, one.description)
		}
		by[one.description] = append(by[one.description], one)
	}
	chain.Sort(descriptions, func(a, b string) int { return cmp.Compare(min(len(a), 1), min(len(b), 1)) })
	var entries []Entry
	for _, description := range descriptions {
		for _, entry := range products(by[description]) {
			entry.Description = description
			entries = append(entries, entry)
		}
	}
	return entries
}

// products writes sorted lanes as products of ports and peers. It groups ports with the same peers, or peers with the same ports,
// whichever is shorter.
func products(lanes []lane) []Entry {
	port := func(one lane) string { return one.port }
	peer := func(one lane) string { return one.word.text }
	byPort := chain.Sorted(lanes, func(a, b lane) int { return cmp.Or(comparePorts(a.ports, b.ports), compareWords(a.word, b.word)) })
	var ofPeers, ofPorts []Entry
	for _, same := range gather(lanes, peer, port) {
		ofPeers = append(ofPeers, Entry{Ports: same.others, Peers: same.ones})
	}
	for _, same := range gather(byPort, port, peer) {
		ofPorts = append(ofPorts, Entry{Ports: same.ones, Peers: same.others})
	}
	if length(ofPorts) < length(ofPeers) {
		return ofPorts
	}
	return ofPeers
}

// same groups elements that occur with the same others.
type same struct{ ones, others []string }

func gather(lanes []lane, one, other func(lane) string) []same {
	var order []string
	others := map[string][]string{}
	for _, lane := range lanes {
		if others[one(lane)] == nil {
			order = append(order, one(lane))
		}
		others[one(lane)] = append(others[one(lane)], other(lane))
	}
	var all []same
	places := map[string]int{}
	for _, text := range order {
		key := strings.Join(others[text], " ")
		place, isThere := places[key]
		if !isThere {
			place = len(all)
			places[key] = place
			all = append(all, same{others: others[text]})
		}
		all[place].ones = append(all[place].ones, text)
	}
	return all
}

func length(entries []Entry) int {
	const ofEntry = 2
	sum := 0
	for _, entry := range entries {
		sum += ofEntry + len(entry.Ports) + len(entry.Peers)
	}
	return sum
}
