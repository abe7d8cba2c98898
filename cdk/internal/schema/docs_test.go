package schema_test

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"sgchain/cdk/internal/schema"
)

// TestReferenceHasEveryKey compares the tables of docs/reference.md with the keys of a chain and of a tier.
func TestReferenceHasEveryKey(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := schema.Template()
	if err != nil {
		t.Fatal(err)
	}
	var whole struct {
		Definitions map[string]struct {
			Else struct{ Properties map[string]any }
		}
	}
	if err := json.Unmarshal(text, &whole); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"Properties", "Tier"} {
		keys := whole.Definitions[kind].Else.Properties
		if len(keys) < 9 {
			t.Fatalf("%s has only the keys %v", kind, keys)
		}
		for key := range keys {
			if !regexp.MustCompile("(?m)^\\| \\[?`" + key + "`").Match(page) {
				t.Errorf("docs/reference.md has no row for %s of %s", key, kind)
			}
		}
	}
}
