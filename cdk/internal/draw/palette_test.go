package draw

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// luminance returns the relative luminance of a color (WCAG 2.2, "relative luminance").
func luminance(t *testing.T, color string) float64 {
	t.Helper()
	value, err := strconv.ParseUint(strings.TrimPrefix(color, "#"), 16, 32)
	if err != nil || len(color) != 7 {
		t.Fatalf("%q is no color", color)
	}
	part := func(shift int) float64 {
		s := float64(value>>shift&0xff) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// TestContrasts checks that each text has 4.5:1 and each line 3:1 on each of its backgrounds (WCAG
// 2.2, success criteria 1.4.3 and 1.4.11).
func TestContrasts(t *testing.T) {
	t.Parallel()
	if got := contrast(t, "#ffffff", "#000000"); math.Abs(got-21) > 1e-9 {
		t.Fatalf("black on white has a contrast of %f", got)
	}
	for name, p := range map[string]palette{"light": light, "dark": dark} {
		for what, color := range map[string]string{"text": p.text, "muted": p.muted, "added": p.added, "removed": p.removed, "link": p.link, "visited": p.linkVisited} {
			for where, ground := range map[string]string{"ground": p.ground, "card": p.card} {
				if got := contrast(t, color, ground); got < 4.5 {
					t.Errorf("%s: %s on %s has a contrast of %.2f, want 4.5", name, what, where, got)
				}
			}
		}
		if got := contrast(t, p.world, p.tint); got < 4.5 {
			t.Errorf("%s: the world's name has a contrast of %.2f, want 4.5", name, got)
		}
		for what, color := range map[string]string{"line": p.line, "world": p.world, "added": p.added, "removed": p.removed, "edge": p.edge} {
			for where, ground := range map[string]string{"ground": p.ground, "card": p.card} {
				if got := contrast(t, color, ground); got < 3 {
					t.Errorf("%s: %s next to %s has a contrast of %.2f, want 3", name, what, where, got)
				}
			}
		}
	}
}

// TestStylesUsePaletteColors checks that no style has a color that TestContrasts does not check.
func TestStylesUsePaletteColors(t *testing.T) {
	t.Parallel()
	known := fmt.Sprintf("%v%v", light, dark)
	colors := regexp.MustCompile(`#[0-9a-fA-F]{3,8}\b`).FindAllString(svgStyle()+pageColors(light)+pageColors(dark)+pageCSS, -1)
	if len(colors) < 40 {
		t.Fatalf("found only %d colors", len(colors))
	}
	for _, color := range colors {
		if !strings.Contains(known, color) {
			t.Errorf("%s is not in the palette", color)
		}
	}
}

// TestNothingOverlaps checks with random groups that cards, and the rows of a card, do not overlap,
// and that no two wires share a lane.
func TestNothingOverlaps(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		groups, drawn := groupsOf(randomDrawing(seed)), 0
		for _, s := range newScenes(groups, "title") {
			s.layout()
			checkPlaces(t, seed, s)
			checkLanes(t, seed, s)
			drawn += len(s.cards)
		}
		if drawn != len(groups) {
			t.Fatalf("seed %d: %d of %d groups are drawn", seed, drawn, len(groups))
		}
	}
}

// checkPlaces checks that cards and their rows do not overlap.
func checkPlaces(t *testing.T, seed uint64, s *scene) {
	t.Helper()
	end := s.bandTop()
	if len(s.world) > 0 {
		end += bandHeight
	}
	for i, one := range s.cards {
		if one.y < end || (i > 0 && one.y == end) {
			t.Fatalf("seed %d: card %d begins at %d, the one above ends at %d", seed, i, one.y, end)
		}
		end = one.y + one.h
		for _, rows := range [][]row{one.in, one.out} {
			for j, r := range rows {
				if r.y-chipHeight/2 < one.y || r.y+chipHeight/2 > end || (j > 0 && r.y-rows[j-1].y < rowHeight) {
					t.Fatalf("seed %d: row %d of card %d is at %d, the card from %d to %d", seed, j, i, r.y, one.y, end)
				}
				if used := width(r.label, fontSize, false) + chipWidth(r); used > s.columns.card-s.columns.chips && r.from != noCard {
					t.Fatalf("seed %d: row %d of card %d needs %d pixels", seed, j, i, used)
				}
			}
		}
	}
}

// checkLanes checks that the wires of one lane do not meet, and that each row's wire has a lane.
func checkLanes(t *testing.T, seed uint64, s *scene) {
	t.Helper()
	taken := map[[2]int]int{}
	for i, one := range s.cards {
		for _, r := range one.in {
			if r.from >= 0 && (s.cards[r.from].lane < 0 || s.cards[r.from].first > i || s.cards[r.from].last < i) {
				t.Fatalf("seed %d: card %d has no wire to %d", seed, i, r.from)
			}
		}
		if !one.isSource || one.lane < 0 {
			continue
		}
		if one.lane >= s.lanes || s.lanes > mostLanes {
			t.Fatalf("seed %d: lane %d of %d", seed, one.lane, s.lanes)
		}
		for at := one.first; at <= one.last; at++ {
			if other, isTaken := taken[[2]int{one.lane, at}]; isTaken {
				t.Fatalf("seed %d: cards %d and %d share lane %d at %d", seed, other, i, one.lane, at)
			}
			taken[[2]int{one.lane, at}] = i
		}
	}
}
