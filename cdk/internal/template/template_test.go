package template_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sgchain/cdk/internal/template"
)

// read reads a template and fails the test on an error.
func read(tb testing.TB, name, text string) *template.Template {
	tb.Helper()
	read, err := template.Read(name, []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return read
}

// properties evaluates the only chain of a template whose properties are given as YAML.
func properties(tb testing.TB, text string, values template.Values) (map[string]any, []template.Unknown) {
	tb.Helper()
	t := read(tb, "t.yaml", text)
	chains := t.Chains()
	if len(chains) != 1 {
		tb.Fatalf("got %d chains", len(chains))
	}
	return t.Properties(chains[0], values)
}

func TestReadRejectsOtherFiles(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"compose.yml":  "services:\n  web:\n    image: nginx\n",
		"pod.yaml":     "apiVersion: v1\nkind: Pod\n",
		"list.json":    `[1, 2]`,
		"package.json": `{"name": "x", "Resources": {"a": 1}}`,
		"empty.yaml":   "",
		"blank.json":   " \n",
		"several.yaml": "apiVersion: v1\n---\nkind: Pod\n",
		"text.yaml":    "just a text\n",
		"comment.yaml": "# nothing\n",
		"number.json":  "[7]",
		"bare.yaml":    "Resources:\n  A: {Kind: x}\n",
		"odd.yaml":     "Resources: [AWS::EC2::VPC]\n",
	} {
		if _, err := template.Read(name, []byte(text)); !errors.Is(err, template.ErrNotTemplate) || !strings.HasPrefix(err.Error(), name+" ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"a.yaml":     "Resources:\n  A:\n    Type: AWS::EC2::VPC\n",
		"b.json":     `{"AWSTemplateFormatVersion": "2010-09-09"}`,
		"c.template": "\ufeff{\"Resources\": {\"A\": {\"Type\": \"Custom::X\"}}}",
		"d.yaml":     "\ufeffResources:\r\n  A:\r\n    Type: AWS::EC2::VPC\r\n",
		"e.yaml":     `{Resources: {A: {Type: AWS::EC2::VPC}}}`,
		"f.yaml":     "Resources:\n  Fn::ForEach::A: [x, [a], {}]\n",
		"g.yaml":     "---\nResources:\n  A:\n    Type: AWS::EC2::VPC\n...\n",
	} {
		if _, err := template.Read(name, []byte(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadErrorsHavePositions(t *testing.T) {
	t.Parallel()
	bomb := "a: &a [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", 'b'+i, 'b'+i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c, ", 'a'+i), 10), ", "))
	}
	for _, c := range []struct{ name, text, want string }{
		{"a.json", "{\n  \"a\": 1,\n}", "a.json:3:1: is not valid JSON: "},
		{"b.json", "{\"Resources\": {\"é\": 1, 2: 3}}", "b.json:1:24: is not valid JSON: "},
		{"c.json", "{\"a\": [1", "c.json:1:9: is not valid JSON: it ends too early"},
		{"d.json", "{\"a\": 1}\n{}", "d.json:2:1: is not valid JSON: text follows"},
		{"e.yaml", "a: b\n\tc: d\n", "e.yaml:2:1: is not valid YAML: "},
		{"f.yaml", "a: [b\n", "f.yaml:"},
		{"g.yaml", "a: &a [*a]\n", "g.yaml:1:8: is an alias of a value that contains it"},
		{"h.yaml", "a: " + strings.Repeat("[", 101) + strings.Repeat("]", 101), "h.yaml:1:"},
		{"i.json", strings.Repeat("[", 100_000), "i.json:1:101: is nested more than 100 levels"},
		{"j.yaml", bomb, "j.yaml:6:4: has more than 400000 values"},
		{"k.json", "{" + strings.Repeat(" ", 2<<20), "k.json:1:1: has 2097153 bytes"},
		{"l.yaml", "\xff\xfea\x00", "l.yaml:1:1: is UTF-16. Save it as UTF-8"},
		{"m.yaml", "Resources: {A: {Type: 'A::B'}}\n---\nb: 1\n", "m.yaml:3:1: has 2 YAML documents, and number 1 is a template"},
		{"n.yaml", "? [a]\n: b\n", "n.yaml:1:3: is a key that is a list or a map"},
		{"o.yaml", "a: !Sub !Ref b\n", "o.yaml:1:"},
	} {
		_, err := template.Read(c.name, []byte(c.text))
		var placed *template.Error
		if !errors.As(err, &placed) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
	if !template.MayBeTemplate([]byte("AWSTemplateFormatVersion: {{")) || template.MayBeTemplate([]byte("{{ .Values }}")) {
		t.Error("a broken template and a Helm chart are not told apart")
	}
}

func TestDuplicatesHaveBothPositions(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a.yaml": "Resources:\n  A:\n    Type: A::B\n    Properties: {x: 1,\n      x: 2}\n",
		"a.json": "{\"Resources\": {\n  \"A\": {\n    \"Type\": \"A::B\",\n    \"Properties\": {\"x\": 1,\n      \"x\": 2}}}}\n",
	} {
		got := read(t, name, text).Duplicates
		if len(got) != 1 || got[0].Key != "x" || got[0].First.Line != 4 || got[0].Then != (template.Position{Line: 5, Column: 7}) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	merged := "a: &a {x: 1}\nResources:\n  A:\n    Type: A::B\n    Properties: {<<: *a, x: 2}\n"
	if got := read(t, "b.yaml", merged).Duplicates; len(got) > 0 {
		t.Errorf("a merge key: got %+v", got)
	}
}

// TestFunctionsInMappingsAreNotEvaluated checks what CloudFormation does not evaluate either. Such
// a function could recurse forever.
func TestFunctionsInMappingsAreNotEvaluated(t *testing.T) {
	t.Parallel()
	for _, mapped := range []string{"!FindInMap [M, A, B]", "[!FindInMap [M, A, B]]", "!Ref AWS::NoValue", "[!Ref AWS::NoValue]", "{c: d}", "[[a]]"} {
		text := "Mappings: {M: {A: {B: " + mapped + "}}}\nResources: {Chain: {Type: Custom::SecurityGroupChain, Properties: {X: !FindInMap [M, A, B]}}}\n"
		got, _ := properties(t, text, template.Values{})
		if unknown, isUnknown := got["X"].(template.Unknown); !isUnknown || unknown.Text != "!FindInMap [M, A, B]" {
			t.Errorf("%s: got %#v", mapped, got["X"])
		}
	}
}

// parameters is the head of a template with something for each intrinsic function.
const parameters = `
Parameters:
  Name: {Type: String, Default: web}
  Ports: {Type: CommaDelimitedList, Default: "80, 443"}
  Numbers: {Type: List<Number>, Default: "1,2"}
  Empty: {Type: CommaDelimitedList, Default: ""}
  Vpc: {Type: AWS::EC2::VPC::Id}
  Env: {Type: String, Default: dev, AllowedValues: [dev, prod]}
  Stored: {Type: AWS::SSM::Parameter::Value<String>, Default: /a/b}
Mappings:
  Byenv: {dev: {port: 8080, list: [a, b]}, prod: {port: 80, list: [c]}}
Conditions:
  Prod: !Equals [!Ref Env, prod]
  NotProd: !Not [Condition: Prod]
  Both: !And [Condition: Prod, Condition: NotProd]
  Either: !Or [Condition: Prod, Condition: NotProd]
  Loop: !Not [Condition: Loop]
  Region: !Equals [!Ref AWS::Region, eu-west-1]
`

func TestValues(t *testing.T) {
	t.Parallel()
	u := func(text string) template.Unknown { return template.Unknown{Text: text, Path: "X"} }
	for _, c := range []struct {
		value string
		want  any
	}{
		{`!Ref Name`, "web"},
		{`{Ref: Name}`, "web"},
		{`!Ref Vpc`, u("!Ref Vpc")},
		{`!Ref Stored`, u("!Ref Stored")},
		{`!Ref Given`, u("!Ref Given")},
		{`!Ref Ports`, []any{"80", "443"}},
		{`!Ref Numbers`, []any{"1", "2"}},
		{`!Ref Empty`, []any{""}},
		{`!Ref AWS::NoValue`, nil},
		{`[a, !Ref AWS::NoValue, b]`, []any{"a", "b"}},
		{`!Ref AWS::Region`, u("!Ref AWS::Region")},
		{`!Ref AWS::AccountId`, "123456789012"},
		{`!Ref Group`, "sg-1"},
		{`!GetAtt Group.GroupId`, "sg-2"},
		{`{"Fn::GetAtt": [Other, Arn]}`, u("!GetAtt Other.Arn")},
		{`{"Fn::GetAtt": Other.Outputs.Arn}`, u("!GetAtt Other.Outputs.Arn")},
		{`!Sub "${Name}-${!x}-${AWS::AccountId}"`, "web-${x}-123456789012"},
		{`!Sub ["${a}${Name}", {a: !Ref Name, b: 1}]`, "webweb"},
		{`!Sub "${Vpc}"`, u("!Sub ${Vpc}")},
		{`!Sub "${Ports}"`, u("!Sub ${Ports}")},
		{`!Sub "${Group.GroupId}"`, "sg-2"},
		{`!Sub "${Name"`, "${Name"},
		{`!Join ["-", [a, !Ref Name, 3]]`, "a-web-3"},
		{`!Join [",", !Ref Ports]`, "80,443"},
		{`!Join [",", [!Ref Vpc]]`, u("!Join [,, [!Ref Vpc]]")},
		{`!Split [",", "a,b"]`, []any{"a", "b"}},
		{`!Split [",", !Ref Vpc]`, u("!Split [,, !Ref Vpc]")},
		{`!Select [1, !Ref Ports]`, "443"},
		{`!Select ["0", [!Ref Name]]`, "web"},
		{`!Select [7, !Ref Ports]`, u("!Select [7, !Ref Ports]")},
		{`!FindInMap [Byenv, !Ref Env, port]`, json.Number("8080")},
		{`!FindInMap [Byenv, prod, list]`, []any{"c"}},
		{`!FindInMap [Byenv, test, port]`, u("!FindInMap [Byenv, test, port]")},
		{`!FindInMap [Byenv, test, port, {DefaultValue: 9}]`, json.Number("9")},
		{`!If [Prod, a, b]`, "b"},
		{`!If [NotProd, !Ref Name, b]`, "web"},
		{`!If [Both, a, b]`, "b"},
		{`!If [Either, a, b]`, "a"},
		{`!If [Loop, a, b]`, u("!If [Loop, a, b]")},
		{`!If [Region, a, b]`, u("!If [Region, a, b]")},
		{`!If [Prod, a]`, u("!If [Prod, a]")},
		{`!If [NotProd, !Ref AWS::NoValue, b]`, nil},
		{`!ImportValue Token`, "arn"},
		{`!ImportValue {"Fn::Sub": "${Name}-x"}`, u("!ImportValue !Sub ${Name}-x")},
		{`!Base64 x`, u("!Base64 x")},
		{`!Cidr [a, 1, 2]`, u("!Cidr [a, 1, 2]")},
		{`!GetAZs ""`, u("!GetAZs ")},
		{`!Mystery 1`, u("!Mystery 1")},
		{`"{{resolve:ssm:/a}}"`, u("{{resolve:ssm:/a}}")},
		{`{"Fn::ToJsonString": [{Name: A}]}`, `[{"Name":"A"}]`},
		{`{"Fn::Transform": {Name: x}}`, u("!Transform {Name: x}")},
		{`[yes, No, ON, off, 'yes', "off"]`, []any{true, false, true, false, "yes", "off"}},
		{`[80, "80", 0x10, 1.5, true, "yes", 2010-09-09, 8000-8010, ~]`, []any{json.Number("80"), "80", json.Number("16"), json.Number("1.5"), true, "yes", "2010-09-09", "8000-8010", nil}},
	} {
		text := parameters + "Resources:\n  Chain:\n    Type: Custom::SecurityGroupChain\n    Properties:\n      X: " + c.value + "\n"
		got, unknown := properties(t, text, template.Values{
			Pseudo: map[string]string{"AWS::AccountId": "123456789012"}, Refs: map[string]string{"Group": "sg-1"},
			Attributes: map[string]string{"Group.GroupId": "sg-2"}, Exports: map[string]string{"Token": "arn"},
		})
		value, exists := got["X"]
		if one, isUnknown := value.(template.Unknown); isUnknown {
			if len(unknown) != 1 || unknown[0] != one || one.At.Line == 0 {
				t.Errorf("%s: got unknowns %v", c.value, unknown)
			}
			one.At, one.List = template.Position{}, false
			value = one
		}
		if !reflect.DeepEqual(value, c.want) || exists != (c.want != nil) {
			t.Errorf("%s: got %#v, want %#v", c.value, value, c.want)
		}
	}
}

// TestMergeKeys checks that a map's own entry overrides those of a merge key, and that the first of
// several merged maps wins.
func TestMergeKeys(t *testing.T) {
	t.Parallel()
	got, _ := properties(t, `
a: &a {x: 1, y: 1}
b: &b {x: 2, z: 2}
Resources:
  Chain:
    Type: Custom::SecurityGroupChain
    Properties:
      y: 3
      <<: [*a, *b]
`, template.Values{})
	if want := (map[string]any{"x": json.Number("1"), "y": json.Number("3"), "z": json.Number("2")}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestGivenParameters(t *testing.T) {
	t.Parallel()
	text := parameters + `
Resources:
  Chain:
    Type: Custom::SecurityGroupChain
    Properties: {A: !Ref Ports, B: !If [Prod, a, b], C: !Ref Name, D: !Ref Stored}
`
	got, _ := properties(t, text, template.Values{Parameters: map[string]string{"Ports": "1, 2", "Env": "prod", "Stored": "name"}, Resolved: map[string]string{"Stored": "value"}})
	if want := (map[string]any{"A": []any{"1", "2"}, "B": "a", "C": "web", "D": "value"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	got, unknown := properties(t, text, template.Values{NoDefaults: true})
	if len(unknown) != 4 || len(got) != 4 || !unknown[0].List || unknown[2].List {
		t.Errorf("without defaults: got %v", got)
	}
}

// TestMacrosMakePropertiesUnknown checks that a map with a macro is unknown as a whole.
func TestMacrosMakePropertiesUnknown(t *testing.T) {
	t.Parallel()
	for _, inner := range []string{"Fn::Transform: {Name: AWS::Include}\n      A: 1", "Fn::ForEach::X: [a, [b], {c: d}]"} {
		got, unknown := properties(t, "Resources:\n  Chain:\n    Type: Custom::SecurityGroupChain\n    Properties:\n      "+inner+"\n", template.Values{})
		if got != nil || len(unknown) != 1 || unknown[0].Path != "" {
			t.Errorf("%s: got %v, %v", inner, got, unknown)
		}
	}
}

func TestChains(t *testing.T) {
	t.Parallel()
	text := "Resources:\n  B:\n    Type: Custom::SecurityGroupChain\n    Condition: C\n  V: {Type: AWS::EC2::VPC}\n  A: {Type: Custom::SecurityGroupChain}\n"
	chains := read(t, "a.yaml", text).Chains()
	if len(chains) != 2 || chains[0].LogicalID != "B" || chains[0].Condition != "C" || chains[0].At != (template.Position{Line: 2, Column: 3}) || chains[1].LogicalID != "A" {
		t.Errorf("got %+v", chains)
	}
}

const placed = `Parameters:
  Port:
    Type: String
    Default: "70000"
Conditions:
  Big: !Equals [!Ref Port, "1"]
x: &shared
  Name: Shared
Resources:
  Chain:
    Type: Custom::SecurityGroupChain
    Properties:
      VpcId: vpc-1
      Tags:
        a.b: {}
        aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: c
      Tiers:
        - Name: A
          Ports:
            - 80
            - !Ref Port
          Sources: !If [Big, [x], [y, z]]
        - *shared
`

func TestAt(t *testing.T) {
	t.Parallel()
	read := read(t, "a.yaml", placed)
	chain := read.Chains()[0]
	for path, want := range map[string]string{
		"":           "10:3",
		"Missing":    "10:3",
		"VpcId":      "13:14",
		"VpcId.x":    "13:14",
		"Tags.a.b":   "15:9",
		"Tags.a.b.c": "15:9",
		"Tags." + strings.Repeat("a", 60) + "...": "16:84",
		"Tiers":               "17:7",
		"Tiers[0]":            "18:11",
		"Tiers[0].Egress":     "18:11",
		"Tiers[0].Ports":      "19:11",
		"Tiers[0].Ports[0]":   "20:15",
		"Tiers[0].Ports[1]":   "4:14", // the Default
		"Tiers[0].Ports[2]":   "19:11",
		"Tiers[0].Sources[1]": "22:39",
		"Tiers[1].Name":       "8:9",
		"Tiers[2]":            "17:7",
		"Tiers[x":             "17:7",
	} {
		if got := read.At(chain, path); got.String() != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	bare := "{\"Resources\": {\n\t\"C\": {\"Type\": \"Custom::SecurityGroupChain\",\n\t\t\"Properties\": {\"Tags\": {\"\\u0041\": \"é\", \"b\":1}}}}}"
	inJSON := readAs(t, bare)
	for path, want := range map[string]string{"Tags.A": "3:37", "Tags.b": "3:46", "Tags": "3:18"} {
		if got := inJSON.At(inJSON.Chains()[0], path); got.String() != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func readAs(t *testing.T, text string) *template.Template {
	t.Helper()
	return read(t, "a.json", text)
}
