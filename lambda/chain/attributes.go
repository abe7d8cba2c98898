package chain

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// DefaultAnswerBytes is the room for attributes in an answer of 4,096 bytes
// when the longest stack ARN and logical ID are assumed: for checks where the
// stack is not known yet.
const DefaultAnswerBytes = 3300

// groupIDSample is as long as EC2's longest group IDs.
const groupIDSample = "sg-0123456789abcdef0"

// Answer is what the attributes are made from.
type Answer struct {
	Spec      Spec
	GroupIDs  map[string]string // by tier
	RuleCount int
	Warnings  []string
}

// Attributes are what Fn::GetAtt reads: the same keys on Create and on every
// Update. Together they take at most limit bytes as JSON; where they would take
// more, Warnings and Summary are cut, ending in "...". A spec that Parse
// accepted with the same limit always fits. Warnings has one warning on each line.
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

// fixed is the attributes that are never cut, with the others empty.
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
		r.problem("Tiers", "%d tiers need %d bytes of attributes and CloudFormation's answer has room for %d; use fewer tiers or shorter names, or split the chain in two", len(spec.Tiers), size, limit)
	}
}

// joined puts each warning on a line of its own.
func joined(warnings []string) string {
	lines := make([]string, len(warnings))
	for i, warning := range warnings {
		lines[i] = strings.ReplaceAll(warning, "\n", " ")
	}
	return strings.Join(lines, "\n")
}

// Summary is the chain in one line, "internet -tcp 80,443-> Alb -tcp 6060-> Fargate":
// tiers in order, and on each arrow the doors between neighbors (for the first
// tier, those to the internet). Other doors follow after it, in brackets.
func Summary(spec Spec) string {
	var line strings.Builder
	var others []string
	listed := map[string]bool{}
	for i, tier := range spec.Tiers {
		neighbor := "internet"
		if i > 0 {
			neighbor = spec.Tiers[i-1].Name
		}
		var doors []Rule
		there := map[traffic]bool{} // IPv4's internet and IPv6's are one here
		for _, rule := range tier.Ingress {
			name := PeerName(rule.Peer)
			if name == neighbor {
				if kind := (traffic{rule.Protocol, rule.Ports}); !there[kind] {
					doors, there[kind] = append(doors, rule), true
				}
				continue
			}
			if other := name + " -" + Traffic(rule.Protocol, rule.Ports) + "-> " + tier.Name; !listed[other] {
				others, listed[other] = append(others, other), true
			}
		}
		switch {
		case i == 0 && len(doors) > 0:
			line.WriteString(neighbor)
			fallthrough
		case i > 0 && len(doors) > 0:
			line.WriteString(" -" + TrafficList(doors) + "-> " + tier.Name)
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

// PeerName is the word for a peer: "internet" for all addresses of a family.
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

// TrafficList prints what rules let through, ports of one protocol together: "tcp 80,443, udp 53".
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

// encodedSize is the size of a map as JSON without HTML escaping.
func encodedSize(attributes map[string]string) int {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(attributes); err != nil {
		panic(err) // a map of strings always encodes
	}
	return buffer.Len() - 1 // without the line feed
}

// textSize is the size of a text inside JSON, without its quotes.
func textSize(text string) int {
	size := 0
	for text != "" {
		width, more := charSize(text)
		text, size = text[width:], size+more
	}
	return size
}

// charSize is how many bytes the first character of a text has, and how many inside JSON, as
// [encoding/json] writes it without the escapes for HTML.
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

// cutMark ends a text that was cut.
const cutMark = "..."

// cut shortens a text to a size inside JSON, at the edge of a character.
func cut(text string, size int) string {
	end, used := 0, 0 // end is where the text may end with the mark after it
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

// cutLines is cut at the end of a line where one is near enough.
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
