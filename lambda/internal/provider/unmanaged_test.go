package provider_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"sgchain/lambda/internal/proof/world"
)

// keeping returns a chain that keeps unmanaged rules.
func keeping(tiers ...any) properties {
	p := props(tiers...)
	p["UnmanagedRules"] = "keep"
	return p
}

// Under UnmanagedRules: keep, a rule that another principal created stays and is reported. A rule
// that the chain created is removed when it leaves the chain, and so is EC2's own egress rule.
func TestUnmanagedRulesAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		web := func(ports ...any) properties {
			return properties{"Name": "Web", "Ports": ports, "Description": "web"}
		}
		strict := web("443")
		strict["Egress"] = "none"
		first := keeping(web("443", "8443"))
		answer := r.succeeds(r.create(first))
		id := fmt.Sprint(answer.Data["WebSecurityGroupId"])
		r.authorizeOutOfBand(id, tcpFrom(9999, "192.0.2.0/24"))
		r.stack.set("UPDATE_COMPLETE", "UPDATE_COMPLETE", answer.PhysicalResourceID)
		second := keeping(strict)
		answer = r.succeeds(r.update(answer.PhysicalResourceID, second, first))
		if !r.world.AllowsFrom(office, id, "tcp", 9999) {
			t.Error("an unmanaged rule is gone")
		}
		if r.world.AllowsFrom(outside, id, "tcp", 8443) || r.world.AllowsTo(id, outside, "tcp", 443) {
			t.Errorf("a rule of the chain, or EC2's default egress, stays:\n%s", r.world)
		}
		if want := "security group " + id + " (tier Web) keeps unmanaged rules: ingress tcp 9999 from 192.0.2.0/24"; !strings.Contains(fmt.Sprint(answer.Data["Warnings"]), want) {
			t.Errorf("the answer does not list the rule: %v", answer.Data["Warnings"])
		}
		r.stack.set("UPDATE_COMPLETE", "UPDATE_COMPLETE", answer.PhysicalResourceID)
		r.forget()
		third := keeping(strict)
		third["Revision"] = "3"
		r.succeeds(r.update(answer.PhysicalResourceID, third, second))
		r.writesNothing()
		r.stack.set("UPDATE_COMPLETE", "UPDATE_COMPLETE", answer.PhysicalResourceID)
		revoking := props(strict)
		r.succeeds(r.update(answer.PhysicalResourceID, revoking, third))
		if r.world.AllowsFrom(office, id, "tcp", 9999) {
			t.Error("without keep the rule stays all the same")
		}
	})
}

// slowRules is an EC2 that shows rules by themselves later than on their groups.
type slowRules struct {
	*world.Client

	until time.Time
}

func (s slowRules) DescribeSecurityGroupRules(ctx context.Context, in *ec2.DescribeSecurityGroupRulesInput, options ...func(*ec2.Options)) (*ec2.DescribeSecurityGroupRulesOutput, error) {
	if time.Now().Before(s.until) {
		return &ec2.DescribeSecurityGroupRulesOutput{}, nil
	}
	return s.Client.DescribeSecurityGroupRules(ctx, in, options...)
}

// A rule that EC2 does not show by itself yet does not count as unmanaged.
func TestUnmanagedRulesWithLag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		first := keeping(properties{"Name": "Web", "Ports": []any{"443", "8443"}}, properties{"Name": "App", "Ports": []any{"6060"}})
		second := keeping(properties{"Name": "Web", "Ports": []any{"443"}}, properties{"Name": "App", "Ports": []any{"7070"}})
		answer := r.succeeds(r.create(first))
		r.handler.EC2 = slowRules{r.ec2, time.Now().Add(3 * time.Second)}
		answer = r.succeeds(r.update(answer.PhysicalResourceID, second, first))
		web, app := fmt.Sprint(answer.Data["WebSecurityGroupId"]), fmt.Sprint(answer.Data["AppSecurityGroupId"])
		if r.world.AllowsFrom(outside, web, "tcp", 8443) || r.world.Allows(web, app, "tcp", 6060) || !r.world.Allows(web, app, "tcp", 7070) {
			t.Errorf("rules that were not shown in time stay:\n%s", r.world)
		}
	})
}
