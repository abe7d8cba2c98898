package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const chainTemplate = "../../../template/chain.json"

func TestDrawRefusesFlagsWithoutEffect(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"":                            "nothing to draw",
		"a.yaml --vpc vpc-1":          "--vpc draws a whole VPC",
		"--before a.yaml":             "name the template as well",
		"a.yaml --before b --stack S": "--before and --stack exclude each other",
		"--stack Shop -p A=b":         "-p sets parameters of a template",
		"a.yaml --account 1":          "--account is only for --vpc",
		"a.yaml --region eu-west-1":   "a template needs no account",
		chainTemplate + " -p Prt=1":   "no template has the parameter Prt",
		"a.yaml --stack=":             "--stack is empty",
		"a.yaml --format gif":         `--format is "gif"; use text, mermaid, dot, svg, html`,
		"a.yaml --output a.pdf":       "a.pdf has no extension of a format",
		"none.yaml":                   "reading the template",
		"main.go":                     "main.go",
	} {
		code, out, complaints := runCommand(t, append([]string{"draw"}, strings.Fields(line)...)...)
		if code != 2 || out != "" || !strings.Contains(complaints, want) {
			t.Errorf("sgchain draw %s: code %d, output %q, error %q, want 2 and an error with %q", line, code, out, complaints, want)
		}
	}
	if code, _, complaints := runCommand(t, "draw", chainTemplate, "--chain", "Other"); code != 1 || !strings.Contains(complaints, "has no chain Other; use one of Chain") {
		t.Errorf("another chain: code %d, %q", code, complaints)
	}
}

// TestDrawFormatFollowsOutputName checks that the output's name implies the format, unless --format
// names it.
func TestDrawFormatFollowsOutputName(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{
		"a.svg": "<svg", "a.HTML": "<!doctype html>", "a.dot": "digraph", "a.gv": "digraph", "a.mmd": "flowchart td", "a.txt": chainTemplate,
		"a.bin --format svg": "<svg",
	} {
		words := strings.Fields(name)
		words[0] = filepath.Join(t.TempDir(), words[0])
		code, out, complaints := runCommand(t, append([]string{"draw", chainTemplate, "--output"}, words...)...)
		text, err := os.ReadFile(words[0])
		if code != 0 || out != "" || err != nil || !strings.HasPrefix(strings.ToLower(string(text)), begin) {
			t.Errorf("%s: code %d, %s%s, %v: %.60s", name, code, out, complaints, err, text)
		}
	}
	text, err := os.ReadFile(chainTemplate)
	if err != nil {
		t.Fatal(err)
	}
	code, out, complaints := runWithInput(t, string(text), "draw", "-", "-p", "AlbPorts=8443")
	if want := "internet\n   |  tcp 8443\n   v\n[Alb] ALB-SG\n"; code != 0 || !strings.Contains(out, want) || !strings.HasPrefix(out, "standard input\n") {
		t.Errorf("standard input: code %d, %s%s, want %s", code, out, complaints, want)
	}
}
