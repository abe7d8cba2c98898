package world

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// The limits of filters: the number of values in one call, in all filters together, and the length
// of each value. Sources: EC2's errors in gjbae1212/gossm issue 47 and
// ansible-collections/amazon.aws issue 2393.
const (
	maxFilterValues = 200
	maxFilterValue  = 255
)

// checkFilters refuses a describe call whose filters exceed EC2's limits.
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

// meets reports whether a value matches one of a filter's values. In those, * stands for any
// characters and ? for one. A backslash escapes the next character (EC2 API reference, type Filter:
// "\*amazon\?\\ specifies the literal string *amazon?\").
func meets(patterns []string, value string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		if isGlob(pattern) {
			return glob(pattern, value)
		}
		return pattern == value
	})
}

// isGlob reports whether a pattern has special characters. It is called for every value, and
// strings.ContainsAny would be too slow.
func isGlob(pattern string) bool {
	return strings.IndexByte(pattern, '*') >= 0 || strings.IndexByte(pattern, '?') >= 0 || strings.IndexByte(pattern, '\\') >= 0
}

// glob reports whether a value matches a pattern. It backtracks to the last star only, so its time
// is at most proportional to the product of the lengths.
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

// literal returns the character at an index of a pattern, after its backslash if it has one.
func literal(pattern string, place int) byte {
	return pattern[place+literalLength(pattern, place)-1]
}

func literalLength(pattern string, place int) int {
	if pattern[place] == '\\' && place+1 < len(pattern) {
		return 2
	}
	return 1
}

// runeLength returns the number of bytes of a text's first character.
func runeLength(text string) int {
	for i := range text {
		if i > 0 {
			return i
		}
	}
	return len(text)
}
