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
	answered := func(r *rig, action string, now properties) string {
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
		{phaseGuardrails, "A tier is open to the internet", func(r *rig) string { return reason(r.create(leaky())) }},
		{phaseGuardrails, "All ports and a database are open to the internet", func(r *rig) string {
			return reason(r.create(props(tier("Web", "Ports", "all"), tier("Db", "Ports", "mysql", "Sources", "internet", "AllowPublic", true))))
		}},
		{phaseGuardrails, "The provider enforces guardrails", func(r *rig) string {
			r.handler.EnforceGuardrails = true
			return reason(r.create(having(leaky(), "Guardrails", "warn")))
		}},
		{phaseWarnings, "Guardrails: a tier is open to the internet with AllowPublic", func(r *rig) string {
			return warning(r.create(props(tier("Web", "Ports", 443), tier("App", "Ports", 6060, "Sources", "internet", "AllowPublic", true))))
		}},
		{phaseWarnings, "Guardrails: a finding that Guardrails: warn allows", func(r *rig) string { return warning(r.create(having(leaky(), "Guardrails", "warn"))) }},
		{phaseWarnings, "Guardrails: a tier allows HTTP but not HTTPS", func(r *rig) string { return warning(r.create(props(tier("Web", "Ports", 80)))) }},
		{phaseWarnings, "Guardrails: an inbound rule cannot be used", func(r *rig) string {
			return warning(r.create(props(tier("Web", "Egress", "none"), tier("App", "Ports", 6060))))
		}},
		{phaseWarnings, "Guardrails: a rule has addresses instead of a tier", func(r *rig) string {
			return warning(r.create(props(tier("Web", "Ports", 443), tier("App", "Ports", 6060, "Sources", "10.1.0.0/16"))))
		}},
		{phasePlanning, "The tags of the stack do not fit", func(r *rig) string {
			r.stack.tags = numbered("stack", 40)
			return reason(r.create(with(properties{"Tags": numbered("author", 10)}, tier("Web"))))
		}},
		{phasePlanning, "The tags of the stack no longer fit", func(r *rig) string { return crowdedMeanwhile(r) }},
		{phaseWarnings, "Rollback: the tags of the stack do not fit", func(r *rig) string {
			old, now := with(properties{"Tags": numbered("author", 10)}, tier("Web")), with(properties{"Tags": numbered("author", 10)}, tier("Web", "Ports", 443))
			id := r.succeeds(r.create(old)).PhysicalResourceID
			r.stack.tags = numbered("stack", 35)
			r.fails(r.update(id, now, old))
			return warning(r.rollback(id, old, now))
		}},

		{phaseAdoption, "The security group is its VPC's default group", func(r *rig) string { return reason(r.create(adopts(tier("Web", "GroupName", "default")))) }},
		{phaseAdoption, "The security group belongs to a stack", func(r *rig) string {
			r.world.SetTag(r.existingGroup("web", "theirs"), "aws:cloudformation:stack-id", "arn:aws:cloudformation:us-east-1:123456789012:stack/Other/1")
			return reason(r.create(adopts(tier("Web", "GroupName", "web"))))
		}},
		{phaseAdoption, "The security group belongs to another chain", func(r *rig) string {
			r.existingGroup("web", "theirs", tagOf("sgchain:provider", ownProvider), tagOf("sgchain:stack-id", "arn:aws:cloudformation:us-east-1:123456789012:stack/Other/1"), tagOf("sgchain:logical-id", "Chain"))
			return reason(r.create(adopts(tier("Web", "GroupName", "web"))))
		}},
		{phaseAdoption, "The security group belongs to another provider", func(r *rig) string {
			r.existingGroup("web", "theirs", tagOf("sgchain:provider", "arn:aws:cloudformation:us-east-1:123456789012:stack/Provider/2"))
			return reason(r.create(adopts(tier("Web", "GroupName", "web"))))
		}},
		{phaseAdoption, "The security group is managed by another service", func(r *rig) string {
			r.existingGroup("web", "theirs", tagOf("elbv2.k8s.aws/cluster", "shop"))
			return reason(r.create(adopts(tier("Web", "GroupName", "web"))))
		}},
		{phaseAdoption, "The security group belongs to another account", func(r *rig) string {
			r.existingGroup("web", "theirs")
			r.handler.EC2 = sharedVPC{r.ec2}
			return reason(r.create(adopts(tier("Web", "GroupName", "web"))))
		}},
		{phaseAdoption, "The status of the security group's stack cannot be read", func(r *rig) string {
			r.world.SetTag(r.existingGroup("web", "theirs"), "aws:cloudformation:stack-id", "arn:aws:cloudformation:us-east-1:123456789012:stack/Other/1")
			r.stack.hidden = "arn:aws:cloudformation:us-east-1:123456789012:stack/Other/1"
			return reason(r.create(adopts(tier("Web", "GroupName", "web"))))
		}},
		{phaseAdoption, "The provider lacks the permission to adopt", func(r *rig) string {
			r.existingGroup("web", "theirs")
			r.ec2.FailAt(5, world.Fault{Err: world.Unauthorized("CreateTags")})
			return reason(r.create(adopts(tier("Web", "GroupName", "web"))))
		}},
		{phaseAdoption, "The security group has too many tags", func(r *rig) string {
			var tags []types.Tag
			for n := range 46 {
				tags = append(tags, tagOf(fmt.Sprint("key", n), "1"))
			}
			r.existingGroup("web", "theirs", tags...)
			return reason(r.create(adopts(tier("Web", "GroupName", "web"))))
		}},
		{phaseWarnings, "A security group was adopted", func(r *rig) string {
			r.tutorial()
			return warning(r.create(adopting()))
		}},
		{phaseWarnings, "A security group keeps unmanaged rules", func(r *rig) string {
			now := keeping(tier("Web", "GroupName", "web"))
			answer := r.succeeds(r.create(now))
			r.authorizeOutOfBand(attribute(answer, "Web"), tcpFrom(9999, "192.0.2.0/24"))
			return warning(r.update(answer.PhysicalResourceID, having(keeping(tier("Web", "GroupName", "web")), "Revision", "2"), now))
		}},

		{phaseWarnings, "Plan: a security group has tags that the properties lack", func(r *rig) string {
			r.succeeds(r.create(having(props(), "Tags", properties{"Team": "ai"})))
			return answered(r, "plan", props())
		}},
		{phaseActions, "Plan: the group name is taken", func(r *rig) string {
			r.existingGroup("web", "of somebody")
			return answered(r, "plan", props(tier("Web", "GroupName", "web")))
		}},
		{phaseActions, "Plan: the VPC does not exist", func(r *rig) string {
			return answered(r, "plan", with(properties{"VpcId": "vpc-0dead"}, tier("Web")))
		}},
		{phaseActions, "Plan: a security group has lost the chain's tags", func(r *rig) string {
			now, alb := deployed(r)
			r.world.SetTag(alb, "sgchain:logical-id", "")
			return answered(r, "plan", now)
		}},
		{phaseActions, "The action is unknown", func(r *rig) string { return answered(r, "destroy", props()) }},
		{phaseActions, "Repair: the provider does not allow it", func(r *rig) string {
			now, _ := deployed(r)
			return answered(r, "repair", now)
		}},
		{phaseActions, "Nothing was done: an operation is in progress", func(r *rig) string {
			now, _ := deployed(r)
			r.stack.status = "UPDATE_IN_PROGRESS"
			return answered(r, "check", now)
		}},
		{phaseActions, "Repair: the stack begins an operation meanwhile", func(r *rig) string {
			now, alb := deployed(r)
			r.handler.Repairs = true
			r.authorizeOutOfBand(alb, tcpFrom(22, "0.0.0.0/0"))
			r.stack.script = []func(*stack){func(*stack) {}, func(*stack) {}, func(s *stack) { s.status = "UPDATE_ROLLBACK_COMPLETE" }}
			r.world.Latency = 3e9
			return answered(r, "repair", now)
		}},
		{phaseActions, "Nothing was done: the last operation failed", func(r *rig) string {
			now, _ := deployed(r)
			r.stack.status = "UPDATE_ROLLBACK_FAILED"
			return answered(r, "check", now)
		}},
		{phaseActions, "Nothing was done: the properties are another chain's", func(r *rig) string {
			deployed(r)
			return answered(r, "check", props(tier("Web")))
		}},
		{phaseActions, "Nothing was done: the chain does not exist", func(r *rig) string { return answered(r, "check", props()) }},
		{phaseWarnings, "Check: a security group has lost the chain's tags", func(r *rig) string {
			now, alb := deployed(r)
			r.world.SetTag(alb, "sgchain:logical-id", "")
			return answered(r, "check", now)
		}},
		{phaseActions, "Repair: a security group has lost the chain's tags", func(r *rig) string {
			now, alb := deployed(r)
			r.handler.Repairs = true
			r.world.SetTag(alb, "sgchain:logical-id", "")
			return answered(r, "repair", now)
		}},
		{phaseWarnings, "Repair: a security group was created again", func(r *rig) string {
			now, alb := deployed(r)
			r.handler.Repairs = true
			r.world.Revoke("Fargate-SG", "tcp", 6060)
			r.deleteOutOfBand(alb)
			return answered(r, "repair", now)
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
