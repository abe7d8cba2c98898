package lint_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"sgchain/cdk/internal/lint"
	"sgchain/cdk/internal/template"
	"sgchain/lambda/chain"
)

func one(rt *rapid.T, label string, values ...any) any {
	return rapid.SampledFrom(values).Draw(rt, label)
}

// some returns a list of at least one of the values.
func some(rt *rapid.T, label string, values ...any) []any {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(values), 1, 3, func(value any) string { return fmt.Sprint(value) }).Draw(rt, label)
}

func maybe(rt *rapid.T, label string) bool { return rapid.IntRange(0, 2).Draw(rt, label) == 0 }

// drawKeys adds random keys, each with one of its values.
func drawKeys(rt *rapid.T, to map[string]any, values map[string][]any) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if maybe(rt, key) {
			to[key] = one(rt, "value of "+key, values[key]...)
		}
	}
}

// drawProperties returns random properties of a chain, most of them valid.
func drawProperties(rt *rapid.T) map[string]any {
	properties := map[string]any{"VpcId": "vpc-0123456789abcdef0", "ServiceTimeout": 1020, "ServiceToken": "arn:aws:lambda:eu-west-1:123456789012:function:Provider"}
	drawKeys(rt, properties, map[string][]any{
		"IpFamilies": {"ipv4", []any{"ipv4", "ipv6"}}, "RuleQuota": {60, "120"}, "UnmanagedRules": {"keep", "revoke"}, "AdoptExisting": {true, "false"},
		"Guardrails": {"warn", "enforce"}, "ReleaseTiers": {"Gone", []any{"Gone", "Old"}}, "Revision": {1, "x"}, "Tags": {map[string]any{"Team": "a", "Name": "b"}, []any{map[string]any{"Key": "Team", "Value": "a"}, map[string]any{"Key": "Cost"}}},
	})
	names := []string{"Web", "App", "Db", "Log"}[:rapid.IntRange(1, 4).Draw(rt, "tiers")]
	var tiers []any
	for _, name := range names {
		tiers = append(tiers, drawTier(rt, name, names))
	}
	properties["Tiers"] = tiers
	return properties
}

func drawTier(rt *rapid.T, name string, names []string) map[string]any {
	tier := map[string]any{"Name": name}
	peers := []any{"internet", "vpc", "self", "10.0.0.0/8", "203.0.113.7/32", "sg-0123456789abcdef0", "pl-0123456789abcdef0", "0.0.0.0/1"}
	for _, peer := range names {
		peers = append(peers, peer)
	}
	ports := []any{80, 443, "8000-8010", "udp/53", "icmp", "postgres", "all", 22, "tcp/0-65535"}
	door := func(key string) map[string]any {
		return map[string]any{"Ports": some(rt, "ports", ports...), key: some(rt, key, peers...)}
	}
	switch rapid.IntRange(0, 3).Draw(rt, "form") {
	case 0:
	case 1:
		tier["Ports"] = some(rt, "ports", ports...)
	case 2:
		maps.Copy(tier, door("Sources"))
	default:
		tier["Ingress"] = []any{door("Sources")}
	}
	if maybe(rt, "egress") {
		tier["Egress"] = one(rt, "value of egress", "all", "none", "chain", []any{"chain"}, []any{door("Destinations")})
	}
	drawKeys(rt, tier, map[string][]any{
		"GroupName": {"group " + name, "one name"}, "Description": {"a tier", "b"}, "AllowPublic": {true, false}, "Tags": {map[string]any{"Owner": "x"}},
	})
	return tier
}

// mutate breaks the properties in one place.
func mutate(rt *rapid.T, properties map[string]any) {
	tiers, _ := properties["Tiers"].([]any)
	tier, _ := tiers[rapid.IntRange(0, len(tiers)-1).Draw(rt, "tier")].(map[string]any)
	key := rapid.SampledFrom([]string{"Prots", "Ports", "Sources", "Name", "GroupName", "VpcId", "Guardrails", "Teirs", "Egress", "Tags"}).Draw(rt, "wrong key")
	wrong := one(rt, "wrong value", 70000, []any{}, "sg-?", map[string]any{"a": []any{"b"}}, "", []any{""}, []any{[]any{"x"}}, "\u00fc")
	if slices.Contains([]string{"VpcId", "Guardrails", "Teirs"}, key) {
		properties[key] = wrong
	} else {
		tier[key] = wrong
	}
}

// inTemplate returns a template with one chain, as JSON and as YAML.
func inTemplate(tb testing.TB, properties map[string]any) map[string]string {
	tb.Helper()
	document := map[string]any{"Resources": map[string]any{"Chain": map[string]any{"Type": template.ResourceType, "Properties": properties}}}
	asJSON, err := json.MarshalIndent(document, "", "\t")
	if err != nil {
		tb.Fatal(err)
	}
	asYAML, err := yaml.Marshal(document)
	if err != nil {
		tb.Fatal(err)
	}
	return map[string]string{"t.json": string(asJSON), "t.yaml": string(asYAML)}
}

