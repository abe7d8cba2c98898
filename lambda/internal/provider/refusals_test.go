package provider_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sgchain/lambda/internal/proof/world"
)

// refusable has, for each operation of the edge, a request that makes a call of it.
func refusable() map[string]func(r *rig, refuse func()) string {
	list := func(r *rig) properties {
		r.world.AddPrefixList("pl-0123456789abcdef0", "mine", 1, false)
		return props(tier("Web", "Ports", 443, "Sources", []any{"vpc", "pl-0123456789abcdef0"}))
	}
	update := func(now, next func(*rig) properties) func(*rig, func()) string {
		return func(r *rig, refuse func()) string {
			old := now(r)
			id := r.succeeds(r.create(old)).PhysicalResourceID
			wanted := next(r)
			refuse()
			return r.fails(r.update(id, wanted, old)).Reason
		}
	}
	create := func(now func(*rig) properties) func(*rig, func()) string {
		return func(r *rig, refuse func()) string {
			wanted := now(r)
			refuse()
			return r.fails(r.create(wanted)).Reason
		}
	}
	web := func(pairs ...any) func(*rig) properties {
		return func(*rig) properties { return props(tier("Web", append([]any{"Ports", 443}, pairs...)...)) }
	}
	strict := web("Egress", []any{map[string]any{"Ports": []any{5432}, "Destinations": []any{"203.0.113.0/24"}}})
	entry := func(description string) func(*rig) properties {
		return func(*rig) properties {
			return props(tier("Web",
				"Ingress", []any{map[string]any{"Ports": []any{443}, "Sources": []any{"internet"}, "Description": description}},
				"Egress", []any{map[string]any{"Ports": []any{5432}, "Destinations": []any{"203.0.113.0/24"}, "Description": description}}))
		}
	}
	destroy := func(r *rig, refuse func()) string {
		now := web()(r)
		id := r.succeeds(r.create(now)).PhysicalResourceID
		refuse()
		return r.fails(r.destroy(id, now)).Reason
	}
	return map[string]func(*rig, func()) string{
		"DescribeSecurityGroups":                     create(web()),
		"DescribeVpcs":                               create(list),
		"DescribeManagedPrefixLists":                 create(list),
		"DescribeSecurityGroupRules":                 update(func(*rig) properties { return keeping(tier("Web", "Ports", 443)) }, func(*rig) properties { return keeping(tier("Web", "Ports", 80)) }),
		"CreateSecurityGroup":                        create(web()),
		"AuthorizeSecurityGroupIngress":              create(web()),
		"AuthorizeSecurityGroupEgress":               create(strict),
		"RevokeSecurityGroupEgress":                  create(strict),
		"RevokeSecurityGroupIngress":                 update(web(), web("Ports", 80)),
		"UpdateSecurityGroupRuleDescriptionsIngress": update(entry("one"), entry("two")),
		"UpdateSecurityGroupRuleDescriptionsEgress":  update(entry("one"), entry("two")),
		"CreateTags":                                 update(web(), web("Tags", map[string]any{"Team": "ai"})),
		"DeleteTags":                                 update(web("Tags", map[string]any{"Team": "ai"}), web()),
		"DescribeNetworkInterfaces":                  destroy,
		"DeleteSecurityGroup":                        destroy,
	}
}

// A call that EC2 refuses permanently is made once, whichever call it is and whatever the code. The
// message has another remedy than a retry.
func TestPermanentRefusalsAreNotRetried(t *testing.T) {
	t.Parallel()
	refusals := world.Refusals()
	for _, code := range []string{
		"UnauthorizedOperation", "Blocked", "PendingVerification", "ExpiredToken", "InvalidClientTokenId", "UnrecognizedClientException",
		"DryRunOperation", "IncorrectState", "InvalidParameterCombination", "SecurityGroupLimitExceeded", "SomethingNew.OfTomorrow",
	} {
		refusals[code] = func() error { return world.NewError(code, "EC2 says so.") }
	}
	for operation, act := range refusable() {
		for name, refusal := range refusals {
			if name == "different networks" && !strings.HasPrefix(operation, "Authorize") {
				continue // appears for new rules alone
			}
			t.Run(operation+", "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					before := 0
					text := act(r, func() {
						r.forget()
						r.ec2.FailOperation(operation, world.Fault{Err: refusal()})
					})
					for _, call := range r.world.Calls() {
						if call.Operation == operation && call.Err != nil {
							before++
						}
					}
					if before != 1 && !strings.HasPrefix(operation, "Describe") { // undo looks once more
						t.Errorf("%s was called %d times: %s", operation, before, text)
					}
					if strings.Contains(text, "ry again") {
						t.Errorf("the remedy is to try again: %s", text)
					}
				})
			})
		}
	}
}

// A rule with a group of a VPC that is not connected is refused at once. One with a group that does
// not exist is refused after some seconds. Both messages name the group.
func TestPeersRefusedByEC2(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(r *rig) (peer, words string){
		"not connected": func(r *rig) (string, string) {
			r.world.AddVPC(peeredVPC, world.OwnedBy(world.OtherAccount))
			return r.world.AddOtherAccountGroup(world.OtherAccount, "far", peeredVPC, false), "Connect the two VPCs"
		},
		"not there": func(*rig) (string, string) { return "sg-0fedcba9876543210", "Use an existing security group" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				peer, words := prepare(r)
				peer = world.OtherAccount + "/" + peer
				began := time.Now()
				r.fails(r.create(props(tier("Web", "Ports", 443, "Sources", []any{"internet", peer}))), peer, words)
				if took := time.Since(began); took > 8*time.Second {
					t.Errorf("it took %s", took)
				}
				authorizes := 0
				for _, call := range r.world.Calls() {
					if call.Operation == "AuthorizeSecurityGroupIngress" {
						authorizes++
					}
				}
				if most := map[string]int{"not connected": 1, "not there": 6}[name]; authorizes > most {
					t.Errorf("%d authorizes, want at most %d", authorizes, most)
				}
				if left := r.world.Groups(); len(left) > 0 {
					t.Errorf("left are %s", fmt.Sprint(left))
				}
			})
		})
	}
}
