package provider_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/internal/proof/world"
)

const (
	otherStackID = "arn:aws:cloudformation:us-east-1:123456789012:stack/Other/7c2f2d20-0000-11ee-8c99-0242ac120002"
	otherVPC     = "vpc-0fedcba9876543210"
)

// records is the CloudFormation of several stacks, by their IDs.
type records map[string]*stack

func (s records) DescribeStacks(ctx context.Context, in *cloudformation.DescribeStacksInput, options ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error) {
	if one := s[aws.ToString(in.StackName)]; one != nil {
		return one.DescribeStacks(ctx, in, options...)
	}
	return nil, notFound("Stack with id " + aws.ToString(in.StackName))
}

func (s records) DescribeStackResource(ctx context.Context, in *cloudformation.DescribeStackResourceInput, options ...func(*cloudformation.Options)) (*cloudformation.DescribeStackResourceOutput, error) {
	if one := s[aws.ToString(in.StackName)]; one != nil {
		return one.DescribeStackResource(ctx, in, options...)
	}
	return nil, notFound("Stack '" + aws.ToString(in.StackName) + "'")
}

// shared returns two stacks, Shop and Other, each with a chain, that one provider serves.
func shared(t *testing.T, body func(t *testing.T, shop, other *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		shop, other := newRig(t), newRig(t)
		shop.world.AddVPC(otherVPC)
		other.world, other.ec2, other.stackID = shop.world, shop.ec2, otherStackID
		other.handler, other.mail = shop.handler, shop.mail
		shop.handler.CloudFormation = records{stackID: shop.stack, otherStackID: other.stack}
		body(t, shop, other)
	})
}

