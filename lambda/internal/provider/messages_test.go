package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/proof/world"
)

// problems are properties with everything wrong that can be wrong.
var problems = []string{
	`"Teirs": [], "Guardrails": "off", "AdoptExisting": "maybe", "UnmanagedRules": "drop", "RuleQuota": "many", "IpFamilies": ["ipv6", "ipv5"], "VpcId": "my-vpc"`,
	`"VpcId": "", "Tiers": {"Name": "A"}`,
	`"Tiers": []`,
	`"AdoptExisting": true, "Tiers": [{"Name": "A"}]`,
	`"ReleaseTiers": ["Db", "A", "Db", "db-2"], "Tiers": [{"Name": "A"}]`,
	`"Tiers": "[{"`,
	`"Tiers": "[] []"`,
	`"Tiers": [{}, {"Name": "self"}, {"Name": "A"}, {"Name": "A"}, {"Name": "Web-Tier"}, 7]`,
	`"Tiers": [{"Name": "A", "GroupName": "web"}, {"Name": "B", "GroupName": "WEB"}, {"Name": "C", "GroupName": "sg-c", "Description": "<c>"}]`,
	`"Tiers": [{"Name": "A", "Description": "` + strings.Repeat("d", 256) + `"}]`,
	`"Tiers": [{"Name": "A", "Ports": [70000, "90-80", "eighty", "tcp", "icmp/300", "proto/300", "proto/6", ["80"]]}]`,
	`"Tiers": [{"Name": "A", "Ports": [` + listOf(50, `"%d"`) + `], "Sources": [` + listOf(50, `"10.0.0.%d/32"`) + `]}]`,
	`"Tiers": [{"Name": "A", "Sources": "internet"}, {"Name": "B", "Ports": 80, "Ingress": [{"Ports": 80}]}]`,
	`"Tiers": [{"Name": "A", "Ingress": [{"Ports": 80, "Sources": "internet", "Description": "one"}, {"Ports": 80, "Sources": "internet", "Description": "two"}]}]`,
	`"Tiers": [{"Name": "A", "Ports": ["icmpv6"], "Sources": "10.0.0.0/8"}]`,
	`"Tiers": [{"Name": "A", "Ports": 80, "Sources": ["Nobody", "10.0.0.1", "::ffff:10.0.0.0/96", "sg-?", "pl-?"]}]`,
	`"Tiers": [{"Name": "A", "GroupName": "web", "Ports": 80, "Sources": ["group/", "group/sg-0a", "group/a?b", "list/a\\b", "list/` + strings.Repeat("n", 256) + `"]}, {"Name": "B", "Ports": 80, "Sources": "list/"}]`,
	`"Tiers": [{"Name": "A", "GroupName": "web", "Ports": 80, "Sources": "group/web"}]`,
	`"Tiers": [{"Name": "A", "Egress": "some"}, {"Name": "B", "Egress": ["none", "all"]}, {"Name": "C", "Egress": []}]`,
	`"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}, {"Value": "1"}, {"Key": "aws:x", "Value": "1"}, {"Key": "` + strings.Repeat("k", 129) + `", "Value": "1"}, {"Key": "b", "Value": "` + strings.Repeat("v", 257) + `"}]`,
	`"Tags": {` + many(45) + `}`,
	`"Tags": "Team=shop"`,
	`"Tags": "7"`,
	`"AdoptExisting": true, "Tiers": [{"Name": "A", "GroupName": "Default"}, {"Name": "B", "GroupName": "b", "Tags": {` + many(44) + `}}]`,
	`"IpFamilies": [], "Tiers": [{"Name": "A", "Ports": [], "Sources": []}, {"Name": "B", "Ports": 80, "Sources": "", "Egress": ""}, {"Name": "C", "Ingress": []}]`,
	`"IpFamilies": [""], "Tiers": [{"Name": "A", "Ports": [""], "Sources": [""], "Egress": [""]}, {"Name": "B", "Ingress": [{"Ports": [], "Sources": [" "]}, ""]}]`,
	`"Tiers": "[{\"Name\": \"A\", \"Ports\": [80], \"Ports\": [443]}]"`,
	`"ServiceTOKEN": "x", "Tiers": [{"Name": "A", "ports": 80, "Ingress": [{"Ports": 80, "Sources": "sg-0a", "Description": "a & b"}]}]`,
	`"Tiers": [{"Name": "A", "Ingress": [` + entries(3, 1000) + `]}]`,
	`"MovedFrom": "Shop/Chain"`,
	`"MovedFrom": {"Stack": "Shop"}`,
	`"MovedFrom": {"LogicalId": "Chain", "Stack": "Shop/x", "Provider": "Provider"}`,
	`"Tiers": [` + crowded(6) + `]`,
	`"Tiers": [` + strings.TrimSuffix(strings.Repeat(`{"Name": "Tier#"}, `, 101), ", ") + `]`,
	`"Tiers": [` + strings.TrimSuffix(strings.Repeat(`{"Name": "Tier#"}, `, 60), ", ") + `]`,
}

