package lifecycle

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMatchedTextsExist checks that each text of the product that the checks look for still exists there.
// A reworded message would otherwise turn a check off.
func TestMatchedTextsExist(t *testing.T) {
	t.Parallel()
	var product strings.Builder
	for _, folder := range []string{"../../provider", "../../sg", "../../../plan", "../../../chain"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s has no sources: %v", folder, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			product.Write(text)
		}
	}
	for _, text := range slices.Concat(leftOutWarnings, []string{noRoom, noRoomForTags, "and the quota is", "has its name"}) {
		if !strings.Contains(product.String(), text) {
			t.Errorf("no message of the product has %q", text)
		}
	}
}
