package chain_test

import (
	"net/netip"
	"strings"
	"testing"

	"sgchain/lambda/chain"
)

// A rule whose peer has no addresses causes one warning. Addresses of one family are enough. F17
// in CHANGELOG.md.
func TestUnservedWarnsOfRulesWithoutAddresses(t *testing.T) {
	t.Parallel()
	v4, v6 := netip.MustParsePrefix("10.0.0.0/16"), netip.MustParsePrefix("2001:db8::/56")
	for _, c := range []struct {
		tier   string
		ranges []netip.Prefix
		want   []string
	}{
		{`"Ports": ["icmpv6"], "Sources": ["vpc"]`, []netip.Prefix{v4}, []string{"icmpv6 from vpc"}},
		{`"Ports": ["icmpv6"], "Sources": ["vpc", "2001:db8:9::/48"]`, []netip.Prefix{v4}, []string{"icmpv6 from vpc"}},
		{`"Ports": ["icmpv6", 443], "Sources": ["vpc"]`, []netip.Prefix{v4}, []string{"icmpv6 from vpc"}},
		{`"Ports": ["icmpv6"], "Sources": ["vpc"]`, []netip.Prefix{v4, v6}, nil},
		{`"Ports": [443], "Sources": ["vpc"]`, []netip.Prefix{v4}, nil},
		{`"Ports": [443], "Sources": ["vpc"]`, []netip.Prefix{v6}, nil},
		{`"Ports": ["icmp"], "Sources": ["vpc"]`, []netip.Prefix{v6}, []string{"icmp from vpc"}},
		{`"Ports": [443], "Sources": ["vpc"]`, []netip.Prefix{}, []string{"tcp 443 from vpc"}},
		{`"Ports": [443], "Egress": [{"Ports": ["icmpv6"], "Destinations": ["vpc"]}]`, []netip.Prefix{v4}, []string{"icmpv6 to vpc"}},
		{`"Ports": [443], "Sources": ["vpc"]`, nil, nil}, // the VPC does not exist, which Resolve refuses
	} {
		spec, err := parse(t, decode(t, `{"VpcId": "vpc-1", "IpFamilies": ["ipv4", "ipv6"], "Tiers": [{"Name": "A", `+c.tier+`}]}`), chain.DefaultAnswerBytes)
		if err != nil {
			t.Fatal(err)
		}
		found := chain.Found{VPCs: map[string][]netip.Prefix{}}
		if c.ranges != nil {
			found.VPCs["vpc-1"] = c.ranges
		}
		got := chain.Desired(spec).Ineffective(found)
		if len(got) != len(c.want) {
			t.Errorf("%s, %v: got %q, want %q", c.tier, c.ranges, got, c.want)
			continue
		}
		for i, text := range got {
			if !strings.Contains(text, c.want[i]+" has no effect: ") {
				t.Errorf("%s, %v: got %q, want %q", c.tier, c.ranges, text, c.want[i])
			}
		}
	}
}
