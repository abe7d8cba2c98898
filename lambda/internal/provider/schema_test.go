package provider_test

import (
	"encoding/json"
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/internal/proof/world"
)

// with returns the properties of a chain with more than tiers.
func with(more properties, tiers ...any) properties {
	p := props(tiers...)
	maps.Copy(p, more)
	return p
}

// operations counts the calls of an operation since the last forget.
func (r *rig) operations(name string) int {
	count := 0
	for _, call := range r.world.Calls() {
		if call.Operation == name {
			count++
		}
	}
	return count
}

// What only EC2 knows takes one call for each kind, at the same time as the first read.
func TestLookUps(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		r.world.AddVPC(vpcID, world.IPv6)
		r.world.AddPrefixList("pl-0a", "office", 5, false, netip.MustParsePrefix("198.51.100.0/24"))
		r.world.AddPrefixList("pl-0b", "com.amazonaws.us-east-1.s3", 1, false)
		chain := with(properties{"IpFamilies": []any{"ipv4", "ipv6"}},
			tier("Web", "GroupName", "web", "Ports", 443, "Sources", []any{"internet", "pl-0a", "123456789012/" + r.world.GroupID("default")}),
			tier("App", "GroupName", "app", "Ports", 6060, "Sources", []any{"vpc"}, "Egress", []any{"chain", map[string]any{"Ports": 443, "Destinations": "com.amazonaws.{region}.s3"}}))
		answer := r.succeeds(r.create(chain))
		r.shows(`app "Security group of tier App" in vpc-0123456789abcdef0
  egress tcp 443-443 pl-0b "App to com.amazonaws.{region}.s3: tcp 443"
  ingress tcp 6060-6060 10.1.0.0/16 "vpc to App: tcp 6060"
  ingress tcp 6060-6060 2001:db8:1::/56 "vpc to App: tcp 6060"
web "Security group of tier Web" in vpc-0123456789abcdef0
  egress -1 0.0.0.0/0
  egress -1 ::/0
  ingress tcp 443-443 0.0.0.0/0 "internet to Web: tcp 443"
  ingress tcp 443-443 ::/0 "internet to Web: tcp 443"
  ingress tcp 443-443 default "123456789012/` + r.world.GroupID("default") + ` to Web: tcp 443"
  ingress tcp 443-443 pl-0a "pl-0a to Web: tcp 443"
`)
		if r.operations("DescribeVpcs") != 1 || r.operations("DescribeManagedPrefixLists") != 2 {
			t.Errorf("the look-ups are %v", r.world.Calls())
		}
		r.forget()
		r.succeeds(r.update(answer.PhysicalResourceID, chain, chain))
		if r.world.Writes() != 0 {
			t.Errorf("a second run wrote: %v", r.world.Calls())
		}
	})
}

// Every peer that does not exist is named before anything is written.
func TestUnknownPeers(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		r.fails(r.create(props(tier("Web", "Ports", 443, "Sources", []any{"pl-0a", "com.amazonaws.{region}.s4", "internet"}))),
			"looking up peer (pl-0a) of tier Web: this account and Region have no such prefix list", "looking up peer (com.amazonaws.us-east-1.s4) of tier Web", "Nothing was changed")
		r.fails(r.create(with(properties{"VpcId": "vpc-0fedcba9876543210"}, tier("Web", "Ports", 443, "Sources", []any{"vpc"}))),
			"looking up peer (vpc-0fedcba9876543210) of tier Web: this account and Region have no such VPC", "Set VpcId to a VPC of this account and Region")
		r.fails(r.create(props(tier("Web", "Ports", 443, "Sources", []any{"sg-0dead", "999999999999/sg-0beef", r.world.GroupID("default")}))),
			"looking up peer (sg-0dead) of tier Web: this account and Region have no such security group", "Use an existing security group")
		if r.world.Writes() != 0 {
			t.Errorf("it wrote: %v", r.world.Calls())
		}
		// A deleted peer of the old chain does not prevent an update.
		r.world.AddPrefixList("pl-0a", "office", 5, false)
		first := r.succeeds(r.create(props(tier("Web", "Ports", 443, "Sources", []any{"pl-0a"}))))
		gone := props(tier("Web", "Ports", 443, "Sources", []any{"com.amazonaws.{region}.s4"}))
		r.succeeds(r.update(first.PhysicalResourceID, props(tier("Web", "Ports", 443)), gone))
		elsewhere := with(properties{"VpcId": "vpc-0fedcba9876543210"}, tier("Web", "Ports", 443, "Sources", []any{"vpc"}))
		r.succeeds(r.rollback(first.PhysicalResourceID, props(tier("Web", "Ports", 443)), elsewhere))
	})
}

