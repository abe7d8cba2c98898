package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestPlantsApply: every bug can be planted in the current code.
func TestPlantsApply(t *testing.T) {
	t.Parallel()
	const root = "../../../.."
	all, err := plants(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		packages, err := one.packages()
		if err != nil || len(packages) == 0 || slices.ContainsFunc(packages, func(dir string) bool { return !strings.HasPrefix(dir, "./lambda/") }) {
			t.Errorf("%s is in %v: %v", one.name, packages, err)
		}
	}
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	if err := stale(t.Context(), root, all); err != nil {
		t.Error(err)
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
