package lint

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"sgchain/cdk/internal/template"
)

// standIns are valid values for what is unknown. Two sets differ in everything that a finding could
// depend on: what both give is certain.
type standIns struct {
	second  bool
	numbers map[string]int    // by the text of what is unknown: one text is one value
	texts   map[string]string // by the stand-in
}

func newStandIns(second bool) *standIns {
	return &standIns{second: second, numbers: map[string]int{}, texts: map[string]string{}}
}

// pick returns one of two values.
func (s *standIns) pick(first, second string) string {
	if s.second {
		return second
	}
	return first
}

// word returns a stand-in of a format with a number in it.
func (s *standIns) word(unknown template.Unknown, format string) string {
	number, exists := s.numbers[unknown.Text]
	if !exists {
		number = len(s.numbers) + 1
		s.numbers[unknown.Text] = number
	}
	text := fmt.Sprintf(format, number)
	s.texts[strings.TrimPrefix(text, "tcp/")] = unknown.Text
	return text
}

func (s *standIns) peer(unknown template.Unknown) string {
	return s.word(unknown, s.pick("sg-unknown%04d", "198.51.100.%d/32"))
}

func (s *standIns) port(unknown template.Unknown) string {
	return s.word(unknown, s.pick("tcp/64%03d", "tcp/63%03d"))
}

// named replaces the stand-ins with the texts of what is unknown.
func (s *standIns) named(text string) string {
	return Naming{s.texts}.Named(text, func(word string) string { return word })
}

// properties returns those of a chain with stand-ins.
func (s *standIns) properties(known map[string]any) map[string]any {
	filled := make(map[string]any, len(known))
	for _, key := range slices.Sorted(maps.Keys(known)) {
		filled[key] = s.property(key, known[key])
	}
	return filled
}

func (s *standIns) property(key string, value any) any {
	_, isUnknown := value.(template.Unknown)
	switch {
	case key == "Tiers":
		return s.list(value, s.tier)
	case key == "Tags":
		return s.tags(value)
	case key == "IpFamilies" && isUnknown && !s.second:
		return []any{"ipv4", "ipv6"}
	case key == "IpFamilies":
		return s.list(value, func(unknown template.Unknown, value any) any {
			if unknown.Text == "" {
				return s.rest(value)
			}
			return s.pick("ipv6", "ipv4")
		})
	case !isUnknown:
		return s.rest(value)
	}
	switch key {
	case "VpcId":
		return s.pick("vpc-0123456789abcdef0", "vpc-01234567")
	case "AdoptExisting", "StackTags":
		return s.pick("true", "false")
	case "Guardrails":
		return s.pick("warn", "enforce")
	case "UnmanagedRules":
		return "revoke"
	default:
		return "60"
	}
}

// list returns a list whose entries are filled, or a list of one if it is unknown. An entry that is
// certainly a list stays one, which the parser refuses.
func (s *standIns) list(value any, fill func(unknown template.Unknown, value any) any) any {
	switch value := value.(type) {
	case template.Unknown:
		return []any{fill(value, nil)}
	case []any:
		filled := make([]any, len(value))
		for i, entry := range value {
			unknown, isUnknown := entry.(template.Unknown)
			switch {
			case isUnknown && unknown.List:
				filled[i] = []any{fill(unknown, nil)}
			case isUnknown:
				filled[i] = fill(unknown, nil)
			default:
				filled[i] = fill(template.Unknown{}, entry)
			}
		}
		return filled
	default:
		return value
	}
}