// entries is entries of the long form, each with so many ports of its own.
func entries(n, ports int) string {
	var all []string
	for i := range n {
		var list []string
		for port := range ports {
			list = append(list, strconv.Itoa(i*ports+port))
		}
		all = append(all, `{"Sources": "10.0.0.0/8", "Ports": [`+strings.Join(list, ", ")+`]}`)
	}
	return strings.Join(all, ", ")
}

// crowded is tiers with as many rules as a group can have.
func crowded(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`{"Name": "Full%d", "Ingress": [%s]}`, i, entries(2, 1000)))
	}
	return strings.Join(all, ", ")
}

// listOf writes numbers from 1 in a form, with commas between them.
func listOf(n int, form string) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(form, i+1))
	}
	return strings.Join(all, ", ")
}

func many(n int) string {
	var tags []string
	for i := range n {
		tags = append(tags, fmt.Sprintf(`"key%d": "1"`, i))
	}
	return strings.Join(tags, ", ")
}

// situation is a condition and the message that it causes.
type situation struct {
	phase, title string

	act func(r *rig) string
}

func reason(answer cfn.Response) string { return answer.Reason }

// refusing makes a chain while EC2 refuses call n.
func refusing(n int, code, message string) func(*rig) string {
	return func(r *rig) string {
		for again := range 40 {
			r.ec2.FailAt(n+again, world.Fault{Err: world.NewError(code, message)})
		}
		return reason(r.create(props(tier("Web"))))
	}
}

// respelled delivers a Create with a part of its text replaced.
func respelled(r *rig, from, to string) string {
	event := r.event(cfn.RequestCreate, "", props(), nil)
	raw, err := json.Marshal(event)
	if err != nil {
		r.t.Fatal(err)
	}
	answer, err := r.deliverRaw(time.Minute, event, []byte(strings.Replace(string(raw), from, to, 1)))
	return reason(answer) + text(err)
}

// taken makes a chain whose first name somebody has, with some tags.
func taken(tags ...string) func(*rig) string {
	return func(r *rig) string {
		in := &ec2.CreateSecurityGroupInput{GroupName: aws.String("alb-sg"), Description: aws.String("theirs"), VpcId: aws.String(vpcID)}
		for i := 0; i < len(tags); i += 2 {
			in.TagSpecifications = append(in.TagSpecifications, types.TagSpecification{ResourceType: types.ResourceTypeSecurityGroup, Tags: []types.Tag{{Key: aws.String(tags[i]), Value: aws.String(tags[i+1])}}})
		}
		if _, err := r.world.Client("other").CreateSecurityGroup(r.t.Context(), in); err != nil {
			r.t.Fatal(err)
		}
		return reason(r.create(props(tier("Alb", "GroupName", "alb-sg"))))
	}
}

// blocked deletes a chain after something obstructs that.
func blocked(obstruct func(r *rig, groupID string)) func(*rig) string {
	return func(r *rig) string {
		answer := r.succeeds(r.create(props(tier("Web", "GroupName", "web"))))
		obstruct(r, attribute(answer, "Web"))
		r.stack.set("DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", answer.PhysicalResourceID)
		return reason(r.deliver(r.event(cfn.RequestDelete, answer.PhysicalResourceID, props(tier("Web")), nil)))
	}
}

// over delivers an Update that the stack does not wait for.
func over(stack, resource string) func(*rig) string {
	return func(r *rig) string {
		old := props(tier("Web"))
		answer := r.succeeds(r.create(old))
		r.stack.set(stack, resource, answer.PhysicalResourceID)
		return reason(r.deliver(r.event(cfn.RequestUpdate, answer.PhysicalResourceID, props(tier("Web", "Ports", 80)), old)))
	}
}

// brokenStatus is a CloudFormation whose status cannot be read.
type brokenStatus struct{ *stack }

