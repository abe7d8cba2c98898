package chain_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sgchain/lambda/chain"
)

// guarded returns the findings for tiers in JSON: "refused" or "warned", the ID and the tier.
func guarded(t *testing.T, tiers string) []string {
	t.Helper()
	spec, err := parse(t, decode(t, `{"VpcId": "vpc-1", "IpFamilies": ["ipv4", "ipv6"], "Tiers": `+tiers+`}`), chain.DefaultAnswerBytes)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, finding := range chain.Guardrails(spec) {
		word := map[chain.Severity]string{chain.Refused: "refused", chain.Warned: "warned"}[finding.Severity]
		got = append(got, fmt.Sprintf("%s %s %s", word, finding.Rule, finding.Tier))
		if finding.Path != fmt.Sprintf("Tiers[%d]", slices.IndexFunc(spec.Tiers, func(tier chain.Tier) bool { return tier.Name == finding.Tier })) {
			t.Errorf("the path of %s is %s", finding, finding.Path)
		}
		if (finding.Severity == chain.Refused) != (finding.Remedy != "") {
			t.Errorf("the remedy of %s is %q", finding, finding.Remedy)
		}
		checkForm(t, strings.TrimSpace(finding.String()+". "+finding.Remedy))
	}
	return slices.Compact(got)
}

