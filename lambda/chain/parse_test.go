package chain_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sgchain/lambda/chain"
)

var update = flag.Bool("update", false, "write the goldens again")

// decode decodes properties as Lambda does for the function.
func decode(tb testing.TB, text string) map[string]any {
	tb.Helper()
	var properties map[string]any
	if err := json.Unmarshal([]byte(text), &properties); err != nil {
		tb.Fatal(err)
	}
	return properties
}

// Each folder of testdata/golden has properties (props.json), and either the desired state with
// summary and warnings (desired.txt) or the problems (error.txt).
func TestParseGoldens(t *testing.T) {
	t.Parallel()
	folders, err := filepath.Glob("testdata/golden/*")
	if err != nil || len(folders) < 10 {
		t.Fatalf("found %d folders: %v", len(folders), err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join(folder, "props.json"))
			if err != nil {
				t.Fatal(err)
			}
			spec, err := parse(t, decode(t, string(text)), chain.DefaultAnswerBytes)
			name, got := "desired.txt", ""
			if problems, refused := errors.AsType[chain.Problems](err); refused {
				name = "error.txt"
				got = strings.Join(problems.Lines(), "\n") + "\n"
			} else if err != nil {
				t.Fatal(err)
			} else {
				got = chain.Desired(spec).String() + "summary: " + chain.Summary(spec) + "\n"
				for _, finding := range chain.Guardrails(spec) {
					warning := finding.String()
					got += "warning: " + warning + "\n"
				}
			}
			golden := filepath.Join(folder, name)
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v; the properties gave\n%s", err, got)
			}
			if got != string(want) {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// ingressOf returns the ingress rules of a chain of one tier with one port.
func ingressOf(tb testing.TB, port string) ([]chain.Rule, error) {
	tb.Helper()
	spec, err := parse(tb, decode(tb, `{"VpcId": "vpc-1", "Tiers": [{"Name": "A", "Ports": [`+port+`], "Sources": "10.0.0.0/8"}]}`), chain.DefaultAnswerBytes)
	if err != nil {
		return nil, err
	}
	return spec.Tiers[0].Ingress, nil
}

func TestParsePorts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`80`:              "ingress tcp 80 from 10.0.0.0/8",
		`"80"`:            "ingress tcp 80 from 10.0.0.0/8",
		`" 80 "`:          "ingress tcp 80 from 10.0.0.0/8",
		`0`:               "ingress tcp 0 from 10.0.0.0/8",
		`"65535"`:         "ingress tcp 65535 from 10.0.0.0/8",
		`"8000-8010"`:     "ingress tcp 8000-8010 from 10.0.0.0/8",
		`"8000 - 8010"`:   "ingress tcp 8000-8010 from 10.0.0.0/8",
		`"tcp/443"`:       "ingress tcp 443 from 10.0.0.0/8",
		`"TCP/0-65535"`:   "ingress tcp 0-65535 from 10.0.0.0/8",
		`"udp/53"`:        "ingress udp 53 from 10.0.0.0/8",
		`"udp/5000-5001"`: "ingress udp 5000-5001 from 10.0.0.0/8",
		`"https"`:         "ingress tcp 443 from 10.0.0.0/8",
		`"Postgres"`:      "ingress tcp 5432 from 10.0.0.0/8",
		`"icmp"`:          "ingress icmp from 10.0.0.0/8",
		`"icmp/8"`:        "ingress icmp 8 from 10.0.0.0/8",
		`"icmp/3/4"`:      "ingress icmp 3/4 from 10.0.0.0/8",
		`"proto/50"`:      "ingress protocol 50 from 10.0.0.0/8",
		`"all"`:           "ingress all traffic from 10.0.0.0/8",
	} {
		rules, err := ingressOf(t, text)
		if err != nil || len(rules) != 1 || rules[0].String() != want {
			t.Errorf("%s: got %v, %v, want %s", text, rules, err, want)
		}
	}
}

