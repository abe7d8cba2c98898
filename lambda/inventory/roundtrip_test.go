package inventory_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/internal/proof/world"
)

// random makes random test data from a seed.
type random struct{ *rand.Rand }

func newRandom(seed uint64) random {
	return random{rand.New(rand.NewPCG(seed, 1))}
}

func pick[T any](d random, from ...T) T { return from[d.IntN(len(from))] }

func (d random) oneIn(n int) bool { return d.IntN(n) == 0 }

// some returns up to most different elements.
func some[T any](d random, most int, from []T) []T {
	from = slices.Clone(from)
	d.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
	return from[:1+d.IntN(min(most, len(from)))]
}

// Prefix lists: one of AWS with the Region in its name, one of AWS without, and one of a customer.
const (
	storageList, edgeList, officeList = "pl-63a5400a", "pl-3b927c52", "pl-0123456789abcdef0"
)

func (a *account) addLists() {
	a.world.AddPrefixList(storageList, "com.amazonaws.us-east-1.s3", 1, false, netip.MustParsePrefix("198.51.100.0/24"))
	a.world.AddPrefixList(edgeList, "com.amazonaws.global.cloudfront.origin-facing", 1, false, netip.MustParsePrefix("203.0.113.0/24"))
	a.world.AddPrefixList(officeList, "offices", 3, true, netip.MustParsePrefix("2001:db8:9::/48"))
}

// ports returns ports in all the forms that properties allow, peers does so for peers.
func ports() []any {
	return []any{80, 443, 22, "8000-8010", "udp/53", "udp/100-200", "icmp", "icmp/8", "icmp/3/4", "icmpv6/128", "icmpv6", "proto/50", "all", "0-65535", "postgres"}
}

func (d random) peers(names []string) []any {
	all := []any{
		"internet", "internet-v4", "internet-v6", "vpc", "self", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "2001:db8:1::/56", "fd00::/8",
		storageList, "com.amazonaws.us-east-1.s3", "com.amazonaws.{region}.s3", "com.amazonaws.global.cloudfront.origin-facing", officeList,
	}
	for _, name := range names {
		all = append(all, name, name)
	}
	return some(d, 3, all)
}

func (d random) entries(peers string, names []string) []any {
	var entries []any
	for range 1 + d.IntN(3) {
		entry := map[string]any{"Ports": some(d, 3, ports()), peers: d.peers(names)}
		if d.oneIn(3) {
			entry["Description"] = pick(d, "from the office", "a (b) #c: d=e", "x")
		}
		entries = append(entries, entry)
	}
	return entries
}

// properties returns random properties. Some of them are invalid.
func (d random) properties() map[string]any {
	names := some(d, 5, []string{"Web", "App", "Db", "Cache", "Admin", "Batch"})
	alike := d.oneIn(2) // tiers and groups have the same names
	var tiers []any
	for place, name := range names {
		tier := map[string]any{"Name": name, "GroupName": name}
		if !alike {
			tier["GroupName"] = pick(d, "shop ", "shop-prod-", "2-") + strings.ToLower(name) + pick(d, "", "-sg", " (old)")
		}
		if d.oneIn(4) {
			delete(tier, "GroupName")
		}
		if d.oneIn(3) {
			tier["Description"] = pick(d, "The shop's "+name[:1], "Group for people & machines", "Security group of tier Web")
		}
		switch {
		case place == 0 && d.oneIn(2), place > 0 && d.oneIn(3):
			tier["Ports"] = some(d, 3, ports())
		case d.oneIn(3):
			tier["Ports"], tier["Sources"] = some(d, 3, ports()), d.peers(names)
		case d.oneIn(2):
			tier["Ingress"] = d.entries("Sources", names)
		}
		switch d.IntN(6) {
		case 0:
			tier["Egress"] = "chain"
		case 1:
			tier["Egress"] = "none"
		case 2:
			tier["Egress"] = d.entries("Destinations", names)
		case 3:
			tier["Egress"] = append(d.entries("Destinations", names), pick(d, "chain", "all"))
		}
		tiers = append(tiers, tier)
	}
	properties := map[string]any{"VpcId": vpcID, "Tiers": tiers, "Guardrails": "warn", "RuleQuota": 1000}
	if d.oneIn(3) {
		properties["IpFamilies"] = []any{"ipv4", "ipv6"}
	}
	if d.oneIn(5) {
		properties["Tags"] = map[string]any{"Team": "shop", "Käse": "ä ö 漢字"}
	}
	return properties
}

// TestChainsAreDescribedExactly has the provider build random chains, removes their ownership tags, and describes them. Nothing differs, not
// even a description.
func TestChainsAreDescribedExactly(t *testing.T) {
	t.Parallel()
	const wanted = 2000
	built := 0
	for seed := uint64(1); built < wanted; seed++ {
		d := newRandom(seed)
		properties := d.properties()
		var options []world.VPCOption
		if _, both := properties["IpFamilies"]; both || d.oneIn(3) {
			options = append(options, world.IPv6)
		}
		synctest.Test(t, func(t *testing.T) {
			a := newAccount(t, options...)
			a.world.RuleQuota = 1000
			a.addLists()
			if answer := a.deploy(properties, nil); answer.Status != cfn.StatusSuccess {
				return // invalid properties
			}
			built++
			a.disown()
			read := a.read()
			found, proof, err := imported(read)
			if err != nil || len(proof.Differences) > 0 || len(proof.Rewritten) > 0 {
				t.Fatalf("seed %d: %v\ndiffers: %s\nrewritten: %v\nbuilt from %s\ndescribed as %s\nin %s", seed, err, strings.Join(proof.Differences, "\n"), proof.Rewritten, text(properties), text(found.Properties()), a.world)
			}
			if proof.Groups != len(read.Groups)-1 { // without the default group
				t.Errorf("seed %d: it describes %d groups of %d", seed, proof.Groups, len(read.Groups))
			}
		})
		if seed > 20*wanted {
			t.Fatalf("of %d chains only %d could be built", seed, built)
		}
	}
}
