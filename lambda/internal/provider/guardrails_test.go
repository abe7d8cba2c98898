package provider_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"sgchain/lambda/chain"
)

// leaky returns the default chain with the container port open to the world.
func leaky() properties {
	return props(
		properties{"Name": "Alb", "GroupName": "ALB-SG", "Description": "Security group for Application Load Balancer", "Ports": []any{"80", "443"}},
		properties{"Name": "Fargate", "GroupName": "Fargate-SG", "Description": "Security group for Fargate containers", "Ports": []any{"6060"}, "Sources": []any{"internet"}},
	)
}

// having returns properties with one more.
func having(p properties, key string, value any) properties {
	p[key] = value
	return p
}

// A Create or an Update that the guardrails refuse writes nothing.
func TestGuardrailsRefuse(t *testing.T) {
	t.Parallel()
	inner := properties{"Name": "App", "Ports": []any{"6060"}}
	for name, test := range map[string]struct {
		now  properties
		want string
	}{
		"6060 open to the world": {leaky(), "checking guardrails: Tiers[1]: public-tier: tier Fargate is not the first and is open to the internet: tcp 6060 from 0.0.0.0/0. Use the previous tier as its source, or set AllowPublic on the tier."},
		"all ports":              {props(properties{"Name": "Alb", "Ports": []any{"all"}}, inner), "checking guardrails: Tiers[0]: public-all-ports: tier Alb allows all traffic from 0.0.0.0/0. Allow only the ports that it serves."},
		"ssh":                    {props(properties{"Name": "Bastion", "Ports": []any{"22"}}, inner), "checking guardrails: Tiers[0]: public-admin-port: tier Bastion allows tcp 22 from 0.0.0.0/0, and 22 is an administration or database port. Allow only peers that need it: addresses (203.0.113.7/32), vpc, a tier or a group."},
		"all at once": {
			props(properties{"Name": "Alb", "Ports": []any{"443", "3389"}}, properties{"Name": "Db", "Ports": []any{"5432"}, "Sources": []any{"internet"}}),
			"checking guardrails: 3 problems: (1) Tiers[0]: public-admin-port: tier Alb allows tcp 3389 from 0.0.0.0/0, and 3389 is an administration or database port. Allow only peers that need it: addresses (203.0.113.7/32), vpc, a tier or a group. " +
				"(2) Tiers[1]: public-admin-port: tier Db allows tcp 5432 from 0.0.0.0/0, and 5432 is an administration or database port. Allow only peers that need it: addresses (203.0.113.7/32), vpc, a tier or a group. " +
				"(3) Tiers[1]: public-tier: tier Db is not the first and is open to the internet: tcp 5432 from 0.0.0.0/0. Use the previous tier as its source, or set AllowPublic on the tier.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				want := test.want + " Nothing was changed. To get only warnings, set Guardrails to warn. Log: CloudWatch log group /aws/lambda/Provider, stream 1."
				r := newRig(t)
				before := r.world.String()
				if answer := r.fails(r.create(test.now)); answer.Reason != want {
					t.Errorf("got\n%s\nwant\n%s", answer.Reason, want)
				}
				if r.writesNothing(); r.world.String() != before {
					t.Errorf("the world has changed:\n%s", r.world)
				}
				whole := props()
				x := r.succeeds(r.create(whole)).PhysicalResourceID
				before = r.world.String()
				r.forget()
				if answer := r.fails(r.update(x, test.now, whole)); answer.Reason != want || answer.PhysicalResourceID != x {
					t.Errorf("got\n%s (%s)\nwant\n%s", answer.Reason, answer.PhysicalResourceID, want)
				}
				if r.writesNothing(); r.world.String() != before {
					t.Errorf("the world has changed:\n%s", r.world)
				}
			})
		})
	}
}

