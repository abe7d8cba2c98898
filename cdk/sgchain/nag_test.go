package sgchain

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// docs/cdk.md must list the suppressions of cdk-nag rules. UPDATE_DOCS=1 writes the list.
func TestSuppressionsAreDocumented(t *testing.T) {
	t.Parallel()
	var list strings.Builder
	list.WriteString("| Resource | Rules | Why |\n|---|---|---|\n")
	for _, resource := range []struct {
		name         string
		suppressions []suppression
	}{
		{"log group", logGroupSuppressions()}, {"function", functionSuppressions(false)}, {"role", roleSuppressions(true)},
	} {
		for i, one := range resource.suppressions {
			rule := "`" + one.id + "`"
			if one.of != "" {
				rule += " of `" + one.of + "`"
			}
			switch {
			case one.reason == "":
				t.Errorf("%s has no reason", one.id)
			case i > 0 && resource.suppressions[i-1].reason == one.reason:
				continue
			}
			for _, other := range resource.suppressions[i+1:] {
				if other.reason == one.reason {
					rule += ", `" + other.id + "`"
				}
			}
			fmt.Fprintf(&list, "| %s | %s | %s |\n", resource.name, rule, one.reason)
		}
	}
	checkWritten(t, filepath.Join("..", "..", "docs", "cdk.md"), "<!-- the suppressions, written by the tests -->\n", "<!-- end of the suppressions -->\n", list.String())
}

// checkWritten compares a part of a page, between two lines, with what it should be. UPDATE_DOCS=1 writes that part.
func checkWritten(t *testing.T, page, start, end, want string) {
	t.Helper()
	docs := read(t, page)
	before, rest, hasStart := strings.Cut(docs, start)
	old, after, hasEnd := strings.Cut(rest, end)
	switch {
	case !hasStart || !hasEnd:
		t.Fatalf("%s has no place between\n%s%s", page, start, end)
	case os.Getenv("UPDATE_DOCS") != "": //nolint:forbidigo // the test can write what it compares
		if err := os.WriteFile(page, []byte(before+start+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	case old != want:
		t.Errorf("%s is out of date; UPDATE_DOCS=1 go test -run %s ./cdk/sgchain writes it:\n%s", page, t.Name(), want)
	}
}