func TestParseRefusesInvalidPorts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`70000`:         "port 70000 is out of range",
		`-1`:            "is not a port",
		`"80-70000"`:    "port 80-70000 is out of range",
		`"90-80"`:       "Write 80-90",
		`80.5`:          "is not a port",
		`"eighty"`:      `"eighty" is not a port. Write 443`,
		`"tcp"`:         "Write tcp/443, or tcp/0-65535",
		`"tcp/"`:        "is not a port",
		`"icmp/300"`:    "is not an ICMP type",
		`"icmp/x"`:      "is not an ICMP type",
		`"icmp/3/-1"`:   "is not an ICMP type",
		`"proto/6"`:     "Write tcp/443",
		`"proto/58"`:    "Write icmpv6",
		`"proto/256"`:   "is not an IP protocol number",
		`"proto/esp"`:   "is not an IP protocol number",
		`["80"]`:        "is a list. Write one value",
		`{"Port": 80}`:  "is a map. Write one value",
		`"sctp/80"`:     "is not a port",
		`"443, 80"`:     "is not a port",
		`"icmp/8/0/1"`:  "is not an ICMP type",
		`"udp/53-dns"`:  "is not a port",
		`"99999999999"`: "is out of range",
	} {
		_, err := ingressOf(t, text)
		if err == nil || !strings.HasPrefix(err.Error(), "Tiers[0].Ports[0]: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want Tiers[0].Ports[0] and %q", text, err, want)
		}
	}
}

func TestParseSources(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"internet":                         "0.0.0.0/0",
		"Internet-V4":                      "0.0.0.0/0",
		"internet-v6":                      "::/0",
		"203.0.113.7/24":                   "203.0.113.0/24",
		"203.0.113.7/32":                   "203.0.113.7/32",
		"2001:DB8:0:0::1/64":               "2001:db8::/64",
		"self":                             "B",
		"B":                                "B",
		"A":                                "A",
		"vpc":                              "vpc (ipv4)",
		"sg-0123456789abcdef0":             "sg-0123456789abcdef0",
		"SG-0123abcd":                      "sg-0123abcd",
		"123456789012/sg-0123456789abcdef": "123456789012/sg-0123456789abcdef",
		"pl-0123456789abcdef0":             "pl-0123456789abcdef0",
		"com.amazonaws.{region}.s3":        "com.amazonaws.{region}.s3",
		"com.amazonaws.global.cloudfront.origin-facing": "com.amazonaws.global.cloudfront.origin-facing",
	} {
		spec, err := parse(t, decode(t, `{"VpcId": "vpc-1", "Tiers": [{"Name": "A"}, {"Name": "B", "Ports": 80, "Sources": ["`+text+`"]}]}`), chain.DefaultAnswerBytes)
		if err != nil || len(spec.Tiers[1].Ingress) != 1 || spec.Tiers[1].Ingress[0].Peer.String() != want {
			t.Errorf("%s: got %+v, %v, want %s", text, spec, err, want)
		}
	}
	for text, want := range map[string]string{
		"C":                        `unknown peer "C". Write a tier (A, B), a CIDR`,
		"a":                        "unknown peer",
		"203.0.113.7":              "Write 203.0.113.7/32",
		"2001:db8::1":              "Write 2001:db8::1/128",
		"203.0.113.7/33":           "unknown peer",
		"::ffff:10.0.0.0/96":       "Write it as IPv4",
		"sg-?":                     "is not a security group",
		"1234/sg-0123456789abcdef": "is not a security group",
		"pl-":                      "is not a prefix list",
		"com.amazonaws.{zone}.s3":  "unknown peer",
		"":                         "unknown peer",
	} {
		_, err := parse(t, decode(t, `{"VpcId": "vpc-1", "Tiers": [{"Name": "A"}, {"Name": "B", "Ports": 80, "Sources": ["`+text+`", "internet"]}]}`), chain.DefaultAnswerBytes)
		if err == nil || !strings.HasPrefix(err.Error(), "Tiers[1].Sources[0]: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want Tiers[1].Sources[0] and %q", text, err, want)
		}
	}
}

