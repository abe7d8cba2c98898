package sg

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"pgregory.net/rapid"
)

// However many values filters have, no call has more than EC2 allows, and every combination
// of values is in exactly one call.
func TestF8FilterValuesAreSplitOverCalls(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		values := func(prefix string) []string {
			n := rapid.IntRange(1, 250).Draw(rt, prefix)
			var all []string
			for i := range n {
				all = append(all, fmt.Sprintf("%s%d", prefix, i*7%n), fmt.Sprintf("%s%d", prefix, i))
			}
			return all
		}
		filters := []types.Filter{filter("vpc-id", values("vpc-")...)}
		if rapid.Bool().Draw(rt, "two") {
			filters = append(filters, filter("group-name", values("web")...))
		}
		asked := map[string]int{}
		for _, set := range splitFilters(filters) {
			count, combinations := 0, []string{""}
			for i, one := range set {
				if aws.ToString(one.Name) != aws.ToString(filters[i].Name) || !slices.IsSorted(one.Values) || len(one.Values) == 0 {
					rt.Fatalf("got %v", one)
				}
				count += len(one.Values)
				var longer []string
				for _, before := range combinations {
					for _, value := range one.Values {
						longer = append(longer, before+" "+value)
					}
				}
				combinations = longer
			}
			if count > maxFilterValues {
				rt.Fatalf("%d values in a call", count)
			}
			for _, one := range combinations {
				asked[one]++
			}
		}
		want := 1
		for _, one := range filters {
			want *= len(slices.Compact(slices.Sorted(slices.Values(one.Values))))
		}
		if len(asked) != want {
			rt.Fatalf("%d combinations are asked for, want %d", len(asked), want)
		}
		for combination, times := range asked {
			if times != 1 {
				rt.Fatalf("%s is asked for %d times", combination, times)
			}
		}
	})
	if got := len(splitFilters([]types.Filter{filter(groupIDFilter, make([]string, 500)...)})); got != 1 {
		t.Errorf("one value 500 times takes %d calls", got)
	}
}

func TestF8MessagesListTheFirstGroups(t *testing.T) {
	t.Parallel()
	if got := capped(strings.Fields("a b c")); got != "a, b, c" {
		t.Errorf("got %q", got)
	}
	if got := capped(strings.Fields(strings.Repeat("sg-1 ", 200))); !strings.HasSuffix(got, "sg-1 and 190 more") {
		t.Errorf("got %q", got)
	}
}
