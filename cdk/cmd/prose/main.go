// Command prose writes the English of this repository as Markdown, for make lint to check with vale.
// That is every page, the comments of the Go code, the literals of the product that read as
// sentences, and the comments of the scripts. Every file keeps its path and its line numbers.
//
//	prose FOLDER
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "prose: want one argument, the folder to write to")
		os.Exit(2)
	}
	if err := write(".", os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "prose:", err)
		os.Exit(1)
	}
}

// write writes the prose of the repository at root to a folder, which it empties first.
func write(root, folder string) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	return filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if skipped(entry.Name(), name) {
				return filepath.SkipDir
			}
			return nil
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		texts, err := prose(filepath.ToSlash(name), string(source))
		if err != nil {
			return err
		}
		for suffix, text := range texts {
			target := filepath.Join(folder, name+suffix)
			if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(target, []byte(text), 0o644); err != nil {
				return err
			}
		}
		return nil
	})
}

// skipped reports whether a folder holds no prose of ours.
func skipped(base, folder string) bool {
	switch base {
	case ".git", "build", "cdk.out", "node_modules", "testdata":
		return true
	}
	return filepath.ToSlash(folder) == ".ci/vale"
}

// prose returns the prose of one file, by the suffix that the name of its target gets. A file of another kind has none.
func prose(name, source string) (map[string]string, error) {
	texts := map[string]string{}
	switch {
	case strings.HasSuffix(name, ".md"):
		texts[""] = source
	case strings.HasSuffix(name, ".go"):
		return goProse(name, source)
	case name == "Makefile", path.Dir(name) == ".ci" && path.Ext(name) == "":
		texts[".comments.md"] = scriptComments(source)
	}
	return texts, nil
}

// page collects text by line.
type page []string

// add adds a line of text. Two texts of one line become two sentences.
func (p page) add(line int, text string) {
	if p[line-1] != "" {
		p[line-1] += ". "
	}
	p[line-1] += text
}

func (p page) text() string { return strings.Join(p, "\n") + "\n" }

// goProse returns the comments of a Go file and, if it is not a test, its messages. Messages are
// the literals of three words or more: errors, logs, help texts, descriptions in templates.
func goProse(name, source string) (map[string]string, error) {
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, name, source, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	lines := strings.Count(source, "\n") + 1
	comments := make(page, lines)
	for _, group := range parsed.Comments {
		for _, comment := range group.List {
			at := files.Position(comment.Pos())
			trailing := strings.TrimSpace(strings.Split(source, "\n")[at.Line-1][:at.Column-1]) != ""
			commentLines(comments, at.Line, comment.Text, trailing)
		}
	}
	texts := map[string]string{".comments.md": comments.text()}
	if strings.HasSuffix(name, "_test.go") {
		return texts, nil
	}
	messages := make(page, lines)
	ast.Inspect(parsed, func(node ast.Node) bool {
		literal, ok := node.(*ast.BasicLit)
		if ok && literal.Kind == token.STRING {
			messageLines(messages, files.Position(literal.Pos()).Line, literal.Value)
		}
		return true
	})
	texts[".messages.md"] = messages.text()
	return texts, nil
}

// directive is a comment for a tool, such as //go:build or //nolint:gosec.
var directive = regexp.MustCompile(`^//([a-z]+:|nolint|line |export )`)

// commentLines adds a comment. Indented lines are code, as in go doc, and are left out. A comment
// behind code is an item of a list, so that it does not run into the one of the next line.
func commentLines(comments page, line int, text string, trailing bool) {
	if directive.MatchString(text) {
		return
	}
	text = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(text, "//"), "/*"), "*/")
	for i, one := range strings.Split(text, "\n") {
		one = strings.TrimPrefix(one, " ")
		switch {
		case strings.HasPrefix(one, "\t") || strings.HasPrefix(one, "  "):
			continue
		case trailing:
			one = "- " + one
		}
		comments.add(line+i, escaped(strings.TrimSpace(one)))
	}
}

// words are at least three words of letters in a row.
var words = regexp.MustCompile(`[A-Za-z]{2,}[,;:]? [a-z]+[,;:]? [A-Za-z]{2,}`)

// messageLines adds a literal that reads as a sentence, as an item of a list.
func messageLines(messages page, line int, quoted string) {
	text, err := strconv.Unquote(quoted)
	if err != nil || !words.MatchString(text) {
		return
	}
	for i, one := range strings.Split(text, "\n") {
		if quoted[0] != '`' {
			i = 0 // the escape \n starts no line of the source
		}
		if strings.TrimSpace(one) != "" {
			messages.add(line+i, "- "+escaped(strings.TrimSpace(one)))
		}
	}
}

// escaped keeps what Markdown would read as markup as text.
func escaped(text string) string {
	return strings.NewReplacer("`", "'", "<", "(", ">", ")", "_", " ", "*", " ", "[", "(", "]", ")").Replace(text)
}

var scriptComment = regexp.MustCompile(`(?:^|\s)##? (.*)$`)

// scriptComments returns the comments of a shell script or a Makefile.
func scriptComments(source string) string {
	lines := strings.Split(source, "\n")
	comments := make(page, len(lines))
	for i, line := range lines {
		if found := scriptComment.FindStringSubmatch(line); found != nil {
			text := found[1]
			if !strings.HasPrefix(line, "#") {
				text = "- " + text
			}
			comments.add(i+1, escaped(text))
		}
	}
	return comments.text()
}
