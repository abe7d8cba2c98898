package lint_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sgchain/cdk/internal/lint"
	"sgchain/cdk/internal/template"
)

// TestTemplatesInTheDocs lints every whole template that a page shows.
func TestTemplatesInTheDocs(t *testing.T) {
	t.Parallel()
	pages := []string{"../../../README.md"}
	err := filepath.WalkDir("../../../docs", func(file string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(file, ".md") {
			pages = append(pages, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
			if !regexp.MustCompile(`(?m)^Resources:`).MatchString(block[1]) {
				continue
			}
			found++
			document, err := template.Read(page, []byte(block[1]))
			if err != nil {
				t.Errorf("%s: %v\n%s", page, err, block[1])
				continue
			}
			for _, finding := range lint.Lint(document, template.Values{}) {
				t.Errorf("%s: %v\n%s", page, finding, block[1])
			}
		}
	}
	if found < 8 {
		t.Errorf("found only %d templates", found)
	}
}
