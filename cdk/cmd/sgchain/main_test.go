package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// runCommand runs a command line without a terminal and without an account.
func runCommand(t *testing.T, arguments ...string) (code int, out, complaints string) {
	t.Helper()
	return runWithInput(t, "", arguments...)
}

// runWithInput is runCommand with standard input.
func runWithInput(t *testing.T, in string, arguments ...string) (code int, out, complaints string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), environment{in: strings.NewReader(in), out: &stdout, err: &stderr, getenv: func(string) string { return "" }}, arguments)
	return code, stdout.String(), stderr.String()
}

// commands returns every command that a user may type, the root first.
func commands(root *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{root}
	for _, one := range root.Commands() {
		if one.IsAvailableCommand() {
			all = append(all, commands(one)...)
		}
	}
	return all
}

// TestHelpFitsATerminal checks that every command has a description, its usage and an example, in
// lines of at most 90 columns.
func TestHelpFitsATerminal(t *testing.T) {
	t.Parallel()
	all := commands(newRoot(environment{}))
	if len(all) < 5 {
		t.Fatalf("found only %d commands", len(all))
	}
	for _, one := range all {
		if one.Short == "" || one.Long == "" || (one.HasParent() && one.Example == "") {
			t.Errorf("%s lacks a short text, a long one or an example", one.CommandPath())
		}
		for line := range strings.Lines(one.Long + "\n" + one.Example) {
			if len(line) > 91 {
				t.Errorf("%s: a line of its help has %d columns: %s", one.CommandPath(), len(line), line)
			}
		}
		path := strings.Fields(one.CommandPath())[1:]
		code, out, complaints := runCommand(t, append(path, "--help")...)
		if code != 0 || complaints != "" || !strings.Contains(out, "Usage:") || strings.Contains(out, "\x1b") {
			t.Errorf("%s --help: code %d, %q, %q", one.CommandPath(), code, out, complaints)
		}
	}
}

func TestUnknownArgumentsExitWithTwo(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"lnit":                `unknown command "lnit"`,
		"bundle --arch riscv": `architecture "riscv" is not known`,
		"bundle --arhc arm64": "unknown flag: --arhc",
		"bundle x":            "unknown command",
		"publish --bucket A.b --regions eu-central-1": `bucket "A.b"`,
		"publish --regions mars":                      "the bucket is missing",
	} {
		code, out, complaints := runCommand(t, strings.Fields(line)...)
		if code == 0 || out != "" || !strings.HasPrefix(complaints, "sgchain: ") || !strings.Contains(complaints, want) {
			t.Errorf("sgchain %s: code %d, output %q, error %q, want an error with %q", line, code, out, complaints, want)
		}
	}
}

// TestPlanFailureExitsWithOne checks that no error exits with 2: with --detailed-exitcode, 2 means
// changes.
func TestPlanFailureExitsWithOne(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"plan":                              "the stack is missing",
		"plan Shop Other":                   "2 stacks are named",
		"plan Shop --foramt json":           "unknown flag: --foramt",
		"plan Shop --format yaml":           `--format is "yaml"; use text, json, mermaid`,
		"plan Shop -p A=b":                  "add -f, or remove -p",
		"plan Shop --file=":                 "--file is empty; give it a value",
		"plan Shop --tiers=":                "--tiers is empty; give it a value",
		"check Shop --chain=":               "--chain is empty; give it a value",
		"plan Shop -f none.yaml":            "reading the template",
		"plan Shop -f main_test.go -p A":    "is not of the form Key=Value",
		"plan Shop -f x -p A=1 -p A=2":      "--parameter A occurs twice",
		"check Shop --tiers []":             "unknown flag: --tiers",
		"check --detailed-exitcode":         "the stack is missing",
		"check Shop --format mermaid":       `--format is "mermaid"; use text, json`,
		"check Shop --detailed-exitcode -f": "unknown shorthand flag",
	} {
		code, out, complaints := runCommand(t, strings.Fields(line)...)
		if code != 1 || out != "" || !strings.Contains(complaints, want) {
			t.Errorf("sgchain %s: code %d, output %q, error %q, want 1 and an error with %q", line, code, out, complaints, want)
		}
	}
}

// TestCompletions checks that the scripts exist, that bash can read its own, and that the words of
// a flag are offered.
func TestCompletions(t *testing.T) {
	t.Parallel()
	for shell, word := range map[string]string{"bash": "complete -o default", "zsh": "#compdef sgchain", "fish": "complete -c sgchain"} {
		code, script, complaints := runCommand(t, "completion", shell)
		if code != 0 || !strings.Contains(script, word) {
			t.Errorf("%s: code %d, %s", shell, code, complaints)
		}
		interpreter, err := exec.LookPath(shell)
		if err != nil {
			continue // few machines have it, and the script is the library's
		}
		path := filepath.Join(t.TempDir(), "completion")
		if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
		if output, err := exec.CommandContext(t.Context(), interpreter, "-n", path).CombinedOutput(); err != nil {
			t.Errorf("%s cannot read its script: %v: %s", shell, err, output)
		}
	}
	_, offered, _ := runCommand(t, "__complete", "plan", "Shop", "--format", "")
	if want := "text\njson\nmermaid\n"; !strings.HasPrefix(offered, want) {
		t.Errorf("offered %q, want %q", offered, want)
	}
}

const page = "../../../docs/sgchain.md"

// TestCommandPage checks that docs/sgchain.md has the help of every command. UPDATE_DOCS=1 writes
// it.
func TestCommandPage(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString(pageHead)
	for _, one := range commands(newRoot(environment{}))[1:] {
		if one.Name() == "completion" || (one.HasParent() && one.Parent().Name() == "completion") || one.Name() == "help" {
			continue
		}
		fmt.Fprintf(&text, "\n## %s\n\n%s.\n\n```\n", one.Name(), one.Short)
		_, help, _ := runCommand(t, one.Name(), "--help")
		text.WriteString(strings.TrimRight(help, "\n") + "\n```\n")
	}
	if os.Getenv("UPDATE_DOCS") != "" {
		if err := os.WriteFile(page, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	is, err := os.ReadFile(page)
	if err != nil || string(is) != text.String() {
		t.Errorf("docs/sgchain.md does not have the help of the commands (%v): UPDATE_DOCS=1 go test -run TestCommandPage ./cdk/cmd/sgchain", err)
	}
}

const pageHead = `# The command sgchain

` + "```" + `
go install ./cdk/cmd/sgchain       # or: make sgchain, which writes build/sgchain
sgchain lint template.yaml
` + "```" + `

You need no account for ` + "`lint`, `schema` and `bundle`" + `, or to draw a template. The other commands
read credentials and the Region as the AWS CLI does: from the environment, a profile or single
sign-on. You can pipe the output of every command. A command that takes longer than two seconds
writes its progress to standard error. Colors appear only on a terminal, and never with ` + "`NO_COLOR`" + `.

` + "`sgchain completion bash|zsh|fish`" + ` prints a script that completes commands and flags:

` + "```" + `
source <(sgchain completion bash)
sgchain completion zsh >"${fpath[1]}/_sgchain"
sgchain completion fish >~/.config/fish/completions/sgchain.fish
` + "```" + `

In an app of your own, which has its module as a requirement, ` + "`go get -tool sgchain/cdk/cmd/sgchain`" + `
makes it ` + "`go tool sgchain`" + `.
`
