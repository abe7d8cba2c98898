package chain

import (
	"cmp"
	"slices"
)

// Sort sorts a list in place and keeps the order of equal elements. It sorts places and moves
// each element once: rules and groups are large, and an instance of the standard library's sort
// for each type would add a hundredth to the zip.
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
