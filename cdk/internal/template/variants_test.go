package template_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sgchain/cdk/internal/template"
)

// outcomes returns the values of the property X in all variants.
func outcomes(t *testing.T, conditions, value string, values template.Values) []string {
	t.Helper()
	read := read(t, "t.yaml", conditions+"\nResources:\n  Chain:\n    Type: Custom::SecurityGroupChain\n    Condition: Always\n    Properties:\n      X: "+value+"\n")
	var all []string
	for _, variant := range read.Variants(values, 16, read.Chains()[0]) {
		text := fmt.Sprint(variant[0].Properties["X"])
		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}

func TestVariants(t *testing.T) {
	t.Parallel()
	const head = `
Parameters:
  Env: {Type: String, Default: dev}
  Size: {Type: String, Default: s, AllowedValues: [s, m]}
  Vpc: {Type: String, Default: ""}
  Free: {Type: String}
Mappings: {M: {dev: {big: "no"}, prod: {big: "yes"}}}
Conditions:
  Prod: !Equals [!Ref Env, prod]
  Test: !Equals [test, !Ref Env]
  Small: !Equals [!Ref Size, s]
  Medium: !Equals [!Ref Size, m]
  NewVpc: !Equals [!Ref Vpc, ""]
  HasVpc: !Not [Condition: NewVpc]
  Joined: !Equals [!Join ["-", [!Ref Env, !Ref Vpc]], "dev-"]
  Mapped: !Equals [!FindInMap [M, !Ref Env, big], "yes"]
  Europe: !Equals [!Ref AWS::Region, eu-west-1]
  Freed: !Equals [!Ref Free, x]
  Same: !Equals [!Ref Free, !Ref Env]
  Constant: !Equals [a, a]
`
	for _, c := range []struct{ value, want string }{
		{`!If [Prod, a, b]`, "b a"},
		{`!If [Prod, !If [Test, never, a], !If [Test, t, b]]`, "b a t"},
		{`!If [Small, a, !If [Medium, b, never]]`, "a b"},
		{`!If [HasVpc, !Ref Vpc, new]`, "new !Ref Vpc"},
		{`!If [NewVpc, !If [HasVpc, never, new], !Ref Vpc]`, "new !Ref Vpc"},
		{`!If [Joined, !Ref Vpc, !Sub "${Vpc}"]`, " !Sub ${Vpc}"},
		{`!If [Prod, !If [Mapped, a, never], !If [Mapped, never, b]]`, "b a"},
		{`!If [Europe, !Ref AWS::Region, other]`, "other eu-west-1"},
		{`!If [Freed, !Ref Free, !Ref Free]`, "!Ref Free x"},
		{`!If [Same, a, b]`, "a b"},
		{`!If [Constant, a, never]`, "a"},
		{`!If [Nowhere, a, b]`, "!If [Nowhere, a, b]"},
	} {
		if got := strings.Join(outcomes(t, head, c.value, template.Values{}), " "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.value, got, c.want)
		}
	}
	given := template.Values{Parameters: map[string]string{"Env": "prod", "Vpc": "vpc-1"}}
	for value, want := range map[string]string{
		`!If [Prod, a, b]`: "a", `!If [HasVpc, !Ref Vpc, new]`: "vpc-1", `!If [Mapped, a, b]`: "a", `!If [Joined, a, b]`: "b",
	} {
		if got := strings.Join(outcomes(t, head, value, given), " "); got != want {
			t.Errorf("%s with values: got %q, want %q", value, got, want)
		}
	}
}

// TestVariantsRespectResourceCondition checks that a resource with a condition has only variants in
// which that is true.
func TestVariantsRespectResourceCondition(t *testing.T) {
	t.Parallel()
	head := "Parameters: {Vpc: {Type: String, Default: ''}}\nConditions:\n  Always: !Not [!Equals [!Ref Vpc, '']]\n"
	if got := strings.Join(outcomes(t, head, `!Ref Vpc`, template.Values{}), "|"); got != "!Ref Vpc" {
		t.Errorf("got %q", got)
	}
	head = "Conditions:\n  Always: !Equals [a, b]\n"
	if got := outcomes(t, head, `a`, template.Values{}); len(got) > 0 {
		t.Errorf("a resource that never exists: got %q", got)
	}
}

func TestVariantsOfSeveralResources(t *testing.T) {
	t.Parallel()
	read := read(t, "t.yaml", `
Parameters: {A: {Type: String, Default: ""}, B: {Type: String, Default: ""}}
Conditions:
  One: !Equals [!Ref A, "1"]
  Two: !Not [Condition: One]
  Three: !Equals [!Ref B, "1"]
Resources:
  One: {Type: Custom::SecurityGroupChain, Condition: One}
  Two: {Type: Custom::SecurityGroupChain, Condition: Two}
  Three: {Type: Custom::SecurityGroupChain, Condition: Three}
`)
	chains := read.Chains()
	if got := read.Variants(template.Values{}, 16, chains[0], chains[1]); len(got) > 0 {
		t.Errorf("resources that exclude each other: got %v", got)
	}
	if got := read.Variants(template.Values{}, 16, chains[0], chains[2]); len(got) != 1 || len(got[0]) != 2 {
		t.Errorf("got %v", got)
	}
}

