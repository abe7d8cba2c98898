package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sgchain/cdk/internal/lint"
)

const testdata = "../../internal/lint/testdata/"

func TestLintExitCodes(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	compose := filepath.Join(folder, "docker-compose.yml")
	if err := os.WriteFile(compose, []byte("services: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const valid, broken, warned = testdata + "valid/default.yaml", testdata + "broken/misspelled-ports.yaml", testdata + "broken/timeout-missing.yaml"
	for _, c := range []struct {
		arguments []string
		in        string
		code      int
		out, err  string
	}{
		{[]string{valid}, "", 0, "", "1 template with 1 chain: 0 errors, 0 warnings\n"},
		{[]string{broken}, "", 1, "misspelled-ports.yaml:12:11: error: Tiers[0].Prots: unknown property [properties]\n    Did you mean Ports?\n", "1 template with 1 chain: 2 errors, 0 warnings\n"},
		{[]string{warned}, "", 0, "warning: ServiceTimeout", "0 errors, 1 warning\n"},
		{[]string{"--strict", warned}, "", 1, "warning: ServiceTimeout", "0 errors, 1 warning\n"},
		{[]string{"--strict", valid}, "", 0, "", "0 errors, 0 warnings\n"},
		{[]string{testdata + "valid"}, "", 0, "", "0 errors, 0 warnings\n"},
		{[]string{testdata}, "", 1, "misspelled-ports.yaml:12:11", "errors"},
		{[]string{"-"}, `{"Resources": {"C": {"Type": "Custom::SecurityGroupChain"}}}`, 1, "<stdin>:1:16: error: VpcId: is missing", "1 template"},
		{[]string{compose}, "", 2, "", "docker-compose.yml is no CloudFormation template"},
		{[]string{"--skip-others", compose, broken}, "", 1, "misspelled-ports.yaml:12:11", "skipped " + compose + ": is no CloudFormation template\n"},
		{[]string{"--skip-others", compose}, "", 0, "", "0 templates with 0 chains"},
		{[]string{folder}, "", 2, "", "contains no CloudFormation template"},
		{[]string{compose, broken}, "", 2, "misspelled-ports.yaml:12:11", "docker-compose.yml is no CloudFormation template"},
		{[]string{filepath.Join(folder, "missing.yaml")}, "", 2, "", "no such file"},
		{[]string{"-"}, "a: [", 2, "", "sgchain: <stdin>:1:1: is not valid YAML"},
		{nil, "", 2, "", "sgchain: no file to check;"},
		{[]string{"--format", "xml", valid}, "", 2, "", `--format is "xml"; use text, json, sarif`},
		{[]string{"--color", valid}, "", 2, "", "unknown flag"},
		{[]string{"-p", "VpcId", valid}, "", 2, "", `--parameter "VpcId" is not of the form Key=Value`},
		{[]string{"-p", "A=1", "-p", "A=2", valid}, "", 2, "", "--parameter A occurs twice"},
		{[]string{"-p", "Env=prod", valid}, "", 2, "", "no template has the parameter Env"},
		{[]string{"-p", "VpcId=my-vpc", valid}, "", 1, `VpcId: "my-vpc" is not a VPC ID`, "1 error"},
		{[]string{"-p", "VpcId=vpc-1", "--parameter", "Env=dev", testdata + "broken/broken-branch.yaml"}, "", 0, "", "0 errors"},
		{[]string{"--list-rules", valid}, "", 2, "", "--list-rules checks nothing"},
		{[]string{"--list-rules", "--strict"}, "", 2, "", "--list-rules checks nothing"},
		{[]string{"--list-rules", "--format", "json"}, "", 2, "", "--list-rules checks nothing"},
		{[]string{"--help"}, "", 0, "Exit codes: 0", ""},
	} {
		code, out, err := runWithInput(t, c.in, append([]string{"lint"}, c.arguments...)...)
		if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(err, c.err) || (c.out == "" && out != "") {
			t.Errorf("%v: got %d\n%s%s", c.arguments, code, out, err)
		}
	}
}

func TestLintNamesSkippedFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, text := range map[string]string{"compose.yml": "services: {}", "chain.yaml": "Resources: {V: {Type: AWS::EC2::VPC}}"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, out, err := runWithInput(t, "", "lint", folder)
	want := "skipped " + filepath.Join(folder, "compose.yml") + ": is no CloudFormation template\n1 template with 0 chains: 0 errors, 0 warnings\n"
	if code != 0 || out != "" || err != want {
		t.Errorf("got %d\n%s%s", code, out, err)
	}
}

func TestLintFormats(t *testing.T) {
	t.Parallel()
	code, out, _ := runWithInput(t, "", "lint", "--format", "json", testdata+"broken")
	var read struct{ Findings []lint.Finding }
	if err := json.Unmarshal([]byte(out), &read); err != nil || code != 1 || len(read.Findings) < 50 {
		t.Errorf("json: got %d, %d findings, %v", code, len(read.Findings), err)
	}
	code, out, _ = runWithInput(t, "", "lint", "--format", "sarif", testdata+"broken/misspelled-ports.yaml")
	if code != 1 || !strings.Contains(out, `"version": "2.1.0"`) || !strings.HasSuffix(out, "}\n") {
		t.Errorf("sarif: got %d\n%s", code, out)
	}
	code, out, _ = runWithInput(t, "", "lint", "--format", "sarif", testdata+"valid/default.yaml")
	if code != 0 || !strings.Contains(out, `"results": []`) {
		t.Errorf("sarif without findings: got %d\n%s", code, out)
	}
}

func TestLintListsRules(t *testing.T) {
	t.Parallel()
	code, out, _ := runWithInput(t, "", "lint", "--list-rules")
	if code != 0 || strings.Count(out, "\n") != len(lint.Rules()) {
		t.Errorf("got %d\n%s", code, out)
	}
	for _, rule := range lint.Rules() {
		if !strings.Contains(out, rule.ID+" ") || !strings.Contains(out, rule.Finds) {
			t.Errorf("%s is missing", rule.ID)
		}
	}
}
