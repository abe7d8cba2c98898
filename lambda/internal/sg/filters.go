package sg

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// maxFilterValues is how many values all filters of a call may have together. EC2 says "The
// maximum number of filter values specified on a single call is 200" (FilterLimitExceeded).
// A value may have 255 characters, as may a name; Parse ensures that.
const maxFilterValues = 200

// groupIDFilter selects groups, or what belongs to groups, by ID.
const groupIDFilter = "group-id"

// inCalls makes a describe call with filters, and joins the answers in the order of the values.
// If the filters have more values than one call allows, it makes several calls at once.
//
// It does not escape values: EC2 treats * and ? in them as wildcards (API reference, Filter), and
// emulators that do not know a filter return everything. So an answer may have more than was
// asked for, and the caller has to filter it.
func inCalls[T any](filters []types.Filter, call func([]types.Filter) ([]T, error)) ([]T, error) {
	sets := splitFilters(filters)
	answers := make([][]T, len(sets))
	tasks := make([]func() error, 0, len(sets))
	for i, set := range sets {
		tasks = append(tasks, func() (err error) {
			answers[i], err = call(set)
			return err
		})
	}
	if len(tasks) == 1 {
		err := tasks[0]()
		return answers[0], err
	}
	err := parallel(tasks)
	return slices.Concat(answers...), err
}

// splitFilters sorts the values of filters, removes duplicates, and splits them into sets of
// filters for one call each. What matches the filters matches exactly one of the sets.
func splitFilters(filters []types.Filter) [][]types.Filter {
	sorted := make([]types.Filter, 0, len(filters))
	longest, count := 0, 0
	for i, filter := range filters {
		filter.Values = slices.Compact(slices.Sorted(slices.Values(filter.Values)))
		sorted = append(sorted, filter)
		count += len(filter.Values)
		if len(filter.Values) > len(sorted[longest].Values) {
			longest = i
		}
	}
	if count <= maxFilterValues {
		return [][]types.Filter{sorted}
	}
	// The other filters keep their values if these leave half of a call for the longest one.
	// Otherwise the recursion splits them too.
	size := max(maxFilterValues-(count-len(sorted[longest].Values)), maxFilterValues/2/max(1, len(filters)-1))
	var sets [][]types.Filter
	for values := range slices.Chunk(sorted[longest].Values, min(size, len(sorted[longest].Values)-1)) {
		some := slices.Clone(sorted)
		some[longest] = types.Filter{Name: sorted[longest].Name, Values: values}
		sets = append(sets, splitFilters(some)...)
	}
	return sets
}

// maxNamed is how many IDs or names a message lists.
const maxNamed = 10

// capped lists the first IDs or names of a call, and counts the others.
func capped(names []string) string { return first(maxNamed, names) }

// first lists the first of some texts, and counts the others.
func first(count int, texts []string) string {
	if len(texts) <= count+1 {
		return strings.Join(texts, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(texts[:count], ", "), len(texts)-count)
}

func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: aws.String(name), Values: values}
}