// A group of the chain has to be named by its tier.
func TestPeerIDOfOwnGroup(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		old := props(tier("Web", "Ports", 443), tier("App", "Ports", 6060))
		first := r.succeeds(r.create(old))
		r.forget()
		now := props(tier("Web", "Ports", 443), tier("App", "Ports", 6060, "Sources", []any{attribute(first, "Web")}))
		r.fails(r.update(first.PhysicalResourceID, now, old), attribute(first, "Web")+" is the group of tier Web of this chain", "Name the tier Web")
		if r.world.Writes() != 0 {
			t.Errorf("it wrote: %v", r.world.Calls())
		}
	})
}

// The author's tags are set with the group, changed in one call for each distinct set, and removed
// with the property. Other principals' tags stay.
func TestTags(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		old := with(properties{"Tags": properties{"Team": "web", "Cost": "7"}}, tier("Web"), tier("App", "Tags", properties{"Name": "the app"}))
		first := r.succeeds(r.create(old))
		web, app := attribute(first, "Web"), attribute(first, "App")
		shows := func(when, id string, want ...string) {
			t.Helper()
			for i, key := range []string{"Team", "Cost", "Owner", "Name"} {
				if got := r.world.Tag(id, key); got != want[i] && want[i] != "any" {
					t.Errorf("%s: %s is %q, want %q", when, key, got, want[i])
				}
			}
		}
		shows("created", web, "web", "7", "", "any")
		shows("created", app, "web", "7", "", "the app")
		for range 2 { // on both groups
			r.world.Apply(world.OutOfBandChange{Deed: world.AddTag, Pick: 0})
			r.world.Apply(world.OutOfBandChange{Deed: world.AddTag, Pick: 1})
		}
		r.forget()
		now := with(properties{"Tags": properties{"Team": "shop"}}, tier("Web"), tier("App"))
		r.succeeds(r.update(first.PhysicalResourceID, now, old))
		shows("changed", web, "shop", "", "by hand", "any")
		shows("changed", app, "shop", "", "by hand", "any")
		if name := r.world.Tag(app, "Name"); !strings.HasPrefix(name, "sgchain-Shop-App-") {
			t.Errorf("without a Name of the author's the group is named %q", name)
		}
		// App gets a name as well, so there are two distinct sets.
		if r.operations("CreateTags") != 2 || r.operations("DeleteTags") != 1 || r.world.Writes() != 3 {
			t.Errorf("got %v", r.world.Calls())
		}
	})
}

// A change that does not fit is refused with the arithmetic, before anything is written. One that
// only fits in an unusual order is made in that order, with a warning.
func TestQuota(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		r.world.RuleQuota = 3
		from := func(sources ...any) properties {
			return with(properties{"RuleQuota": "3"}, tier("Web", "Ports", 443, "Sources", sources))
		}
		old := from("10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16")
		first := r.succeeds(r.create(old))
		r.forget()
		r.fails(r.update(first.PhysicalResourceID, from("10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"), old),
			"planning ingress rules of security group (Web~", "the chain needs 4 IPv4 rules, and the quota is 3", "Nothing was changed.", "set RuleQuota to it")
		r.fails(r.update(first.PhysicalResourceID, from("10.0.0.0/17", "10.1.0.0/17", "10.2.0.0/17"), old),
			"until old rules are revoked, the group needs 6 IPv4 rules (3 existing and 3 new), and the quota is 3", "two deployments")
		if r.world.Writes() != 0 {
			t.Errorf("it wrote: %v", r.world.Calls())
		}
		second := r.succeeds(r.update(first.PhysicalResourceID, from("10.0.0.0/16", "10.1.0.0/16", "10.3.0.0/16"), old))
		if warning, _ := second.Data["Warnings"].(string); !strings.Contains(warning, "near its quota of 3 rules") {
			t.Errorf("the warning is %q", warning)
		}
		var order []string
		for _, call := range r.world.Calls() {
			if call.Write {
				order = append(order, call.Operation)
			}
		}
		if strings.Join(order, " ") != "RevokeSecurityGroupIngress AuthorizeSecurityGroupIngress" {
			t.Errorf("the order is %v", order)
		}
	})
}

