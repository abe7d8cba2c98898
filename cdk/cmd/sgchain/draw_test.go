package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const chainTemplate = "../../../template/chain.json"

func TestDrawRefusesWhatHasNoEffect(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"":                            "there is nothing to draw",
		"a.yaml --vpc vpc-1":          "--vpc draws a whole VPC",
		"--before a.yaml":             "Name the template as well",
		"a.yaml --before b --stack S": "compared with one thing",
		"--stack Shop -p A=b":         "-p gives parameters to a template",
		"a.yaml --account 1":          "--account is for --vpc",
		"a.yaml --region eu-west-1":   "a template needs no account",
		chainTemplate + " -p Prt=1":   "no template has the parameter Prt",
		"a.yaml --stack=":             "--stack is empty",
		"a.yaml --format gif":         `--format is "gif": use text, mermaid, dot, svg, html`,
		"a.yaml --output a.pdf":       "the name a.pdf tells no format",
		"none.yaml":                   "reading the template",
		"main.go":                     "main.go",
	} {
		code, out, complaints := said(t, append([]string{"draw"}, strings.Fields(line)...)...)
		if code != 2 || out != "" || !strings.Contains(complaints, want) {
			t.Errorf("sgchain draw %s: code %d, output %q, error %q, want 2 and one that says %q", line, code, out, complaints, want)
		}
	}
	if code, _, complaints := said(t, "draw", chainTemplate, "--chain", "Other"); code != 1 || !strings.Contains(complaints, "has no chain Other. Its chains are Chain") {
		t.Errorf("another chain: code %d, %q", code, complaints)
	}
}

// TestDrawWritesWhatTheNameSays: the output's name tells the format, unless --format does.
func TestDrawWritesWhatTheNameSays(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{
		"a.svg": "<svg", "a.HTML": "<!doctype html>", "a.dot": "digraph", "a.gv": "digraph", "a.mmd": "flowchart td", "a.txt": chainTemplate,
		"a.bin --format svg": "<svg",
	} {
		words := strings.Fields(name)
		words[0] = filepath.Join(t.TempDir(), words[0])
		code, out, complaints := said(t, append([]string{"draw", chainTemplate, "--output"}, words...)...)
		text, err := os.ReadFile(words[0])
		if code != 0 || out != "" || err != nil || !strings.HasPrefix(strings.ToLower(string(text)), begin) {
			t.Errorf("%s: code %d, %s%s, %v: %.60s", name, code, out, complaints, err, text)
		}
	}
	text, err := os.ReadFile(chainTemplate)
	if err != nil {
		t.Fatal(err)
	}
	code, out, complaints := saidWith(t, string(text), "draw", "-", "-p", "AlbPorts=8443")
	if want := "internet\n   |  tcp 8443\n   v\n[Alb] ALB-SG\n"; code != 0 || !strings.Contains(out, want) || !strings.HasPrefix(out, "standard input\n") {
		t.Errorf("standard input: code %d, %s%s, want %s", code, out, complaints, want)
	}
}
