package provider_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/provider"
)

// fates returns what a plan reports of each tier's groups, as "keep Web".
func fates(report *provider.Report) []string {
	var all []string
	for _, group := range report.Groups {
		all = append(all, strings.TrimSpace(group.Fate+" "+group.Tier+" "+group.Last))
	}
	return all
}

func cleanup(report *provider.Report) []string {
	var all []string
	for _, change := range report.Cleanup {
		all = append(all, strings.TrimSpace(change.Action+" "+change.Tier+" "+strings.Join(change.Rules, ", ")))
	}
	return all
}

var threeTiers = props(tier("Web", "Ports", 443), tier("App", "Ports", 6060, "Egress", "chain"), tier("Db", "Ports", 5432))

// A plan reports what an update does now and what its cleanup does, and both then do so.
func TestPlanHasUpdateAndCleanup(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		next           properties
		fates, cleanup []string
	}{
		"a tier is removed": {
			props(tier("Web", "Ports", 443), tier("Db", "Ports", 5432)),
			[]string{"keep Web", "keep Db", "retire App delete group"},
			[]string{"revoke Db ingress tcp 5432 from App~", "delete group App"},
		},
		"a tier is renamed": {
			props(tier("Web", "Ports", 443), tier("Api", "Ports", 6060, "Egress", "chain"), tier("Db", "Ports", 5432)),
			[]string{"keep Web", "create Api", "keep Db", "retire App delete group"},
			[]string{"revoke Db ingress tcp 5432 from App~", "delete group App"},
		},
		"two neighbors are replaced": {
			props(tier("Web", "Ports", 443), tier("App", "Ports", 6060, "Egress", "chain", "Description", "two"), tier("Db", "Ports", 5432, "Description", "two")),
			[]string{"keep Web", "create App", "create Db", "retire App delete group", "retire Db delete group"},
			[]string{"revoke App egress tcp 5432 to Db~", "revoke Db ingress tcp 5432 from App~", "delete group App", "delete group Db"},
		},
		"a tier is released": {
			with(properties{"ReleaseTiers": "Db"}, tier("Web", "Ports", 443), tier("App", "Ports", 6060, "Egress", "chain")),
			[]string{"keep Web", "keep App", "retire Db release group"},
			[]string{"revoke App egress tcp 5432 to Db~", "revoke Db ingress tcp 5432 from App~", "release group Db"},
		},
		"the last tier is removed": {
			props(tier("Web", "Ports", 443), tier("App", "Ports", 6060, "Egress", "chain")),
			[]string{"keep Web", "keep App", "retire Db delete group"},
			[]string{"revoke App egress tcp 5432 to Db~", "delete group Db"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				id := r.succeeds(r.create(threeTiers)).PhysicalResourceID
				r.forget()
				report := r.reports("plan", test.next, chain.ResultPlan, "An update to these properties would do:\n",
					"Its cleanup, once every consumer has moved, would do:\n", "The groups:\n", "The physical ID changes from "+id+" to "+"sgchain-")
				r.writesNothing()
				if got := fates(report); !slices.Equal(got, test.fates) {
					t.Errorf("the groups are %q, want %q", got, test.fates)
				}
				for i, want := range test.cleanup {
					if got := cleanup(report); len(got) != len(test.cleanup) || !strings.HasPrefix(got[i], want) {
						t.Fatalf("the cleanup is %q, want %q", got, test.cleanup)
					}
					if word := strings.Join(strings.Fields(want)[:1], ""); !strings.Contains(report.Text, word) {
						t.Errorf("the text lacks %q:\n%s", word, report.Text)
					}
				}
				if !report.Replaces || report.CurrentID != id {
					t.Errorf("replaces is %v, from %q", report.Replaces, report.CurrentID)
				}
				answer := r.succeeds(r.update(id, test.next, threeTiers))
				if answer.PhysicalResourceID != report.PhysicalID {
					t.Errorf("the update has the ID %s, the plan said %s", answer.PhysicalResourceID, report.PhysicalID)
				}
				for _, change := range report.Cleanup {
					if change.Action == "delete group" && !slices.Contains(r.world.Groups(), change.GroupID) {
						t.Errorf("the update deleted %s", change.GroupID)
					}
				}
				r.succeeds(r.cleanup("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", id, answer.PhysicalResourceID, threeTiers))
				for _, change := range report.Cleanup {
					if change.Action == "delete group" && slices.Contains(r.world.Groups(), change.GroupID) {
						t.Errorf("the cleanup left %s", change.GroupID)
					}
				}
				r.reports("plan", test.next, chain.ResultPlan, "would change nothing")
			})
		})
	}
}

