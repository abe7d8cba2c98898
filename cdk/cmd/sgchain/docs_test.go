package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// typed is the command as a page has it: alone, or run from its source.
var typed = regexp.MustCompile(`(?m)(?:^|[$(;&|] *|\./)(?:go run (?:sgchain|\.)/cdk/cmd/)?sgchain ([a-z][^\n#|>;&]*)`)

// TestCommandsInTheDocs checks that every subcommand and flag that a page names exists.
func TestCommandsInTheDocs(t *testing.T) {
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
		for _, line := range code(string(text)) {
			for _, command := range typed.FindAllStringSubmatch(line, -1) {
				found++
				checkCommand(t, page, command[1])
			}
		}
	}
	if found < 40 {
		t.Errorf("found only %d commands", found)
	}
}

// code returns the fenced blocks of a page, each with its continued lines joined, and its code spans.
func code(text string) []string {
	var all []string
	fenced := regexp.MustCompile("(?ms)^ *```[a-z]*\n(.*?)^ *```")
	for _, block := range fenced.FindAllStringSubmatch(text, -1) {
		all = append(all, strings.ReplaceAll(block[1], "\\\n", " "))
	}
	for _, span := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		all = append(all, strings.Join(strings.Fields(span[1]), " "))
	}
	return all
}

// checkCommand looks up a command line without the name of the program.
func checkCommand(t *testing.T, page, line string) {
	t.Helper()
	words := strings.Fields(regexp.MustCompile(`'[^']*'|"[^"]*"`).ReplaceAllString(line, "text"))
	root := newRoot(environment{})
	root.InitDefaultCompletionCmd()
	command, _, err := root.Find(words[:1])
	if err != nil || command == root {
		t.Errorf("%s: sgchain %s: there is no command %s", page, line, words[0])
		return
	}
	command.InitDefaultHelpFlag()
	for _, word := range words[1:] {
		name, _, _ := strings.Cut(strings.Trim(word, "[]()"), "=")
		long, isLong := strings.CutPrefix(name, "--")
		short, isShort := strings.CutPrefix(name, "-")
		switch {
		case isLong && long != "" && command.Flags().Lookup(long) == nil:
			t.Errorf("%s: sgchain %s: %s has no flag --%s", page, line, words[0], long)
		case !isLong && isShort && len(short) == 1 && command.Flags().ShorthandLookup(short) == nil:
			t.Errorf("%s: sgchain %s: %s has no flag -%s", page, line, words[0], short)
		}
	}
}
