package world

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// The limits of filters: so many values in one call, all filters taken together, and so
// many characters in each (the texts of EC2 in gjbae1212/gossm issue 47 and
// ansible-collections/amazon.aws issue 2393).
const (
	maxFilterValues = 200
	maxFilterValue  = 255
)

// checkFilters refuses a describe call whose filters are beyond EC2's limits.
func (w *World) checkFilters(filters []types.Filter) error {
	if w.IgnoreFilters {
		return nil
	}
	count := 0
	for _, filter := range filters {
		count += len(filter.Values)
		for _, value := range filter.Values {
			if len(value) > maxFilterValue {
				return fail("FilterLimitExceeded", "The maximum length for a filter value is %d characters", maxFilterValue)
			}
		}
	}
	if count > maxFilterValues {
		return fail("FilterLimitExceeded", "The maximum number of filter values specified on a single call is %d", maxFilterValues)
	}
	return nil
}

// meets reports whether a value is one of those that a filter asks for. In a filter's
// value * stands for any characters, ? for one, and a backslash takes that meaning from
// the character after it (EC2 API reference, type Filter: "\*amazon\?\\ specifies the
// literal string *amazon?\").
func meets(patterns []string, value string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		if isGlob(pattern) {
			return glob(pattern, value)
		}
		return pattern == value
	})
}

// isGlob reports whether a pattern is more than a text. It is asked for every value, which
// strings.ContainsAny is too slow for.
func isGlob(pattern string) bool {
	return strings.IndexByte(pattern, '*') >= 0 || strings.IndexByte(pattern, '?') >= 0 || strings.IndexByte(pattern, '\\') >= 0
}

// glob reports whether a value matches a pattern. It goes back to the last star only, so
// that it takes no longer than the two are long, multiplied.
func glob(pattern, value string) bool {
	star, retry := -1, 0
	p, v := 0, 0
	for v < len(value) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, retry = p, v
			p++
		case p < len(pattern) && pattern[p] == '?':
			p, v = p+1, v+runeLength(value[v:])
		case p < len(pattern) && literal(pattern, p) == value[v]:
			p, v = p+literalLength(pattern, p), v+1
		case star >= 0:
			retry++
			p, v = star+1, retry
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// literal is the character that stands at a place of a pattern, behind its backslash.
func literal(pattern string, place int) byte {
	return pattern[place+literalLength(pattern, place)-1]
}

func literalLength(pattern string, place int) int {
	if pattern[place] == '\\' && place+1 < len(pattern) {
		return 2
	}
	return 1
}

// runeLength is how many bytes the first character of a text has.
func runeLength(text string) int {
	for i := range text {
		if i > 0 {
			return i
		}
	}
	return len(text)
}
