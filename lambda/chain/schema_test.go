package chain_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"sgchain/lambda/chain"
)

// compiled compiles a schema from JSON, as its readers do.
func compiled(tb testing.TB, schema map[string]any) *jsonschema.Schema {
	tb.Helper()
	text, err := json.Marshal(schema)
	if err != nil {
		tb.Fatal(err)
	}
	decoded, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		tb.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", decoded); err != nil {
		tb.Fatal(err)
	}
	result, err := compiler.Compile("schema.json")
	if err != nil {
		tb.Fatal(err)
	}
	return result
}

// verdicts returns the results of the schema and the parser for the same properties.
func verdicts(tb testing.TB, schema *jsonschema.Schema, properties any) (bySchema, byParser error) {
	tb.Helper()
	text, err := json.Marshal(properties)
	if err != nil {
		tb.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		tb.Fatal(err)
	}
	_, byParser = parse(tb, decode(tb, string(text)), math.MaxInt)
	return schema.Validate(instance), byParser
}

// checkSound fails the test if the schema refuses properties that the parser accepts.
func checkSound(t *testing.T, schema *jsonschema.Schema, properties any) (bySchema, byParser error) {
	t.Helper()
	bySchema, byParser = verdicts(t, schema, properties)
	if bySchema != nil && byParser == nil {
		t.Errorf("the parser accepts %v, and the schema refuses it: %v", properties, bySchema)
	}
	return bySchema, byParser
}

