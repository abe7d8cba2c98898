package provider_test

import (
	"context"
	"fmt"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/internal/proof/world"
)

// careSituations are what guardrails, adoption and actions have to say.
func careSituations() []situation {
	warning := func(answer cfn.Response) string { return fmt.Sprint(answer.Data["Warnings"]) }
	adopts := func(more ...any) properties {
		return with(properties{"AdoptExisting": true}, more...)
	}
	said := func(r *rig, action string, now properties) string {
		report, err := r.invoke(action, now)
		switch {
		case err != nil:
			return err.Error()
		case len(report.Warnings) > 0 && report.Result != "stood back":
			return report.Warnings[len(report.Warnings)-1]
		default:
			return report.Text[:len(report.Text)-1]
		}
	}
	deployed := func(r *rig) (now properties, alb string) {
		now = props()
		return now, attribute(r.succeeds(r.create(now)), "Alb")
	}
	return []situation{
		{"guardrails refuse: a tier is open to the world", func(r *rig) string { return reason(r.create(leaky())) }},
		{"guardrails refuse: all ports and a database are open to the world", func(r *rig) string {
			return reason(r.create(props(tier("Web", "Ports", "all"), tier("Db", "Ports", "mysql", "Sources", "internet", "AllowPublic", true))))
		}},
		{"guardrails refuse, and the provider enforces them", func(r *rig) string {
			r.handler.EnforceGuardrails = true
			return reason(r.create(having(leaky(), "Guardrails", "warn")))
		}},
		{"warning: the author lets the world into a tier", func(r *rig) string {
			return warning(r.create(props(tier("Web", "Ports", 443), tier("App", "Ports", 6060, "Sources", "internet", "AllowPublic", true))))
		}},
		{"warning: guardrails would refuse", func(r *rig) string { return warning(r.create(having(leaky(), "Guardrails", "warn"))) }},
		{"warning: http without https", func(r *rig) string { return warning(r.create(props(tier("Web", "Ports", 80)))) }},
		{"warning: a door cannot be used", func(r *rig) string {
			return warning(r.create(props(tier("Web", "Egress", "none"), tier("App", "Ports", 6060))))
		}},
		{"warning: addresses where a tier could be named", func(r *rig) string {
			return warning(r.create(props(tier("Web", "Ports", 443), tier("App", "Ports", 6060, "Sources", "10.1.0.0/16"))))
		}},
		{"a group has not room for the tags of the stack", func(r *rig) string {
			r.stack.tags = numbered("stack", 40)
			return reason(r.create(with(properties{"Tags": numbered("author", 10)}, tier("Web"))))
		}},
		{"a group has not room for them any more", func(r *rig) string { return crowdedMeanwhile(r) }},
		{"warning: a group has not room for the tags of the stack on the way back", func(r *rig) string {
			old, now := with(properties{"Tags": numbered("author", 10)}, tier("Web")), with(properties{"Tags": numbered("author", 10)}, tier("Web", "Ports", 443))
			id := r.succeeds(r.create(old)).PhysicalResourceID
			r.stack.tags = numbered("stack", 35)
			r.fails(r.update(id, now, old))
			return warning(r.rollback(id, old, now))
		}},

		{"a group to adopt is its VPC's default group", func(r *rig) string { return reason(r.create(adopts(tier("Web", "GroupName", "default")))) }},
		{"a group to adopt belongs to a stack", func(r *rig) string {
			r.world.SetTag(r.handMade("web", "theirs"), "aws:cloudformation:stack-id", "arn:aws:cloudformation:us-east-1:123456789012:stack/Other/1")
			return reason(r.create(adopts(tier("Web", "GroupName", "web"))))
		}},
		{"a group to adopt belongs to another chain", func(r *rig) string {
			r.handMade("web", "theirs", tagOf("sgchain:provider", ownProvider), tagOf("sgchain:stack-id", "arn:aws:cloudformation:us-east-1:123456789012:stack/Other/1"), tagOf("sgchain:logical-id", "Chain"))
			return reason(r.create(adopts(tier("Web", "GroupName", "web"))))
		}},
		{"a group to adopt belongs to another provider", func(r *rig) string {
			r.handMade("web", "theirs", tagOf("sgchain:provider", "arn:aws:cloudformation:us-east-1:123456789012:stack/Provider/2"))
			return reason(r.create(adopts(tier("Web", "GroupName", "web"))))
		}},
		{"a group to adopt is managed by something else", func(r *rig) string {
			r.handMade("web", "theirs", tagOf("elbv2.k8s.aws/cluster", "shop"))
			return reason(r.create(adopts(tier("Web", "GroupName", "web"))))
		}},
		{"a group to adopt belongs to another account", func(r *rig) string {
			r.handMade("web", "theirs")
			r.handler.EC2 = sharedVPC{r.ec2}
			return reason(r.create(adopts(tier("Web", "GroupName", "web"))))
		}},
		{"whether the stack of a group to adopt is gone cannot be told", func(r *rig) string {
			r.world.SetTag(r.handMade("web", "theirs"), "aws:cloudformation:stack-id", "arn:aws:cloudformation:us-east-1:123456789012:stack/Other/1")
			r.stack.hidden = "arn:aws:cloudformation:us-east-1:123456789012:stack/Other/1"
			return reason(r.create(adopts(tier("Web", "GroupName", "web"))))
		}},
		{"a provider that may not adopt", func(r *rig) string {
			r.handMade("web", "theirs")
			r.ec2.FailAt(5, world.Fault{Err: world.Unauthorized("CreateTags")})
			return reason(r.create(adopts(tier("Web", "GroupName", "web"))))
		}},
		{"a group to adopt has too many tags", func(r *rig) string {
			var tags []types.Tag
			for n := range 46 {
				tags = append(tags, tagOf(fmt.Sprint("key", n), "1"))
			}
			r.handMade("web", "theirs", tags...)
			return reason(r.create(adopts(tier("Web", "GroupName", "web"))))
		}},
		{"warning: a group was adopted", func(r *rig) string {
			r.tutorial()
			return warning(r.create(adopting()))
		}},
		{"warning: rules of others stay", func(r *rig) string {
			now := keeping(tier("Web", "GroupName", "web"))
			answer := r.succeeds(r.create(now))
			r.letIn(attribute(answer, "Web"), tcpFrom(9999, "192.0.2.0/24"))
			return warning(r.update(answer.PhysicalResourceID, having(keeping(tier("Web", "GroupName", "web")), "Revision", "2"), now))
		}},

		{"action: a plan does not know what tags were there for", func(r *rig) string {
			r.succeeds(r.create(having(props(), "Tags", properties{"Team": "ai"})))
			return said(r, "plan", props())
		}},
		{"action: a plan of groups whose names are taken", func(r *rig) string {
			r.handMade("web", "of somebody")
			return said(r, "plan", props(tier("Web", "GroupName", "web")))
		}},
		{"action: a plan for a VPC that is not there", func(r *rig) string {
			return said(r, "plan", with(properties{"VpcId": "vpc-0dead"}, tier("Web")))
		}},
		{"action: a plan that would make a group anew that lost the chain's tags", func(r *rig) string {
			now, alb := deployed(r)
			r.world.SetTag(alb, "sgchain:logical-id", "")
			return said(r, "plan", now)
		}},
		{"action: a repair is not allowed", func(r *rig) string {
			now, _ := deployed(r)
			return said(r, "repair", now)
		}},
		{"action: an operation is in progress", func(r *rig) string {
			now, _ := deployed(r)
			r.stack.status = "UPDATE_IN_PROGRESS"
			return said(r, "check", now)
		}},
		{"action: the stack changes under a repair", func(r *rig) string {
			now, alb := deployed(r)
			r.handler.Repairs = true
			r.letIn(alb, tcpFrom(22, "0.0.0.0/0"))
			r.stack.script = []func(*stack){func(*stack) {}, func(*stack) {}, func(s *stack) { s.status = "UPDATE_ROLLBACK_COMPLETE" }}
			r.world.Latency = 3e9
			return said(r, "repair", now)
		}},
		{"action: the last operation failed", func(r *rig) string {
			now, _ := deployed(r)
			r.stack.status = "UPDATE_ROLLBACK_FAILED"
			return said(r, "check", now)
		}},
		{"action: the properties are another chain's", func(r *rig) string {
			deployed(r)
			return said(r, "check", props(tier("Web")))
		}},
		{"action: the chain is not there", func(r *rig) string { return said(r, "check", props()) }},
		{"action: a group has lost the chain's tags", func(r *rig) string {
			now, alb := deployed(r)
			r.world.SetTag(alb, "sgchain:logical-id", "")
			return said(r, "check", now)
		}},
		{"action: a repair meets a group that has lost them", func(r *rig) string {
			now, alb := deployed(r)
			r.handler.Repairs = true
			r.world.SetTag(alb, "sgchain:logical-id", "")
			return said(r, "repair", now)
		}},
		{"action: a group was made anew", func(r *rig) string {
			now, alb := deployed(r)
			r.handler.Repairs = true
			r.world.Revoke("Fargate-SG", "tcp", 6060)
			r.removeByHand(alb)
			return said(r, "repair", now)
		}},
	}
}

// sharedVPC is an EC2 whose groups belong to the account that shares the VPC.
type sharedVPC struct{ *world.Client }

func (s sharedVPC) DescribeSecurityGroups(ctx context.Context, in *ec2.DescribeSecurityGroupsInput, options ...func(*ec2.Options)) (*ec2.DescribeSecurityGroupsOutput, error) {
	out, err := s.Client.DescribeSecurityGroups(ctx, in, options...)
	if err == nil {
		for i := range out.SecurityGroups {
			out.SecurityGroups[i].OwnerId = aws.String("210987654321")
		}
	}
	return out, err
}
