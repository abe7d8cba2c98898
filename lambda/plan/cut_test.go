package plan_test

import (
	"testing"

	"sgchain/lambda/plan"
)

func TestCut(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		size int
		want string
	}{
		{"one\ntwo\n", 8, "one\ntwo\n"},
		{"one\ntwo\nthree\n", 8, "one\ntwo\n... and 1 more lines\n"},
		{"one\ntwo\nthree\n", 7, "one\n... and 2 more lines\n"},
		{"one\ntwo", 5, "one\n... and 1 more lines\n"},
		{"oneandtwo\n", 5, "... and 1 more lines\n"},
		{"", 0, ""},
	} {
		if got := plan.Cut(test.text, test.size); got != test.want {
			t.Errorf("%q at %d: got %q, want %q", test.text, test.size, got, test.want)
		}
	}
}
