package chain

import (
	"cmp"
	"slices"
	"strings"
)

// The limits on how many rules are read. Deployed chains are far below them: an answer has room
// for 62 groups, and EC2's quota for a group is 60 rules in each direction.
const (
	maxRules      = 10_000
	maxBuiltRules = 20_000
)

// ruleList collects the rules of one tier and one direction, each once.
type ruleList struct {
	*reader
	path      string // of the tier and the direction
	direction Direction
	in        scope
	rules     []Rule
	// places has the index of each rule in rules, by the numbers of its traffic and its peer.
	// Numbers are quick to compare.
	places   map[[2]int]int
	traffics map[traffic]int
	peers    map[Peer]int
	full     bool
}

func (r *reader) newRuleList(path string, direction Direction, in scope) *ruleList {
	return &ruleList{reader: r, path: path, direction: direction, in: in, places: map[[2]int]int{}, traffics: map[traffic]int{}, peers: map[Peer]int{}}
}

// number returns the number of a key. A new key gets the next number.
func number[T comparable](numbers map[T]int, key T) int {
	known, isKnown := numbers[key]
	if !isKnown {
		known = len(numbers)
		numbers[key] = known
	}
	return known
}

// shortForm reads Ports and Sources. By default, the source of the first tier is the internet,
// and the source of every other tier is the previous tier.
func (r *reader) shortForm(path string, object map[string]any, previous string, in scope) []Rule {
	ports, hasPorts := r.entries(path+".Ports", object["Ports"], "Add the ports, or remove Ports to allow no inbound traffic.")
	sources, hasSources := r.entries(path+".Sources", object["Sources"], "Add the allowed peers, or remove Ports and Sources to allow no inbound traffic.")
	list := r.newRuleList(path+".Ingress", Ingress, in)
	traffics := r.traffics(path+".Ports", ports)
	switch {
	case len(sources) > 0 && !hasPorts:
		r.problem(path+".Ports", "is missing. Add the ports that the Sources may reach, or remove Sources.")
	case r.built && len(sources) == 0:
		hasSources = false // an empty list meant the default
	}
	if !hasSources && previous != "" { // tierNames reports a previous tier without a name
		sources = []any{previous}
	}
	list.add(path, path+".Sources", traffics, sources, "")
	return list.rules
}

// longForm reads Ingress: a list of entries, each with its own Ports and Sources.
func (r *reader) longForm(path string, object map[string]any, entries []any, in scope) []Rule {
	for _, key := range []string{"Ports", "Sources"} {
		if object[key] != nil && (!r.built || object[key] != "") {
			r.problem(join(path, key), "cannot be combined with Ingress. Move it into an entry of Ingress, or remove Ingress.")
		}
	}
	list := r.newRuleList(path+".Ingress", Ingress, in)
	for i, value := range entries {
		list.read(index(list.path, i), i, value)
	}
	return list.rules
}

// read reads one entry of the long form, of either direction.
func (l *ruleList) read(path string, place int, value any) {
	key, known := peersKey(l.direction), ingressKeys
	if l.direction == Egress {
		known = egressKeys
	}
	if isBlank(value) {
		l.isEmptyEntry(path, place, value, "Write {Ports, "+key+"}, or remove the entry.")
		return
	}
	entry := l.object(path, value, known...)
	if entry == nil {
		return
	}
	list := func(key string) []any {
		entries, given := l.entries(join(path, key), entry[key], "Fill it in, or remove the whole entry.")
		if !given || (l.built && len(entries) == 0) {
			l.problem(join(path, key), "is missing. Add it: an entry needs both Ports and %s.", peersKey(l.direction))
		}
		return entries
	}
	ports, peers := list("Ports"), list(key)
	traffics := l.reader.traffics(path+".Ports", ports)
	description := l.text(path+".Description", entry["Description"], true)
	if others := l.add(path, join(path, key), traffics, peers, description); others && strings.Contains(description, "&") {
		l.problem(path+".Description", "%s has an ampersand (&), which EC2 allows only if every peer is an address range. Write the word and, or move the groups and prefix lists to another entry.", quoted(description))
	}
}

func peersKey(direction Direction) string {
	if direction == Egress {
		return "Destinations"
	}
	return "Sources"
}

// add combines every kind of traffic with every peer. Others reports whether any peer is not an
// address range.
func (l *ruleList) add(path, peersPath string, traffics []traffic, peers []any, description string) (others bool) {
	if l.full || l.overfull || (len(traffics) == 0 && len(peers) > maxEntryRules) {
		return false
	}
	if n := len(traffics) * len(peers); n > maxEntryRules && len(peers) > maxEntryRules {
		l.tooMany(peersPath, len(peers), len(traffics))
		return false
	}
	var all []source
	before := l.found
	for i, value := range peers {
		all = append(all, l.sources(index(peersPath, i), i, value, l.in)...)
	}
	if len(traffics)*len(all) > maxEntryRules {
		l.tooMany(peersPath, len(all), len(traffics))
		return false
	}
	ends := make([]end, len(all))
	for i, source := range all {
		ends[i] = end{source.peer, number(l.peers, withoutAccount(source.peer)), l.head(source)}
		others = others || (source.peer.Kind != PeerCIDR && source.peer.Kind != PeerVPC)
	}
	of := entry{path: path, start: len(l.rules), description: description}
	for _, traffic := range traffics {
		served, tail := false, Traffic(traffic.protocol, traffic.ports)
		for _, end := range ends {
			if !traffic.protocol.fits(end.peer) {
				continue
			}
			served = true
			if !l.rule(of, traffic, tail, end) {
				return others
			}
		}
		if !served && len(peers) > 0 && l.found == before {
			l.problem(peersPath, "no peer fits %s. Use icmp with IPv4 peers and icmpv6 with IPv6 peers.", tail)
		}
	}
	return others
}

