package lint_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sgchain/cdk/internal/lint"
	"sgchain/cdk/internal/release"
	"sgchain/cdk/internal/template"
	"sgchain/cdk/internal/terminal"
)

var update = flag.Bool("update", false, "write the goldens again")

// findingsOf lints one file.
func findingsOf(tb testing.TB, name string, values template.Values) []lint.Finding {
	tb.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return lintText(tb, filepath.Base(name), string(text), values)
}

func lintText(tb testing.TB, name, text string, values template.Values) []lint.Finding {
	tb.Helper()
	read, err := template.Read(name, []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return lint.Lint(read, values)
}

func asText(tb testing.TB, findings []lint.Finding) string {
	tb.Helper()
	var text bytes.Buffer
	if err := lint.WriteText(&text, findings, terminal.Style{}); err != nil {
		tb.Fatal(err)
	}
	return text.String()
}

// files returns the templates of a folder, and requires a minimum number.
func files(tb testing.TB, pattern string, least int) []string {
	tb.Helper()
	var found []string
	for _, ending := range []string{"json", "yaml"} {
		more, err := filepath.Glob(filepath.Join(pattern, "*."+ending))
		if err != nil {
			tb.Fatal(err)
		}
		found = append(found, more...)
	}
	if len(found) < least {
		tb.Fatalf("%s has only %d templates", pattern, len(found))
	}
	return found
}

// TestBrokenTemplates compares the findings of each template of testdata/broken with the golden
// file of that template.
func TestBrokenTemplates(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for _, name := range files(t, "testdata/broken", 27) {
		findings := findingsOf(t, name, template.Values{})
		for _, finding := range findings {
			found[finding.Rule] = true
		}
		got, golden := asText(t, findings), name+".txt"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) || got == "" {
			t.Errorf("%s: got\n%swant\n%s", name, got, want)
		}
	}
	for _, rule := range lint.Rules() {
		if !found[rule.ID] {
			t.Errorf("no template breaks %s", rule.ID)
		}
	}
}

