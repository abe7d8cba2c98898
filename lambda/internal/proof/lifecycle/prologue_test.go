package lifecycle_test

import (
	"reflect"
	"testing"

	"sgchain/lambda/internal/proof/lifecycle"
)

// TestPrologueEqualsWholeHistory checks that a history played from a prologue has the same outcome
// as when played as a whole. Playing it must not affect the next history of that prologue.
func TestPrologueEqualsWholeHistory(t *testing.T) {
	t.Parallel()
	played := 0
	for i := uint64(0); played < 40; i++ {
		history := lifecycle.Draw(99, i)
		if first := history.Steps[0]; len(first.Mishaps) > 0 || len(first.Acts) > 0 || first.SiblingFails || len(history.Steps) < 2 {
			continue // something may be in progress after the first step
		}
		played++
		whole := play(t, history, false)
		first := history
		first.Steps = history.Steps[:1]
		beginning := prologue(t, first)
		for round := range 2 {
			parts := continueFrom(t, beginning, history.Steps[1:])
			if !reflect.DeepEqual(whole, parts) {
				t.Fatalf("history %d, round %d: from a prologue\n%+v\nas a whole\n%+v", i, round, parts, whole)
			}
		}
	}
}