// desired returns the printed rules of tier A, for some properties of the chain and the tier.
func desired(tb testing.TB, properties, tier string) (string, error) {
	tb.Helper()
	spec, err := parse(tb, decode(tb, `{"VpcId": "vpc-1", `+properties+` "Tiers": [{"Name": "A", `+tier+`}, {"Name": "B", "Ports": 1, "Egress": "none"}]}`), chain.DefaultAnswerBytes)
	if err != nil {
		return "", err
	}
	var lines []string
	for _, line := range strings.Split(chain.Desired(spec).String(), "\n")[1:] {
		if !strings.HasPrefix(line, " ") {
			break
		}
		line, _, _ = strings.Cut(line, ` "`)
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.Join(lines, "; "), nil
}

func TestParseIPFamilies(t *testing.T) {
	t.Parallel()
	both := `"IpFamilies": ["ipv4", "ipv6"],`
	for _, c := range []struct{ properties, tier, want string }{
		{"", `"Ports": 80, "Egress": "none"`, "ingress tcp 80 from 0.0.0.0/0"},
		{`"IpFamilies": "ipv4",`, `"Ports": 80, "Egress": "none"`, "ingress tcp 80 from 0.0.0.0/0"},
		{both, `"Ports": 80, "Egress": "none"`, "ingress tcp 80 from 0.0.0.0/0; ingress tcp 80 from ::/0"},
		{both, `"Egress": "all"`, "egress all traffic to 0.0.0.0/0; egress all traffic to ::/0"},
		{both, `"Ports": 80, "Sources": ["vpc"], "Egress": "none"`, "ingress tcp 80 from vpc (ipv4); ingress tcp 80 from vpc (ipv6)"},
		{both, `"Ports": 80, "Sources": ["internet-v4"], "Egress": "none"`, "ingress tcp 80 from 0.0.0.0/0"},
		{both, `"Ports": ["icmp", "icmpv6"], "Egress": "none"`, "ingress icmp from 0.0.0.0/0; ingress icmpv6 from ::/0"},
		{both, `"Ports": ["icmp", "icmpv6"], "Sources": ["vpc"], "Egress": "none"`, "ingress icmp from vpc (ipv4); ingress icmpv6 from vpc (ipv6)"},
		{"", `"Ports": ["icmp", "icmpv6"], "Sources": ["B"], "Egress": "none"`, "ingress icmp from B; ingress icmpv6 from B"},
	} {
		if got, err := desired(t, c.properties, c.tier); err != nil || got != c.want {
			t.Errorf("%s %s: got %s, %v, want %s", c.properties, c.tier, got, err, c.want)
		}
	}
	for properties, want := range map[string]string{
		`"IpFamilies": ["ipv6"],`:         "IpFamilies: lacks ipv4",
		`"IpFamilies": ["ipv4", "ipv5"],`: `IpFamilies[1]: unknown value "ipv5"`,
		`"IpFamilies": {"a": "b"},`:       "IpFamilies: is a map. Write a list",
		`"IpFamilies": [["ipv4"]],`:       "IpFamilies[0]: is a list. Write one value",
	} {
		if _, err := desired(t, properties, `"Ports": 80`); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", properties, err, want)
		}
	}
	for _, ports := range []string{`"icmpv6"`, `"icmpv6/128/0"`} {
		if _, err := ingressOf(t, ports); err == nil || !strings.Contains(err.Error(), "icmpv6 with IPv6") {
			t.Errorf("%s from an IPv4 range: got %v", ports, err)
		}
	}
}

func TestParseEgress(t *testing.T) {
	t.Parallel()
	for egress, want := range map[string]string{
		`"All"`:            "egress all traffic to 0.0.0.0/0",
		`"none"`:           "",
		`["none"]`:         "",
		`"chain"`:          "egress tcp 1 to B",
		`["chain", "all"]`: "egress all traffic to 0.0.0.0/0; egress tcp 1 to B",
		`{"Ports": 443, "Destinations": "pl-0123abcd"}`:                                                     "egress tcp 443 to pl-0123abcd",
		`["chain", {"Ports": [443, "udp/53"], "Destinations": ["internet", "self"], "Description": "out"}]`: "egress tcp 1 to B; egress tcp 443 to 0.0.0.0/0; egress tcp 443 to A; egress udp 53 to 0.0.0.0/0; egress udp 53 to A",
	} {
		if got, err := desired(t, "", `"Egress": `+egress); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", egress, got, err, want)
		}
	}
	for egress, want := range map[string]string{
		`"some"`:            `Tiers[0].Egress: unknown value "some". Write all, chain or none, or a list`,
		`[]`:                "Tiers[0].Egress: is an empty list. Write none",
		`["none", "chain"]`: "Tiers[0].Egress: combines none with other entries",
		`["chain", "some"]`: `Tiers[0].Egress[1]: unknown value "some"`,
		`[["all"]]`:         "Tiers[0].Egress[0]: is a list. Write one value",
		`[{"Ports": 443}]`:  "Tiers[0].Egress[0].Destinations: is missing",
		`[{"Ports": 443, "Sources": "internet"}]`:                                                            "Tiers[0].Egress[0].Sources: unknown property. Use one of Ports, Destinations, Description.",
		`[{"Ports": 443, "Destinations": "nobody"}]`:                                                         `Tiers[0].Egress[0].Destinations[0]: unknown peer "nobody"`,
		`[{"Ports": 443, "Destinations": "vpc"}, {"Ports": 443, "Destinations": "vpc", "Description": "x"}]`: "Tiers[0].Egress[1]: egress tcp 443 to vpc (ipv4) already has the description",
	} {
		_, err := desired(t, "", `"Egress": `+egress)
		if problems, _ := errors.AsType[chain.Problems](err); len(problems) == 0 || !strings.HasPrefix(problems[0].Error(), want) {
			t.Errorf("%s: got %v, want %s", egress, err, want)
		}
	}
}

