package chain

import (
	"cmp"
	"slices"
	"strings"
)

// The bounds of what is read. A chain that was built is far from them: its answer has room for 62
// groups, and 60 rules of a direction are EC2's own quota of a group.
const (
	maxRules      = 10_000
	maxBuiltRules = 20_000
)

// doors gathers the rules of one tier and one direction, each once.
type doors struct {
	*reader
	path      string // of the tier and the direction
	direction Direction
	in        scope
	rules     []Rule
	// Where a rule stands in rules: by the numbers of its traffic and of its peer, which are
	// quick to compare.
	places   map[[2]int]int
	traffics map[traffic]int
	peers    map[Peer]int
	full     bool
}

func (r *reader) newDoors(path string, direction Direction, in scope) *doors {
	return &doors{reader: r, path: path, direction: direction, in: in, places: map[[2]int]int{}, traffics: map[traffic]int{}, peers: map[Peer]int{}}
}

// number is the number of a thing, a new one where it has none.
func number[T comparable](numbers map[T]int, thing T) int {
	known, isKnown := numbers[thing]
	if !isKnown {
		known = len(numbers)
		numbers[thing] = known
	}
	return known
}

// shortForm reads Ports and Sources. The first tier is open to the internet and
// every other one to its predecessor, unless Sources says otherwise.
func (r *reader) shortForm(path string, object map[string]any, previous string, in scope) []Rule {
	ports, hasPorts := r.entries(path+".Ports", object["Ports"], "write the ports, or leave Ports out for a tier that nobody enters")
	sources, hasSources := r.entries(path+".Sources", object["Sources"], "name who may come in; where nobody may, leave Ports and Sources out")
	doors := r.newDoors(path+".Ingress", Ingress, in)
	traffics := r.traffics(path+".Ports", ports)
	switch {
	case len(sources) > 0 && !hasPorts:
		r.problem(path+".Ports", "is missing; Sources says who may come in, Ports says to which ports")
	case r.built && len(sources) == 0:
		hasSources = false // an empty list was the same as none
	}
	if !hasSources && previous != "" { // a nameless predecessor is reported by tierNames
		sources = []any{previous}
	}
	doors.add(path, path+".Sources", traffics, sources, "")
	return doors.rules
}

// longForm reads Ingress: a list of doors, each with its own Ports and Sources.
func (r *reader) longForm(path string, object map[string]any, entries []any, in scope) []Rule {
	for _, key := range []string{"Ports", "Sources"} {
		if object[key] != nil && (!r.built || object[key] != "") {
			r.problem(join(path, key), "stands beside Ingress; write it inside Ingress, or leave Ingress out")
		}
	}
	doors := r.newDoors(path+".Ingress", Ingress, in)
	for i, value := range entries {
		doors.read(index(doors.path, i), i, value)
	}
	return doors.rules
}

// read reads one entry of the long form, of either direction.
func (d *doors) read(path string, place int, value any) {
	key, known := peersKey(d.direction), ingressKeys
	if d.direction == Egress {
		known = egressKeys
	}
	if isBlank(value) {
		d.isEmptyEntry(path, place, value, "write {Ports, "+key+"}")
		return
	}
	entry := d.object(path, value, known...)
	if entry == nil {
		return
	}
	list := func(key string) []any {
		entries, given := d.entries(join(path, key), entry[key], "fill it in, or leave the whole entry out")
		if !given || (d.built && len(entries) == 0) {
			d.problem(join(path, key), "is missing; an entry of the long form needs both Ports and %s", peersKey(d.direction))
		}
		return entries
	}
	ports, peers := list("Ports"), list(key)
	traffics := d.reader.traffics(path+".Ports", ports)
	description := d.text(path+".Description", entry["Description"], true)
	if others := d.add(path, join(path, key), traffics, peers, description); others && strings.Contains(description, "&") {
		d.problem(path+".Description", "%s has an ampersand (&), which EC2 takes only where every peer is a range of addresses; write and in its place, or give the groups and prefix lists an entry of their own", quoted(description))
	}
}

func peersKey(direction Direction) string {
	if direction == Egress {
		return "Destinations"
	}
	return "Sources"
}

// add combines every kind of traffic with every peer. Others reports whether a peer is no
// range of addresses.
func (d *doors) add(path, peersPath string, traffics []traffic, peers []any, description string) (others bool) {
	if d.full || d.overfull || (len(traffics) == 0 && len(peers) > maxEntryRules) {
		return false
	}
	if n := len(traffics) * len(peers); n > maxEntryRules && len(peers) > maxEntryRules {
		d.tooMany(peersPath, len(peers), len(traffics))
		return false
	}
	var all []source
	before := d.found
	for i, value := range peers {
		all = append(all, d.sources(index(peersPath, i), i, value, d.in)...)
	}
	if len(traffics)*len(all) > maxEntryRules {
		d.tooMany(peersPath, len(all), len(traffics))
		return false
	}
	ends := make([]end, len(all))
	for i, source := range all {
		ends[i] = end{source.peer, number(d.peers, withoutAccount(source.peer)), d.head(source)}
		others = others || (source.peer.Kind != PeerCIDR && source.peer.Kind != PeerVPC)
	}
	of := entry{path: path, start: len(d.rules), description: description}
	for _, traffic := range traffics {
		served, tail := false, Traffic(traffic.protocol, traffic.ports)
		for _, end := range ends {
			if !traffic.protocol.fits(end.peer) {
				continue
			}
			served = true
			if !d.rule(of, traffic, tail, end) {
				return others
			}
		}
		if !served && len(peers) > 0 && d.found == before {
			d.problem(peersPath, "none of these goes with %s; icmp is for IPv4 and icmpv6 for IPv6", tail)
		}
	}
	return others
}

