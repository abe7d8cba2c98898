package lifecycle_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sgchain/lambda/internal/proof/lifecycle"
)

// TestHistoriesThatFailed plays the shortest history of each bug that histories have found so far.
func TestHistoriesThatFailed(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "histories", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var history lifecycle.History
			if err := json.Unmarshal(text, &history); err != nil {
				t.Fatal(err)
			}
			if out := play(t, history, true); out.Failure != nil {
				t.Errorf("%v\n%s", out.Failure, strings.Join(out.Story, "\n"))
			}
		})
	}
}
