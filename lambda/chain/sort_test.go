package chain_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"sgchain/lambda/chain"
)

// Sort gives the same result as the standard library's stable sort.
func TestSortIsStable(t *testing.T) {
	t.Parallel()
	type pair struct{ key, place int }
	byKey := func(a, b pair) int { return cmp.Compare(a.key, b.key) }
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 100 {
		var list []pair
		for i := range n {
			list = append(list, pair{r.IntN(10), i})
		}
		want := slices.Clone(list)
		slices.SortStableFunc(want, byKey)
		before := slices.Clone(list)
		if got := chain.Sorted(list, byKey); !slices.Equal(got, want) || !slices.Equal(list, before) {
			t.Fatalf("got %v, want %v", got, want)
		}
		if chain.Sort(list, byKey); !slices.Equal(list, want) {
			t.Fatalf("got %v, want %v", list, want)
		}
	}
}