// entry is one entry of a list of doors, whose rules begin at a place.
type entry struct {
	path        string
	start       int
	description string
}

// rule adds a rule, unless it is there, and reports whether there was room. Tail is the traffic
// in words.
func (d *doors) rule(of entry, traffic traffic, tail string, end end) bool {
	place := [2]int{number(d.traffics, traffic), end.number}
	twin, isThere := d.places[place]
	switch {
	case isThere && (twin >= of.start || d.isSame(twin, of.description, end, tail)):
		d.rules[twin].Peer.Account = cmp.Or(d.rules[twin].Peer.Account, end.peer.Account)
	case isThere:
		d.problem(of.path, "%s is there already, with the description %s; a rule has one description", &d.rules[twin], quoted(d.rules[twin].Description))
	case !d.room():
		return false
	default:
		rule := Rule{Direction: d.direction, Protocol: traffic.protocol, Ports: traffic.ports, Peer: end.peer, Description: of.description}
		if of.description == "" {
			rule.Description = end.head + tail
		}
		d.places[place] = len(d.rules)
		d.rules = append(d.rules, rule)
	}
	return true
}

// end is the other end of the rules of an entry.
type end struct {
	peer   Peer
	number int
	head   string // of the descriptions of its rules
}

// head is what a description begins with whose author gave none: see describe.
func (d *doors) head(source source) string {
	if d.direction == Egress {
		return d.in.tier + " to " + source.name + ": "
	}
	return source.name + " to " + d.in.tier + ": "
}

// isSame reports whether a rule of an earlier entry has the description that one more would
// have. Within one entry a rule may come up several times. Descriptions that the chain makes
// repeat what the author wrote, so that the account of a group is left out of the comparison.
func (d *doors) isSame(twin int, description string, end end, tail string) bool {
	there := &d.rules[twin]
	if description != "" {
		return there.Description == description
	}
	rest, isSame := strings.CutPrefix(plain(there.Description, there.Peer.Account), plain(end.head, end.peer.Account))
	return isSame && rest == tail
}

// withoutAccount is a peer as it is told from others: see [Peer.Account].
func withoutAccount(peer Peer) Peer {
	peer.Account = ""
	return peer
}

// plain is a text about a peer without the account of that.
func plain(text, account string) string {
	if account == "" {
		return text
	}
	return strings.ReplaceAll(text, account+"/", "")
}

func (d *doors) tooMany(path string, peers, traffics int) {
	d.problem(path, "is %d peers on %d kinds of ports, %d rules; a group can have at most %d for each direction and family", peers, traffics, peers*traffics, maxRuleQuota)
}

// room reports whether one more rule may be added.
func (d *doors) room() bool {
	most := maxRules
	if d.built {
		most = maxBuiltRules
	}
	switch {
	case len(d.rules) >= maxEntryRules:
		d.full = true
		d.problem(d.path, "has more than %d rules; a group can have at most %d for each direction and family", maxEntryRules, maxRuleQuota)
	case d.reader.rules >= most:
		d.overfull = true
		d.problem("Tiers", "have more than %d rules together; use fewer or wider rules, or split the chain in several", most)
	default:
		d.reader.rules++
		return true
	}
	return false
}

// egress reads a word, or a list of words and of entries with Ports and Destinations.
func (r *reader) egress(path string, value any, in scope) EgressSpec {
	const remedy = "write none for a tier that calls nobody, or leave Egress out for all"
	var egress EgressSpec
	if value == nil || (r.built && value == "") {
		return EgressSpec{All: true}
	}
	entries, isList := value.([]any)
	switch {
	case isList && len(entries) == 0:
		r.problem(path, "is an empty list; %s", remedy)
	case isBlank(value):
		r.problem(path, "is empty; %s", remedy)
		return egress
	case !isList:
		entries = []any{value}
	}
	doors, none := r.newDoors(path, Egress, in), false
	for i, entry := range entries {
		place := path
		if isList {
			place = index(path, i)
		}
		if _, isMap := entry.(map[string]any); isMap {
			doors.read(place, i, entry)
			continue
		}
		if r.isEmptyEntry(place, i, entry, "write all, chain or none") {
			continue
		}
		text, ok := r.scalar(place, entry)
		switch word := strings.ToLower(text); {
		case !ok:
		case !slices.Contains(egressWords, word):
			r.problem(place, "%s is not known; write all, chain or none, or a list of these words and of {Ports, Destinations}", quoted(text))
		default:
			egress.All, egress.Chain, none = egress.All || word == egressAll, egress.Chain || word == egressChain, none || word == egressNone
		}
	}
	if none && len(entries) > 1 {
		r.problem(path, "has none beside others; write none alone")
	}
	egress.Rules = doors.rules
	return egress
}
