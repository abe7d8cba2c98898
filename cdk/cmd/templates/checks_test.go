package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sgchain/cdk/internal/release"
)

// TestSuppressionsAreDocumented checks the list of docs/permissions.md against the suppressions of
// cdk-nag and checkov in the published templates. UPDATE_DOCS=1 writes it.
func TestSuppressionsAreDocumented(t *testing.T) {
	t.Parallel()
	const start, end = "<!-- the suppressions, written by the tests -->\n", "<!-- end of the suppressions -->\n"
	var table strings.Builder
	table.WriteString("| resource | rules | why |\n|---|---|---|\n")
	count := 0
	for _, name := range []string{release.Provider, release.Parent} { // the all-in-one has those of the provider
		template, _ := read(t, name)
		resources := dig[object](template, "Resources")
		for _, id := range slices.Sorted(maps.Keys(resources)) {
			var reasons []string
			rules := map[string][]string{}
			add := func(rule, reason string) {
				count++
				if reason == "" || strings.Contains(reason, "|") {
					t.Errorf("%s, %s: the reason for %s is %q", name, id, rule, reason)
				}
				if rules[reason] == nil {
					reasons = append(reasons, reason)
				}
				rules[reason] = append(rules[reason], rule)
			}
			for _, one := range dig[list](resources[id], "Metadata", "checkov", "skip") {
				add("`"+dig[string](one, "id")+"`", dig[string](one, "comment"))
			}
			for _, one := range dig[list](resources[id], "Metadata", "cdk_nag", "rules_to_suppress") {
				rule := "`" + dig[string](one, "id") + "`"
				for _, of := range dig[list](one, "applies_to") {
					rule += " of `" + strings.TrimPrefix(dig[string](of), "Resource::") + "`"
				}
				add(rule, dig[string](one, "reason"))
			}
			for _, reason := range reasons {
				fmt.Fprintf(&table, "| `%s` of %s | %s | %s |\n", id, name, strings.Join(rules[reason], ", "), reason)
			}
		}
	}
	if count < 20 {
		t.Errorf("found %d suppressions", count)
	}
	page := filepath.Join("..", "..", "..", "docs", "permissions.md")
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, hasStart := strings.Cut(string(content), start)
	old, after, hasEnd := strings.Cut(rest, end)
	switch {
	case !hasStart || !hasEnd:
		t.Fatalf("%s has no place between\n%s%s", page, start, end)
	case os.Getenv("UPDATE_DOCS") != "":
		if err := os.WriteFile(page, []byte(before+start+table.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	case old != table.String():
		t.Errorf("%s is out of date; UPDATE_DOCS=1 go test -run %s ./cdk/cmd/templates writes it:\n%s", page, t.Name(), table.String())
	}
}

// TestAllInOneHasProviderSuppressions checks what the docs assume: they list the provider's
// suppressions once, for both.
func TestAllInOneHasProviderSuppressions(t *testing.T) {
	t.Parallel()
	shared, _ := read(t, release.Provider)
	own, _ := read(t, release.AllInOne)
	for id := range providerSkips() {
		got, want := dig[any](own, "Resources", id, "Metadata"), dig[any](shared, "Resources", id, "Metadata")
		if fmt.Sprint(got) != fmt.Sprint(want) || dig[list](got, "checkov", "skip") == nil {
			t.Errorf("%s: got %v, want %v", id, got, want)
		}
	}
}