// groups returns everything that a stack has in EC2: IDs, names, tags and rules.
func (r *rig) groups() string {
	r.t.Helper()
	found, err := r.world.Client("reader").DescribeSecurityGroups(r.t.Context(), &ec2.DescribeSecurityGroupsInput{
		Filters: []types.Filter{{Name: aws.String("tag:sgchain:stack-id"), Values: []string{r.stackID}}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	text, err := json.MarshalIndent(found.SecurityGroups, "", " ")
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// in returns the default chain, whose names are explicit, in a VPC.
func in(vpc string) properties {
	p := props()
	p["VpcId"] = vpc
	return p
}

// Names are unique in a VPC, so two chains with the same names in two VPCs are independent.
func TestSameNamesInTwoVPCs(t *testing.T) {
	shared(t, func(t *testing.T, shop, other *rig) {
		first := shop.succeeds(shop.create(in(vpcID)))
		mine := shop.groups()
		id := other.succeeds(other.create(in(otherVPC))).PhysicalResourceID
		if attribute(first, "Alb") == "" || shop.groups() != mine {
			t.Errorf("another stack's Create changed the groups of the first:\n%s\nwere\n%s", shop.groups(), mine)
		}
		changed := props(tier("Alb", "GroupName", "ALB-SG2", "Ports", 443), tier("Fargate", "GroupName", "Fargate-SG", "Description", "Security group for Fargate containers", "Ports", 7070))
		changed["VpcId"] = otherVPC
		second := other.succeeds(other.update(id, changed, in(otherVPC)))
		other.succeeds(other.cleanup("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", id, second.PhysicalResourceID, in(otherVPC)))
		other.succeeds(other.destroy(second.PhysicalResourceID, changed))
		if other.groups() != "null" && other.groups() != "[]" {
			t.Errorf("left over:\n%s", other.groups())
		}
		if shop.groups() != mine {
			t.Errorf("another stack's operations changed the groups of the first:\n%s\nwere\n%s", shop.groups(), mine)
		}
	})
}

// EC2 refuses the second chain. It leaves no group, and its answer names the owner of the first
// one's groups.
func TestSameNamesInOneVPC(t *testing.T) {
	for name, logicalID := range map[string]string{"two stacks": "", "two chains of a stack": "Second"} {
		t.Run(name, func(t *testing.T) {
			shared(t, func(t *testing.T, shop, other *rig) {
				shop.succeeds(shop.create(in(vpcID)))
				if logicalID != "" {
					other.stackID, other.logicalID = stackID, logicalID
					other.handler.CloudFormation = records{stackID: other.stack}
				}
				before := shop.world.String()
				answer := other.fails(other.create(in(vpcID)), "the name is taken in VPC "+vpcID, "of the chain Chain, tier Alb, in stack "+stackID, "another GroupName")
				if shop.world.String() != before {
					t.Errorf("a refused Create left\n%s", shop.world)
				}
				// And its Delete removes no group of the other chain.
				other.stack.set("ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS", answer.PhysicalResourceID)
				other.succeeds(other.deliver(other.event(cfn.RequestDelete, answer.PhysicalResourceID, in(vpcID), nil)))
				if shop.world.String() != before {
					t.Errorf("its Delete changed the world to\n%s", shop.world)
				}
			})
		})
	}
}

// Nothing in an event but its stack and logical ID selects groups: another owner's are never
// reached.
func TestForgedEventsOfAnotherStack(t *testing.T) {
	type act func(other *rig, theirs string, mine properties) cfn.Response
	for name, deliver := range map[string]act{
		"Create with their names": func(other *rig, _ string, mine properties) cfn.Response { return other.create(mine) },
		"Update of their ID": func(other *rig, theirs string, mine properties) cfn.Response {
			return other.update(theirs, props(tier("Alb", "Ports", 22)), mine)
		},
		"Update to their chain": func(other *rig, theirs string, mine properties) cfn.Response {
			return other.update(theirs, mine, props(tier("Alb", "Ports", 22)))
		},
		"rollback of their ID": func(other *rig, theirs string, mine properties) cfn.Response {
			return other.rollback(theirs, props(tier("Alb", "Ports", 22)), mine)
		},
		"cleanup of their ID": func(other *rig, theirs string, mine properties) cfn.Response {
			return other.cleanup("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", theirs, "sgchain-of-the-other", mine)
		},
		"Delete of their ID":     func(other *rig, theirs string, mine properties) cfn.Response { return other.destroy(theirs, mine) },
		"Delete of an ID of all": func(other *rig, _ string, mine properties) cfn.Response { return other.destroy("*", mine) },
		"Delete for a gone stack": func(other *rig, theirs string, mine properties) cfn.Response {
			other.stack.set("", "", "")
			return other.deliver(other.event(cfn.RequestDelete, theirs, mine, nil))
		},
	} {
		t.Run(name, func(t *testing.T) {
			shared(t, func(t *testing.T, shop, other *rig) {
				first := shop.succeeds(shop.create(in(vpcID)))
				mine := shop.groups()
				answer := deliver(other, first.PhysicalResourceID, in(vpcID))
				if answer.Status == "" {
					t.Error("there was no answer")
				}
				if shop.groups() != mine {
					t.Errorf("answered %s (%s); their groups are\n%s\nwere\n%s", answer.Status, answer.Reason, shop.groups(), mine)
				}
			})
		})
	}
}

// A principal that can invoke the function sends events for a stack that has no operation. The
// design and the docs list what remains possible: acting during the stack's own operation, and on
// what a deleted stack left behind.
func TestForgedEventsWithoutAnOperation(t *testing.T) {
	opened := props(tier("Alb", "GroupName", "ALB-SG", "Description", "Security group for Application Load Balancer", "Ports", 22))
	for name, at := range map[string][2]string{
		"after its create": {"CREATE_COMPLETE", "CREATE_COMPLETE"}, "after an update": {"UPDATE_COMPLETE", "UPDATE_COMPLETE"},
		"rolled back": {"UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE"}, "updating something else": {"UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"},
		"failed to delete": {"DELETE_FAILED", "CREATE_COMPLETE"},
	} {
		t.Run(name, func(t *testing.T) {
			shared(t, func(t *testing.T, shop, _ *rig) {
				id := shop.succeeds(shop.create(in(vpcID))).PhysicalResourceID
				mine := shop.groups()
				<-time.After(time.Hour) // virtual: they arrive long after the operation
				shop.stack.set(at[0], at[1], id)
				for kind, event := range map[string]func() cfn.Response{
					"Create":              func() cfn.Response { return shop.deliver(shop.event(cfn.RequestCreate, "", opened, nil)) },
					"Update":              func() cfn.Response { return shop.deliver(shop.event(cfn.RequestUpdate, id, opened, in(vpcID))) },
					"Update, invented ID": func() cfn.Response { return shop.deliver(shop.event(cfn.RequestUpdate, "invented", opened, in(vpcID))) },
					"Delete":              func() cfn.Response { return shop.deliver(shop.event(cfn.RequestDelete, id, in(vpcID), nil)) },
					"Delete, invented ID": func() cfn.Response { return shop.deliver(shop.event(cfn.RequestDelete, "invented", in(vpcID), nil)) },
				} {
					if at[0] == "DELETE_FAILED" && strings.HasPrefix(kind, "Delete") {
						continue // a stack that is being deleted asks for that
					}
					shop.world.Forget()
					answer := event()
					if answer.Status != cfn.StatusFailed || shop.world.Writes() != 0 || shop.groups() != mine {
						t.Errorf("%s: answered %s (%s); writes %d; the groups are\n%s\nwere\n%s", kind, answer.Status, answer.Reason, shop.world.Writes(), shop.groups(), mine)
					}
				}
			})
		})
	}
}

// For an event that cannot be for this provider nothing is read or written. No answer is sent to
// another bucket than CloudFormation's.
func TestForgedOrigins(t *testing.T) {
	shared(t, func(t *testing.T, shop, _ *rig) {
		id := shop.succeeds(shop.create(in(vpcID))).PhysicalResourceID
		shop.stack.set("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", id)
		for _, forged := range []string{
			strings.Replace(stackID, "123456789012", "999999999999", 1), strings.Replace(stackID, "us-east-1", "eu-west-1", 1),
			strings.Replace(stackID, "arn:aws:", "arn:aws-cn:", 1), "Shop", "",
		} {
			shop.forget()
			event := shop.event(cfn.RequestUpdate, id, props(tier("Alb", "Ports", 22)), in(vpcID))
			event.StackID = forged
			if answer := shop.deliver(event); answer.Status == cfn.StatusSuccess || len(shop.world.Calls()) != 0 {
				t.Errorf("stack %q: answered %q after %v", forged, answer.Status, shop.world.Calls())
			}
		}
		for _, url := range []string{
			"https://mine.s3.us-east-1.amazonaws.com/answer", "http://cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com/answer",
			"https://cloudformation-custom-resource-response-euwest1.s3.eu-west-1.amazonaws.com/answer", "https://example.org/", "",
		} {
			shop.forget()
			event := shop.event(cfn.RequestUpdate, id, props(tier("Alb", "Ports", 22)), in(vpcID))
			event.ResponseURL = url
			answer, err := shop.deliverIn(time.Minute, event)
			if err == nil || answer.Status != "" || len(shop.world.Calls()) != 0 {
				t.Errorf("answers to %q: answered %q, error %v, after %v", url, answer.Status, err, shop.world.Calls())
			}
		}
	})
}

// A group is the chain's only if all four lasting tags match. The fifth has the generation:
// changing it out of band does not remove the group from the chain.
func TestForgedTags(t *testing.T) {
	shared(t, func(t *testing.T, shop, _ *rig) {
		id := shop.succeeds(shop.create(in(vpcID))).PhysicalResourceID
		tags := map[string]string{
			"sgchain:provider": ownProvider, "sgchain:stack-id": stackID, "sgchain:logical-id": "Chain", "sgchain:tier": "Alb", "sgchain:chain": "9:" + id,
		}
		principal := shop.world.Client("other")
		var theirs []string
		for name, forged := range map[string][2]string{
			"another provider": {"sgchain:provider", "arn:another provider"}, "another stack": {"sgchain:stack-id", otherStackID},
			"another resource": {"sgchain:logical-id", "Second"}, "no tier": {"sgchain:tier", ""},
		} {
			specification := types.TagSpecification{ResourceType: types.ResourceTypeSecurityGroup}
			for key, value := range tags {
				if key == forged[0] {
					value = forged[1]
				}
				if value != "" {
					specification.Tags = append(specification.Tags, types.Tag{Key: aws.String(key), Value: aws.String(value)})
				}
			}
			made, err := principal.CreateSecurityGroup(t.Context(), &ec2.CreateSecurityGroupInput{
				GroupName: aws.String(name), Description: aws.String(name), VpcId: aws.String(vpcID), TagSpecifications: []types.TagSpecification{specification},
			})
			if err != nil {
				t.Fatal(err)
			}
			theirs = append(theirs, aws.ToString(made.GroupId))
		}
		shop.world.IgnoreFilters = true // as some emulators do: what a filter returns is filtered again
		read := func() string {
			found, err := principal.DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{GroupIds: theirs})
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(found.SecurityGroups)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		before := read()
		changed := props(tier("Alb", "Ports", 443), tier("Fargate", "Ports", 7070))
		second := shop.succeeds(shop.update(id, changed, in(vpcID)))
		shop.succeeds(shop.cleanup("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", id, second.PhysicalResourceID, in(vpcID)))
		shop.succeeds(shop.destroy(second.PhysicalResourceID, changed))
		if after := read(); after != before {
			t.Errorf("another owner's groups are\n%s\nwere\n%s", after, before)
		}
		if left := world.Strip(shop.world.String()); strings.Contains(left, "Fargate-SG") {
			t.Errorf("the chain's own groups are still there:\n%s", left)
		}
	})
}