// A plan lists everything that an update would be refused for, each with a remedy.
func TestPlanListsAllRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		holder := r.existingGroup("WEB", "of another owner")
		refused := func(now properties, want ...string) *provider.Report {
			t.Helper()
			before := r.world.String()
			report := r.reports("plan", now, chain.ResultRefused, want...)
			if len(report.Refused) == 0 {
				t.Fatalf("the data has no refusals: %s", report.Text)
			}
			if r.world.String() != before {
				t.Error("a plan changed something")
			}
			for _, one := range report.Refused {
				if one.Reason == "" || one.Remedy == "" {
					t.Errorf("a refusal without reason or remedy: %+v", one)
				}
			}
			return report
		}
		report := refused(props(tier("Web", "GroupName", "web", "Ports", 443)), "would be refused: ", "creating security group (web): the name is taken in VPC "+vpcID+" by "+holder, "Choose another GroupName")
		if got := report.Refused[0]; got.Tier != "Web" || len(report.Groups) != 1 || report.Groups[0].Fate != "create" {
			t.Errorf("got %+v, groups %+v", got, report.Groups)
		}
		elsewhere := props(tier("Web", "Ports", 443))
		elsewhere["VpcId"] = "vpc-0dead"
		refused(elsewhere, "would be refused: ", "looking up VPC (vpc-0dead): this account and Region have no such VPC", "Set VpcId to")
		refused(with(properties{"RuleQuota": 1},
			tier("Web", "GroupName", "web", "Ports", []any{443, 444}), tier("App", "Ports", 6060, "Sources", []any{"internet", "pl-0dead", "sg-0dead"})),
			"would be refused, for 6 reasons:\n", "the name is taken", "checking guardrails: Tiers[1]: public-tier", "looking up peer (pl-0dead) of tier App", "looking up peer (sg-0dead) of tier App", "the chain needs 2 IPv4 rules, and the quota is 1", "the chain needs 3 IPv4 rules")

		named := func(web, app string) properties {
			return props(tier("Web", "GroupName", "one", "Ports", 443, "Description", web), tier("App", "GroupName", "two", "Ports", 6060, "Description", app))
		}
		r.succeeds(r.create(named("a", "a")))
		refused(named("b", "b"), "for 2 reasons", "replacing security group (one)", "replacing security group (two)")
	})
}

// A group that lost the chain's tags is not reported as another owner's.
func TestPlanNamesTagsToRestore(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"sgchain:stack-id", "sgchain:logical-id", "sgchain:tier"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			now := props()
			alb := attribute(r.succeeds(r.create(now)), "Alb")
			r.world.SetTag(alb, key, "")
			report := r.reports("plan", now, chain.ResultRefused, alb+" has its name but lacks the chain's tags", "Key="+key+",Value=", "restore its tags")
			if strings.Contains(report.Text, "delete the other group") {
				t.Errorf("%s: %s", key, report.Text)
			}
		})
	}
}