func TestValidTemplates(t *testing.T) {
	t.Parallel()
	names := files(t, "testdata/valid", 40)
	for _, name := range release.Templates() {
		names = append(names, filepath.Join("..", "..", "..", release.Folder, name))
	}
	for _, name := range names {
		if got := asText(t, findingsOf(t, name, template.Values{})); got != "" {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}

// TestGivenParametersDecideConditions checks that a branch that the given parameters exclude has no
// findings.
func TestGivenParametersDecideConditions(t *testing.T) {
	t.Parallel()
	name := "testdata/broken/broken-branch.yaml"
	if got := findingsOf(t, name, template.Values{Parameters: map[string]string{"Env": "dev"}}); len(got) > 0 {
		t.Errorf("dev: got %v", got)
	}
	if got := findingsOf(t, name, template.Values{Parameters: map[string]string{"Env": "prod"}}); len(got) != 2 {
		t.Errorf("prod: got %v", got)
	}
}

// TestIgnoredRules checks that a rule is ignored if the chain says so, or the resource that
// contains the finding.
func TestIgnoredRules(t *testing.T) {
	t.Parallel()
	const form = `
Resources:
  Chain:
    Type: Custom::SecurityGroupChain
    Metadata: {sgchain: {ignore: [%s]}}
    Properties: {VpcId: vpc-1, ServiceTimeout: 1020, ServiceToken: !ImportValue T, Tiers: [{Name: Web, Ports: [443]}]}
  Rule:
    Type: AWS::EC2::SecurityGroupIngress
    Metadata: {sgchain: {ignore: [%s]}}
    Properties: {GroupId: !GetAtt Chain.WebSecurityGroupId, IpProtocol: tcp, FromPort: 1, ToPort: 1, CidrIp: 10.0.0.0/8}
`
	for _, c := range []struct {
		chain, rule string
		want        int
	}{{"", "", 1}, {"foreign-rule", "", 0}, {"", "foreign-rule", 0}, {"properties", "ref-of-chain", 1}} {
		if got := lintText(t, "t.yaml", fmt.Sprintf(form, c.chain, c.rule), template.Values{}); len(got) != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}

func TestSuggestedAttributes(t *testing.T) {
	t.Parallel()
	for attribute, want := range map[string]string{
		"WebSecurityGroupID": "WebSecurityGroupId", "websecuritygroupid": "WebSecurityGroupId", "Web": "WebSecurityGroupId", "WebGroup": "WebSecurityGroupId",
		"WebApiGroup": "WebApiSecurityGroupId", "VPCID": "VpcId", "Warning": "Warnings", "SecurityGroupId": "SecurityGroupIds", "Outputs.Web": "",
	} {
		text := "Resources:\n  Chain:\n    Type: Custom::SecurityGroupChain\n    Properties: {VpcId: vpc-1, ServiceTimeout: 1020, ServiceToken: !ImportValue T, Tiers: [{Name: Web, Ports: [443]}, {Name: WebApi, Ports: [80]}]}\nOutputs:\n  O: {Value: !GetAtt Chain." + attribute + "}\n"
		findings := lintText(t, "t.yaml", text, template.Values{})
		if len(findings) != 1 || findings[0].Rule != lint.RuleUnknownAttribute {
			t.Errorf("%s: got %v", attribute, findings)
			continue
		}
		if remedy := findings[0].Remedy; (want != "" && remedy != "Did you mean "+want+"?") || (want == "" && !strings.HasPrefix(remedy, "It has ")) {
			t.Errorf("%s: got %q", attribute, remedy)
		}
	}
}

// TestSamples lints the templates of a folder without chains, such as a clone of
// aws-cloudformation/aws-cloudformation-templates. It expects no findings and no read errors.
func TestSamples(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("SAMPLES") //nolint:forbidigo // the samples belong to another project
	if folder == "" {
		t.Skip("SAMPLES names no folder of templates")
	}
	read, err := lint.Read([]string{folder}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	templates, skipped := 0, 0
	for _, file := range read {
		if file.Skipped != "" {
			skipped++
			t.Logf("skipped %s: %s", file.Name, file.Skipped)
			continue
		}
		templates++
		if findings := lint.Lint(file.Template, template.Values{}); len(findings) > 0 {
			t.Errorf("%s: %v", file.Name, findings)
		}
	}
	t.Logf("%d templates, %d other files", templates, skipped)
	if templates == 0 {
		t.Error("there is no template")
	}
}

func TestReadFolders(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	const chain = "Resources: {Chain: {Type: Custom::SecurityGroupChain}}"
	for name, text := range map[string]string{
		"a.yaml": chain, "b/c.template": chain, "b/d.YML": chain, "e.json": `{"Resources": {"V": {"Type": "AWS::EC2::VPC"}}}`,
		"docker-compose.yml": "services: {}", "chart.yaml": "a: {{ .Values.x }}\nb: {{\n", "list.json": "[1]", "read.txt": chain,
		".git/x.yaml": chain, "node_modules/y.json": "{}", "tsconfig.json": "{ // a comment\n}",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	describe := func(files []lint.File) []string {
		var all []string
		for _, file := range files {
			name, err := filepath.Rel(folder, file.Name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprint(filepath.ToSlash(name), " ", file.Template != nil))
		}
		slices.Sort(all)
		return all
	}
	read, err := lint.Read([]string{filepath.Join(folder, "a.yaml"), folder}, nil, false)
	want := []string{"a.yaml true", "b/c.template true", "b/d.YML true", "chart.yaml false", "docker-compose.yml false", "e.json true", "list.json false", "tsconfig.json false"}
	if got := describe(read); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for name, want := range map[string]string{
		"docker-compose.yml": "is no CloudFormation template", "chart.yaml": "is not valid YAML", "missing.yaml": "no such file", "list.json": "is no CloudFormation template",
	} {
		if _, err := lint.Read([]string{filepath.Join(folder, name)}, nil, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
	read, err = lint.Read([]string{filepath.Join(folder, "docker-compose.yml"), filepath.Join(folder, "a.yaml"), filepath.Join(folder, "chart.yaml")}, nil, true)
	if got := describe(read); err != nil || !slices.Equal(got, []string{"a.yaml true", "chart.yaml false", "docker-compose.yml false"}) {
		t.Errorf("named files that are no templates: got %v, %v", got, err)
	}
	if _, err := lint.Read([]string{filepath.Join(folder, "missing.yaml")}, nil, true); err == nil {
		t.Error("a missing file is skipped")
	}
	if _, err := lint.Read([]string{filepath.Join(folder, "node_modules")}, nil, false); err == nil || !strings.Contains(err.Error(), "contains no CloudFormation template") {
		t.Errorf("a folder without templates: got %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "broken.yaml"), []byte("AWSTemplateFormatVersion: 2010-09-09\n\tx"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := lint.Read([]string{folder}, nil, false); err == nil || !strings.Contains(err.Error(), "broken.yaml:2:1: is not valid YAML") {
		t.Errorf("a broken template: got %v", err)
	}
	read, err = lint.Read([]string{lint.Stdin}, strings.NewReader(chain), false)
	if err != nil || len(read) != 1 || read[0].Name != "<stdin>" {
		t.Errorf("standard input: got %v, %v", read, err)
	}
}

func FuzzLint(f *testing.F) {
	for _, folder := range []string{"testdata/broken", "testdata/valid"} {
		for _, name := range files(f, folder, 1) {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		read, err := template.Read("t.yaml", []byte(text))
		if err != nil {
			return
		}
		for _, finding := range lint.Lint(read, template.Values{}) {
			isKnown := slices.ContainsFunc(lint.Rules(), func(rule lint.Rule) bool { return rule.ID == finding.Rule })
			if !isKnown || finding.Line < 1 || finding.Column < 1 || finding.Message == "" {
				t.Errorf("got %+v", finding)
			}
		}
	})
}

// TestStandInsAreNotSuggested checks that the stand-in of an unknown tier is neither suggested nor
// accepted as an attribute.
func TestStandInsAreNotSuggested(t *testing.T) {
	t.Parallel()
	text := "Resources:\n  Chain:\n    Type: Custom::SecurityGroupChain\n    Properties: {VpcId: vpc-1, ServiceTimeout: 1020, ServiceToken: !ImportValue T, Tiers: !If [Nowhere, [{Name: A}], [{Name: B}]]}\n" +
		"Outputs:\n  O: {Value: !Ref Chain}\n  P: {Value: !GetAtt Chain.Unknown1SecurityGroupId}\n"
	for _, finding := range lintText(t, "t.yaml", text, template.Values{}) {
		if strings.Contains(finding.Message+finding.Remedy, "Unknown1SecurityGroupId") && finding.Rule == lint.RuleRefOfChain {
			t.Errorf("got %+v", finding)
		}
	}
}
