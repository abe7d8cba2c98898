package sg

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// maxFilterValues is how many filter values a call may have, all filters taken together
// (FilterLimitExceeded: "The maximum number of filter values specified on a single call is
// 200"). A value may have 255 characters, as may names; Parse keeps to that.
const maxFilterValues = 200

// groupIDFilter asks for groups, or for what belongs to groups, by ID.
const groupIDFilter = "group-id"

// inCalls makes a describe call with filters, or several at once where the filters have more
// values than one call takes, and joins the answers in the order of the values. Values go as
// they are: EC2 reads * and ? in them as wildcards (API reference, Filter), and engines that do
// not know a filter return everything. So an answer may show more than was asked for, and the
// caller has to hold it against the question.
func inCalls[T any](filters []types.Filter, call func([]types.Filter) ([]T, error)) ([]T, error) {
	sets := spreadOver(filters)
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

// spreadOver sorts the values of filters, takes out repetitions, and spreads them over sets of
// filters that one call takes each. What matches the filters matches one of the sets.
func spreadOver(filters []types.Filter) [][]types.Filter {
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
	// The others keep their values where these leave room for half a call, and are split
	// in their turn where they do not.
	size := max(maxFilterValues-(count-len(sorted[longest].Values)), maxFilterValues/2/max(1, len(filters)-1))
	var sets [][]types.Filter
	for values := range slices.Chunk(sorted[longest].Values, min(size, len(sorted[longest].Values)-1)) {
		some := slices.Clone(sorted)
		some[longest] = types.Filter{Name: sorted[longest].Name, Values: values}
		sets = append(sets, spreadOver(some)...)
	}
	return sets
}

// maxNamed is how many IDs or names a message has.
const maxNamed = 10

// capped lists some of the IDs or names that a call was about, and counts the others.
func capped(names []string) string {
	if len(names) <= maxNamed+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), len(names)-maxNamed)
}

func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: aws.String(name), Values: values}
}