// TestFindingsMatchParser checks random properties in a template, some of them invalid. Every
// problem of the function's parser is a finding, and there are no other findings.
func TestFindingsMatchParser(t *testing.T) {
	t.Parallel()
	refused, accepted := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		properties := drawProperties(rt)
		if rapid.Bool().Draw(rt, "broken") {
			mutate(rt, properties)
		}
		texts := inTemplate(t, properties)
		var decoded map[string]any
		encoded, err := json.Marshal(properties)
		if err != nil || json.Unmarshal(encoded, &decoded) != nil {
			t.Fatal(err)
		}
		_, err = chain.Parse(decoded, chain.DefaultAnswerBytes)
		problems, _ := errors.AsType[chain.Problems](err)
		want := map[string]bool{}
		for _, problem := range problems {
			want[problem.Path] = true
		}
		if len(want) > 0 {
			refused++
		} else {
			accepted++
		}
		for name, text := range texts {
			got := map[string]bool{}
			for _, finding := range lintText(t, name, text, template.Values{}) {
				if finding.Rule == lint.RuleProperties {
					got[finding.Path] = true
				}
			}
			if !maps.Equal(got, want) {
				rt.Fatalf("%s: got %v, want %v\n%s", name, got, problems, text)
			}
		}
	})
	least := 10
	if testing.Short() {
		least = 2 // rapid then draws a fifth: 20
	}
	if refused < least || accepted < least {
		t.Errorf("%d were refused and %d accepted, want at least %d of each", refused, accepted, least)
	}
}

// imported returns a value that is known only at deployment.
func imported(rt *rapid.T) any {
	return map[string]any{"Fn::ImportValue": one(rt, "import", "A", "B", "C", "D", "E")}
}

// blur replaces some values with unknown ones, and adds unknown values. At deployment, these have
// the old value or AWS::NoValue.
func blur(rt *rapid.T, value any) any {
	if rapid.IntRange(0, 9).Draw(rt, "blur") == 0 {
		return map[string]any{"Fn::ImportValue": "of " + fmt.Sprint(value)}
	}
	switch value := value.(type) {
	case []any:
		blurred := []any{}
		for _, entry := range value {
			if rapid.IntRange(0, 19).Draw(rt, "more") == 0 {
				blurred = append(blurred, imported(rt))
			}
			blurred = append(blurred, blur(rt, entry))
		}
		return blurred
	case map[string]any:
		blurred := map[string]any{}
		for _, key := range slices.Sorted(maps.Keys(value)) {
			blurred[key] = blur(rt, value[key])
		}
		if _, isTier := value["Name"].(string); isTier && value["Team"] == nil {
			for _, key := range []string{"Ports", "Sources", "Ingress", "Egress", "GroupName", "AllowPublic", "Tags"} {
				if value[key] == nil && rapid.IntRange(0, 9).Draw(rt, "add "+key) == 0 {
					blurred[key] = imported(rt)
				}
			}
		}
		return blurred
	default:
		return value
	}
}

// ruleAndTier returns the subject of a guardrail's finding, from its message.
func ruleAndTier(rule, message string) string {
	_, rest, _ := strings.Cut(message, "tier ")
	name, _, _ := strings.Cut(rest, " ")
	return rule + " " + name
}

// TestUnknownValuesGiveNoFalseFindings checks valid properties of which some are known only at
// deployment. It allows no finding that the deployed properties would not have.
func TestUnknownValuesGiveNoFalseFindings(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		properties := drawProperties(rt)
		properties["Guardrails"] = "enforce"
		var decoded map[string]any
		encoded, err := json.Marshal(properties)
		if err != nil || json.Unmarshal(encoded, &decoded) != nil {
			t.Fatal(err)
		}
		spec, err := chain.Parse(decoded, chain.DefaultAnswerBytes)
		if err != nil {
			rt.Skip("not valid")
		}
		want := map[string]chain.Severity{}
		for _, finding := range chain.Guardrails(spec) {
			key := finding.Rule + " " + finding.Tier
			want[key] = max(want[key], finding.Severity)
		}
		blurred := map[string]any{}
		for _, key := range slices.Sorted(maps.Keys(decoded)) {
			blurred[key] = blur(rt, decoded[key])
		}
		texts := inTemplate(t, blurred)
		for _, finding := range lintText(t, "t.json", texts["t.json"], template.Values{}) {
			seen[finding.Rule]++
			key := ruleAndTier(finding.Rule, finding.Message)
			severity, exists := want[key]
			// The refused finding of all ports replaces that of one port.
			if strings.HasPrefix(key, chain.RulePublicAdminPort) && !exists {
				severity, exists = want[strings.Replace(key, chain.RulePublicAdminPort, chain.RulePublicAllPorts, 1)]
			}
			isByName := !strings.HasSuffix(key, " !ImportValue")
			if finding.Rule == lint.RuleProperties || (isByName && !exists) || (isByName && finding.Severity == lint.Error && severity != chain.Refused) {
				rt.Fatalf("got %v, of %v\n%s\n%s", finding, want, encoded, texts["t.yaml"])
			}
		}
	})
	if len(seen) == 0 {
		t.Error("no guardrail found anything, so that nothing was compared")
	}
}