func TestParseTags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ chain, tier, want string }{
		{"", `"Tags": {"Team": "ai"}`, `Team="ai"`},
		{`"Tags": {"Team": "ai", "Cost": 7},`, `"Tags": [{"Key": "Team", "Value": "web"}]`, `Cost="7" Team="web"`},
		{`"Tags": [{"Key": "Name", "Value": "web"}],`, `"Ports": 80`, `Name="web"`},
		{`"Tags": {"Team": ""},`, `"Ports": 80`, `Team=""`},
	} {
		spec, err := parse(t, decode(t, `{"VpcId": "vpc-1", `+c.chain+` "Tiers": [{"Name": "A", `+c.tier+`}]}`), chain.DefaultAnswerBytes)
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		first, _, _ := strings.Cut(chain.Desired(spec).String(), "\n")
		if _, got, _ := strings.Cut(first, `A"`); strings.TrimSpace(got) != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
	many := `{"k0": "v"`
	for i := range 44 {
		many += fmt.Sprintf(`, "key%d": "v"`, i)
	}
	for tags, want := range map[string]string{
		many + "}":                     "Tiers[0].Tags: the tier's group would have 45 tags, and 51 with those that the chain adds (five ownership tags, Name), but EC2 allows 50. Use at most 44, counting those of the chain's Tags.",
		`{"aws:x": "1"}`:               `Tags.aws:x: the key "aws:x" begins with a reserved prefix`,
		`{"SGChain:x": "1"}`:           "Tags.SGChain:x: the key",
		`[{"Value": "1"}]`:             "Tags[0]: has no key. Write Key and Value.",
		`[{"Key": "a", "Worth": "1"}]`: "Tags[0].Worth: unknown property",
		`["a"]`:                        "Tags[0]: is one value. Write a map with the keys Key, Value",
		`{"a": ["b"]}`:                 "Tags.a: is a list. Write one value",
		`{"` + strings.Repeat("k", 129) + `": "1"}`:                "Tags.kk",
		`{"a": "` + strings.Repeat("v", 257) + `"}`:                "Tags.a: the value has 257 characters",
		`[{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]`: `Tags[1]: the key "a" occurs twice`,
	} {
		_, err := parse(t, decode(t, `{"VpcId": "vpc-1", "Tags": `+tags+`}`), chain.DefaultAnswerBytes)
		if problems, _ := errors.AsType[chain.Problems](err); len(problems) == 0 || !strings.HasPrefix(problems[0].Error(), want) {
			t.Errorf("%s: got %v, want %s", tags, err, want)
		}
	}
}