func TestGuardrails(t *testing.T) {
	t.Parallel()
	const alb = `{"Name": "Alb", "Ports": [80, 443]}, `
	for _, test := range []struct {
		name, tiers string
		want        []string
	}{
		{"the default chain", `""`, nil},
		// The tutorial's four mistakes.
		{"6060 open to the internet", `[` + alb + `{"Name": "Fargate", "Ports": 6060, "Sources": "internet"}]`, []string{"refused public-tier Fargate"}},
		{"443 missing", `[{"Name": "Alb", "Ports": [80]}, {"Name": "Fargate", "Ports": 6060}]`, []string{"warned http-without-https Alb"}},
		{"all egress blocked", `[{"Name": "Alb", "Ports": [80, 443], "Egress": "none"}, {"Name": "Fargate", "Ports": 6060, "Egress": "none"}]`, []string{"warned no-egress Alb"}},
		{"addresses instead of groups", `[` + alb + `{"Name": "Fargate", "Ports": 6060, "Sources": "10.1.0.0/16"}]`, []string{"warned address-for-tier Fargate"}},

		{"the internet by halves", `[` + alb + `{"Name": "App", "Ports": 6060, "Sources": ["0.0.0.0/1", "128.0.0.0/1"]}]`, []string{"refused public-tier App"}},
		{"the internet of IPv6", `[` + alb + `{"Name": "App", "Ports": 6060, "Sources": "2000::/3"}]`, []string{"refused public-tier App"}},
		{"a /8 is not the internet", `[` + alb + `{"Name": "App", "Ports": 6060, "Sources": "52.0.0.0/8"}]`, nil},
		{"a great part of IPv6", `[` + alb + `{"Name": "App", "Ports": 6060, "Sources": "2a00::/12"}]`, []string{"refused public-tier App"}},
		{"a /16 of IPv6 is not the internet", `[` + alb + `{"Name": "App", "Ports": 6060, "Sources": "2a01::/16"}]`, nil},
		{"a /7 around private addresses is the internet", `[` + alb + `{"Name": "App", "Ports": 6060, "Sources": "10.0.0.0/7"}]`, []string{"refused public-tier App"}},
		{"unique local addresses are not the internet", `[` + alb + `{"Name": "App", "Ports": 6060, "Sources": "fc00::/7"}]`, []string{"warned address-for-tier App"}},
		{"AllowPublic", `[` + alb + `{"Name": "App", "Ports": 6060, "Sources": "internet", "AllowPublic": true}]`, []string{"warned public-tier App"}},
		{"AllowPublic without effect", `[{"Name": "Alb", "Ports": [443], "AllowPublic": true}]`, nil},
		{"outbound to the internet", `[` + alb + `{"Name": "App", "Ports": 6060, "Egress": [{"Ports": 22, "Destinations": "internet"}]}]`, nil},

		{"all ports", `[{"Name": "Alb", "Ports": "all"}]`, []string{"refused public-all-ports Alb"}},
		{"all ports of tcp", `[{"Name": "Alb", "Ports": "0-65535"}]`, []string{"refused public-all-ports Alb"}},
		{"half of them", `[{"Name": "Alb", "Ports": "udp/32768-65535"}]`, []string{"refused public-all-ports Alb"}},
		{"less than half", `[{"Name": "Alb", "Ports": "udp/49152-65535"}]`, nil},
		{"half of them in pieces", `[{"Name": "Alb", "Ports": ["11212-27016", "27019-45000", "45001-65535"]}]`, []string{"refused public-all-ports Alb"}},
		{"the same ports to many", `[{"Name": "Alb", "Ports": "45001-65535", "Sources": ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"]}]`, nil},
		{"all ports from the office", `[{"Name": "Alb", "Ports": "all", "Sources": "203.0.113.0/24"}]`, nil},
		{"AllowPublic does not allow all ports", `[` + alb + `{"Name": "App", "Ports": "all", "Sources": "internet", "AllowPublic": true}]`, []string{"refused public-all-ports App", "warned public-tier App"}},

		{"ssh", `[{"Name": "Bastion", "Ports": "ssh"}]`, []string{"refused public-admin-port Bastion"}},
		{"ssh from the office", `[{"Name": "Bastion", "Ports": "ssh", "Sources": "203.0.113.7/32"}]`, nil},
		{"a database", `[{"Name": "Db", "Ports": "postgres"}]`, []string{"refused public-admin-port Db"}},
		{"a range around a port", `[{"Name": "Win", "Ports": "3380-3400"}]`, []string{"refused public-admin-port Win"}},
		{"a range without the port", `[{"Name": "Win", "Ports": "3390-3400"}]`, nil},
		{"the last of the ports", `[{"Name": "Db", "Ports": "27018"}]`, []string{"refused public-admin-port Db"}},
		{"above them all", `[{"Name": "Db", "Ports": "30000"}]`, nil},
		{"a port of udp", `[{"Name": "Cache", "Ports": "udp/11211"}]`, []string{"refused public-admin-port Cache"}},
		{"media by udp", `[{"Name": "Sip", "Ports": ["udp/16384-32767", "udp/27015-27030"]}]`, nil},
		{"a protocol without ports", `[{"Name": "Vpn", "Ports": "proto/50"}]`, nil},
		{"an inner tier is refused twice", `[` + alb + `{"Name": "Db", "Ports": "mysql", "Sources": "internet"}]`, []string{"refused public-admin-port Db", "refused public-tier Db"}},

		{"80 and a range with 443", `[{"Name": "Alb", "Ports": [80, "442-444"]}]`, nil},
		{"80 from the office", `[{"Name": "Alb", "Ports": 80, "Sources": "203.0.113.0/24"}]`, nil},

		{"an outbound rule to the tier", `[{"Name": "Alb", "Ports": 443, "Egress": [{"Ports": "6000-7000", "Destinations": "App"}]}, {"Name": "App", "Ports": 6060}]`, nil},
		{"an outbound rule to addresses", `[{"Name": "Alb", "Ports": 443, "Egress": [{"Ports": 6060, "Destinations": "vpc"}]}, {"Name": "App", "Ports": 6060}]`, nil},
		{"an outbound rule for other ports", `[{"Name": "Alb", "Ports": 443, "Egress": [{"Ports": 443, "Destinations": "vpc"}]}, {"Name": "App", "Ports": 6060}]`, []string{"warned no-egress Alb"}},
		{"an outbound rule for pings", `[{"Name": "Alb", "Ports": 443, "Egress": [{"Ports": "icmp/8", "Destinations": "App"}]}, {"Name": "App", "Ports": "icmp/8"}]`, nil},
		{"an outbound rule for all of icmp", `[{"Name": "Alb", "Ports": 443, "Egress": [{"Ports": "icmp", "Destinations": "App"}]}, {"Name": "App", "Ports": "icmp/3/4"}]`, nil},
		{"an outbound rule for another type of icmp", `[{"Name": "Alb", "Ports": 443, "Egress": [{"Ports": "icmp/0", "Destinations": "App"}]}, {"Name": "App", "Ports": "icmp/8"}]`, []string{"warned no-egress Alb"}},
		{"an outbound rule to another tier", `[{"Name": "Alb", "Ports": 443, "Egress": [{"Ports": 6060, "Destinations": "Other"}]}, {"Name": "App", "Ports": 6060}, {"Name": "Other", "Ports": 6060}]`, []string{"warned no-egress Alb"}},
		{"the last tier allows no outbound traffic on purpose", `[` + alb + `{"Name": "Db", "Ports": 5432, "Egress": "none"}]`, nil},
		{"the last tier has no outbound rule", `[` + alb + `{"Name": "Db", "Ports": 5432, "Egress": "chain"}]`, []string{"warned no-egress Db"}},
		{"an address of the outermost tier", `[{"Name": "Alb", "Ports": 443, "Sources": "10.0.0.0/8"}]`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := guarded(t, test.tiers); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// Guardrails: warn turns refusals into warnings, unless the provider enforces guardrails.
func TestGuardRefusesUnlessTheChainMayOnlyWarn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		mode           string
		forced         bool
		refused, warns string
	}{
		{"enforce", false, "set Guardrails to warn", ""},
		{"", false, "set Guardrails to warn", ""},
		{"warn", false, "", "public-admin-port: tier Bastion allows tcp 22 from 0.0.0.0/0, and 22 is an administration or database port"},
		{"warn", true, "The provider enforces guardrails", ""},
		{"enforce", true, "The provider enforces guardrails", ""},
	} {
		spec, err := parse(t, decode(t, `{"VpcId": "vpc-1", "Guardrails": "`+test.mode+`", "Tiers": [{"Name": "Bastion", "Ports": 22}]}`), chain.DefaultAnswerBytes)
		if err != nil {
			t.Fatal(err)
		}
		warnings, refused := chain.Guard(spec, test.forced)
		if (refused != nil) != (test.refused != "") || (refused != nil && !strings.Contains(refused.Remedy(), test.refused)) || strings.Join(warnings, "") != test.warns {
			t.Errorf("%+v: got %v, %q", test, refused, warnings)
		}
	}
}