// tier returns a tier with stand-ins, also for one that is wholly unknown.
func (s *standIns) tier(unknown template.Unknown, value any) any {
	if unknown.Text != "" {
		return map[string]any{"Name": s.word(unknown, "Unknown%d"), "GroupName": s.word(unknown, "unknown-%d")}
	}
	tier, isMap := value.(map[string]any)
	if !isMap {
		return s.rest(value)
	}
	filled := make(map[string]any, len(tier))
	for _, key := range slices.Sorted(maps.Keys(tier)) {
		filled[key] = s.ofTier(key, tier[key])
	}
	// If Ingress may be left out, Ports and Sources may count.
	if _, isUnknown := tier["Ingress"].(template.Unknown); isUnknown && (tier["Ports"] != nil || tier["Sources"] != nil) {
		delete(filled, "Ingress")
	}
	return filled
}

func (s *standIns) ofTier(key string, value any) any {
	unknown, isUnknown := value.(template.Unknown)
	switch {
	case key == "Tags":
		return s.tags(value)
	case key == "Ports":
		return s.list(value, s.orPort)
	case key == "Sources", key == "Destinations":
		return s.list(value, s.orPeer)
	case key == "Ingress":
		return s.list(value, s.ingress)
	case key == "Egress" && isUnknown:
		return "all"
	case key == "Egress":
		return s.egress(value)
	case !isUnknown:
		return s.rest(value)
	}
	switch key {
	case "Name":
		return s.word(unknown, "Unknown%d")
	case "AllowPublic":
		return s.pick("true", "false")
	default:
		return s.word(unknown, "unknown-%d")
	}
}

func (s *standIns) orPort(unknown template.Unknown, value any) any {
	if unknown.Text != "" {
		return s.port(unknown)
	}
	return s.rest(value)
}

func (s *standIns) orPeer(unknown template.Unknown, value any) any {
	if unknown.Text != "" {
		return s.peer(unknown)
	}
	return s.rest(value)
}

// ingress returns an entry of Ingress.
func (s *standIns) ingress(unknown template.Unknown, value any) any {
	if unknown.Text != "" {
		return map[string]any{"Ports": s.port(unknown), "Sources": s.peer(unknown)}
	}
	return s.way(unknown, value)
}

// egress returns Egress: one word or entry, or a list of them.
func (s *standIns) egress(value any) any {
	if _, isList := value.([]any); isList {
		return s.list(value, s.way)
	}
	return s.way(template.Unknown{}, value)
}

func (s *standIns) way(unknown template.Unknown, value any) any {
	entry, isMap := value.(map[string]any)
	switch {
	case unknown.Text != "":
		return "all"
	case !isMap:
		return s.rest(value)
	}
	filled := make(map[string]any, len(entry))
	for _, key := range slices.Sorted(maps.Keys(entry)) {
		filled[key] = s.ofTier(key, entry[key])
	}
	return filled
}

// tags returns a map of tags, or a list of Key and Value.
func (s *standIns) tags(value any) any {
	switch value := value.(type) {
	case template.Unknown:
		return map[string]any{}
	case map[string]any:
		return s.rest(value)
	default:
		return s.list(value, func(unknown template.Unknown, value any) any {
			if unknown.Text != "" {
				return map[string]any{"Key": s.word(unknown, "unknown-%d"), "Value": ""}
			}
			return s.rest(value)
		})
	}
}

// rest returns a value for a property that accepts any text.
func (s *standIns) rest(value any) any {
	switch value := value.(type) {
	case template.Unknown:
		return s.word(value, "unknown-%d")
	case []any:
		return s.list(value, func(unknown template.Unknown, value any) any {
			if unknown.Text != "" {
				return s.word(unknown, "unknown-%d")
			}
			return s.rest(value)
		})
	case map[string]any:
		filled := make(map[string]any, len(value))
		for _, key := range slices.Sorted(maps.Keys(value)) {
			filled[key] = s.rest(value[key])
		}
		return filled
	default:
		return value
	}
}

// isWithin reports whether a path is that of a value or of a part of it.
func isWithin(path, value string) bool {
	rest, isPrefix := strings.CutPrefix(path, value)
	return isPrefix && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// indexed returns the path of an entry.
func indexed(path string, place int) string { return path + "[" + strconv.Itoa(place) + "]" }