// Both schemas, of properties and of templates, accept the parser's valid test data.
func TestSchemaAcceptsGoldens(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/golden/*/props.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d files: %v", len(files), err)
	}
	alone, whole := compiled(t, chain.PropertiesSchema()), compiled(t, chain.Schema())
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		properties := decode(t, string(text))
		bySchema, _ := checkSound(t, alone, properties)
		inTemplate := whole.Validate(map[string]any{"Resources": map[string]any{"Chain": map[string]any{"Type": chain.ResourceType, "Properties": properties}}})
		if (bySchema == nil) != (inTemplate == nil) {
			t.Errorf("%s: alone %v, in a template %v", file, bySchema, inTemplate)
		}
	}
	defaults := map[string]any{"VpcId": "vpc-1", "Tiers": chain.DefaultTiers()}
	if bySchema, byParser := verdicts(t, alone, defaults); bySchema != nil || byParser != nil {
		t.Errorf("the default chain: %v, %v", bySchema, byParser)
	}
}

// The schema constrains only chains, and accepts a function instead of any value in them.
func TestSchemaConstrainsOnlyChains(t *testing.T) {
	t.Parallel()
	schema := compiled(t, chain.Schema())
	for text, isFine := range map[string]bool{
		`{}`: true,
		`{"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"VpcId": 7}}}}`:                                                                            true,
		`{"Resources": {"Fn::ForEach::Chains": ["Name", ["A"], {"Chain": {"Type": "Custom::SecurityGroupChain"}}]}}`:                                                    true,
		`{"Resources": {"Chain": {"Type": "Custom::SecurityGroupChain"}}}`:                                                                                              false,
		`{"Resources": {"Chain": {"Type": "Custom::SecurityGroupChain", "Properties": {"VpcId": "vpc-1"}}}}`:                                                            true,
		`{"Resources": {"Chain": {"Type": "Custom::SecurityGroupChain", "Properties": {}}}}`:                                                                            false,
		`{"Resources": {"Chain": {"Type": "Custom::SecurityGroupChain", "Properties": {"VpcId": {"Ref": "Vpc"}, "Fn::Transform": {}}}}}`:                                true,
		`{"Resources": {"Chain": {"Type": "Custom::SecurityGroupChain", "Properties": {"VpcId": {"Ref": "Vpc", "Default": "vpc-1"}}}}}`:                                 false,
		`{"Resources": {"Chain": {"Type": "Custom::SecurityGroupChain", "Properties": {"VpcId": {"Ref": "Vpc"}, "Tags": " {\"Team\": \"shop\"}"}}}}`:                    true,
		`{"Resources": {"Chain": {"Type": "Custom::SecurityGroupChain", "Properties": {"VpcId": {"Ref": "Vpc"}, "Tags": "[{\"Key\": \"Team\"}]"}}}}`:                    true,
		`{"Resources": {"Chain": {"Type": "Custom::SecurityGroupChain", "Properties": {"VpcId": {"Ref": "Vpc"}, "Tags": "Team=shop"}}}}`:                                false,
		`{"Resources": {"Chain": {"Type": "Custom::SecurityGroupChain", "Properties": {"VpcId": {"Ref": "Vpc"}, "Tiers": {"Fn::Split": [",", "a"]}}}}}`:                 true,
		`{"Resources": {"Chain": {"Type": "Custom::SecurityGroupChain", "Properties": {"VpcId": {"Ref": "Vpc"}, "Tiers": [{"Fn::If": ["A", {}, {}]}]}}}}`:               true,
		`{"Resources": {"Chain": {"Type": "Custom::SecurityGroupChain", "Properties": {"VpcId": {"Ref": "Vpc"}, "Tiers": [{"Name": {"Ref": "N"}, "Ports": "x"}]}}}}`:    false,
		`{"Resources": {"Chain": {"Type": "Custom::SecurityGroupChain", "Properties": {"VpcId": {"Ref": "Vpc"}, "Tiers": [{"Name": "A", "Ports": {"Ref": "P"}}]}}}}`:    true,
		`{"Resources": {"Chain": {"Type": "Custom::SecurityGroupChain", "Properties": {"VpcId": {"Ref": "Vpc"}, "Tiers": [{"Name": "A", "Egress": {"Ref": "E"}}]}}}}`:   true,
		`{"Resources": {"Chain": {"Type": "Custom::SecurityGroupChain", "Properties": {"VpcId": {"Ref": "Vpc"}, "Tags": [{"Key": {"Ref": "K"}, "Value": ["v"]}]}}}}`:    false,
		`{"Resources": {"Chain": {"Type": "Custom::SecurityGroupChain", "Properties": {"VpcId": {"Ref": "Vpc"}, "Tags": {"K": {"Fn::Sub": "${AWS::StackName}"}}}}}}`:    true,
		`{"Resources": {"Chain": {"Type": "Custom::SecurityGroupChain", "Properties": {"VpcId": {"Ref": "Vpc"}, "Guardrails": {"Fn::If": ["A", "enforce", "warn"]}}}}}`: true,
	} {
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(instance); (err == nil) != isFine {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// At every level the schema has the parser's keys, each with a description.
func TestSchemaDescribesEveryKey(t *testing.T) {
	t.Parallel()
	definitions, _ := chain.PropertiesSchema()["definitions"].(map[string]any)
	for name, form := range map[string]string{
		"Properties":   `{"VpcId": "vpc-1", "qqqqqqqqqqqqqqqqqqqqqqqq": 1}`,
		"Tier":         `{"VpcId": "vpc-1", "Tiers": [{"Name": "A", "qqqqqqqqqqqqqqqqqqqqqqqq": 1}]}`,
		"IngressEntry": `{"VpcId": "vpc-1", "Tiers": [{"Name": "A", "Ingress": [{"Ports": 1, "Sources": "vpc", "qqqqqqqqqqqqqqqqqqqqqqqq": 1}]}]}`,
		"EgressEntry":  `{"VpcId": "vpc-1", "Tiers": [{"Name": "A", "Egress": [{"Ports": 1, "Destinations": "vpc", "qqqqqqqqqqqqqqqqqqqqqqqq": 1}]}]}`,
		"Tag":          `{"VpcId": "vpc-1", "Tags": [{"Key": "k", "qqqqqqqqqqqqqqqqqqqqqqqq": 1}]}`,
	} {
		_, err := parse(t, decode(t, form), math.MaxInt)
		_, list, found := strings.Cut(fmt.Sprint(err), "Use one of ")
		if !found {
			t.Fatalf("%s: got %v", name, err)
		}
		want := strings.Split(strings.TrimSuffix(list, "."), ", ")
		slices.Sort(want)
		rules, _ := definitions[name].(map[string]any)["else"].(map[string]any)
		if then, isEntry := rules["then"].(map[string]any); isEntry {
			rules = then
		}
		properties, _ := rules["properties"].(map[string]any)
		if got := slices.Sorted(maps.Keys(properties)); !slices.Equal(got, want) {
			t.Errorf("%s: the schema has the keys %v, the parser %v", name, got, want)
		}
		for key, value := range properties {
			one, _ := value.(map[string]any)
			if text, _ := one["description"].(string); len(text) < 10 || !strings.HasSuffix(text, ".") {
				t.Errorf("%s.%s is described as %q", name, key, text)
			}
		}
	}
}

// offersOf returns what a schema suggests in a place.
func offersOf(t *testing.T, path ...string) []any {
	t.Helper()
	value := chain.PropertiesSchema()["definitions"]
	for _, key := range path {
		inner, _ := value.(map[string]any)
		value = inner[key]
	}
	place, _ := value.(map[string]any)
	if alternatives, isList := place["anyOf"].([]any); isList {
		first, _ := alternatives[0].(map[string]any)
		place = map[string]any{"examples": first["enum"]}
	}
	offers, _ := place["examples"].([]any)
	if len(offers) == 0 {
		t.Fatalf("%v suggests nothing", path)
	}
	return offers
}

// The parser accepts everything that the schema suggests to editors.
func TestSchemaSuggestsOnlyValidValues(t *testing.T) {
	t.Parallel()
	schema := compiled(t, chain.PropertiesSchema())
	tier := func(key string, value any) map[string]any {
		return map[string]any{"VpcId": "vpc-1", "Tiers": []any{map[string]any{"Name": "A", "Ports": 80, key: value}}}
	}
	forms := map[string]func(any) map[string]any{
		"Port": func(value any) map[string]any { // ICMPv6 needs a peer of its family
			return map[string]any{"VpcId": "vpc-1", "IpFamilies": []any{"ipv4", "ipv6"}, "Tiers": []any{map[string]any{"Name": "A", "Ports": []any{value}}}}
		},
		"Peer":                             func(value any) map[string]any { return tier("Sources", []any{value}) },
		"EgressEntry":                      func(value any) map[string]any { return tier("Egress", value) },
		"Tier/else/properties/AllowPublic": func(value any) map[string]any { return tier("AllowPublic", value) },
		"Properties/else/properties/AdoptExisting": func(value any) map[string]any {
			return map[string]any{"VpcId": "vpc-1", "AdoptExisting": value}
		},
	}
	for _, key := range []string{"VpcId", "IpFamilies", "UnmanagedRules", "Guardrails", "RuleQuota", "ReleaseTiers", "Revision", "ServiceTimeout"} {
		forms["Properties/else/properties/"+key+""] = func(value any) map[string]any {
			properties := map[string]any{"VpcId": "vpc-1"}
			properties[key] = value
			return properties
		}
	}
	for path, form := range forms {
		for _, offer := range offersOf(t, strings.Split(path, "/")...) {
			if offer == "ipv6" {
				continue // it is valid only with ipv4
			}
			if bySchema, byParser := verdicts(t, schema, form(offer)); bySchema != nil || byParser != nil {
				t.Errorf("%s %v: the schema returns %v, the parser %v", path, offer, bySchema, byParser)
			}
		}
	}
}

// The schema and the parser have the same limits. Both ignore blanks around a value.
func TestSchemaHasTheParsersLimits(t *testing.T) {
	t.Parallel()
	schema := compiled(t, chain.PropertiesSchema())
	tier := func(key string, value any) map[string]any {
		one := map[string]any{"Name": "A"}
		one[key] = value
		return map[string]any{"VpcId": "vpc-1", "Tiers": []any{one}}
	}
	letters := func(n int) string { return "  " + strings.Repeat("a", n) + "\u3000" }
	for what, of := range map[string]struct {
		most int
		form func(n int) map[string]any
	}{
		"Name":         {64, func(n int) map[string]any { return tier("Name", letters(n)) }},
		"GroupName":    {255, func(n int) map[string]any { return tier("GroupName", letters(n)) }},
		"Description":  {255, func(n int) map[string]any { return tier("Description", letters(n)) }},
		"port":         {65535, func(n int) map[string]any { return tier("Ports", n) }},
		"port as text": {65535, func(n int) map[string]any { return tier("Ports", fmt.Sprint("udp/7-", n)) }},
		"ICMP type":    {255, func(n int) map[string]any { return tier("Ports", fmt.Sprint("icmp/", n)) }},
		"protocol":     {255, func(n int) map[string]any { return tier("Ports", fmt.Sprint("proto/", n)) }},
		"IPv4 prefix": {32, func(n int) map[string]any {
			return map[string]any{"VpcId": "vpc-1", "Tiers": []any{map[string]any{"Name": "A", "Ports": 1, "Sources": fmt.Sprint("10.0.0.0/", n)}}}
		}},
		"IPv6 prefix": {128, func(n int) map[string]any {
			return map[string]any{"VpcId": "vpc-1", "Tiers": []any{map[string]any{"Name": "A", "Ports": 1, "Sources": fmt.Sprint("fe80::/", n)}}}
		}},
		"RuleQuota":         {1000, func(n int) map[string]any { return map[string]any{"VpcId": "vpc-1", "RuleQuota": n} }},
		"RuleQuota as text": {1000, func(n int) map[string]any { return map[string]any{"VpcId": "vpc-1", "RuleQuota": fmt.Sprint(n)} }},
		"key of a tag":      {128, func(n int) map[string]any { return tier("Tags", map[string]any{strings.Repeat("é", n): "v"}) }},
		"value of a tag":    {256, func(n int) map[string]any { return tier("Tags", map[string]any{"k": strings.Repeat("é", n)}) }},
		"tags": {45, func(n int) map[string]any { // with a Name of their own
			tags := map[string]any{"Name": "n"}
			for i := 1; i < n; i++ {
				tags[fmt.Sprint(i)] = "v"
			}
			return tier("Tags", tags)
		}},
		"tiers": {100, func(n int) map[string]any {
			var tiers []any
			for i := range n {
				tiers = append(tiers, map[string]any{"Name": fmt.Sprint("T", i)})
			}
			return map[string]any{"VpcId": "vpc-1", "Tiers": tiers}
		}},
	} {
		if bySchema, byParser := verdicts(t, schema, of.form(of.most)); bySchema != nil || byParser != nil {
			t.Errorf("%s, %d: the schema returns %v, the parser %v", what, of.most, bySchema, byParser)
		}
		if bySchema, byParser := verdicts(t, schema, of.form(of.most+1)); bySchema == nil || byParser == nil {
			t.Errorf("%s, %d: the schema returns %v, the parser %v", what, of.most+1, bySchema, byParser)
		}
	}
}

// The schema ignores exactly the characters around a value that strings.TrimSpace removes.
func TestSchemaIgnoresBlanksAroundValues(t *testing.T) {
	t.Parallel()
	schema := compiled(t, chain.PropertiesSchema())
	for letter := range rune(0x3100) {
		bySchema, byParser := verdicts(t, schema, map[string]any{"VpcId": string(letter) + "vpc-1"})
		if (bySchema == nil) != unicode.IsSpace(letter) || (byParser == nil) != unicode.IsSpace(letter) {
			t.Errorf("%U: the schema returns %v, the parser %v", letter, bySchema, byParser)
		}
	}
}

// The parser converts words to lower case as Unicode does, which turns two letters beyond ASCII into
// ASCII letters.
func TestSchemaAcceptsLettersBeyondASCII(t *testing.T) {
	t.Parallel()
	schema := compiled(t, chain.PropertiesSchema())
	words := map[string]string{"UnmanagedRules": "keep", "IpFamilies": "ipv4"}
	tried := 0
	for letter := rune(unicode.MaxASCII + 1); letter <= unicode.MaxRune; letter++ {
		lower := strings.ToLower(string(letter))
		if len(lower) != 1 {
			continue
		}
		for property, word := range words {
			if !strings.Contains(word, lower) {
				continue
			}
			tried++
			properties := map[string]any{"VpcId": "vpc-1"}
			properties[property] = strings.Replace(word, lower, string(letter), 1)
			if bySchema, byParser := verdicts(t, schema, properties); bySchema != nil || byParser != nil {
				t.Errorf("%v: the schema returns %v, the parser %v", properties, bySchema, byParser)
			}
		}
		if lower != "i" && lower != "k" {
			t.Errorf("%U has the lower case %q, which the schema does not accept", letter, lower)
		}
	}
	if tried != 2 {
		t.Errorf("%d letters were tried, want 2", tried)
	}
}

// fragments returns parts of scalars: valid forms, their parts, and several kinds of blanks.
func fragments() []string {
	return []string{
		"80", "443", "65535", "65536", "70000", "0", "00", "9", "255", "256", "1", "6", "17", "58", "32", "33", "128", "129", "-", "-", "/", "/", "+", ".", ":", "::",
		" ", "\t", "\u00a0", "\u2003", "\u0085", "\n", "tcp", "udp", "icmp", "icmpv6", "proto", "all", "https", "POSTGRES", "Kafka", "\u212aafka", "internet", "-v4", "-v6", "self", "vpc",
		"vpc-", "sg-", "pl-", "0a", "Alb", "A", "é", "10.0.0.0", "10.1.2.3", "2001:db8", "fe80", "123456789012", "com.amazonaws.", "cn.", "{region}", "{zone}", "s3",
		"ipv4", "ipv6", "true", "false", "revoke", "keep", "warn", "enforce", "chain", "none", "aws:", "sgchain:", "default", "&", "<", "_", "[", "]", "{", "}", "\"",
	}
}

// generator generates random properties.
type generator struct{ *rand.Rand }

func (g generator) one(list []any) any         { return list[g.IntN(len(list))] }
func (g generator) word(list ...string) string { return list[g.IntN(len(list))] }

// text returns a few fragments, joined.
func (g generator) text() string {
	var text strings.Builder
	for range 1 + g.IntN(5) {
		text.WriteString(g.word(fragments()...))
	}
	return text.String()
}

// For random texts in one place, the schema accepts all that the parser accepts, and refuses nearly
// all that the parser refuses.
func TestSchemaIsSoundForTexts(t *testing.T) {
	t.Parallel()
	schema := compiled(t, chain.PropertiesSchema())
	tier := func(key string, value any) map[string]any {
		one := map[string]any{"Name": "A", "Ports": 80}
		one[key] = value
		return map[string]any{"VpcId": "vpc-1", "IpFamilies": []any{"ipv4", "ipv6"}, "Tiers": []any{one, map[string]any{"Name": "Alb"}}}
	}
	property := func(key string, value any) map[string]any {
		properties := map[string]any{"VpcId": "vpc-1"}
		properties[key] = value
		return properties
	}
	for place, form := range map[string]func(string) map[string]any{
		"Ports":       func(text string) map[string]any { return tier("Ports", text) },
		"Sources":     func(text string) map[string]any { return tier("Sources", []any{text}) },
		"Name":        func(text string) map[string]any { return tier("Name", text) },
		"GroupName":   func(text string) map[string]any { return tier("GroupName", text) },
		"Egress":      func(text string) map[string]any { return tier("Egress", text) },
		"AllowPublic": func(text string) map[string]any { return tier("AllowPublic", text) },
		"VpcId":       func(text string) map[string]any { return property("VpcId", text) },
		"RuleQuota":   func(text string) map[string]any { return property("RuleQuota", text) },
		"MovedFrom":   func(text string) map[string]any { return property("MovedFrom", text) },
		"MovedFrom.Stack": func(text string) map[string]any {
			return property("MovedFrom", map[string]any{"LogicalId": "Old", "Stack": text})
		},
		"MovedFrom.Provider": func(text string) map[string]any {
			return property("MovedFrom", map[string]any{"LogicalId": "Old", "Provider": text})
		},
		"IpFamilies":    func(text string) map[string]any { return property("IpFamilies", []any{"ipv4", text}) },
		"Guardrails":    func(text string) map[string]any { return property("Guardrails", text) },
		"ReleaseTiers":  func(text string) map[string]any { return property("ReleaseTiers", []any{text}) },
		"key of a tag":  func(text string) map[string]any { return property("Tags", map[string]any{text: "v"}) },
		"Key of a tag":  func(text string) map[string]any { return property("Tags", []any{map[string]any{"Key": text}}) },
		"Tiers as text": func(text string) map[string]any { return property("Tiers", text) },
		"Tags as text":  func(text string) map[string]any { return property("Tags", text) },
	} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			const texts = 500
			random := generator{rand.New(rand.NewPCG(1, 2))}
			both, byParser := 0, 0
			for range texts {
				text := random.text()
				refused, wrong := checkSound(t, schema, form(text))
				if wrong != nil {
					byParser++
				}
				if refused != nil {
					both++
				}
			}
			share := float64(both) / float64(byParser)
			t.Logf("the parser refuses %d of %d texts, the schema %d of these (%.1f %%)", byParser, texts, both, 100*share)
			floor := 0.98
			switch place {
			case "Sources":
				floor = 0.8 // any name may be a tier's
			case "Tags as text":
				floor = 0.9 // any text that begins like a map or a list may be JSON
			}
			if share < floor || byParser < texts/40 {
				t.Errorf("the schema refuses %.3f of %d texts that the parser refuses, want %.2f", share, byParser, floor)
			}
		})
	}
}

// properties returns random properties that are valid or nearly valid.
func (g generator) properties() map[string]any {
	tiers := []any{}
	names := []string{"Alb", "App", "Db", "K8s"}[:1+g.IntN(4)]
	for _, name := range names {
		tiers = append(tiers, g.tier(name, names))
	}
	properties := map[string]any{"VpcId": g.one([]any{"vpc-0a", " vpc-1 "}), "Tiers": tiers}
	more := map[string][]any{
		"IpFamilies": {"ipv4", []any{"ipv4", "IPv6"}, nil}, "UnmanagedRules": {"keep", "Revoke", "", nil}, "AdoptExisting": {false, "False", ""},
		"Guardrails": {"warn", "enforce", " "}, "RuleQuota": {60, "120", "", nil}, "ReleaseTiers": {[]any{"Old", " Gone "}, "Old", []any{""}, []any{}, "", nil},
		"MovedFrom": {"Old", "", nil, 7, "no-id", map[string]any{"LogicalId": "Old", "Stack": "Shop"}, map[string]any{"LogicalId": ""}, map[string]any{"Stack": "Shop"}, map[string]any{}, []any{}},
		"Revision":  {7, "x", []any{}, nil}, "ServiceTimeout": {1020, "1020"},
		"ServiceToken": {"arn:aws:lambda:eu-central-1:123456789012:function:f"}, "Tags": g.tags(),
	}
	for _, key := range slices.Sorted(maps.Keys(more)) {
		if g.IntN(3) == 0 {
			properties[key] = g.one(more[key])
		}
	}
	if g.IntN(6) == 0 {
		text, err := json.Marshal(tiers)
		if err != nil {
			panic(err)
		}
		properties["Tiers"] = string(text)
	}
	return properties
}

func (g generator) tags() []any {
	return []any{
		map[string]any{"Team": "ai", "Cost": 7, "Empty": "", "Nil": nil, " k ": true},
		[]any{map[string]any{"Key": "Team", "Value": "ai"}, map[string]any{"Key": 7}},
		[]any{},
		map[string]any{},
		"", nil,
	}
}

func (g generator) ports() any {
	one := []any{80, "443", " 8000 - 8010 ", "TCP/443", "udp/53", "https", "icmp", "icmp/3/4", "proto/50", "all", "+80", "0080", 0, 65535}
	if g.IntN(3) == 0 {
		return g.one(one)
	}
	list := []any{}
	for range 1 + g.IntN(3) {
		list = append(list, g.one(one))
	}
	return list
}

func (g generator) peers(names []string) any {
	one := []any{
		"internet", "Internet-V4", "vpc", "self", "10.0.0.0/8", "203.0.113.7/32", "2001:DB8::1/64", "sg-0a", "123456789012/SG-0b", "pl-0a",
		"com.amazonaws.{region}.s3", "com.amazonaws.global.cloudfront.origin-facing", g.word(names...),
	}
	if g.IntN(3) == 0 {
		return g.one(one)
	}
	list := []any{}
	for range 1 + g.IntN(3) {
		list = append(list, g.one(one))
	}
	return list
}

func (g generator) entry(peersKey string, names []string) any {
	entry := map[string]any{"Ports": g.ports()}
	entry[peersKey] = g.peers(names)
	if g.IntN(3) == 0 {
		entry["Description"] = g.one([]any{"text", 7, "", nil, " a (b) "})
	}
	return entry
}

func (g generator) tier(name string, names []string) any {
	tier := map[string]any{"Name": name}
	switch g.IntN(4) {
	case 0:
		tier["Ingress"] = []any{g.entry("Sources", names)}
	case 1:
		tier["Ports"], tier["Sources"] = g.ports(), g.peers(names)
	case 2:
		tier["Ports"] = g.ports()
	}
	more := map[string][]any{
		"GroupName": {name + "-group", "", nil}, "Description": {"the " + name, 7, true, nil}, "AllowPublic": {true, "FALSE", nil, ""},
		"Egress": {"all", "None", "chain", nil, []any{"chain", g.entry("Destinations", names)}, g.entry("Destinations", names)}, "Tags": g.tags(),
	}
	for _, key := range slices.Sorted(maps.Keys(more)) {
		if g.IntN(3) == 0 {
			tier[key] = g.one(more[key])
		}
	}
	return tier
}

// place is a value in properties, with functions that change it.
type place struct {
	value any
	set   func(any)
	drop  func()
	named map[string]any // the map that has the value, or nil
	key   string
}

// places returns every value in properties, in a fixed order.
func places(value any) []place {
	var all []place
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			all = append(all, place{value[key], func(other any) { value[key] = other }, func() { delete(value, key) }, value, key})
			all = append(all, places(value[key])...)
		}
	case []any:
		for i, one := range value {
			all = append(all, place{value: one, set: func(other any) { value[i] = other }, drop: func() { value[i] = []any{} }})
			all = append(all, places(one)...)
		}
	}
	return all
}

// junk returns a value that is invalid in nearly every place.
func (g generator) junk() any {
	return g.one([]any{
		nil, "", " ", "\u00a0", 5, -1, 0.5, 1e300, 70000, true, false,
		[]any{},
		[]any{""},
		[]any{nil},
		map[string]any{},
		map[string]any{"a": 1},
		[]any{[]any{}},
		[]any{map[string]any{}},
		"eighty", "70000", "90-80", "proto/6", "proto/256", "tcp", "icmp/300", "203.0.113.7", "::ffff:10.0.0.0/96", "10.0.0.0/33", "sg-?", "pl-", "com.amazonaws.{zone}.s3",
		"nobody", "remove", "yes", "ipv5", "\u0130nternet", strings.Repeat("x", 300), strings.Repeat("[", 300), "<script>", "aws:x", g.text(), g.text(),
	})
}

// mutate makes one change and returns the kind of change.
func (g generator) mutate(properties map[string]any) string {
	all := places(properties)
	at := all[g.IntN(len(all))]
	text, isText := at.value.(string)
	switch kind := g.IntN(9); {
	case kind == 0:
		at.drop()
		return "something is missing"
	case kind == 1 && at.named != nil:
		at.named[g.word("Prots", "name", "Fn", strings.ToLower(at.key), strings.ToUpper(at.key), at.key+" ", "")] = at.value
		return "a key is unknown"
	case kind == 2:
		at.set([]any{at.value})
		return "a list is around it"
	case kind == 3:
		at.set(map[string]any{"Name": at.value})
		return "a map is around it"
	case kind == 4 && isText:
		at.set(g.word(strings.ToUpper(text), strings.ToLower(text), " "+text+"\t", text+"\u2003", "\u00a0"+text, text+text))
		return "case and blanks"
	case kind == 5 && isText && text != "":
		cut := g.IntN(len(text))
		at.set(strings.ToValidUTF8(text[:cut]+g.word(fragments()...)+text[cut:], "?"))
		return "a text is changed"
	default:
		at.set(g.junk())
		return "junk"
	}
}

// For random properties, the schema accepts all that the parser accepts. It refuses most of those
// that the parser refuses after a change of their structure.
func TestSchemaIsSoundForProperties(t *testing.T) {
	t.Parallel()
	rounds := 4000
	if testing.Short() {
		rounds = 1000
	}
	schema := compiled(t, chain.PropertiesSchema())
	random := generator{rand.New(rand.NewPCG(7, 11))}
	passed, byParser, both := map[string]int{}, map[string]int{}, map[string]int{}
	const whole = "nothing is changed"
	for range rounds {
		properties, kind := random.properties(), whole
		if random.IntN(8) > 0 {
			kind = random.mutate(properties)
		}
		refused, wrong := checkSound(t, schema, properties)
		switch {
		case wrong == nil:
			passed[kind]++
		case refused != nil:
			both[kind]++
			fallthrough
		default:
			byParser[kind]++
		}
	}
	sumParser, sumBoth, sumPassed := 0, 0, 0
	for _, kind := range slices.Sorted(maps.Keys(passed)) {
		t.Logf("%-22s the parser accepts %5d and refuses %5d, of which the schema refuses %5d", kind, passed[kind], byParser[kind], both[kind])
		sumPassed += passed[kind]
		if kind != whole { // unchanged properties are refused only for problems with several values
			sumParser, sumBoth = sumParser+byParser[kind], sumBoth+both[kind]
		}
	}
	share := float64(sumBoth) / float64(sumParser)
	t.Logf("of %d sets that the parser refuses after a change the schema refuses %d (%.1f %%)", sumParser, sumBoth, 100*share)
	if share < 0.93 || sumParser < rounds/5 || sumPassed < rounds/5 {
		t.Errorf("the schema refuses %.3f of %d sets, want 0.93; the parser accepts %d", share, sumParser, sumPassed)
	}
}

// Every pattern uses only syntax with the same meaning in other languages.
func TestSchemaPatternsArePortable(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(chain.Schema())
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`"pattern":"((?:[^"\\]|\\.)*)"`).FindAllStringSubmatch(string(text), -1)
	if len(found) < 15 {
		t.Fatalf("found %d patterns", len(found))
	}
	for _, one := range found {
		var pattern string
		if err := json.Unmarshal([]byte(`"`+one[1]+`"`), &pattern); err != nil {
			t.Fatal(err)
		}
		if odd := regexp.MustCompile(`\(\?[^:]|\\[^.x\-\[\]]|\[\[:|\\x\{|\*\*|\+\+`).FindString(pattern); odd != "" {
			t.Errorf("%s has %q", pattern, odd)
		}
	}
}
