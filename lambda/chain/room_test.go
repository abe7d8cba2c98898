package chain_test

import (
	"strings"
	"testing"

	"sgchain/lambda/chain"
)

// Attributes that just fit are whole; in a room that is a byte smaller the warnings are cut,
// and no byte of the room is wasted.
func TestAttributesTakeTheRoomToTheByte(t *testing.T) {
	t.Parallel()
	made := answer(t, 3, 100_000)
	made.Warnings = []string{strings.Repeat("a warning ", 60)}
	full := made.Attributes(100_000)
	limit := size(t, full)
	for _, off := range []int{-1, 0, 1} {
		got := made.Attributes(limit + off)
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

// A chain is refused where the attributes that are never cut do not fit, and is taken where
// they just do: whatever its groups and its rules come to, the answer then fits.
func TestChainsAreTakenByTheRoomToTheByte(t *testing.T) {
	t.Parallel()
	for _, tiers := range []int{1, 3, 35} {
		largest := answer(t, tiers, 100_000)
		largest.RuleCount, largest.Warnings = 99999, nil
		fixed := largest.Attributes(0) // nothing of what can be cut is left
		if fixed["Warnings"] != "" || fixed["Summary"] != "" {
			t.Fatalf("%d tiers: in no room there is %q and %q", tiers, fixed["Warnings"], fixed["Summary"])
		}
		limit := size(t, fixed)
		for off, taken := range map[int]bool{-1: false, 0: true, 1: true} {
			_, err := chain.Parse(line(tiers), limit+off)
			if (err == nil) != taken {
				t.Errorf("%d tiers, %+d bytes: %v", tiers, off, err)
			}
		}
		if got := size(t, largest.Attributes(limit)); got > limit {
			t.Errorf("%d tiers: %d bytes in a room of %d", tiers, got, limit)
		}
	}
}
