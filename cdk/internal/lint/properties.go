package lint

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sgchain/cdk/internal/template"
	"sgchain/lambda/chain"
)

// variant is a chain under one combination of conditions.
type variant struct {
	template.Evaluation

	problems []chain.FieldError // those that are certain
	spec     *chain.Spec        // with stand-ins; nil if the parser refuses it
	standIns *standIns          // those of spec
	unsure   []string           // the paths of what is unknown
}

// newVariant parses the properties with two sets of stand-ins, and keeps the problems that both
// have.
func newVariant(evaluation template.Evaluation) variant {
	v := variant{Evaluation: evaluation, standIns: newStandIns(true)}
	if evaluation.Properties == nil {
		return v
	}
	for _, unknown := range evaluation.Unknowns {
		if !isNestedList(unknown) {
			v.unsure = append(v.unsure, unknown.Path)
		}
	}
	spec, problems := parse(v.standIns.properties(evaluation.Properties))
	first, others := newStandIns(false), chain.Problems(nil)
	if problems == nil {
		v.spec = &spec
	} else if len(evaluation.Unknowns) > 0 {
		spec, others = parse(first.properties(evaluation.Properties))
	}
	for _, problem := range problems {
		isSame := func(other chain.FieldError) bool {
			return other.Path == problem.Path && withoutDigits(first.named(other.Problem)) == withoutDigits(v.standIns.named(problem.Problem))
		}
		if len(evaluation.Unknowns) > 0 && (v.dependsOnUnknown(problem.Path) || !slices.ContainsFunc(others, isSame)) {
			continue
		}
		problem.Problem = v.standIns.named(problem.Problem)
		v.problems = append(v.problems, problem)
	}
	if v.spec == nil && others == nil && len(evaluation.Unknowns) > 0 && !v.isUnsure("IpFamilies") {
		v.spec, v.standIns = &spec, first // the second set does not fit together, as an IPv4 range and ICMPv6
	}
	return v
}

func parse(properties map[string]any) (chain.Spec, chain.Problems) {
	spec, err := chain.Parse(properties, chain.DefaultAnswerBytes)
	problems, _ := errors.AsType[chain.Problems](err)
	return spec, problems
}

var digits = regexp.MustCompile(`[0-9]+`) //nolint:gochecknoglobals // compiled once

func withoutDigits(text string) string { return digits.ReplaceAllString(text, "#") }

// The places of a chain's properties.
//
//nolint:gochecknoglobals // compiled once
var (
	listEntry   = regexp.MustCompile(`\.(Ports|Sources|Destinations)\[\d+\]$`)
	peerEntry   = regexp.MustCompile(`\.(Sources|Destinations)\[\d+\]$`)
	ruleEntry   = regexp.MustCompile(`\.(Ingress|Egress)\[\d+\]$`)
	tierOrName  = regexp.MustCompile(`^Tiers(\[\d+\](\.Name)?)?$`)
	tagOrKey    = regexp.MustCompile(`^\[\d+\](\.Key)?$`)
	tierPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)
)

// isNestedList reports whether what is unknown is certainly a list where one value is required.
func isNestedList(unknown template.Unknown) bool {
	return unknown.List && listEntry.MatchString(unknown.Path)
}

// dependsOnUnknown reports whether a problem at a path may not exist for the real values, whatever
// the stand-ins show.
func (v *variant) dependsOnUnknown(path string) bool {
	value := lookup(v.Properties, path)
	isRule := ruleEntry.MatchString(path)
	tags, isTags := strings.CutSuffix(path, "Tags")
	return slices.ContainsFunc(v.unsure, func(unknown string) bool {
		switch {
		case isWithin(path, unknown):
			return true
		case isTags && (tags == "" || strings.HasSuffix(tags, ".")):
			return countsAsTag(unknown, path) || countsAsTag(unknown, "Tags")
		case path == "Tiers":
			return tierOrName.MatchString(unknown)
		case isWithin(unknown, path):
			return true
		case peerEntry.MatchString(path) && tierOrName.MatchString(unknown):
			name, isText := value.(string) // it may be the name of that tier
			return !isText || tierPattern.MatchString(name)
		case strings.HasSuffix(path, ".Ports"):
			return isWithin(unknown, strings.TrimSuffix(path, "Ports")+"Sources") // it may be left out
		case isRule:
			// An existing rule's description.
			_, isMap := value.(map[string]any)
			return isMap && strings.HasPrefix(unknown, listOf(path)+"[") && strings.HasSuffix(unknown, ".Description")
		default:
			return false
		}
	})
}

// countsAsTag reports whether something unknown is the tags, one of them or its key, so that their
// number is unknown.
func countsAsTag(unknown, tags string) bool {
	rest, isOf := strings.CutPrefix(unknown, tags)
	return isOf && (rest == "" || tagOrKey.MatchString(rest))
}

// listOf returns the path of the list that contains an entry.
func listOf(entry string) string { return entry[:max(0, strings.LastIndex(entry, "["))] }

// lookup returns the value at a path, or nil. No caller asks for keys with dots.
func lookup(value any, path string) any {
	for path != "" {
		path = strings.TrimPrefix(path, ".")
		end := len(path)
		if next := strings.IndexAny(path[min(1, len(path)):], ".["); next >= 0 {
			end = next + 1
		}
		step := path[:end]
		path = path[end:]
		switch here := value.(type) {
		case map[string]any:
			value = here[step]
		case []any:
			place, err := strconv.Atoi(strings.Trim(step, "[]"))
			if err != nil || place < 0 || place >= len(here) {
				return nil
			}
			value = here[place]
		default:
			return nil
		}
	}
	return value
}

// properties reports the problems of the parser.
func (l *linter) properties(state *chainState, v variant) {
	for _, problem := range v.problems {
		message, remedy := splitRemedy(problem.Problem)
		if problem.Path != "" {
			message = problem.Path + ": " + message
		}
		if more := v.remedy(problem.Path); more != "" {
			remedy = more
		}
		l.add(state.Chain, v.At(problem.Path), Finding{Rule: RuleProperties, Path: problem.Path, Message: message, Remedy: sentence(remedy)})
	}
}

// remedy returns what to do about two mistakes that only templates can have, or an empty text: a
// wrong indentation, and a list of lists.
func (v *variant) remedy(path string) string {
	isOfTier := slices.Contains([]string{"Name", "GroupName", "Description", "Ports", "Sources", "Ingress", "Egress", "AllowPublic"}, path)
	if _, exists := v.Properties[path]; isOfTier && exists {
		return path + " is a key of a tier: indent it as deep as the tier's Name"
	}
	value := lookup(v.Properties, path)
	unknown, _ := value.(template.Unknown)
	if _, isList := value.([]any); listEntry.MatchString(path) && (isList || unknown.List) {
		return "the entry is a list already: write it instead of the list " + listOf(path)
	}
	return ""
}

// splitRemedy splits a problem of the parser, "cause. Remedy.", at the first full stop that is not quoted.
func splitRemedy(problem string) (message, remedy string) {
	isQuoted := false
	for i := 0; i+1 < len(problem); i++ {
		switch {
		case problem[i] == '\\':
			i++
		case problem[i] == '"':
			isQuoted = !isQuoted
		case !isQuoted && problem[i] == '.' && problem[i+1] == ' ':
			return problem[:i], problem[i+2:]
		}
	}
	return strings.TrimSuffix(problem, "."), ""
}

// sentence capitalizes a text, except for the name of a protocol, and ends it with a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	if !strings.HasPrefix(text, "icmp") {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	if last := text[len(text)-1]; last != '.' && last != '?' {
		text += "."
	}
	return text
}
