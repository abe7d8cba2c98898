package chain

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// DefaultAnswerBytes is the room for attributes in an answer of 4,096 bytes with the longest
// stack ARN and logical ID. Checks use it before the stack is known.
const DefaultAnswerBytes = 3300

// groupIDSample has the length of EC2's longest group IDs.
const groupIDSample = "sg-0123456789abcdef0"

// Answer is the input of [Answer.Attributes].
type Answer struct {
	Spec      Spec
	GroupIDs  map[string]string // by tier
	RuleCount int
	Warnings  []string
}

// Attributes returns the values that Fn::GetAtt reads, with the same keys on Create and on every
// Update. As JSON they take at most limit bytes. If they would take more, Warnings and Summary
// are cut and end in "...". A spec that Parse accepted with the same limit always fits. Warnings
// has one warning per line.
func (a Answer) Attributes(limit int) map[string]string {
	attributes := a.fixed()
	warnings, summary := joined(a.Warnings), Summary(a.Spec)
	room := limit - encodedSize(attributes)
	if textSize(warnings)+textSize(summary) > room {
		warnings = cutLines(warnings, max(room/2, room-textSize(summary)))
		summary = cut(summary, room-textSize(warnings))
	}
	attributes["Warnings"], attributes["Summary"] = warnings, summary
	return attributes
}

// fixed returns the attributes that are never cut, and leaves the others empty.
func (a Answer) fixed() map[string]string {
	ids := make([]string, 0, len(a.Spec.Tiers))
	attributes := map[string]string{
		"VpcId": a.Spec.VPCID, "RuleCount": strconv.Itoa(a.RuleCount), "Summary": "", "Warnings": "",
	}
	for _, tier := range a.Spec.Tiers {
		ids = append(ids, a.GroupIDs[tier.Name])
		attributes[tier.Name+"SecurityGroupId"] = a.GroupIDs[tier.Name]
	}
	attributes["SecurityGroupIds"] = strings.Join(ids, ",")
	return attributes
}

func (r *reader) answerFits(spec Spec, limit int) {
	sample := Answer{Spec: spec, GroupIDs: map[string]string{}, RuleCount: 99999}
	for _, tier := range spec.Tiers {
		sample.GroupIDs[tier.Name] = groupIDSample
	}
	if size := encodedSize(sample.fixed()); size > limit {
		r.problem("Tiers", "%d tiers need %d bytes of attributes, but CloudFormation's response has room for %d. Use fewer tiers or shorter names, or split the chain in two.", len(spec.Tiers), size, limit)
	}
}

// joined returns the warnings, one per line.
func joined(warnings []string) string {
	lines := make([]string, len(warnings))
	for i, warning := range warnings {
		lines[i] = strings.ReplaceAll(warning, "\n", " ")
	}
	return strings.Join(lines, "\n")
}

// Summary returns the chain in one line: "internet -tcp 80,443-> Alb -tcp 6060-> Fargate". The
// tiers are in order, with the inbound rules from the previous tier on each arrow. The first
// arrow has those from the internet. All other inbound rules follow in brackets.
func Summary(spec Spec) string {
	var line strings.Builder
	var others []string
	listed := map[string]bool{}
	for i, tier := range spec.Tiers {
		neighbor := "internet"
		if i > 0 {
			neighbor = spec.Tiers[i-1].Name
		}
		var rules []Rule
		seen := map[traffic]bool{} // the internet of IPv4 and of IPv6 are one here
		for _, rule := range tier.Ingress {
			name := PeerName(rule.Peer)
			if name == neighbor {
				if kind := (traffic{rule.Protocol, rule.Ports}); !seen[kind] {
					rules, seen[kind] = append(rules, rule), true
				}
				continue
			}
			if other := name + " -" + Traffic(rule.Protocol, rule.Ports) + "-> " + tier.Name; !listed[other] {
				others, listed[other] = append(others, other), true
			}
		}
		switch {
		case i == 0 && len(rules) > 0:
			line.WriteString(neighbor)
			fallthrough
		case i > 0 && len(rules) > 0:
			line.WriteString(" -" + TrafficList(rules) + "-> " + tier.Name)
		case i == 0:
			line.WriteString(tier.Name)
		default:
			line.WriteString(" | " + tier.Name)
		}
	}
	if len(others) > 0 {
		line.WriteString(" [" + strings.Join(others, ", ") + "]")
	}
	return line.String()
}

// PeerName returns the word for a peer: "internet" for all addresses of a family.
func PeerName(peer Peer) string {
	switch {
	case peer == CIDRPeer(InternetV4) || peer == CIDRPeer(InternetV6):
		return "internet"
	case peer.Kind == PeerVPC:
		return "vpc"
	case peer.Kind == PeerMember:
		return peer.Member.Tier
	default:
		return peer.String()
	}
}

// TrafficList prints the traffic that rules allow, grouped by protocol: "tcp 80,443, udp 53".
func TrafficList(rules []Rule) string {
	var text strings.Builder
	var last Protocol
	for i, rule := range rules {
		switch {
		case i > 0 && rule.Protocol == last && (last == TCP || last == UDP):
			text.WriteString("," + rule.Ports.String())
			continue
		case i > 0:
			text.WriteString(", ")
		}
		last = rule.Protocol
		text.WriteString(Traffic(rule.Protocol, rule.Ports))
	}
	return text.String()
}

// encodedSize returns the size of a map as JSON without HTML escaping.
func encodedSize(attributes map[string]string) int {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(attributes); err != nil {
		panic(err) // a map of strings always encodes
	}
	return buffer.Len() - 1 // without the line feed
}

// textSize returns the size of a text inside JSON, without its quotes.
func textSize(text string) int {
	size := 0
	for text != "" {
		width, more := charSize(text)
		text, size = text[width:], size+more
	}
	return size
}

// charSize returns how many bytes the first character of a text has, and how many it has in JSON
// that [encoding/json] writes without HTML escapes.
func charSize(text string) (width, size int) {
	char, width := utf8.DecodeRuneInString(text)
	switch {
	case strings.ContainsRune("\"\\\b\f\n\r\t", char) && char != utf8.RuneError:
		return width, len(`\n`)
	case char < ' ', char == '\u2028', char == '\u2029', char == utf8.RuneError && width == 1:
		return width, len(`\u0000`)
	default:
		return width, width
	}
}

// cutMark ends every cut text.
const cutMark = "..."

// cut shortens a text to a size inside JSON and never splits a character.
func cut(text string, size int) string {
	end, used := 0, 0 // end is the last place that leaves room for the mark
	for place := 0; place < len(text); {
		if used+len(cutMark) <= size {
			end = place
		}
		width, more := charSize(text[place:])
		place, used = place+width, used+more
		if used > size {
			if len(cutMark) > size {
				return ""
			}
			return text[:end] + cutMark
		}
	}
	return text
}

// cutLines is like cut, but cuts at the end of a line if that keeps at least half of the text.
func cutLines(text string, size int) string {
	short := cut(text, size)
	if short == text {
		return text
	}
	edge := strings.LastIndexByte(strings.TrimSuffix(short, cutMark), '\n')
	if edge < len(short)/2 {
		return short
	}
	return text[:edge+1] + cutMark
}
