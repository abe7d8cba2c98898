package chain_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sgchain/lambda/chain"
)

var update = flag.Bool("update", false, "write the goldens anew")

// decode reads properties as Lambda gives them to the function.
func decode(tb testing.TB, text string) map[string]any {
	tb.Helper()
	var properties map[string]any
	if err := json.Unmarshal([]byte(text), &properties); err != nil {
		tb.Fatal(err)
	}
	return properties
}

// TestGoldens reads each folder of testdata: props.json gives either the desired
// state (desired.txt, with summary and warnings) or the problems (error.txt).
func TestGoldens(t *testing.T) {
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
			spec, err := chain.Parse(decode(t, string(text)), chain.DefaultAnswerBytes)
			name, got := "desired.txt", ""
			if problems, refused := errors.AsType[chain.Problems](err); refused {
				name = "error.txt"
				for _, problem := range problems {
					got += problem.Error() + "\n"
				}
			} else if err != nil {
				t.Fatal(err)
			} else {
				got = chain.Desired(spec).String() + "summary: " + chain.Summary(spec) + "\n"
				for _, warning := range chain.Warnings(spec) {
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

// one is the ingress of a chain of one tier with one port.
func one(tb testing.TB, port string) ([]chain.Rule, error) {
	tb.Helper()
	spec, err := chain.Parse(decode(tb, `{"VpcId": "vpc-1", "Tiers": [{"Name": "A", "Ports": [`+port+`], "Sources": "10.0.0.0/8"}]}`), chain.DefaultAnswerBytes)
	if err != nil {
		return nil, err
	}
	return spec.Tiers[0].Ingress, nil
}

func TestPorts(t *testing.T) {
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
		`"icmpv6"`:        "ingress icmpv6 from 10.0.0.0/8",
		`"icmpv6/128/0"`:  "ingress icmpv6 128/0 from 10.0.0.0/8",
		`"proto/50"`:      "ingress protocol 50 from 10.0.0.0/8",
		`"all"`:           "ingress all traffic from 10.0.0.0/8",
	} {
		rules, err := one(t, text)
		if err != nil || len(rules) != 1 || rules[0].String() != want {
			t.Errorf("%s: got %v, %v, want %s", text, rules, err, want)
		}
	}
}

func TestRefusedPorts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`70000`:         "port 70000 is out of range",
		`-1`:            "is not a port",
		`"80-70000"`:    "port 80-70000 is out of range",
		`"90-80"`:       "write 80-90",
		`80.5`:          "is not a port",
		`"eighty"`:      `"eighty" is not a port; write 443`,
		`"tcp"`:         "write tcp/443, or tcp/0-65535",
		`"tcp/"`:        "is not a port",
		`"icmp/300"`:    "is not an ICMP type",
		`"icmp/x"`:      "is not an ICMP type",
		`"icmp/3/-1"`:   "is not an ICMP type",
		`"proto/6"`:     "write tcp/443",
		`"proto/58"`:    "write icmpv6",
		`"proto/256"`:   "is not an IP protocol number",
		`"proto/esp"`:   "is not an IP protocol number",
		`["80"]`:        "must be one value, not a list",
		`{"Port": 80}`:  "must be one value, not a map",
		`"sctp/80"`:     "is not a port",
		`"443, 80"`:     "is not a port",
		`"icmp/8/0/1"`:  "is not an ICMP type",
		`"udp/53-dns"`:  "is not a port",
		`"99999999999"`: "is out of range",
	} {
		_, err := one(t, text)
		if err == nil || !strings.HasPrefix(err.Error(), "Tiers[0].Ports[0]: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want Tiers[0].Ports[0] and %q", text, err, want)
		}
	}
}

func TestSources(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"internet":           "0.0.0.0/0",
		"Internet-V4":        "0.0.0.0/0",
		"internet-v6":        "::/0",
		"203.0.113.7/24":     "203.0.113.0/24",
		"203.0.113.7/32":     "203.0.113.7/32",
		"2001:DB8:0:0::1/64": "2001:db8::/64",
		"self":               "B",
		"B":                  "B",
		"A":                  "A",
	} {
		spec, err := chain.Parse(decode(t, `{"VpcId": "vpc-1", "Tiers": [{"Name": "A"}, {"Name": "B", "Ports": 80, "Sources": ["`+text+`"]}]}`), chain.DefaultAnswerBytes)
		if err != nil || len(spec.Tiers[1].Ingress) != 1 || spec.Tiers[1].Ingress[0].Peer.String() != want {
			t.Errorf("%s: got %+v, %v, want %s", text, spec, err, want)
		}
	}
	for text, want := range map[string]string{
		"C":                          `unknown peer "C"; write a tier (A, B), a CIDR`,
		"a":                          "unknown peer",
		"203.0.113.7":                "write 203.0.113.7/32",
		"2001:db8::1":                "write 2001:db8::1/128",
		"203.0.113.7/33":             "unknown peer",
		"::ffff:10.0.0.0/96":         "write it as IPv4",
		"vpc":                        "not supported by this version",
		"sg-0abc":                    "not supported by this version",
		"123456789012/sg-0a":         "not supported by this version",
		"pl-0abc":                    "not supported by this version",
		"com.amazonaws.us-east-1.s3": "not supported by this version",
		"":                           "unknown peer",
	} {
		_, err := chain.Parse(decode(t, `{"VpcId": "vpc-1", "Tiers": [{"Name": "A"}, {"Name": "B", "Ports": 80, "Sources": ["`+text+`", "internet"]}]}`), chain.DefaultAnswerBytes)
		if err == nil || !strings.HasPrefix(err.Error(), "Tiers[1].Sources[0]: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want Tiers[1].Sources[0] and %q", text, err, want)
		}
	}
}

