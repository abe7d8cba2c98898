package sgchain

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/jsii-runtime-go"

	"sgchain/lambda/chain"
)

func parse(t *testing.T, tiers any) chain.Spec {
	t.Helper()
	spec, err := chain.Parse(map[string]any{"VpcId": someVPC, "Tiers": tiers}, chain.DefaultAnswerBytes)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// The tiers that TiersFromJSON returns must mean the same to the function as the JSON itself.
func TestTiersFromJSON(t *testing.T) {
	tests := map[string]string{
		"short form": `[{"Name": "Alb", "GroupName": "ALB-SG", "Description": "Front end", "Ports": [80, "443"]},
			{"Name": "Fargate", "Ports": ["6060-6069", "udp/53"], "Sources": ["Alb", "self"], "Egress": "chain"}]`,
		"long form": `[{"Name": "Alb", "Ingress": [{"Ports": [443], "Sources": ["internet"], "Description": "https"},
			{"Ports": [8443], "Sources": ["203.0.113.7/32"]}]}]`,
		"a value instead of a list": `[{"Name": "Alb", "Ports": 443, "Sources": "internet"}]`,
		"empty texts":               `[{"Name": "Alb", "GroupName": "", "Ports": [443], "Sources": null, "Ingress": null, "Egress": null}]`,
		"closed":                    `[{"Name": "Alb"}, {"Name": "Db", "Ports": null}]`,
		"empty tags":                `[{"Name": "Alb", "Ports": [443], "Tags": {"Owner": "", "Team": null, " a ": " b "}}, {"Name": "Db", "Ports": [5432], "Tags": [{"Key": "Owner"}, {"Key": " a ", "Value": ""}]}]`,
		"tags and outbound rules": `[{"Name": "Alb", "Ports": [443], "Tags": {"Team": "ai", "Cost": 7}, "Egress": ["chain", {"Ports": [443], "Destinations": ["pl-0123abcd", "vpc"], "Description": "out"}]},
			{"Name": "Db", "Ports": [5432], "Tags": [{"Key": "Team", "Value": "db"}], "Egress": {"Ports": "https", "Destinations": "internet"}}, {"Name": "Last", "Egress": ["chain", "all"]}]`,
		"a word and a boolean": `[{"Name": "Alb", "AllowPublic": false, "Ports": ["all"], "Egress": "none"}]`,
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			var decoded []any
			if err := json.Unmarshal([]byte(text), &decoded); err != nil {
				t.Fatal(err)
			}
			tiers, err := TiersFromJSON(text)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := parse(t, plain(properties(tiers))), parse(t, decoded); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestTiersFromJSONRefusesInvalidTiers(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string
	}{
		"no JSON":        {`Alb`, []string{"JSON list"}},
		"an object":      {`{"Name": "Alb"}`, []string{"JSON list"}},
		"two lists":      {`[] []`, []string{"unexpected text after the list"}},
		"null":           {`null`, []string{"Remove it for the default chain"}},
		"an empty list":  {`[]`, []string{"Tiers: is an empty list"}},
		"a key twice":    {`[{"Name": "Alb", "Ports": [443], "Ports": [80]}]`, []string{"Tiers[0].Ports: occurs twice"}},
		"no source":      {`[{"Name": "Alb", "Ports": [443], "Sources": []}]`, []string{"Tiers[0].Sources: is an empty list"}},
		"no tier":        {`[5]`, []string{"Tiers[0]: "}},
		"every mistake":  {`[{"Name": "Alb", "Ports": [70000], "Porst": 1}, {"Name": "Alb"}]`, []string{"Tiers[0].Ports[0]: ", "Tiers[0].Porst: ", "Tiers[1].Name: "}},
		"no flag":        {`[{"Name": "Alb", "AllowPublic": "maybe"}]`, []string{`Tiers[0].AllowPublic: unknown value "maybe"`}},
		"a token":        {`[{"Name": "Alb", "GroupName": "${Token[x.1]}"}]`, []string{"Tiers[0].GroupName: is known only at deployment"}},
		"unknown source": {`[{"Name": "Alb", "Ports": [80], "Sources": ["Albb"]}]`, []string{`Tiers[0].Sources[0]: unknown peer "Albb"`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := TiersFromJSON(test.text)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error: got %q, want one with %q", err, want)
				}
			}
		})
	}
}

