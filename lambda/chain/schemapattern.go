package chain

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// blank is the white space of Unicode, which the parser cuts off values (strings.TrimSpace), as it stands
// in a class. No name of it means the same in every dialect of expressions.
const (
	blank  = "\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
	blanks = "[" + blank + "]*"
)

// spaced matches a whole text with white space around it.
func spaced(pattern string) string { return "^" + blanks + "(?:" + pattern + ")" + blanks + "$" }

// inner is the text of an expression without its anchors, as a group.
func inner(expression *regexp.Regexp) string {
	return "(?:" + strings.TrimSuffix(strings.TrimPrefix(expression.String(), "^"), "$") + ")"
}

// bounded is an expression that ends in a repetition without an end, with one.
func bounded(pattern string, most int) string {
	open := strings.TrimSuffix(pattern, ")")
	least := 0
	if strings.HasSuffix(open, "+") {
		least = 1
	}
	return fmt.Sprintf("%s{%d,%d})", open[:len(open)-1], least, most)
}

// oneOf matches each of some texts.
func oneOf(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = regexp.QuoteMeta(word)
	}
	return "(?:" + strings.Join(quoted, "|") + ")"
}

func sortedServices() []string { return slices.Sorted(maps.Keys(services())) }

// upTo matches the numbers from 0 to a greatest one.
func upTo(most int) string {
	digits := strconv.Itoa(most)
	var forms []string
	if len(digits) > 1 {
		forms = append(forms, repeated("[0-9]", 1, len(digits)-1))
	}
	for i, digit := range digits {
		low := '0'
		if i == 0 && len(digits) > 1 {
			low = '1'
		}
		if digit > low {
			rest := len(digits) - i - 1
			forms = append(forms, digits[:i]+between(low, digit-1)+repeated("[0-9]", rest, rest))
		}
	}
	return strings.Join(append(forms, digits), "|")
}

func between(low, high rune) string {
	if low == high {
		return string(low)
	}
	return "[" + string(low) + "-" + string(high) + "]"
}

func repeated(pattern string, least, most int) string {
	switch {
	case most == 0:
		return ""
	case least == 1 && most == 1:
		return pattern
	case least == most:
		return fmt.Sprintf("%s{%d}", pattern, most)
	default:
		return fmt.Sprintf("%s{%d,%d}", pattern, least, most)
	}
}

// whole matches what strconv.Atoi reads as a number from 0 to a greatest one.
func whole(most int) string { return "(?:[+]?0*(?:" + upTo(most) + ")|-0+)" }

// folded has the letters beyond ASCII that Unicode lowers to one of ASCII: the Kelvin sign, and the
// capital i with a dot. strings.ToLower does so, and no dialect of expressions has to.
func folded(low, high byte) string {
	more := ""
	if low <= 'i' && 'i' <= high {
		more += "\u0130"
	}
	if low <= 'k' && 'k' <= high {
		more += "\u212a"
	}
	return more
}

// anyCase is an expression of lower-case letters that matches them in any case, as the parser does,
// which lowers what it reads.
func anyCase(pattern string) string {
	var text strings.Builder
	inClass := false
	for i := 0; i < len(pattern); i++ {
		letter := pattern[i]
		isRange := inClass && i+2 < len(pattern) && pattern[i+1] == '-' && pattern[i+2] != ']'
		switch {
		case letter == '\\':
			text.WriteString(pattern[i : i+2])
			i++
		case letter < 'a' || letter > 'z':
			inClass = letter == '[' || (inClass && letter != ']')
			text.WriteByte(letter)
		case isRange:
			high := pattern[i+2]
			text.WriteString(pattern[i:i+3] + strings.ToUpper(pattern[i:i+3]) + folded(letter, high))
			i += 2
		case inClass:
			text.WriteString(string(letter) + strings.ToUpper(string(letter)) + folded(letter, letter))
		default:
			text.WriteString("[" + string(letter) + strings.ToUpper(string(letter)) + folded(letter, letter) + "]")
		}
	}
	return text.String()
}
