package chain_test

import (
	"strings"
	"testing"
)

// Attributes that just fit are complete. If the room is one byte smaller, the warnings are cut and
// use the whole room.
func TestAttributesUseEveryByteOfTheRoom(t *testing.T) {
	t.Parallel()
	given := answer(t, 3, 100_000)
	given.Warnings = []string{strings.Repeat("a warning ", 60)}
	full := given.Attributes(100_000)
	limit := size(t, full)
	for _, off := range []int{-1, 0, 1} {
		got := given.Attributes(limit + off)
		isWhole := got["Warnings"] == full["Warnings"] && got["Summary"] == full["Summary"]
		if isWhole != (off >= 0) {
			t.Errorf("%+d bytes: whole is %v: %q", off, isWhole, got["Warnings"])
		}
		if want := limit + min(off, 0); size(t, got) != want {
			t.Errorf("%+d bytes: the attributes take %d, want %d", off, size(t, got), want)
		}
		if off < 0 && !strings.HasSuffix(got["Warnings"], "...") {
			t.Errorf("%+d bytes: the warnings end with %q", off, got["Warnings"][len(got["Warnings"])-10:])
		}
	}
}

// Parse accepts a chain if the attributes that are never cut just fit. Its answer then fits for any
// groups and rules.
func TestParseAcceptsChainsWhoseAttributesJustFit(t *testing.T) {
	t.Parallel()
	for _, tiers := range []int{1, 3, 35} {
		largest := answer(t, tiers, 100_000)
		largest.RuleCount, largest.Warnings = 99999, nil
		fixed := largest.Attributes(0) // everything that can be cut is cut
		if fixed["Warnings"] != "" || fixed["Summary"] != "" {
			t.Fatalf("%d tiers: without room, the warnings and the summary are %q and %q", tiers, fixed["Warnings"], fixed["Summary"])
		}
		limit := size(t, fixed)
		for off, accepted := range map[int]bool{-1: false, 0: true, 1: true} {
			_, err := parse(t, line(tiers), limit+off)
			if (err == nil) != accepted {
				t.Errorf("%d tiers, %+d bytes: %v", tiers, off, err)
			}
		}
		if got := size(t, largest.Attributes(limit)); got > limit {
			t.Errorf("%d tiers: %d bytes in a room of %d", tiers, got, limit)
		}
	}
}
