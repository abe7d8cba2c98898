package lint_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sgchain/cdk/internal/lint"
	"sgchain/cdk/internal/template"
)

const page = "../../../docs/lint.md"

// section compares the text between two marks of the page with a text, or writes it.
func section(t *testing.T, name, want string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->\n"
	before, rest, foundBegin := strings.Cut(string(text), begin)
	got, after, foundEnd := strings.Cut(rest, end)
	if !foundBegin || !foundEnd {
		t.Fatalf("the page lacks the marks of %s", name)
	}
	want = "\n" + want + "\n"
	if got == want {
		return
	}
	if !*update {
		t.Errorf("%s: got\n%s\nwant\n%s\n(go test -run TestPage ./cdk/internal/lint -update writes it)", name, got, want)
		return
	}
	if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

// cfnLint returns what cfn-lint 1.58.0 reports for the templates of testdata/broken. TestCfnLint
// checks it against cfn-lint.
func cfnLint() [][3]string {
	const nothing = "nothing"
	return [][3]string{
		{"misspelled-ports.yaml", "`Prots` instead of `Ports`", nothing},
		{"wrong-attribute.yaml", "`!GetAtt Chain.WebSecurityGroupID`", nothing},
		{"attribute-in-sub.yaml", "the same in `Fn::Sub` of user data", nothing},
		{"ref-in-outputs.yaml", "`!Ref Chain` as a security group", nothing},
		{"timeout-missing.yaml", "no `ServiceTimeout`", nothing},
		{"timeout-short.json", "`ServiceTimeout` of 60 or 7200, or a text", "the text is no integer (E3012)"},
		{"service-token.yaml", "`ServiceToken` is missing, empty, or a function's name", "it is missing (E3003)"},
		{"empty-list-from-parameter.yaml", "a parameter's empty list as `Sources`", nothing},
		{"empty-sources.yaml", "`Sources: []`", nothing},
		{"list-in-a-list.yaml", "`[!Ref Ports]` of a list", nothing},
		{"port-70000.yaml", "port 70000", nothing},
		{"security-group-typos.yaml", "`vpc_0123...`, `sg_0123...` and other misspelled IDs", nothing},
		{"two-chains-one-name.yaml", "two chains with one `GroupName`", nothing},
		{"two-default-chains.json", "two default chains in one VPC", nothing},
		{"tags.yaml", "reserved keys, and too many tags", nothing},
		{"tiers-text-duplicate-key.json", "`Tiers` as text with a key twice", nothing},
		{"tiers-text-trailing-comma.yaml", "`Tiers` as text with a trailing comma", nothing},
		{"duplicate-key.yaml", "a key twice in YAML", "it occurs twice (E0000)"},
		{"ports-beside-the-tier.yaml", "`Ports` indented beside the tier", nothing},
		{"broken-branch.yaml", "a broken branch of `!If`", nothing},
		{"foreign-rule.yaml", "`AWS::EC2::SecurityGroupIngress` on a chain's group", nothing},
		{"moved-from.yaml", "`MovedFrom` with an existing chain", nothing},
		{"guardrails.yaml", "SSH open to the world", nothing},
		{"no-values.yaml", "`Ports:` without a value", nothing},
		{"almost-the-type.yaml", "a misspelled resource type", nothing},
		{"retained.yaml", "`UpdateReplacePolicy: Retain`", nothing},
	}
}

func TestPageListsRules(t *testing.T) { //nolint:paralleltest // writes the page with -update
	var rows strings.Builder
	rows.WriteString("| rule | severity | finds | what to do |\n|---|---|---|---|\n")
	for _, rule := range lint.Rules() {
		fmt.Fprintf(&rows, "| `%s` | %s | %s | %s |\n", rule.ID, rule.Severity, rule.Finds, strings.ReplaceAll(rule.Remedy, "<", `\<`))
	}
	section(t, "rules", rows.String())
}

func TestPageComparesLinters(t *testing.T) { //nolint:paralleltest // writes the page with -update
	var rows strings.Builder
	rows.WriteString("| mistake | `cfn-lint` reports | `sgchain lint` reports |\n|---|---|---|\n")
	for _, row := range cfnLint() {
		findings := findingsOf(t, filepath.Join("testdata/broken", row[0]), template.Values{})
		if len(findings) == 0 {
			t.Fatalf("%s has no findings", row[0])
		}
		first := findings[max(0, slices.IndexFunc(findings, func(finding lint.Finding) bool { return finding.Severity == lint.Error }))]
		fmt.Fprintf(&rows, "| %s | %s | `%s` |\n", row[1], row[2], strings.ReplaceAll(first.Message, "|", `\|`)+" ["+first.Rule+"]")
	}
	section(t, "beside", rows.String())
}

// TestPageBeginsWithOutput checks that the first screen shows the command's output.
func TestPageBeginsWithOutput(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	want := asText(t, findingsOf(t, "testdata/broken/misspelled-ports.yaml", template.Values{}))
	if !strings.Contains(string(text), "lint misspelled-ports.yaml\n"+want) {
		t.Errorf("the page lacks\n%s", want)
	}
}

// TestCfnLint runs the cfn-lint of the variable CFN_LINT on the templates of the page.
func TestCfnLint(t *testing.T) {
	t.Parallel()
	command := os.Getenv("CFN_LINT") //nolint:forbidigo // cfn-lint is another project's, and takes a minute
	if command == "" {
		t.Skip("CFN_LINT names no cfn-lint")
	}
	rule := regexp.MustCompile(`\b[EWI][0-9]{4}\b`)
	for _, row := range cfnLint() {
		output, err := exec.CommandContext(t.Context(), command, "--regions", "eu-central-1", "--", filepath.Join("testdata/broken", row[0])).CombinedOutput()
		if _, isExit := errors.AsType[*exec.ExitError](err); err != nil && !isExit {
			t.Fatal(err)
		}
		got, want := rule.FindAllString(string(output), -1), rule.FindAllString(row[2], -1)
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v\n%s", row[0], got, want, output)
		}
	}
}

// TestPageIsNarrow checks that the page has lines of at most 100 columns, except for tables.
func TestPageIsNarrow(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		if len([]rune(line)) > 100 && !strings.HasPrefix(line, "|") {
			t.Errorf("line %d has %d columns", i+1, len([]rune(line)))
		}
	}
}
