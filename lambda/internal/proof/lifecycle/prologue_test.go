package lifecycle_test

import (
	"reflect"
	"testing"

	"sgchain/lambda/internal/proof/lifecycle"
)

// TestPrologue: a history that goes on from a prologue comes to what it comes to as a whole, and
// takes nothing from the next one that goes on from there.
func TestPrologue(t *testing.T) {
	t.Parallel()
	played := 0
	for i := uint64(0); played < 40; i++ {
		history := lifecycle.Draw(99, i)
		if first := history.Steps[0]; len(first.Mishaps) > 0 || len(first.Acts) > 0 || first.SiblingFails || len(history.Steps) < 2 {
			continue // not at rest after it
		}
		played++
		whole := play(t, history, false)
		begun := history
		begun.Steps = history.Steps[:1]
		lived := prologue(t, begun)
		for turn := range 2 {
			parts := goOn(t, lived, history.Steps[1:])
			if !reflect.DeepEqual(whole, parts) {
				t.Fatalf("history %d, turn %d: in parts it comes to\n%+v\nas a whole to\n%+v", i, turn, parts, whole)
			}
		}
	}
}
