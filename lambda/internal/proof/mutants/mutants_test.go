package main

import "testing"

// A plant whose text has gone would prove nothing; it is noticed here, long before
// make mutants is run.
func TestPlantsApply(t *testing.T) {
	t.Parallel()
	all := plants()
	if err := stale("../../../..", all); err != nil {
		t.Error(err)
	}
	names := map[string]bool{}
	for _, one := range all {
		if names[one.name] {
			t.Errorf("two plants are named %q", one.name)
		}
		names[one.name] = true
		for _, edit := range one.edits {
			if edit.old == edit.planted {
				t.Errorf("%s changes nothing", one.name)
			}
		}
	}
	if len(all) < 30 {
		t.Errorf("%d plants, want at least 30", len(all))
	}
}

func TestCatcher(t *testing.T) {
	t.Parallel()
	for output, want := range map[string]string{
		"--- FAIL: TestRows (0.1s)\n    --- FAIL: TestRows/row_6 (0.0s)\nFAIL": "TestRows/row_6",
		"=== RUN   TestRows\n=== RUN   TestRows/row_6\npanic: planted\n":       "TestRows/row_6 (it did not end)",
		"ok": "",
	} {
		if got := catcher(output); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