// A prefix list that neither chain names is counted as well.
func TestQuotaCountsListsOfNeitherChain(t *testing.T) {
	simulate(t, func(_ *testing.T, r *rig) {
		r.world.RuleQuota = 6
		r.world.AddPrefixList("pl-0a", "office", 5, false)
		listed := with(properties{"RuleQuota": 6}, tier("Web", "GroupName", "web", "Ports", 443, "Sources", []any{"pl-0a"}))
		plain := with(properties{"RuleQuota": 6}, tier("Web", "GroupName", "web", "Ports", 443, "Sources", []any{"10.1.0.0/16", "10.2.0.0/16"}))
		first := r.succeeds(r.create(listed))
		// As after a rollback that was skipped: CloudFormation has recorded another chain.
		empty := with(properties{"RuleQuota": 6}, tier("Web", "GroupName", "web"))
		r.fails(r.update(first.PhysicalResourceID, plain, empty), "the group needs 7 IPv4 rules (5 existing and 2 new), and the quota is 6. Prefix list pl-0a office counts as 5")
	})
}

// The next Update removes an orphaned group once it is unused, and with it the rules that name it.
// Until then a warning names it.
func TestOrphans(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		one := props(tier("Web", "Ports", 443), tier("App", "Ports", 6060, "Description", "one"))
		two := props(tier("Web", "Ports", 443), tier("App", "Ports", 6060, "Description", "two"))
		three := props(tier("Web", "Ports", 443), tier("App", "Ports", 6061, "Description", "two"))
		first := r.succeeds(r.create(one))
		second := r.succeeds(r.update(first.PhysicalResourceID, two, one))
		// The cleanup never runs, and the old group still has a member.
		old := attribute(first, "App")
		r.attach("eni-2", "late", old)
		third := r.succeeds(r.update(second.PhysicalResourceID, three, two))
		if warning, _ := third.Data["Warnings"].(string); !strings.Contains(warning, "security group "+old+" (tier App) is orphaned") {
			t.Errorf("the warning is %q", warning)
		}
		r.attach("eni-2", "")
		r.forget()
		fourth := r.succeeds(r.update(third.PhysicalResourceID, two, three))
		if warning, _ := fourth.Data["Warnings"].(string); warning != "" || r.operations("DeleteSecurityGroup") != 1 {
			t.Errorf("the warning is %q, the calls are %v", warning, r.world.Calls())
		}
		last := r.world.Calls()[len(r.world.Calls())-1]
		if last.Operation != "DeleteSecurityGroup" || last.Err != nil {
			t.Errorf("the last call is %s", last)
		}
		r.succeeds(r.destroy(fourth.PhysicalResourceID, two))
	})
}

// An orphaned group that returns to the chain has the chain's inbound rules, and none from other
// orphaned groups.
func TestOrphanReturnsToTheChain(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		one := props(tier("A", "Ports", 80), tier("B", "Ports", 80))
		two := props(tier("E"))
		three := props(tier("E"), tier("B", "Ports", 81))
		first := r.succeeds(r.create(one))
		second := r.succeeds(r.update(first.PhysicalResourceID, two, one)) // and no cleanup runs
		r.attach("eni-2", "late", attribute(first, "A"))                   // so it stays
		third := r.succeeds(r.update(second.PhysicalResourceID, three, two))
		if attribute(third, "B") != attribute(first, "B") {
			t.Fatalf("B is %s, was %s", attribute(third, "B"), attribute(first, "B"))
		}
		found, err := r.world.Client("reader").DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{GroupIds: []string{attribute(third, "B")}})
		if err != nil {
			t.Fatal(err)
		}
		doors := found.SecurityGroups[0].IpPermissions
		if len(doors) != 1 || len(doors[0].UserIdGroupPairs) != 1 || aws.ToString(doors[0].UserIdGroupPairs[0].GroupId) != attribute(third, "E") {
			t.Errorf("B has the rules %+v, want one from E (%s)", doors, attribute(third, "E"))
		}
	})
}

