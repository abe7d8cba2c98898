package provider_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// A query by IDs keeps to EC2's limit of 200 filter values, and has each group once.
func TestMoreFilterValuesThanOneCallTakes(t *testing.T) {
	t.Parallel()
	for name, shape := range map[string]struct{ tiers, ports, groups int }{
		"many rules from one group": {30, 7, 1},
		"many groups":               {4, 1, 55},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				build := func(foreign bool) properties {
					var tiers []any
					for i := range shape.tiers {
						var ports, sources []any
						for port := range shape.ports {
							ports = append(ports, 1000+2*port)
						}
						for n := range shape.groups {
							groupName := fmt.Sprintf("hand-%d-%d", i, n)
							if shape.groups == 1 {
								groupName = "hand"
							}
							if r.world.GroupID(groupName) == "" {
								r.existingGroup(groupName, "by hand")
							}
							sources = append(sources, r.world.GroupID(groupName))
						}
						if !foreign {
							sources = []any{"203.0.113.0/24"}
						}
						tiers = append(tiers, tier(fmt.Sprintf("T%d", i), "Ports", ports, "Sources", sources))
					}
					return props(tiers...)
				}
				now, next := build(true), build(false)
				id := r.succeeds(r.create(now)).PhysicalResourceID
				id = r.succeeds(r.update(id, next, now)).PhysicalResourceID
				r.succeeds(r.rollback(id, now, next))
				r.succeeds(r.destroy(id, now))
			})
		})
	}
}

// Another owner's group that looks like one of the chain's and was not asked for does not delay a
// run. An EC2 that ignores a filter shows it.
func TestAnswersOfIgnoredFilters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		hand := r.existingGroup("hand", "by hand")
		now := props(tier("Web", "Ports", 443, "Sources", hand))
		id := r.succeeds(r.create(now)).PhysicalResourceID
		r.world.IgnoreFilters = true
		r.succeeds(r.update(id, props(tier("Web", "Ports", 443, "Sources", "203.0.113.0/24")), now))
	})
}

// A name with wildcards matches other names, and only the exact name is used.
func TestNamesWithWildcards(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		other := r.existingGroup("web-1", "another owner")
		now := props(tier("Web", "GroupName", "web-*", "Ports", 443))
		now["AdoptExisting"] = true
		made := r.succeeds(r.create(now))
		if got := attribute(made, "Web"); got == other || r.world.Tag(other, "sgchain:provider") != "" {
			t.Errorf("the chain took %s", got)
		}
		r.succeeds(r.destroy(made.PhysicalResourceID, now))
		if got := fmt.Sprint(r.world.Groups()); got != fmt.Sprint([]string{other}) {
			t.Errorf("left are %s", got)
		}
	})
}

// A group with 1,000 rules of each family is built and revoked in calls of at most 1,000 rules.
func TestMoreRulesThanOneCallTakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.RuleQuota = 1000
		var sources []any
		for i := range 600 {
			sources = append(sources, fmt.Sprintf("203.%d.%d.0/24", i/200, i%200), fmt.Sprintf("2600:%x::/32", i+1))
		}
		now := props(tier("Web", "Ports", 443, "Sources", sources))
		now["RuleQuota"], now["IpFamilies"] = 1000, []any{"ipv4", "ipv6"}
		id := r.succeeds(r.create(now)).PhysicalResourceID
		next := props(tier("Web", "Ports", 443, "Sources", "203.0.113.0/24"))
		r.succeeds(r.update(id, next, now))
		for _, call := range r.world.Calls() {
			var permissions int
			switch in := call.Input.(type) {
			case *ec2.AuthorizeSecurityGroupIngressInput:
				permissions = len(in.IpPermissions)
			case *ec2.RevokeSecurityGroupIngressInput:
				permissions = len(in.IpPermissions)
			}
			if permissions > 1000 {
				t.Errorf("%s has %d rules", call.Operation, permissions)
			}
		}
	})
}
