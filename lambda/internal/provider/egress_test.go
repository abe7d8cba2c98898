package provider_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/proof/world"
)

// In a VPC with IPv6, EC2 gives a group a second rule for all outbound traffic: it is accepted, and
// counted. A rule with a description is not EC2's.
func TestDefaultEgressInVPCWithIPv6(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.AddVPC("vpc-6", world.IPv6)
		now := properties{"VpcId": "vpc-6"}
		answer := r.succeeds(r.create(now))
		if answer.Data["RuleCount"] != "7" {
			t.Errorf("RuleCount is %v with EC2's two rules for ::/0, want 7", answer.Data["RuleCount"])
		}
		r.reports("check", now, chain.ResultInSync)
		r.forget()
		r.succeeds(r.update(answer.PhysicalResourceID, now, now))
		r.writesNothing()

		both := properties{"VpcId": "vpc-6", "IpFamilies": []any{"ipv4", "ipv6"}}
		r.succeeds(r.update(answer.PhysicalResourceID, both, now))
		if answer = r.succeeds(r.update(answer.PhysicalResourceID, now, both)); answer.Data["RuleCount"] != "7" {
			t.Errorf("RuleCount is %v after IPv6 came and went, want 7", answer.Data["RuleCount"])
		}
	})
}

func TestDefaultEgressWithDescription(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		now := props()
		answer := r.succeeds(r.create(now))
		alb := fmt.Sprint(answer.Data["AlbSecurityGroupId"])
		whole := r.world.String()
		_, err := r.world.Client("other").AuthorizeSecurityGroupEgress(t.Context(), &ec2.AuthorizeSecurityGroupEgressInput{GroupId: &alb, IpPermissions: []types.IpPermission{{
			IpProtocol: aws.String("-1"), Ipv6Ranges: []types.Ipv6Range{{CidrIpv6: aws.String("::/0"), Description: aws.String("by hand")}},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		r.reports("check", now, chain.ResultDrift, "revoke Alb(ALB-SG)\n  egress all traffic to ::/0")
		answer = r.succeeds(r.update(answer.PhysicalResourceID, now, now))
		if r.world.String() != whole || answer.Data["RuleCount"] != "5" {
			t.Errorf("RuleCount is %v, the world is\n%s\nwant\n%s", answer.Data["RuleCount"], r.world, whole)
		}
		r.forget()
		r.succeeds(r.update(answer.PhysicalResourceID, now, now))
		r.writesNothing()
		both := props()
		both["IpFamilies"] = []any{"ipv4", "ipv6"}
		r.succeeds(r.update(answer.PhysicalResourceID, both, now))
		if r.succeeds(r.update(answer.PhysicalResourceID, now, both)); r.world.String() != whole {
			t.Errorf("after IPv6 came and went the world is\n%s\nwant\n%s", r.world, whole)
		}
	})
}