func (brokenStatus) DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error) {
	return nil, world.NewError("AccessDenied", "User: arn:aws:sts::123456789012:assumed-role/Provider/Provider is not authorized to perform: cloudformation:DescribeStacks")
}

// brokenResource is one whose resource cannot be read.
type brokenResource struct{ *stack }

func (brokenResource) DescribeStackResource(context.Context, *cloudformation.DescribeStackResourceInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStackResourceOutput, error) {
	return nil, world.NewError("Throttling", "Rate exceeded")
}

func situations() []situation {
	warning := func(answer cfn.Response) string { return fmt.Sprint(answer.Data["Warnings"]) }
	return []situation{
		{phaseProperties, "Several properties are wrong", func(r *rig) string {
			return reason(r.create(props(tier("Web", "Ports", 99999), tier("App", "Prots", 80))))
		}},
		{phasePlanning, "The group name is taken", taken()},
		{phasePlanning, "The group name is taken by another chain", taken("sgchain:stack-id", "arn:aws:cloudformation:us-east-1:123456789012:stack/Other/1", "sgchain:logical-id", "Chain", "sgchain:tier", "Alb")},
		{phasePlanning, "The group name is taken by this chain under its earlier logical ID", taken("sgchain:stack-id", stackID, "sgchain:logical-id", "OldChain", "sgchain:tier", "Alb")},
		{phasePlanning, "A replaced group keeps its GroupName: its Description changes", func(r *rig) string {
			old := props(tier("Web", "GroupName", "web", "Description", "one"))
			return reason(r.update(r.succeeds(r.create(old)).PhysicalResourceID, props(tier("Web", "GroupName", "web", "Description", "two")), old))
		}},
		{phasePlanning, "A replaced group keeps its GroupName: its tier is renamed", func(r *rig) string {
			old := props(tier("Web", "GroupName", "web"))
			return reason(r.update(r.succeeds(r.create(old)).PhysicalResourceID, props(tier("Site", "GroupName", "web")), old))
		}},
		{phasePlanning, "A replaced group keeps its GroupName: only the letter case changes", func(r *rig) string {
			old := props(tier("Web", "GroupName", "web"))
			return reason(r.update(r.succeeds(r.create(old)).PhysicalResourceID, props(tier("Web", "GroupName", "WEB")), old))
		}},
		{phasePlanning, "A group has more rules than its quota allows", func(r *rig) string {
			r.world.AddPrefixList("pl-0a", "office", 58, false)
			return reason(r.create(props(tier("Web", "Ports", "80-90", "Sources", []any{"pl-0a", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"}))))
		}},
		{phasePlanning, "A group has more rules than its quota allows until the old ones are revoked", func(r *rig) string {
			old := with(properties{"RuleQuota": 2}, tier("Web", "Ports", 80, "Sources", []any{"10.0.0.0/8", "11.0.0.0/8"}))
			now := with(properties{"RuleQuota": 2}, tier("Web", "Ports", 80, "Sources", []any{"10.0.0.0/9", "11.0.0.0/9"}))
			return reason(r.update(r.succeeds(r.create(old)).PhysicalResourceID, now, old))
		}},
		{phasePlanning, "A prefix list does not exist", func(r *rig) string {
			return reason(r.create(props(tier("Web", "Ports", 80, "Sources", "com.amazonaws.{region}.s4"))))
		}},
		{phasePlanning, "The VPC of the peer vpc does not exist", func(r *rig) string {
			return reason(r.create(with(properties{"VpcId": "vpc-0a"}, tier("Web", "Ports", 80, "Sources", "vpc"))))
		}},
		{phasePlanning, "A security group does not exist", func(r *rig) string {
			return reason(r.create(props(tier("Web", "Ports", 80, "Sources", "sg-0dead"))))
		}},
		{phasePlanning, "No security group has the name", func(r *rig) string {
			return reason(r.create(props(tier("Web", "Ports", 80, "Sources", "group/bastion"))))
		}},
		{phasePlanning, "Several peers do not exist", func(r *rig) string {
			return reason(r.create(props(tier("Web", "Ports", 80, "Sources", []any{"com.amazonaws.{region}.s4", "sg-0dead"}))))
		}},
		{phasePlanning, "Several prefix lists have the name", func(r *rig) string {
			r.world.AddPrefixList("pl-0a", "office", 1, false)
			r.world.AddPrefixList("pl-0b", "office", 1, false)
			return reason(r.create(props(tier("Web", "Ports", 80, "Sources", "list/office"))))
		}},
		{phaseWarnings, "Rollback: several prefix lists have a peer's name", func(r *rig) string {
			r.world.AddPrefixList("pl-0a", "office", 1, false)
			old, now := props(tier("Web", "Ports", 80, "Sources", "list/office")), props(tier("Web", "Ports", 80, "Sources", "vpc"))
			id := r.succeeds(r.create(old)).PhysicalResourceID
			r.succeeds(r.update(id, now, old))
			r.world.AddPrefixList("pl-0b", "office", 1, false)
			return warning(r.rollback(id, old, now))
		}},
		{phasePlanning, "A security group of the chain is named by its ID", func(r *rig) string {
			old := props(tier("Web"), tier("App", "Ports", 80))
			answer := r.succeeds(r.create(old))
			return reason(r.update(answer.PhysicalResourceID, props(tier("Web"), tier("App", "Ports", 80, "Sources", attribute(answer, "Web"))), old))
		}},
		{phaseCalls, "The VPC does not exist", func(r *rig) string { return reason(r.create(with(properties{"VpcId": "vpc-0a"}))) }},
		{phaseCalls, "The function's role lacks a permission", refusing(2, "UnauthorizedOperation", "You are not authorized to perform this operation. Encoded authorization failure message: "+strings.Repeat("x", 2000))},
		{phaseCalls, "EC2 throttles calls for a long time", refusing(1, "RequestLimitExceeded", "Request limit exceeded.")},
		{phaseCalls, "The account has too many security groups", func(r *rig) string {
			r.world.GroupQuota = 1
			return reason(r.create(props(tier("Web"))))
		}},
		{phaseCalls, "The account's quota of rules is lower than RuleQuota", func(r *rig) string {
			r.world.RuleQuota = 1
			return reason(r.create(props()))
		}},
		{phaseCalls, "EC2 has an internal error", refusing(2, "InternalError", "An internal error has occurred")},
		{phaseCalls, "EC2 refuses a call with an unknown code", refusing(2, "SomethingNew", "EC2 says so")},
		{phaseCalls, "A tag policy refuses the tags", refusing(2, "TagPolicyViolation", "The tag policy does not allow the specified value for the following tag key: 'Team'.")},
		{phaseCalls, "EC2 rejects the function's credentials", refusing(2, "AuthFailure", "AWS was not able to validate the provided access credentials")},
		{phaseCalls, "The account is not verified", refusing(2, "PendingVerification", "Your account is currently being verified")},
		{phaseCalls, "A peer is in a VPC that is not connected", func(r *rig) string {
			r.world.AddVPC(peeredVPC, world.OwnedBy(world.OtherAccount))
			return reason(r.create(props(tier("Web", "Ports", 443, "Sources", world.OtherAccount+"/"+r.world.AddOtherAccountGroup(world.OtherAccount, "far", peeredVPC, false)))))
		}},
		{phaseWarnings, "A rule opens nothing", func(r *rig) string {
			now := props(tier("Web", "Ports", []any{443, "icmpv6"}, "Sources", "vpc"))
			now["IpFamilies"] = []any{"ipv4", "ipv6"}
			return warning(r.create(now))
		}},
		{phaseCalls, "A security group of another account does not exist", func(r *rig) string {
			return reason(r.create(props(tier("Web", "Ports", 443, "Sources", world.OtherAccount+"/sg-0fedcba9876543210"))))
		}},
		{phaseCalls, "Another principal keeps changing the security groups", func(r *rig) string {
			for n := 3; n < 60; n++ {
				r.ec2.FailAt(n, world.Fault{Hand: &world.OutOfBandChange{Deed: world.AddRule, Pick: 100 * n}})
			}
			return reason(r.create(props(tier("Web"))))
		}},
		{phaseCalls, "EC2 does not show a security group", func(r *rig) string {
			alone := props(tier("App", "Ports", 80, "Sources", "internet"))
			first := r.succeeds(r.create(alone))
			<-time.After(2 * time.Hour) // virtual
			second := r.succeeds(r.update(first.PhysicalResourceID, props(tier("Web"), tier("App", "Ports", 80)), alone))
			r.world.TagLag = time.Hour
			return reason(r.update(second.PhysicalResourceID, alone, alone))
		}},
		{phaseDeletes, "A network interface uses a security group", blocked(func(r *rig, id string) { r.attach("eni-1", "ELB app/shop/1", id) })},
		{phaseDeletes, "Many network interfaces use a security group", blocked(func(r *rig, id string) {
			for n := range 8 {
				r.attach(fmt.Sprint("eni-", n), "AWS Lambda VPC ENI-resize", id)
			}
		})},
		{phaseDeletes, "Another security group has a rule with a group of the chain", blocked(func(r *rig, id string) {
			other := r.world.Client("other")
			made, err := other.CreateSecurityGroup(r.t.Context(), &ec2.CreateSecurityGroupInput{GroupName: aws.String("theirs"), Description: aws.String("d"), VpcId: aws.String(vpcID)})
			if err == nil {
				_, err = other.AuthorizeSecurityGroupIngress(r.t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: made.GroupId, IpPermissions: []types.IpPermission{{
					IpProtocol: aws.String("tcp"), FromPort: aws.Int32(80), ToPort: aws.Int32(80), UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: &id}},
				}}})
			}
			if err != nil {
				r.t.Fatal(err)
			}
		})},
		{phaseDeletes, "EC2 does not show what uses a security group", blocked(func(r *rig, id string) {
			r.world.AddVPC("vpc-0b")
			r.world.Associate(id, "vpc-0b")
		})},
		{phaseDeletes, "EC2 allows no user to delete the security group", func(r *rig) string {
			answer := r.succeeds(r.create(props(tier("Web"))))
			r.ec2.Forget()
			for n := range 40 {
				r.ec2.FailAt(3+n, world.Fault{Err: world.NewError("CannotDelete", "the specified group cannot be deleted by a user")})
			}
			r.stack.set("DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", answer.PhysicalResourceID)
			return reason(r.deliver(r.event(cfn.RequestDelete, answer.PhysicalResourceID, props(tier("Web")), nil)))
		}},
		{phaseOperations, "The stack's status cannot be read", func(r *rig) string {
			r.handler.CloudFormation = brokenStatus{r.stack}
			return reason(r.create(props()))
		}},
		{phaseOperations, "The resource's status cannot be read", func(r *rig) string {
			r.handler.CloudFormation = brokenResource{r.stack}
			return reason(r.create(props()))
		}},
		{phaseOperations, "The request is over: another operation begins meanwhile", func(r *rig) string {
			old := props(tier("Web"))
			answer := r.succeeds(r.create(old))
			r.stack.set("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", answer.PhysicalResourceID)
			r.ec2.Forget()
			r.ec2.FailAt(2, world.Fault{Hang: 3 * time.Second, Do: func() {}})
			go func() {
				<-time.After(time.Second)
				r.stack.set("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS", answer.PhysicalResourceID)
			}()
			return reason(r.deliver(r.event(cfn.RequestUpdate, answer.PhysicalResourceID, props(tier("Web", "Ports", 80)), old)))
		}},
		{phaseOperations, "The request is over: the stack has no operation", over("UPDATE_COMPLETE", "UPDATE_COMPLETE")},
		{phaseOperations, "The request is over: the resource is in a COMPLETE status", over("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE")},
		{phaseOperations, "The request is over: the resource is being deleted", over("UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")},
		{phaseOperations, "The request is over: the stack rolls back", func(r *rig) string {
			r.stack.set("ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS", "")
			return reason(r.deliver(r.event(cfn.RequestCreate, "", props(), nil)))
		}},
		{phaseOperations, "The request is over: a Create is delivered again after its answer", func(r *rig) string {
			r.stack.set("CREATE_IN_PROGRESS", "CREATE_COMPLETE", "sgchain-x")
			return reason(r.deliver(r.event(cfn.RequestCreate, "", props(), nil)))
		}},
		{phaseOperations, "The request is over: the chain was replaced", func(r *rig) string {
			r.stack.set("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "sgchain-"+strings.Repeat("0", 40))
			return reason(r.deliver(r.event(cfn.RequestUpdate, "sgchain-"+strings.Repeat("1", 40), props(), props())))
		}},
		{phaseOperations, "The request is over: the stack was deleted", over("", "")},
		{phaseOperations, "The request is over: a Delete has the ID of the current chain", func(r *rig) string {
			answer := r.succeeds(r.create(props()))
			r.stack.set("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE", answer.PhysicalResourceID)
			return reason(r.deliver(r.event(cfn.RequestDelete, answer.PhysicalResourceID, props(), nil)))
		}},
		{phaseOperations, "The request is over: no Delete is due", func(r *rig) string {
			answer := r.succeeds(r.create(props()))
			r.stack.set("UPDATE_COMPLETE", "UPDATE_COMPLETE", answer.PhysicalResourceID)
			return reason(r.deliver(r.event(cfn.RequestDelete, answer.PhysicalResourceID, props(), nil)))
		}},
		{phaseOperations, "The request is over: it is older than the operation", func(r *rig) string {
			event := r.event(cfn.RequestUpdate, "sgchain-x", props(), props())
			<-time.After(5 * time.Minute) // virtual
			r.stack.set("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "sgchain-x")
			return reason(r.deliver(event))
		}},
		{phaseOperations, "The time of a request is up: during a call", func(r *rig) string {
			r.stack.set("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "")
			r.ec2.FailAt(2, world.Fault{Hang: time.Hour})
			answer, err := r.deliverIn(time.Minute, r.event(cfn.RequestCreate, "", props(tier("Web")), nil))
			return reason(answer) + text(err)
		}},
		{phaseOperations, "The time of a request is up: before the first call", func(r *rig) string {
			answer, err := r.deliverIn(10*time.Second, r.event(cfn.RequestCreate, "", props(), nil))
			return reason(answer) + text(err)
		}},
		{phaseEvents, "The resource has another type: in the event", func(r *rig) string {
			event := r.event(cfn.RequestCreate, "", props(), nil)
			event.ResourceType = "Custom::Other"
			return reason(r.deliver(event))
		}},
		{phaseEvents, "The resource has another type: in the stack", func(r *rig) string {
			r.stack.kind = "Custom::Other"
			return reason(r.create(props()))
		}},
		{phaseEvents, "The stack is in another account", func(r *rig) string {
			event := r.event(cfn.RequestCreate, "", props(), nil)
			event.StackID = strings.Replace(stackID, "123456789012", "999999999999", 1)
			return reason(r.deliver(event))
		}},
		{phaseEvents, "The event is not CloudFormation's: StackId is not an ARN", func(r *rig) string {
			event := r.event(cfn.RequestCreate, "", props(), nil)
			event.StackID = "Shop"
			return reason(r.deliver(event))
		}},
		{phaseEvents, "The event is not CloudFormation's: a field is missing", func(r *rig) string {
			event := r.event(cfn.RequestUpdate, "", props(), props())
			return reason(r.deliver(event))
		}},
		{phaseEvents, "The event is not CloudFormation's: a key has another letter case", func(r *rig) string {
			return respelled(r, `"ResourceProperties"`, `"resourceproperties"`)
		}},
		{phaseEvents, "The event is not CloudFormation's: a key occurs twice", func(r *rig) string {
			return respelled(r, `"ResourceProperties":{`, `"ResourceProperties":{"VpcId":"vpc-0",`)
		}},
		{phaseEvents, "The event is not CloudFormation's: the request type is unknown", func(r *rig) string {
			event := r.event("Rename", "sgchain-x", props(), props())
			return reason(r.deliver(event))
		}},
		{phaseEvents, "The function's environment is incomplete", func(r *rig) string {
			r.handler.Misconfigured = errors.New("reading environment (SGCHAIN_PROVIDER): it is not set")
			return reason(r.create(props()))
		}},
		{phaseEvents, "The function has a bug", func(r *rig) string {
			r.ec2.FailAt(1, world.Fault{Panic: "index out of range [3] with length 3"})
			return reason(r.create(props()))
		}},
		{phaseWarnings, "A tier has no outbound rule", func(r *rig) string { return warning(r.create(props(tier("Web", "Egress", "chain")))) }},
		{phaseWarnings, "A security group is near its quota", func(r *rig) string {
			old := with(properties{"RuleQuota": 1}, tier("Web", "Ports", 80, "Sources", "10.0.0.0/8"))
			now := with(properties{"RuleQuota": 1}, tier("Web", "Ports", 80, "Sources", "11.0.0.0/8"))
			return warning(r.update(r.succeeds(r.create(old)).PhysicalResourceID, now, old))
		}},
		{phaseWarnings, "A security group is orphaned", func(r *rig) string {
			one, two, three := props(tier("Web")), props(tier("App")), props(tier("Db"))
			second := r.succeeds(r.update(r.succeeds(r.create(one)).PhysicalResourceID, two, one))
			r.attach("eni-1", "late", r.world.Groups()[1])
			return warning(r.update(second.PhysicalResourceID, three, two))
		}},
		{phaseWarnings, "Rollback: a peer no longer exists", func(r *rig) string {
			r.world.AddPrefixList("pl-0123456789abcdef0", "com.amazonaws.us-east-1.s3", 1, false)
			old, now := props(tier("Web", "Ports", 443, "Sources", "com.amazonaws.us-east-1.s3")), props(tier("Web", "Ports", 443, "Sources", "10.0.0.0/8"))
			id := r.succeeds(r.create(old)).PhysicalResourceID
			r.succeeds(r.update(id, now, old))
			r.world.AddPrefixList("pl-0123456789abcdef0", "renamed", 1, false)
			return warning(r.rollback(id, old, now))
		}},
		{phaseWarnings, "Rollback: peers cannot be looked up", func(r *rig) string {
			r.world.AddPrefixList("pl-0123456789abcdef0", "com.amazonaws.us-east-1.s3", 1, false)
			old, now := props(tier("Web", "Ports", 443, "Sources", "com.amazonaws.us-east-1.s3")), props(tier("Web", "Ports", 443, "Sources", "10.0.0.0/8"))
			id := r.succeeds(r.create(old)).PhysicalResourceID
			r.succeeds(r.update(id, now, old))
			r.ec2.Deny("DescribeManagedPrefixLists")
			return warning(r.rollback(id, old, now))
		}},
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return " (" + err.Error() + ")"
}

// TestMessages writes every message that a stack owner can see, as the function sends it, and checks
// each against the rules. It compares the page with the sources, so that no text of an error or of a
// remedy is missing there. With UPDATE_DOCS=1 it writes the page.
func TestMessages(t *testing.T) { //nolint:tparallel // the messages are written in their order
	t.Parallel()
	byPhase := map[string][]message{}
	var raw strings.Builder
	for _, one := range slices.Concat(situations(), careSituations(), moveSituations()) {
		t.Run(one.title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, aws := newRig(t), &said{}
				r.world.After = aws.note
				text := one.act(r)
				raw.WriteString(text + "\n")
				lines := []string{text}
				if one.phase == phaseWarnings {
					lines = strings.Split(text, "\n")
				}
				for _, line := range lines {
					keepsRules(t, one.phase, line, aws)
				}
				r.mail.fits(t)
				byPhase[one.phase] = append(byPhase[one.phase], message{one.title, strings.TrimSuffix(text, logTail)})
			})
		})
	}
	t.Run("More problems than an answer has room for", func(t *testing.T) {
		r := newRig(t)
		var peers []any
		for n := range 300 {
			peers = append(peers, fmt.Sprint("unknown", n))
		}
		r.fails(r.create(props(tier("Web", "Ports", 443, "Sources", peers))), "[cut;")
		r.mail.fits(t)
	})
	properties := propertyMessages(t)
	raw.WriteString(strings.Join(properties, "\n"))
	documented(t, "messages.md", "messages", messagesPage(byPhase, properties))
	for _, literal := range literals(t) {
		if !literal.pattern.MatchString(raw.String()) {
			t.Errorf("%s: no message of docs/messages.md has %q", literal.place, literal.text)
		}
	}
}

// propertyMessages returns each problem with properties once.
func propertyMessages(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, text := range problems {
		for n := 0; strings.Contains(text, "#"); n++ {
			text = strings.Replace(text, "#", strconv.Itoa(n), 1)
		}
		if !strings.Contains(text, `"VpcId"`) {
			text = `"VpcId": "vpc-0a", ` + text
		}
		properties := decodeProperties(t, "{"+text+"}")
		_, err := chain.Parse(properties, chain.DefaultAnswerBytes)
		if err == nil {
			t.Fatalf("accepted: %s", text)
		}
		r := newRig(t)
		r.fails(r.create(properties), "reading properties: ", "Nothing was changed. Correct the properties and deploy again."+logTail)
		r.mail.fits(t)
		found, _ := errors.AsType[chain.Problems](err)
		for _, problem := range found {
			if line := problem.Error(); !slices.Contains(all, line) {
				keepsRules(t, phaseProperties, line, &said{})
				all = append(all, line)
			}
		}
	}
	return all
}

// messagesPage returns the part of docs/messages.md that is generated.
func messagesPage(byPhase map[string][]message, properties []string) string {
	var page strings.Builder
	example := byPhase[phasePlanning][slices.IndexFunc(byPhase[phasePlanning], func(one message) bool { return one.title == exampleTitle })]
	for _, phase := range phases() {
		page.WriteString("- " + anchor(phase[0]) + "\n")
	}
	page.WriteString("\nEach failure has the step, the cause, what to do, and the place of its log:\n\n" + fenced(example.text+logTail, ""))
	page.WriteString("\nThe entries below leave out the log.\n")
	for _, phase := range phases() {
		page.WriteString("\n## " + phase[0] + "\n\n" + phase[1] + "\n\n" + strings.TrimSuffix(section(byPhase[phase[0]]), "\n"))
		if phase[0] == phaseProperties {
			page.WriteString("\n" + strings.TrimSuffix(propertyProblems(properties), "\n"))
		}
	}
	return page.String() + "\n"
}

// exampleTitle is the situation that shows a whole message.
const exampleTitle = "A prefix list does not exist"

type literal struct {
	place, text string
	pattern     *regexp.Regexp
}

// unseen are texts that no stack owner sees, with the reason.
func unseen() map[string]string {
	return map[string]string{
		"delivering answer":       "an answer that cannot be delivered reaches nobody; it is in the log",
		"S3 answered":             "the same",
		"checking ResponseURL":    "nothing is answered to a foreign URL",
		"security groups change":  "is always joined with its cause and observed again",
		"rules to revoke":         "the chain is observed again",
		"not be read in time":     "the same",
		"read too long ago":       "the same",
		"it does not exist":       "the same",
		"reading its range":       "EC2 shows no range that cannot be read",
		"waiting to send":         "is joined with the cause why time ended",
		"is not a number":         "the provider's template sets no such variable",
		"neither true nor":        "the same",
		"answered with":           "CloudFormation shows one stack for an ARN",
		"answered without it":     "CloudFormation shows the resource that was asked for",
		"the function has no ARN": "Lambda gives it to every invocation",
		"runs only in AWS":        "the same",
		"not a request of Cloud":  "without a ResponseURL there is nobody to answer",
		"a list of tiers: ":       "of the construct library",
		"default security group":  "properties with the name default are refused before",
	}
}

// literals lists the texts of errors, remedies and problems in the sources.
func literals(t *testing.T) []literal {
	t.Helper()
	var all []literal
	verb := regexp.MustCompile(`%(\.\d+)?[a-z]`)
	for _, dir := range []string{"chain", "plan", "internal/sg", "internal/fence", "internal/protocol", "internal/provider", "internal/task"} {
		files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(dir), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			set := token.NewFileSet()
			parsed, err := parser.ParseFile(set, file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(node ast.Node) bool {
				var within ast.Node
				switch node := node.(type) {
				case *ast.FuncDecl:
					if slices.Contains([]string{"Error", "Remedy", "Warnings", "createOver", "updateOver", "late", "Judge"}, node.Name.Name) && node.Body != nil {
						within = node.Body
					}
				case *ast.CallExpr:
					name := ""
					switch called := node.Fun.(type) {
					case *ast.SelectorExpr:
						name = called.Sel.Name
					case *ast.Ident:
						name = called.Name
					}
					if slices.Contains([]string{"problem", "Errorf", "New", "add", "refused", "busy"}, name) {
						within = node
					}
				}
				if within == nil {
					return true
				}
				ast.Inspect(within, func(inner ast.Node) bool {
					basic, ok := inner.(*ast.BasicLit)
					if !ok || basic.Kind != token.STRING {
						return true
					}
					text, err := strconv.Unquote(basic.Value)
					if err != nil || len(verb.ReplaceAllString(text, "")) < 12 || excused(text) {
						return true
					}
					expression := regexp.QuoteMeta(text)
					for _, found := range verb.FindAllString(text, -1) {
						expression = strings.Replace(expression, regexp.QuoteMeta(found), ".*", 1)
					}
					all = append(all, literal{place: set.Position(basic.Pos()).String(), text: text, pattern: regexp.MustCompile(expression)})
					return true
				})
				return true
			})
		}
	}
	if len(all) < 80 {
		t.Fatalf("found only %d texts", len(all))
	}
	return all
}

func excused(text string) bool {
	for part := range unseen() {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// decodeProperties reads properties as Lambda gives them to the function.
func decodeProperties(tb testing.TB, text string) properties {
	tb.Helper()
	var decoded properties
	if err := json.Unmarshal([]byte(text), &decoded); err != nil {
		tb.Fatal(err)
	}
	return decoded
}