// entry is one entry of a list of rules.
type entry struct {
	path        string
	start       int // the index of its first rule
	description string
}

// rule adds a rule unless it exists, and reports whether there was room. Tail is the traffic in
// words. Within one entry the same rule may occur several times.
func (l *ruleList) rule(of entry, traffic traffic, tail string, end end) bool {
	place := [2]int{number(l.traffics, traffic), end.number}
	twin, exists := l.places[place]
	switch {
	case exists && (twin >= of.start || l.isSame(twin, of.description, end, tail)):
		l.rules[twin].Peer.Account = cmp.Or(l.rules[twin].Peer.Account, end.peer.Account)
	case exists:
		l.problem(of.path, "%s already has the description %s. Use that description here too, or remove this rule.", &l.rules[twin], quoted(l.rules[twin].Description))
	case !l.room():
		return false
	default:
		rule := Rule{Direction: l.direction, Protocol: traffic.protocol, Ports: traffic.ports, Peer: end.peer, Description: of.description}
		if of.description == "" {
			rule.Description = end.head + tail
		}
		l.places[place] = len(l.rules)
		l.rules = append(l.rules, rule)
	}
	return true
}

// end is the other end of the rules of an entry.
type end struct {
	peer   Peer
	number int
	head   string // with which the descriptions of its rules begin
}

// head returns the beginning of a default description: see describe.
func (l *ruleList) head(source source) string {
	if l.direction == Egress {
		return l.in.tier + " to " + source.name + ": "
	}
	return source.name + " to " + l.in.tier + ": "
}

// isSame reports whether a rule of an earlier entry has the description that the new rule would
// have. Default descriptions repeat what the author wrote, so the comparison ignores the account
// of a group.
func (l *ruleList) isSame(twin int, description string, end end, tail string) bool {
	earlier := &l.rules[twin]
	if description != "" {
		return earlier.Description == description
	}
	rest, isSame := strings.CutPrefix(plain(earlier.Description, earlier.Peer.Account), plain(end.head, end.peer.Account))
	return isSame && rest == tail
}

// withoutAccount returns a peer in the form that is compared: see [Peer.Account].
func withoutAccount(peer Peer) Peer {
	peer.Account = ""
	return peer
}

// plain returns a text about a peer without the peer's account.
func plain(text, account string) string {
	if account == "" {
		return text
	}
	return strings.ReplaceAll(text, account+"/", "")
}

func (l *ruleList) tooMany(path string, peers, traffics int) {
	l.problem(path, "has %d rules (%d peers, %d ports), but a group can have at most %d for each direction and family. Use fewer peers or ports.", peers*traffics, peers, traffics, maxRuleQuota)
}

// room reports whether one more rule may be added.
func (l *ruleList) room() bool {
	most := maxRules
	if l.built {
		most = maxBuiltRules
	}
	switch {
	case len(l.rules) >= maxEntryRules:
		l.full = true
		l.problem(l.path, "has more than %d rules, but a group can have at most %d for each direction and family. Use fewer or wider rules.", maxEntryRules, maxRuleQuota)
	case l.reader.rules >= most:
		l.overfull = true
		l.problem("Tiers", "have more than %d rules together. Use fewer or wider rules, or split the chain into several.", most)
	default:
		l.reader.rules++
		return true
	}
	return false
}

// egress reads a word, or a list of words and entries with Ports and Destinations.
func (r *reader) egress(path string, value any, in scope) EgressSpec {
	const remedy = "Write none to allow no outbound traffic, or remove Egress to allow all."
	var egress EgressSpec
	if value == nil || (r.built && value == "") {
		return EgressSpec{All: true}
	}
	entries, isList := value.([]any)
	switch {
	case isList && len(entries) == 0:
		r.problem(path, "is an empty list. %s", remedy)
	case isBlank(value):
		r.problem(path, "is empty. %s", remedy)
		return egress
	case !isList:
		entries = []any{value}
	}
	list, none := r.newRuleList(path, Egress, in), false
	for i, entry := range entries {
		place := path
		if isList {
			place = index(path, i)
		}
		if _, isMap := entry.(map[string]any); isMap {
			list.read(place, i, entry)
			continue
		}
		if r.isEmptyEntry(place, i, entry, "Write all, chain or none.") {
			continue
		}
		text, ok := r.scalar(place, entry)
		switch word := strings.ToLower(text); {
		case !ok:
		case !slices.Contains(egressWords, word):
			r.problem(place, "unknown value %s. Write all, chain or none, or a list of these words and of {Ports, Destinations}.", quoted(text))
		default:
			egress.All, egress.Chain, none = egress.All || word == egressAll, egress.Chain || word == egressChain, none || word == egressNone
		}
	}
	if none && len(entries) > 1 {
		r.problem(path, "combines none with other entries. Write none alone.")
	}
	egress.Rules = list.rules
	return egress
}