// An orphaned group that another owner's group names does not keep the others from being removed.
func TestOrphanNamedByAnotherOwner(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		one := props(tier("A", "Ports", 80), tier("B", "Ports", 80), tier("C", "Ports", 80), tier("D", "Ports", 80))
		two, three := props(tier("E")), props(tier("E", "Ports", 80))
		first := r.succeeds(r.create(one))
		second := r.succeeds(r.update(first.PhysicalResourceID, two, one)) // and no cleanup runs
		principal, held := r.world.Client("other"), attribute(first, "D")
		theirs, err := principal.CreateSecurityGroup(t.Context(), &ec2.CreateSecurityGroupInput{GroupName: aws.String("theirs"), Description: aws.String("d"), VpcId: aws.String(vpcID)})
		if err == nil {
			_, err = principal.AuthorizeSecurityGroupIngress(t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: theirs.GroupId, IpPermissions: []types.IpPermission{{
				IpProtocol: aws.String("-1"), UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: &held}},
			}}})
		}
		if err != nil {
			t.Fatal(err)
		}
		third := r.succeeds(r.update(second.PhysicalResourceID, three, two))
		warning, _ := third.Data["Warnings"].(string)
		if !strings.Contains(warning, held) || strings.Count(warning, "is orphaned") != 1 || !strings.Contains(warning, "another owner's rule names it") {
			t.Errorf("the warning is %q", warning)
		}
		for _, tier := range []string{"A", "B", "C"} {
			if r.world.Tag(attribute(first, tier), "sgchain:tier") != "" {
				t.Errorf("the group of %s is still there", tier)
			}
		}
	})
}

// CloudWatch reads metrics from a line of the log.
func TestMetrics(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		r.succeeds(r.create(props(tier("Web", "Ports", 443))))
		r.fails(r.create(props(tier("Web", "Ports", 99999))), "port 99999")
		var lines []map[string]any
		for line := range strings.Lines(r.logged()) {
			var entry map[string]any
			if err := json.Unmarshal([]byte(line), &entry); err != nil {
				t.Fatal(err)
			}
			if entry["_aws"] != nil {
				lines = append(lines, entry)
			}
		}
		if len(lines) != 2 {
			t.Fatalf("%d lines with metrics, want 2", len(lines))
		}
		for i, want := range []map[string]any{{"Failures": 0.0, "Writes": 2.0}, {"Failures": 1.0, "Writes": 0.0}} {
			format, _ := lines[i]["_aws"].(map[string]any)
			directives, _ := format["CloudWatchMetrics"].([]any)
			directive, _ := directives[0].(map[string]any)
			metrics, _ := directive["Metrics"].([]any)
			for _, metric := range metrics {
				name, _ := metric.(map[string]any)["Name"].(string)
				value, known := lines[i][name].(float64)
				if expected, given := want[name]; !known || (given && value != expected) {
					t.Errorf("line %d: %s is %v, want %v", i, name, lines[i][name], want[name])
				}
			}
			for _, field := range []string{"stack", "resource"} { // by which the dashboard counts writes
				if name, _ := lines[i][field].(string); name == "" {
					t.Errorf("line %d: %s is %v", i, field, lines[i][field])
				}
			}
			if len(metrics) != 4 || directive["Namespace"] != "SecurityGroupChain" || lines[i]["Operation"] != string(cfn.RequestCreate) || format["Timestamp"] == nil {
				t.Errorf("got %v", lines[i])
			}
		}
	})
}

// The log lists several problems in an attribute, which CloudWatch Logs shows line by line.
func TestLogListsProblems(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		r.fails(r.create(props(tier("Web", "Ports", 443, "Sources", []any{"sg-0dead", "pl-0dead"}))), "2 problems: (1) looking up peer (", " (2) looking up peer (")
		for line := range strings.SplitSeq(r.logged(), "\n") {
			var logged struct {
				Msg, Error string
				Problems   []string
			}
			if err := json.Unmarshal([]byte(line), &logged); err != nil || logged.Msg != "failed" {
				continue
			}
			if len(logged.Problems) != 2 || strings.Contains(logged.Error, "\n") {
				t.Errorf("the log has %q and %q", logged.Error, logged.Problems)
			}
			return
		}
		t.Error("the log has no failure")
	})
}
