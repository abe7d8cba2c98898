package chain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
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
// accepted with the same limit always fits.
func (a Answer) Attributes(limit int) map[string]string {
	attributes := a.fixed()
	warnings, summary := strings.Join(a.Warnings, "; "), Summary(a.Spec)
	room := limit - encodedSize(attributes)
	if textSize(warnings)+textSize(summary) > room {
		warnings = cut(warnings, max(room/2, room-textSize(summary)))
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

// Summary is the chain in one line, "internet -tcp 80,443-> Alb -tcp 6060-> Fargate":
// tiers in order, and on each arrow the doors between neighbors (for the first
// tier, those to the internet). Other doors follow after it, in brackets.
func Summary(spec Spec) string {
	var line strings.Builder
	var others []string
	for i, tier := range spec.Tiers {
		neighbor := "internet"
		if i > 0 {
			neighbor = spec.Tiers[i-1].Name
		}
		var doors []Rule
		for _, rule := range tier.Ingress {
			name := PeerName(rule.Peer)
			rule.Peer = Peer{} // IPv4's internet and IPv6's are one here
			other := fmt.Sprintf("%s -%s-> %s", name, Traffic(rule.Protocol, rule.Ports), tier.Name)
			switch {
			case name == neighbor && !slices.ContainsFunc(doors, func(door Rule) bool { return door.Key() == rule.Key() }):
				doors = append(doors, rule)
			case name != neighbor && !slices.Contains(others, other):
				others = append(others, other)
			}
		}
		switch {
		case i == 0 && len(doors) > 0:
			line.WriteString(neighbor)
			fallthrough
		case i > 0 && len(doors) > 0:
			fmt.Fprintf(&line, " -%s-> %s", TrafficList(doors), tier.Name)
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
	var words []string
	var last Protocol
	for _, rule := range rules {
		if rule.Protocol == last && (last == TCP || last == UDP) {
			words[len(words)-1] += "," + rule.Ports.String()
			continue
		}
		last = rule.Protocol
		words = append(words, Traffic(rule.Protocol, rule.Ports))
	}
	return strings.Join(words, ", ")
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
	return encodedSize(map[string]string{"": text}) - len(`{"":""}`)
}

// cut shortens a text to a size inside JSON, at the edge of a character.
func cut(text string, size int) string {
	const mark = "..."
	if textSize(text) <= size {
		return text
	}
	// Inside JSON a text takes at least as many bytes as it has.
	end := min(len(text), max(size, 0))
	for end > 0 && end < len(text) && !utf8.RuneStart(text[end]) {
		end--
	}
	text = text[:end]
	for text != "" && textSize(text)+len(mark) > size {
		_, width := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-width]
	}
	if len(mark) > size {
		return ""
	}
	return text + mark
}
