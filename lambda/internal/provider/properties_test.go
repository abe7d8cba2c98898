package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// An update from one address to an empty list opens nothing.
func TestEmptySourcesAreRefused(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		old := props(tier("Web", "Ports", 443, "Sources", []any{"203.0.113.0/24"}))
		first := r.succeeds(r.create(old))
		before := r.world.String()
		r.forget()
		for _, nobody := range []any{[]any{}, "", []any{""}} {
			r.fails(r.update(first.PhysicalResourceID, props(tier("Web", "Ports", 443, "Sources", nobody)), old), "Tiers[0].Sources", "empty", "Nothing was changed")
		}
		if r.world.Writes() != 0 || r.world.String() != before {
			t.Errorf("it wrote: %v", r.world.Calls())
		}
	})
}

// A tag with an empty value is set, takes precedence over the chain's, and stays in an update. It
// is removed when its key leaves the properties.
func TestEmptyTagValues(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		has := func(when, id, key, want string, isThere bool) {
			t.Helper()
			found, err := r.world.Client("reader").DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{GroupIds: []string{id}})
			if err != nil {
				t.Fatal(err)
			}
			for _, tag := range found.SecurityGroups[0].Tags {
				if aws.ToString(tag.Key) == key {
					if !isThere || aws.ToString(tag.Value) != want {
						t.Errorf("%s: %s is %q", when, key, aws.ToString(tag.Value))
					}
					return
				}
			}
			if isThere {
				t.Errorf("%s: %s is not there", when, key)
			}
		}
		old := with(properties{"Tags": properties{"Owner": "", "Team": "web"}}, tier("Web", "Tags", []any{properties{"Key": "Team"}}))
		first := r.succeeds(r.create(old))
		web := attribute(first, "Web")
		has("created", web, "Owner", "", true)
		has("created", web, "Team", "", true)
		now := with(properties{"Tags": properties{"Owner": "", "Team": "web"}}, tier("Web", "Ports", 443))
		r.succeeds(r.update(first.PhysicalResourceID, now, old))
		has("updated", web, "Owner", "", true)
		has("updated", web, "Team", "web", true)
		r.succeeds(r.update(first.PhysicalResourceID, with(properties{"Tags": properties{"Team": ""}}, tier("Web", "Ports", 443)), now))
		has("removed", web, "Owner", "", false)
		has("emptied", web, "Team", "", true)
	})
}

// Properties that are too large are refused, with a count, before anything is read or written.
func TestLargePropertiesAreRefused(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		var tiers, peers []any
		for i := range 3000 {
			tiers = append(tiers, tier(fmt.Sprintf("T%d", i)))
		}
		for i := range 20_000 {
			peers = append(peers, fmt.Sprintf("nobody%d", i))
		}
		r.fails(r.create(props(tiers...)), "Tiers: has 3000 tiers")
		r.fails(r.create(props(tier("Web", "Ports", 443, "Sources", peers[:1000]))), `Tiers[0].Sources[0]: unknown peer "nobody0"`, "the log has the whole text")
		r.fails(r.create(props(tier("Web", "Ports", 443, "Sources", peers))), "has 20000 rules (20000 peers, 1 ports)")
		if !strings.Contains(r.logged(), "And 900 more.") {
			t.Error("the log does not count the problems")
		}
		if calls := r.world.Calls(); len(calls) != 0 {
			t.Errorf("it called EC2: %v", calls)
		}
	})
}