// TestVariantsAreBounded checks that many conditions give at most the requested number of variants,
// the likely ones first.
func TestVariantsAreBounded(t *testing.T) {
	t.Parallel()
	head, value := "Parameters:\n", "["
	for i := range 40 {
		head += fmt.Sprintf("  P%d: {Type: String, Default: a}\n", i)
	}
	head += "Conditions:\n"
	for i := range 40 {
		head += fmt.Sprintf("  C%d: !Equals [!Ref P%d, b]\n", i, i)
		value += fmt.Sprintf("!If [C%d, 1, 0], ", i)
	}
	got := outcomes(t, head, value+"0]", template.Values{})
	if len(got) != 16 || strings.Contains(got[0], "1") {
		t.Errorf("got %d: %v", len(got), got)
	}
	for _, one := range got[1:] {
		if strings.Count(one, "1") != 1 {
			t.Errorf("got %s", one)
		}
	}
}

// TestConditionsAreEvaluatedOnce checks that each condition is evaluated once under an assumption,
// however many others use it. Otherwise this test would not end.
func TestConditionsAreEvaluatedOnce(t *testing.T) {
	t.Parallel()
	const count = 45
	head := "Parameters: {P: {Type: String}}\nConditions:\n  Always: !Equals [!If [C0, a, b], a]\n"
	for i := range count {
		head += fmt.Sprintf("  C%d: !Equals [!If [C%d, a, b], !If [C%d, a, b]]\n", i, i+1, i+2)
	}
	head += fmt.Sprintf("  C%d: !Equals [!Ref P, x]\n  C%d: !Equals [!Ref P, y]\n", count, count+1)
	if got := strings.Join(outcomes(t, head, `!If [C0, a, b]`, template.Values{}), " "); got != "a" {
		t.Errorf("got %q", got)
	}
}

// TestGrowingTextsAreUnknown checks that a text longer than any template is unknown, and that each
// variable of an Fn::Sub is evaluated once. Otherwise this test would not end.
func TestGrowingTextsAreUnknown(t *testing.T) {
	t.Parallel()
	inner := "a"
	for range 30 {
		inner = `!Sub ["${a}${a}", {a: ` + inner + `}]`
	}
	for _, value := range []string{inner, `!Join ["` + strings.Repeat("x", 1000) + `", [` + strings.Repeat("a, ", 5000) + `a]]`} {
		text := "Resources:\n  Chain:\n    Type: Custom::SecurityGroupChain\n    Properties: {X: " + value + "}\n"
		read := read(t, "t.yaml", text)
		if _, unknown := read.Properties(read.Chains()[0], template.Values{}); len(unknown) != 1 {
			t.Errorf("%.40s: got %v", value, unknown)
		}
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	read := read(t, "t.yaml", `
Resources:
  A:
    Type: AWS::EC2::Instance
    Properties:
      UserData: {"Fn::Base64": !Sub ["${Chain.WebSecurityGroupId} ${x} ${!Chain.y} ${AWS::Region} ${Chain}", {x: !GetAtt Chain.VpcId}]}
      Groups: [!GetAtt Chain.A.B, {"Fn::GetAtt": [Chain, !Ref Name]}, {"Fn::GetAtt": Chain.C}]
Outputs:
  Alb: {Value: !Ref Chain}
`)
	var got []string
	for _, one := range read.References() {
		got = append(got, one.Function+" "+one.LogicalID+" "+one.Attribute+" "+one.Path)
	}
	want := []string{
		"Fn::Sub Chain WebSecurityGroupId Resources.A.Properties.UserData.Fn::Base64",
		"Fn::Sub AWS::Region  Resources.A.Properties.UserData.Fn::Base64",
		"Fn::Sub Chain  Resources.A.Properties.UserData.Fn::Base64",
		"Fn::GetAtt Chain VpcId Resources.A.Properties.UserData.Fn::Base64.Fn::Sub[1].x",
		"Fn::GetAtt Chain A.B Resources.A.Properties.Groups[0]",
		"Ref Name  Resources.A.Properties.Groups[1].Fn::GetAtt[1]",
		"Fn::GetAtt Chain C Resources.A.Properties.Groups[2]",
		"Ref Chain  Outputs.Alb.Value",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		placed, parameters, "a: &a [*a]", "<<: [{a: 1}, 2]", "!Ref a: !Sub b", "{\"Resources\": {\"A\": {\"Type\": \"A::B\", \"Properties\": {\"a\": [1, {}]}}}}",
		"Resources: {A: {Type: Custom::SecurityGroupChain, Properties: !If [A, !Sub ['${', 1], !Select [-1, []]]}}", "\xef\xbb\xbf{", "---\n---\n...", "? !!binary a\n: !!null\n",
		"Resources: {A: {Type: Custom::SecurityGroupChain, Condition: C, Properties: {X: !If [C, 1, 2]}}}\nConditions: {C: !And [Condition: C, !Equals [1]]}",
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, text string, asYAML bool) {
		name := "t.json"
		if asYAML {
			name = "t.yaml"
		}
		read, err := template.Read(name, []byte(text))
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without text")
			}
			return
		}
		read.References()
		for _, resource := range read.Resources() {
			for _, variant := range read.Variants(template.Values{}, 16, resource) {
				for _, unknown := range variant[0].Unknowns {
					if at := variant[0].At(unknown.Path); at.Line < 1 || at.Column < 1 {
						t.Errorf("%q is at %v", unknown.Path, at)
					}
				}
			}
		}
	})
}
