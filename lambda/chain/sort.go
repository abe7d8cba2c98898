package chain

import (
	"cmp"
	"slices"
)

// Sort sorts a list in place and keeps the order of equal elements. It sorts indices and moves
// each element once, because rules and groups are large. One instance of the standard library's
// sort for each type would make the zip 1% larger.
func Sort[T any](list []T, compare func(a, b T) int) {
	places := make([]int, len(list))
	for i := range places {
		places[i] = i
	}
	slices.SortFunc(places, func(a, b int) int { return cmp.Or(compare(list[a], list[b]), cmp.Compare(a, b)) })
	sorted := make([]T, len(list))
	for i, place := range places {
		sorted[i] = list[place]
	}
	copy(list, sorted)
}

// Sorted returns a sorted copy of a list; see [Sort].
func Sorted[T any](list []T, compare func(a, b T) int) []T {
	list = slices.Clone(list)
	Sort(list, compare)
	return list
}
