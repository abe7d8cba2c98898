package main

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const goSource = `// Package one has a comment.
package one

//go:generate nothing at all

// Two returns a <number>.
//
//	code is no prose
func Two() int {
	return 2 // nolint is not at its begin
	//nolint:gosec // left out with it
}

const (
	a = 1 // the first
	b = 2 // the second
)

var c = "one word and more"
var d, e = "key", "two words"
var f = ` + "`" + `first line is a sentence
second line` + "`" + `
`

// TestGoProse checks that each text is on the line of its source, and that code and directives are left out.
func TestGoProse(t *testing.T) {
	t.Parallel()
	texts, err := prose("one.go", goSource)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]map[int]string{
		".comments.md": {
			1: "Package one has a comment.", 6: "Two returns a (number).",
			10: "- nolint is not at its begin", 15: "- the first", 16: "- the second",
		},
		".messages.md": {19: "- one word and more", 21: "- first line is a sentence", 22: "- second line"},
	}
	for suffix, lines := range want {
		if got := numbered(texts[suffix]); !maps.Equal(got, lines) {
			t.Errorf("%s: got %v, want %v", suffix, got, lines)
		}
	}
}

// TestTestsHaveNoMessages checks that only the comments of a test are prose.
func TestTestsHaveNoMessages(t *testing.T) {
	t.Parallel()
	texts, err := prose("one_test.go", goSource)
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Collect(maps.Keys(texts)); !slices.Equal(got, []string{".comments.md"}) {
		t.Errorf("got %q", got)
	}
}

func TestScriptProse(t *testing.T) {
	t.Parallel()
	texts, err := prose("Makefile", "# A comment.\nall: one ## Build all\n\techo a#b\n")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := numbered(texts[".comments.md"]), (map[int]string{1: "A comment.", 2: "- Build all"}); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestUnreadableGoIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := prose("one.go", "package"); err == nil {
		t.Error("no error")
	}
}

// numbered returns the lines of a text that are not empty, by their number.
func numbered(text string) map[int]string {
	found := map[int]string{}
	for i, line := range strings.Split(text, "\n") {
		if line != "" {
			found[i+1] = line
		}
	}
	return found
}

// TestEveryRuleIsSeenFailing runs vale over testdata/wrong.md. Each line of it breaks one rule, and each
// word of Terms and Phrases has a line.
func TestEveryRuleIsSeenFailing(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("testdata/wrong.md")
	if err != nil {
		t.Fatal(err)
	}
	alerts := vale(t, "testdata/wrong.md")
	used := map[string]bool{}
	for line := range numbered(string(source)) {
		if len(alerts[line]) != 1 {
			t.Errorf("line %d has %d findings, want 1: %q", line, len(alerts[line]), alerts[line])
		}
		for _, one := range alerts[line] {
			used[one.Check+": "+one.Message[:max(0, strings.LastIndex(one.Message, ", not"))]] = true
			used[one.Check] = true
		}
	}
	files, err := filepath.Glob("../../../.ci/vale/styles/Plain/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal("no rules", err)
	}
	swap := regexp.MustCompile(`(?m)^  '.*': (.*)$`)
	for _, file := range files {
		rule := "Plain." + strings.TrimSuffix(filepath.Base(file), ".yml")
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !used[rule] {
			t.Errorf("no line breaks %s", rule)
		}
		for _, one := range swap.FindAllStringSubmatch(string(content), -1) {
			if !used[rule+": use '"+one[1]+"'"] {
				t.Errorf("no line breaks %s with the remedy %q", rule, one[1])
			}
		}
	}
}

func TestPlainEnglishPasses(t *testing.T) {
	t.Parallel()
	if alerts := vale(t, "testdata/right.md"); len(alerts) != 0 {
		t.Errorf("got %v", alerts)
	}
}

// alert is what vale finds.
type alert struct{ Check, Message string }

// vale returns what the linter finds in a file, by line.
func vale(t *testing.T, file string) map[int][]alert {
	t.Helper()
	// It ends with 1 when it finds something.
	output, err := exec.CommandContext(t.Context(), "go", "tool", "-modfile=../../../.ci/vale.mod", "vale",
		"--config", "../../../.ci/vale/vale.ini", "--output", "JSON", file).Output()
	if len(output) == 0 {
		t.Fatal("vale does not run: ", err)
	}
	var found map[string][]struct {
		alert

		Line int
	}
	if err := json.Unmarshal(output, &found); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	alerts := map[int][]alert{}
	for _, one := range found[file] {
		alerts[one.Line] = append(alerts[one.Line], one.alert)
	}
	return alerts
}