// What a later version takes is refused, never ignored; the value that this
// version works by is taken.
func TestNotSupportedYet(t *testing.T) {
	t.Parallel()
	for property, want := range map[string]string{
		`"IpFamilies": ["ipv4", "ipv6"]`: `IpFamilies: "ipv6" is not supported by this version; write ipv4 or leave it out`,
		`"UnmanagedRules": "keep"`:       "UnmanagedRules: ",
		`"AdoptExisting": true`:          "AdoptExisting: ",
		`"Guardrails": "warn"`:           "Guardrails: is not supported by this version; leave it out",
		`"RuleQuota": 100`:               "RuleQuota: ",
		`"Tags": {"Team": "ai"}`:         "Tags: ",
		`"IpFamilies": ["ipv4"]`:         "",
		`"UnmanagedRules": "revoke"`:     "",
		`"AdoptExisting": "false"`:       "",
		`"Guardrails": ""`:               "",
		`"Revision": "7"`:                "",
		`"ServiceTimeout": "1020"`:       "",
	} {
		_, err := chain.Parse(decode(t, `{"VpcId": "vpc-1", `+property+`}`), chain.DefaultAnswerBytes)
		if (want == "") != (err == nil) || (err != nil && !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", property, err, want)
		}
	}
	for property, want := range map[string]string{
		`"Tags": {"a": "b"}`:              "Tiers[0].Tags: ",
		`"AllowPublic": true`:             "Tiers[0].AllowPublic: ",
		`"Egress": [{"Ports": [443]}]`:    "Tiers[0].Egress: lists are not supported",
		`"Egress": "some"`:                `Tiers[0].Egress: "some" is not known; write all, chain or none`,
		`"AllowPublic": false`:            "",
		`"Egress": "", "Description": ""`: "",
	} {
		_, err := chain.Parse(decode(t, `{"VpcId": "vpc-1", "Tiers": [{"Name": "A", `+property+`}]}`), chain.DefaultAnswerBytes)
		if (want == "") != (err == nil) || (err != nil && !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", property, err, want)
		}
	}
}

// Properties in the shapes of other engines give the same chain.
func TestScalarsOfAnyKind(t *testing.T) {
	t.Parallel()
	texts := map[string]any{"VpcId": "vpc-1", "Revision": "2", "Tiers": []any{map[string]any{"Name": "A", "Ports": "80", "AllowPublic": "false"}}}
	kinds := map[string]any{"VpcId": "vpc-1", "Revision": 2, "Tiers": []any{map[string]any{"Name": "A", "Ports": []any{json.Number("80")}, "AllowPublic": false, "GroupName": nil}}}
	a, errA := chain.Parse(texts, chain.DefaultAnswerBytes)
	b, errB := chain.Parse(kinds, chain.DefaultAnswerBytes)
	if errA != nil || errB != nil || chain.Desired(a).String() != chain.Desired(b).String() {
		t.Errorf("got %v, %v and %v, %v", a, errA, b, errB)
	}
}

func TestTierNames(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{}`: "Alb Fargate",
		`{"Tiers": [{"Name": "A", "Ports": [99999]}, 7, {"Nome": "C"}, {"Name": "B"}]}`: "A B",
		`{"Tiers": "broken"}`: "Alb Fargate",
	} {
		if got := strings.Join(chain.TierNames(decode(t, text)), " "); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
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
		spec, err := chain.Parse(properties, chain.DefaultAnswerBytes)
		if problems, refused := errors.AsType[chain.Problems](err); refused {
			for _, problem := range problems {
				if problem.Problem == "" {
					t.Errorf("a problem without text at %q", problem.Path)
				}
			}
			return
		}
		if err != nil {
			t.Fatalf("an error that is no list of problems: %v", err)
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
		encoded, err := json.Marshal(chain.Answer{Spec: spec, GroupIDs: ids, RuleCount: desired.RuleCount(), Warnings: chain.Warnings(spec)}.Attributes(chain.DefaultAnswerBytes))
		if err != nil || len(strings.NewReplacer(`\u003e`, ">", `\u003c`, "<", `\u0026`, "&").Replace(string(encoded))) > chain.DefaultAnswerBytes {
			t.Errorf("the attributes take %d bytes: %v", len(encoded), err)
		}
	})
}