// A plan reports that adopted groups are released in the end, and that orphaned groups of an
// interrupted run are not part of the chain.
func TestPlanOfReleasedAndOrphanedGroups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.tutorial()
		report := r.reports("plan", adopting(), chain.ResultPlan, "adopt Alb(ALB-SG)")
		if got := fmt.Sprint(fates(report)); got != "[adopt Alb adopt Fargate]" || len(report.Cleanup) > 0 {
			t.Errorf("the groups are %s, the cleanup %+v", got, report.Cleanup)
		}
		id := r.succeeds(r.create(adopting())).PhysicalResourceID
		next := props(tier("Web", "Ports", 443))
		report = r.reports("plan", next, chain.ResultPlan, ": release group in the cleanup")
		if got := fmt.Sprint(cleanup(report)); !strings.HasSuffix(got, "release group Alb release group Fargate]") {
			t.Errorf("the cleanup is %s", got)
		}
		second := r.succeeds(r.update(id, next, adopting())).PhysicalResourceID
		// The cleanup is skipped: the previous groups are now in no chain.
		report = r.reports("plan", next, chain.ResultPlan)
		if got := fates(report); second != report.PhysicalID || !slices.Contains(got, "left over Alb release group") || len(report.Cleanup) > 0 {
			t.Errorf("the groups are %q, the cleanup %+v", got, report.Cleanup)
		}
	})
}

// The look-ups of a plan are one call for each kind, and only if a group would be created.
func TestPlanLooksUpOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.reports("plan", threeTiers, chain.ResultPlan)
		if reads, vpcs := r.operations("DescribeSecurityGroups"), r.operations("DescribeVpcs"); reads != 2 || vpcs != 1 {
			t.Errorf("a plan of a new chain made %d and %d calls", reads, vpcs)
		}
		r.succeeds(r.create(threeTiers))
		r.forget()
		r.reports("plan", threeTiers, chain.ResultPlan)
		if reads, vpcs := r.operations("DescribeSecurityGroups"), r.operations("DescribeVpcs"); reads != 1 || vpcs != 0 {
			t.Errorf("a plan of nothing made %d and %d calls", reads, vpcs)
		}
	})
}

// The log of an update has both parts as well.
func TestLogHasUpdateAndCleanup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		id := r.succeeds(r.create(threeTiers)).PhysicalResourceID
		r.succeeds(r.update(id, props(tier("Web", "Ports", 443), tier("Db", "Ports", 5432)), threeTiers))
		found := false
		for line := range strings.Lines(r.logged()) {
			var fields struct{ Msg, Plan, Cleanup, Groups string }
			if json.Unmarshal([]byte(line), &fields) == nil && fields.Msg == "plan" && strings.Contains(fields.Cleanup, "delete group App~") {
				found = strings.Contains(fields.Groups, "retire App~") && strings.Contains(fields.Groups, "keep Web~")
			}
		}
		if !found {
			t.Errorf("the log lacks the cleanup:\n%s", r.logged())
		}
	})
}

// The answer of a plan fits in what Lambda returns, and a line of its log in what the log accepts.
func TestPlanOfLargestChain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var tiers []any
		for i := range 35 {
			var ports, sources []any
			for n := range 16 { // 8,960 rules: a chain may have 10,000
				ports, sources = append(ports, 2000+2*n), append(sources, fmt.Sprintf("10.%d.%d.0/24", i, n))
			}
			tiers = append(tiers, tier(fmt.Sprintf("T%d", i), "Ports", ports, "Sources", sources))
		}
		report := r.reports("plan", with(properties{"RuleQuota": 1000}, tiers...), chain.ResultPlan, "more lines")
		encoded, err := json.Marshal(report)
		if err != nil || len(encoded) > 5_000_000 {
			t.Errorf("the answer has %d bytes, %v", len(encoded), err)
		}
		for line := range strings.Lines(r.logged()) {
			if len(line) > 256_000 {
				t.Errorf("a line of the log has %d bytes: %.100s", len(line), line)
			}
		}
		if last := report.Warnings[len(report.Warnings)-1]; !strings.Contains(last, " more warnings") {
			t.Errorf("the last warning is %q", last)
		}
		if report.Differences < 35*256 {
			t.Errorf("%d differences", report.Differences)
		}
	})
}
