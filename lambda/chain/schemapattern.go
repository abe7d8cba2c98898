package chain

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// blank has Unicode's white space, which the parser trims (strings.TrimSpace), in the form for a
// character class. No name for it means the same in every dialect of regular expressions.
const (
	blank  = "\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
	blanks = "[" + blank + "]*"
)

// spaced returns an expression for a whole text that may have white space around it.
func spaced(pattern string) string { return "^" + blanks + "(?:" + pattern + ")" + blanks + "$" }

// inner returns an expression without its anchors, as a group.
func inner(expression *regexp.Regexp) string {
	return "(?:" + strings.TrimSuffix(strings.TrimPrefix(expression.String(), "^"), "$") + ")"
}

// bounded returns an expression with a limit for the repetition at its end.
func bounded(pattern string, most int) string {
	open := strings.TrimSuffix(pattern, ")")
	least := 0
	if strings.HasSuffix(open, "+") {
		least = 1
	}
	return fmt.Sprintf("%s{%d,%d})", open[:len(open)-1], least, most)
}

// oneOf returns an expression for each of some texts.
func oneOf(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = regexp.QuoteMeta(word)
	}
	return "(?:" + strings.Join(quoted, "|") + ")"
}

func sortedServices() []string { return slices.Sorted(maps.Keys(services())) }

// upTo returns an expression for the numbers from 0 to a maximum.
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

// whole returns an expression for texts that strconv.Atoi reads as numbers from 0 to a maximum.
func whole(most int) string { return "(?:[+]?0*(?:" + upTo(most) + ")|-0+)" }

// folded returns the letters beyond ASCII whose lower case is an ASCII letter of a range. There are
// two: the Kelvin sign, and the capital i with a dot. strings.ToLower converts them, but not every
// dialect of regular expressions does.
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

// anyCase returns an expression of lower-case letters that matches any case, because the parser
// ignores case.
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
