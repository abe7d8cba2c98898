package main_test

import (
	"encoding/json"
	"go/format"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// page is a page of the documentation, by its path from the root.
type page struct{ path, text string }

// pages returns the README, the changelog and everything below docs.
func pages(t *testing.T) []page {
	t.Helper()
	paths := []string{"README.md", "CHANGELOG.md"}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(file string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(file, ".md") {
			var relative string
			if relative, err = filepath.Rel(root, file); err == nil {
				paths = append(paths, filepath.ToSlash(relative))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []page
	for _, path := range paths {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page{path, string(text)})
	}
	if len(all) < 30 {
		t.Fatalf("found only %d pages", len(all))
	}
	return all
}

var linkPattern = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// links returns the targets of the relative links of a page, by their path from the root, each with its anchor.
func (p page) links() [][2]string {
	var found [][2]string
	for _, link := range linkPattern.FindAllStringSubmatch(p.text, -1) {
		target, anchor, _ := strings.Cut(link[1], "#")
		switch {
		case strings.Contains(target, "://"):
			continue
		case target == "":
			target = p.path
		default:
			target = filepath.ToSlash(filepath.Join(filepath.Dir(p.path), target))
		}
		found = append(found, [2]string{target, anchor})
	}
	return found
}

// TestLinks checks that every relative link leads to a file or folder, and every anchor to a heading.
func TestLinks(t *testing.T) {
	t.Parallel()
	links := 0
	for _, one := range pages(t) {
		for _, link := range one.links() {
			links++
			content, err := os.ReadFile(filepath.Join(root, link[0]))
			if info, errInfo := os.Stat(filepath.Join(root, link[0])); err != nil && (errInfo != nil || !info.IsDir()) {
				t.Errorf("%s links to %s, which does not exist", one.path, link[0])
			}
			if link[1] != "" && !slices.Contains(anchors(string(content)), link[1]) {
				t.Errorf("%s links to %s#%s, which is no heading", one.path, link[0], link[1])
			}
		}
	}
	if links < 100 {
		t.Errorf("found only %d links", links)
	}
}

// anchors returns the anchors of a page's headings as GitHub writes them: in small letters, with hyphens for blanks and without punctuation.
func anchors(text string) []string {
	var all []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		plain := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		all = append(all, strings.ReplaceAll(plain, " ", "-"))
	}
	return all
}

// TestEveryPageIsTwoClicksAway checks that a reader of the README finds every page.
func TestEveryPageIsTwoClicksAway(t *testing.T) {
	t.Parallel()
	all := map[string]page{}
	for _, one := range pages(t) {
		all[one.path] = one
	}
	reached := map[string]bool{"README.md": true, "docs/decisions": true}
	for range 2 {
		for path := range reached {
			for _, link := range all[path].links() {
				reached[link[0]] = true
			}
		}
	}
	for path := range all {
		if !reached[path] && !reached[filepath.ToSlash(filepath.Dir(path))] {
			t.Errorf("%s is more than two clicks from README.md: link it in docs/README.md", path)
		}
	}
}

// TestFrontPageIsShort holds the README to what a visitor reads.
func TestFrontPageIsShort(t *testing.T) {
	t.Parallel()
	const most = 130
	text := pages(t)[0].text
	if lines := strings.Count(text, "\n"); lines > most {
		t.Errorf("README.md has %d lines, want at most %d: move reference to docs", lines, most)
	}
}

// fence is a fenced block, with the language after its opening.
type fence struct{ language, text string }

// split returns the prose of a page and its fenced blocks.
func (p page) split() (prose string, blocks []fence) {
	mark := ""
	for line := range strings.Lines(p.text) {
		trimmed := strings.TrimSpace(line)
		switch {
		case mark == "" && strings.HasPrefix(trimmed, "```"):
			language := strings.TrimLeft(trimmed, "`")
			mark = strings.TrimSuffix(trimmed, language)
			blocks = append(blocks, fence{language: language})
		case mark != "" && trimmed == mark:
			mark = ""
		case mark != "":
			blocks[len(blocks)-1].text += line
		default:
			prose += line
		}
	}
	return prose, blocks
}

// TestBlocksParse checks the syntax of every fenced block that names its language.
func TestBlocksParse(t *testing.T) {
	t.Parallel()
	parsers := map[string]func(text string) error{
		"yaml": func(text string) error { return yaml.Unmarshal([]byte(text), new(yaml.Node)) },
		"json": func(text string) error { return json.Unmarshal([]byte(text), new(any)) },
		"go":   parseGo,
		"sh": func(text string) error {
			check := exec.CommandContext(t.Context(), "bash", "-n")
			check.Stdin = strings.NewReader(text)
			return check.Run()
		},
	}
	known := []string{"", "text", "diff"}
	parsed := map[string]int{}
	for _, one := range pages(t) {
		_, blocks := one.split()
		for _, block := range blocks {
			parse := parsers[block.language]
			if parse == nil {
				if !slices.Contains(known, block.language) {
					t.Errorf("%s has a block of the language %q: no parser checks it", one.path, block.language)
				}
				continue
			}
			parsed[block.language]++
			if err := parse(block.text); err != nil {
				t.Errorf("%s: %s: %v\n%s", one.path, block.language, err, block.text)
			}
		}
	}
	for language := range parsers {
		if parsed[language] < 5 {
			t.Errorf("parsed only %d blocks of %s", parsed[language], language)
		}
	}
}

// parseGo parses a file, statements, or fields of a struct.
func parseGo(text string) error {
	_, err := format.Source([]byte(text))
	if err != nil {
		_, err = format.Source([]byte("x = T{\n" + text + "\n}"))
	}
	return err
}

// code returns the lines of the page's blocks and its code spans: what a reader may type.
func (p page) code() []string {
	var all []string
	prose, blocks := p.split()
	for _, block := range blocks {
		all = append(all, strings.Split(strings.ReplaceAll(block.text, "\\\n", " "), "\n")...)
	}
	for _, span := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(prose, -1) {
		all = append(all, strings.Join(strings.Fields(span[1]), " "))
	}
	return all
}

var (
	makeCommand = regexp.MustCompile(`^(?:env )?make ((?:[a-z-]+|[A-Z]+=(?:"[^"]*"|'[^']*'|[^ ]*)| )+)`)
	makeOption  = regexp.MustCompile(`([A-Z]+)=(?:"[^"]*"|'[^']*'|[^ ]*)`)
)

// TestMakeTargets checks that every make target that a page names exists and reads the options beside it.
func TestMakeTargets(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	makefile := string(content)
	readers := func(option string) []string {
		_, after, _ := strings.Cut(makefile, "\n"+option+".for := ")
		line, _, _ := strings.Cut(after, "\n")
		return strings.Fields(line)
	}
	found := 0
	for _, one := range pages(t) {
		for _, line := range one.code() {
			command := makeCommand.FindStringSubmatch(line)
			if command == nil {
				continue
			}
			targets := strings.Fields(makeOption.ReplaceAllString(command[1], ""))
			for _, target := range targets {
				found++
				if !strings.Contains(makefile, "\n"+target+":") {
					t.Errorf("%s: %q names %s, which is no target", one.path, line, target)
				}
			}
			for _, option := range makeOption.FindAllStringSubmatch(command[1], -1) {
				reads := func(target string) bool { return slices.Contains(readers(option[1]), target) }
				if option[1] != "PYTHON" && !slices.ContainsFunc(targets, reads) {
					t.Errorf("%s: %q: none of its targets reads %s", one.path, line, option[1])
				}
			}
		}
	}
	if found < 25 {
		t.Errorf("found only %d targets", found)
	}
}
