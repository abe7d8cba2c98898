package template

import "testing"

// TestEvaluationOfAValueThatContainsItself checks that such an evaluation ends. The readers refuse
// these values, so this is a second defense.
func TestEvaluationOfAValueThatContainsItself(t *testing.T) {
	t.Parallel()
	loop := &node{kind: list, at: Position{1, 1}}
	loop.items = []*node{loop}
	here, depth := newEvaluator(&Template{root: &node{kind: object}}, Values{}).value(loop), 1
	for ; here.isList; depth++ {
		here = here.items[0]
	}
	if _, isUnknown := here.plain.(Unknown); !isUnknown || depth != mostNested+1 {
		t.Errorf("got %v at depth %d", here.plain, depth)
	}
}