// A finding that only warns, or that the author allows, does not stop the chain from being built.
func TestGuardrailsWarn(t *testing.T) {
	t.Parallel()
	public := props(tier("Alb", "Ports", "443"), tier("Fargate", "Ports", "6060", "Sources", "internet", "AllowPublic", "true"))
	app := properties{"Name": "App", "Ports": []any{"6060"}}
	for name, test := range map[string]struct {
		now  properties
		want string
	}{
		"the default chain":           {props(), ""},
		"443 missing":                 {props(properties{"Name": "Alb", "Ports": []any{"80"}}, app), "http-without-https: tier Alb allows tcp 80 from the internet but not tcp 443, so it cannot serve HTTPS"},
		"all egress blocked":          {props(properties{"Name": "Alb", "Ports": []any{"443"}, "Egress": "none"}, having(properties{"Name": "App", "Ports": []any{"6060"}}, "Egress", "none")), "no-egress: tier Alb cannot use the inbound rule tcp 6060 of tier App: its Egress does not allow that"},
		"addresses instead of groups": {props(properties{"Name": "Alb", "Ports": []any{"443"}}, properties{"Name": "App", "Ports": []any{"6060"}, "Sources": []any{"10.1.0.0/16"}}), "address-for-tier: tier App allows tcp 6060 from the addresses 10.1.0.0/16 instead of a tier or a security group"},
		"lifted by its author":        {public, "public-tier: tier Fargate is open to the internet, as its AllowPublic permits: tcp 6060 from 0.0.0.0/0"},
		"only warned of":              {having(leaky(), "Guardrails", "warn"), "public-tier: tier Fargate is not the first and is open to the internet: tcp 6060 from 0.0.0.0/0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				if answer := r.succeeds(r.create(test.now)); answer.Data["Warnings"] != test.want {
					t.Errorf("got\n%v\nwant\n%s", answer.Data["Warnings"], test.want)
				}
			})
		})
	}
}

// A shared provider can enforce its guardrails, whatever the template has.
func TestGuardrailsEnforcedByTheProvider(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.handler.EnforceGuardrails = true
		r.fails(r.create(having(leaky(), "Guardrails", "warn")), "public-tier: tier Fargate", "Nothing was changed. The provider enforces guardrails (SGCHAIN_GUARDRAILS), and ignores Guardrails: warn.")
		r.writesNothing()
	})
}

// A rollback returns to an earlier chain: it is never refused, even if that chain is older than the
// guardrails.
func TestGuardrailsAllowRollbacks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		was := having(leaky(), "Guardrails", "warn")
		x := r.succeeds(r.create(was)).PhysicalResourceID
		r.handler.EnforceGuardrails = true
		next := props()
		r.succeeds(r.update(x, next, was))
		answer := r.succeeds(r.rollback(x, was, next))
		if want := "public-tier: tier Fargate is not the first"; !strings.Contains(fmt.Sprint(answer.Data["Warnings"]), want) {
			t.Errorf("the rollback warns %v, want %s", answer.Data["Warnings"], want)
		}
		if !r.world.AllowsFrom(outside, fmt.Sprint(answer.Data["FargateSecurityGroupId"]), "tcp", 6060) {
			t.Error("the rollback did not bring back what was there")
		}
		r.succeeds(r.destroy(x, was))
	})
}

// A plan reports that an update would be refused, a check only warns, and a repair of a refused
// chain does nothing.
func TestGuardrailsOfActions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.handler.Repairs = true
		x := r.succeeds(r.create(having(leaky(), "Guardrails", "warn"))).PhysicalResourceID
		r.stack.set("CREATE_COMPLETE", "CREATE_COMPLETE", x)
		r.forget()
		r.reports("plan", leaky(), chain.ResultRefused, "would be refused: checking guardrails: Tiers[1]: public-tier")
		r.reports("check", leaky(), chain.ResultInSync, "public-tier: tier Fargate")
		r.reports("check", having(leaky(), "Guardrails", "warn"), chain.ResultInSync, "public-tier: tier Fargate")
		if _, err := r.invoke("repair", leaky()); err == nil || !strings.Contains(err.Error(), "checking guardrails: Tiers[1]") {
			t.Errorf("a repair to what guardrails refuse says %v", err)
		}
		r.writesNothing()
	})
}