func TestParseRuleQuota(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{`""`: 60, `"120"`: 120, `1000`: 1000} {
		spec, err := parse(t, decode(t, `{"VpcId": "vpc-1", "RuleQuota": `+text+`}`), chain.DefaultAnswerBytes)
		if err != nil || spec.RuleQuota != want {
			t.Errorf("%s: got %d, %v, want %d", text, spec.RuleQuota, err, want)
		}
	}
	for _, text := range []string{`0`, `1001`, `"many"`, `["60"]`} {
		if _, err := parse(t, decode(t, `{"VpcId": "vpc-1", "RuleQuota": `+text+`}`), chain.DefaultAnswerBytes); err == nil || !strings.HasPrefix(err.Error(), "RuleQuota: ") {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// A template's parameter passes the list as text.
func TestParseTiersAsText(t *testing.T) {
	t.Parallel()
	list := `[{"Name": "A", "Ports": [80]}, {"Name": "B", "Ports": "6060", "Egress": ["chain"]}]`
	asText, errText := parse(t, map[string]any{"VpcId": "vpc-1", "Tiers": " " + list + "\n"}, chain.DefaultAnswerBytes)
	asList, errList := parse(t, decode(t, `{"VpcId": "vpc-1", "Tiers": `+list+`}`), chain.DefaultAnswerBytes)
	if errText != nil || errList != nil || !reflect.DeepEqual(asText, asList) {
		t.Errorf("got %+v, %v and %+v, %v", asText, errText, asList, errList)
	}
	if none, err := parse(t, map[string]any{"VpcId": "vpc-1", "Tiers": ""}, chain.DefaultAnswerBytes); err != nil || len(none.Tiers) != 2 {
		t.Errorf("empty text: got %+v, %v", none, err)
	}
	for text, want := range map[string]string{
		`[{"Name": "A"}`: "unexpected EOF",
		// Not the default chain, which is open to the internet: a form may contain a blank by accident.
		" ":                           "not a list of tiers in JSON",
		`{"Name": "A"}`:               "cannot unmarshal object",
		`[{"Name": "A"}] [1]`:         "more text follows the value",
		`Alb`:                         "invalid character",
		`[]`:                          "is an empty list",
		`null`:                        "is an empty list",
		`[{"Name": "A", "Prots": 1}]`: "Tiers[0].Prots: unknown property",
	} {
		_, err := parse(t, map[string]any{"VpcId": "vpc-1", "Tiers": text}, chain.DefaultAnswerBytes)
		if err == nil || !strings.HasPrefix(err.Error(), "Tiers") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// A template's parameter can also pass the tags as text.
func TestParseTagsAsText(t *testing.T) {
	t.Parallel()
	properties := func(tags any) map[string]any {
		return map[string]any{"VpcId": "vpc-1", "Tags": tags, "Tiers": []any{map[string]any{"Name": "A", "Tags": tags}}}
	}
	for _, text := range []string{`{"Team": "shop", "Cost": 7, "Empty": ""}`, ` [{"Key": "Team", "Value": " x "}] ` + "\n", `{}`, `[]`} {
		var tags any
		if err := json.Unmarshal([]byte(text), &tags); err != nil {
			t.Fatal(err)
		}
		asText, errText := parse(t, properties(text), chain.DefaultAnswerBytes)
		asMap, errMap := parse(t, properties(tags), chain.DefaultAnswerBytes)
		if errText != nil || errMap != nil || !reflect.DeepEqual(asText, asMap) {
			t.Errorf("%s: got %+v, %v and %+v, %v", text, asText, errText, asMap, errMap)
		}
	}
	if none, err := parse(t, properties(""), chain.DefaultAnswerBytes); err != nil || none.Tiers[0].Tags != nil {
		t.Errorf("empty text: got %+v, %v", none, err)
	}
	for text, want := range map[string]string{
		`{"Team": "shop"`:                "Tags: is text, but not tags in JSON (unexpected EOF)",
		`Team=shop`:                      "Tags: is text, but not tags in JSON (invalid character 'T' looking for beginning of value)",
		` `:                              "Tags: is text, but not tags in JSON (EOF)",
		`"Team"`:                         "Tags: is text, but not tags in JSON (it is neither a map nor a list)",
		`null`:                           "Tags: is text, but not tags in JSON (it is neither a map nor a list)",
		`{} {}`:                          "Tags: is text, but not tags in JSON (more text follows the value)",
		`{"Team": "a", "Team": "b"}`:     "Tags.Team: occurs twice in the JSON text",
		`{"Team": ["a"]}`:                "Tags.Team: is a list. Write one value",
		`[{"Key": "Team", "Valeu": ""}]`: "Tags[0].Valeu: unknown property",
		`{"sgchain:x": "a"}`:             `Tags.sgchain:x: the key "sgchain:x" begins with a reserved prefix`,
	} {
		_, err := parse(t, properties(text), chain.DefaultAnswerBytes)
		problems, _ := errors.AsType[chain.Problems](err)
		if len(problems) != 2 || !strings.HasPrefix(problems[0].Error(), want) || !strings.HasPrefix(problems[1].Error(), "Tiers[0]."+want) {
			t.Errorf("%s: got %v, want %s, for the chain and the tier", text, err, want)
		}
	}
}

// Options are words. An unknown word is refused, never ignored.
func TestParseRefusesUnknownOptions(t *testing.T) {
	t.Parallel()
	for property, want := range map[string]string{
		`"UnmanagedRules": "keep"`:                                     "",
		`"UnmanagedRules": "revoke"`:                                   "",
		`"UnmanagedRules": "remove"`:                                   `UnmanagedRules: unknown value "remove". Write revoke or keep, or remove it to use revoke.`,
		`"AdoptExisting": true`:                                        "",
		`"AdoptExisting": "False"`:                                     "",
		`"AdoptExisting": "yes"`:                                       `AdoptExisting: unknown value "yes". Write false or true, or remove it to use false.`,
		`"AdoptExisting": true, "Tiers": [{"Name": "A"}]`:              `AdoptExisting: is true, but no tier has a GroupName. Set GroupName to the names of the existing groups, or remove AdoptExisting.`,
		`"Guardrails": "warn"`:                                         "",
		`"Guardrails": "off"`:                                          `Guardrails: unknown value "off". Write enforce or warn, or remove it to use enforce.`,
		`"Guardrails": ""`:                                             "",
		`"ReleaseTiers": ["Db", "Cache"]`:                              "",
		`"ReleaseTiers": "Db"`:                                         "",
		`"ReleaseTiers": [""]`:                                         "",
		`"ReleaseTiers": []`:                                           "",
		`"ReleaseTiers": ["Db", "Alb"]`:                                `ReleaseTiers[1]: "Alb" is in Tiers. Remove it from Tiers in the same update.`,
		`"ReleaseTiers": ["Db", "Db"]`:                                 `ReleaseTiers[1]: "Db" occurs twice. Keep one.`,
		`"ReleaseTiers": ["vpc"]`:                                      `ReleaseTiers[0]: "vpc" is a word for a peer. Use another name.`,
		`"ReleaseTiers": ["sg-1"]`:                                     `ReleaseTiers[0]: "sg-1" is not a tier name. Use at most 64 letters and digits, a letter first.`,
		`"Revision": "7"`:                                              "",
		`"ServiceTimeout": "1020"`:                                     "",
		`"Tiers": [{"Name": "A", "Ports": 80, "AllowPublic": true}]`:   "",
		`"Tiers": [{"Name": "A", "Ports": 80, "AllowPublic": false}]`:  "",
		`"Tiers": [{"Name": "A", "Ports": 80, "AllowPublic": "open"}]`: `Tiers[0].AllowPublic: unknown value "open". Write false or true, or remove it to use false.`,
	} {
		_, err := parse(t, decode(t, `{"VpcId": "vpc-1", `+property+`}`), chain.DefaultAnswerBytes)
		if (want == "") != (err == nil) || (err != nil && err.Error() != want) {
			t.Errorf("%s: got %v, want %q", property, err, want)
		}
	}
	spec, err := parse(t, decode(t, `{"VpcId": "vpc-1", "UnmanagedRules": "keep", "AdoptExisting": "true", "Guardrails": "Warn", "ReleaseTiers": [" Db ", ""], "Tiers": [{"Name": "A", "GroupName": "a", "AllowPublic": "true"}]}`), chain.DefaultAnswerBytes)
	if err != nil || !slices.Equal(spec.ReleaseTiers, []string{"Db"}) || !spec.KeepUnmanaged || !spec.Adopt || !spec.WarnOnly || !spec.Tiers[0].AllowPublic {
		t.Errorf("got %+v, %v", spec, err)
	}
}

// Scalars of any kind, as other engines send them, give the same chain.
func TestParseAcceptsScalarsOfAnyKind(t *testing.T) {
	t.Parallel()
	texts := map[string]any{"VpcId": "vpc-1", "Revision": "2", "Tiers": []any{map[string]any{"Name": "A", "Ports": "80", "AllowPublic": "false"}}}
	kinds := map[string]any{"VpcId": "vpc-1", "Revision": 2, "Tiers": []any{map[string]any{"Name": "A", "Ports": []any{json.Number("80")}, "AllowPublic": false, "GroupName": nil}}}
	a, errA := parse(t, texts, chain.DefaultAnswerBytes)
	b, errB := parse(t, kinds, chain.DefaultAnswerBytes)
	if errA != nil || errB != nil || chain.Desired(a).String() != chain.Desired(b).String() {
		t.Errorf("got %v, %v and %v, %v", a, errA, b, errB)
	}
}

func FuzzParse(f *testing.F) {
	folders, err := filepath.Glob("testdata/golden/*/props.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range folders {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		var properties map[string]any
		if json.Unmarshal([]byte(text), &properties) != nil {
			return
		}
		spec, err := parse(t, properties, chain.DefaultAnswerBytes)
		if problems, refused := errors.AsType[chain.Problems](err); refused {
			for _, problem := range problems {
				if problem.Problem == "" {
					t.Errorf("a problem without text at %q", problem.Path)
				}
			}
			return
		}
		if err != nil {
			t.Fatalf("an error that is not a list of problems: %v", err)
		}
		desired := chain.Desired(spec)
		if desired.String() != desired.Normalize().String() {
			t.Errorf("not normalized:\n%s", desired)
		}
		for _, group := range desired.Groups {
			for _, rule := range group.Rules {
				if rule.Description == "" || len(rule.Description) > 255 {
					t.Errorf("rule %s has the description %q", rule, rule.Description)
				}
			}
		}
		ids := map[string]string{}
		for _, tier := range spec.Tiers {
			ids[tier.Name] = "sg-0123456789abcdef0"
		}
		encoded, err := json.Marshal(chain.Answer{Spec: spec, GroupIDs: ids, RuleCount: desired.RuleCount(), Warnings: warningsOf(spec)}.Attributes(chain.DefaultAnswerBytes))
		if err != nil || len(strings.NewReplacer(`\u003e`, ">", `\u003c`, "<", `\u0026`, "&").Replace(string(encoded))) > chain.DefaultAnswerBytes {
			t.Errorf("the attributes take %d bytes: %v", len(encoded), err)
		}
	})
}

// In each place, a value of the wrong kind is refused.
func TestParseRefusesValuesOfTheWrongKind(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"Tiers": [{"Name": "A", "Ports": 80, "Sources": [["internet"]]}]`:            "Tiers[0].Sources[0]: is a list. Write one value",
		`"Tiers": [{"Name": "A", "Ingress": ["80"]}]`:                                 "Tiers[0].Ingress[0]: is one value. Write a map with the keys Ports, Sources, Description",
		`"Tiers": [{"Name": "A", "Ingress": [null]}]`:                                 "Tiers[0].Ingress[0]: is nothing. Write a map with the keys Ports, Sources, Description",
		`"Tiers": [{"Name": "A", "Description": "` + strings.Repeat("d", 256) + `"}]`: "Tiers[0].Description: has 256 characters. Use at most 255.",
		`"Tiers": [[]]`:                    "Tiers[0]: is a list. Write a map with the keys Name",
		`"Tags": [["a"]]`:                  "Tags[0]: is a list. Write a map with the keys Key, Value",
		`"Tags": [{"Key": ["a"]}]`:         "Tags[0].Key: is a list. Write one value",
		`"Tiers": {"Name": "A"}`:           "Tiers: is a map. Write a list",
		`"ReleaseTiers": {"Db": true}`:     "ReleaseTiers: is a map. Write a list",
		`"RuleQuota": {"Limit": 60}`:       "RuleQuota: is a map. Write one value",
		`"AdoptExisting": [{"Limit": 60}]`: "AdoptExisting: is a list. Write one value",
	} {
		if _, err := parse(t, decode(t, `{"VpcId": "vpc-1", `+text+`}`), chain.DefaultAnswerBytes); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func warningsOf(spec chain.Spec) []string {
	warnings, _ := chain.Guard(spec, false)
	return warnings
}