// Each constructor must mean to the function what its documentation says.
func TestPortAndPeerConstructors(t *testing.T) {
	ports := map[string][]Port{
		"tcp 443":       {Tcp(443), Https()},
		"tcp 80":        {Ports(80)[0], Http()},
		"tcp 8000-8010": {TcpRange(8000, 8010)}, "tcp 0-65535": {AllTcp()}, "udp 53": {Udp(53)}, "udp 1-2": {UdpRange(1, 2)}, "udp 0-65535": {AllUdp()},
		"icmp": {Icmp()}, "icmp 8": {IcmpPing(), IcmpType(8)}, "icmp 3/4": {IcmpTypeAndCode(3, 4)},
		"icmpv6": {IcmpV6()}, "icmpv6 128": {IcmpV6Type(128)}, "icmpv6 1/4": {IcmpV6TypeAndCode(1, 4)},
		"protocol 50": {Protocol(50)}, "all traffic": {AllTraffic()},
		"tcp 22": {Ssh()}, "tcp 3389": {Rdp()}, "tcp 2049": {Nfs()}, "tcp 5432": {Postgres()}, "tcp 3306": {Mysql()}, "tcp 1433": {Mssql()}, "tcp 1521": {Oracle()},
		"tcp 27017": {Mongodb()}, "tcp 6379": {Redis()}, "tcp 11211": {Memcached()}, "tcp 9092": {Kafka()}, "tcp 5672": {Amqp()},
	}
	for want, same := range ports {
		for _, port := range same {
			rules := rulesOf(t, Tier{Name: "Alb", Ports: []Port{port}, Sources: []Peer{GroupId(jsii.String("sg-0abc"))}})
			if want := []string{"ingress " + want + " from sg-0abc"}; !slices.Equal(rules, want) {
				t.Errorf("port %q: got %v, want %v", port.text, rules, want)
			}
		}
	}
	// The function reads words in any case.
	peers := map[string]Peer{
		"0.0.0.0/0": Internet(), "0.0.0.0/0 ": InternetV4(), "::/0": InternetV6(), "vpc (ipv4)": Vpc(), "Alb": Self(), "Alb ": TierNamed("Alb"),
		"10.0.0.0/8": Cidr("10.0.0.0/8"), "2001:db8::/32": Cidr("2001:db8::/32"), "123456789012/sg-0abc": GroupId(jsii.String("123456789012/sg-0abc")),
		"pl-0abc": PrefixList(jsii.String("pl-0abc")), "com.amazonaws.{region}.s3": PrefixListNamed("com.amazonaws.{region}.s3"),
		"eu.amazonaws.{region}.s3": PrefixListNamed("eu.amazonaws.{region}.s3"), "group/Ops (EU)": GroupNamed("Ops (EU)"), "list/Office": ListNamed("Office"),
		"group/default": GroupNamed("default"),
		"sg-0def":       Group(awsec2.SecurityGroup_FromSecurityGroupId(newStack(t), jsii.String("Other"), jsii.String("sg-0def"), nil)),
	}
	for want, peer := range peers {
		rules := rulesOf(t, Tier{Name: "Alb", Ports: Ports(443), Sources: []Peer{peer}})
		if want := []string{"ingress tcp 443 from " + strings.TrimSpace(want)}; !slices.Equal(rules, want) {
			t.Errorf("peer %q: got %v, want %v", peer.text, rules, want)
		}
	}
}

// rulesOf returns the inbound rules that the function reads from a tier.
func rulesOf(t *testing.T, tier Tier) []string {
	t.Helper()
	spec, err := newKnown([]Tier{tier}).check(map[string]any{"VpcId": someVPC, "Tiers": properties([]Tier{tier})})
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for _, rule := range spec.Tiers[0].Ingress {
		rules = append(rules, rule.String())
	}
	return rules
}
