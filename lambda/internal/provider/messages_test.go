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

// situation is something that goes wrong, and how.
type situation struct {
	title string
	act   func(r *rig) string
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
		if _, err := r.world.Client("stranger").CreateSecurityGroup(r.t.Context(), in); err != nil {
			r.t.Fatal(err)
		}
		return reason(r.create(props(tier("Alb", "GroupName", "alb-sg"))))
	}
}

// blocked deletes a chain of which something stands in the way.
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
		{"the properties are wrong", func(r *rig) string {
			return reason(r.create(props(tier("Web", "Ports", 99999), tier("App", "Prots", 80))))
		}},
		{"the name is taken", taken()},
		{"the name is taken by another chain", taken("sgchain:stack-id", "arn:aws:cloudformation:us-east-1:123456789012:stack/Other/1", "sgchain:logical-id", "Chain", "sgchain:tier", "Alb")},
		{"the name is taken by the chain, whose logical ID changed", taken("sgchain:stack-id", stackID, "sgchain:logical-id", "OldChain", "sgchain:tier", "Alb")},
		{"a Description changes and the GroupName stays", func(r *rig) string {
			old := props(tier("Web", "GroupName", "web", "Description", "one"))
			return reason(r.update(r.succeeds(r.create(old)).PhysicalResourceID, props(tier("Web", "GroupName", "web", "Description", "two")), old))
		}},
		{"a tier is renamed and the GroupName stays", func(r *rig) string {
			old := props(tier("Web", "GroupName", "web"))
			return reason(r.update(r.succeeds(r.create(old)).PhysicalResourceID, props(tier("Site", "GroupName", "web")), old))
		}},
		{"only the letter case of a GroupName changes", func(r *rig) string {
			old := props(tier("Web", "GroupName", "web"))
			return reason(r.update(r.succeeds(r.create(old)).PhysicalResourceID, props(tier("Web", "GroupName", "WEB")), old))
		}},
		{"a group has not room for its rules", func(r *rig) string {
			r.world.AddPrefixList("pl-0a", "office", 58, false)
			return reason(r.create(props(tier("Web", "Ports", "80-90", "Sources", []any{"pl-0a", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"}))))
		}},
		{"a group has not room for its old and its new rules", func(r *rig) string {
			old := with(properties{"RuleQuota": 2}, tier("Web", "Ports", 80, "Sources", []any{"10.0.0.0/8", "11.0.0.0/8"}))
			now := with(properties{"RuleQuota": 2}, tier("Web", "Ports", 80, "Sources", []any{"10.0.0.0/9", "11.0.0.0/9"}))
			return reason(r.update(r.succeeds(r.create(old)).PhysicalResourceID, now, old))
		}},
		{"a prefix list is not there", func(r *rig) string {
			return reason(r.create(props(tier("Web", "Ports", 80, "Sources", "com.amazonaws.{region}.s4"))))
		}},
		{"the VPC whose ranges are meant is not there", func(r *rig) string {
			return reason(r.create(with(properties{"VpcId": "vpc-0a"}, tier("Web", "Ports", 80, "Sources", "vpc"))))
		}},
		{"a security group is not there", func(r *rig) string {
			return reason(r.create(props(tier("Web", "Ports", 80, "Sources", "sg-0dead"))))
		}},
		{"no security group has the name", func(r *rig) string {
			return reason(r.create(props(tier("Web", "Ports", 80, "Sources", "group/bastion"))))
		}},
		{"several prefix lists have the name", func(r *rig) string {
			r.world.AddPrefixList("pl-0a", "office", 1, false)
			r.world.AddPrefixList("pl-0b", "office", 1, false)
			return reason(r.create(props(tier("Web", "Ports", 80, "Sources", "list/office"))))
		}},
		{"warning: several have the name of a peer on the way back", func(r *rig) string {
			r.world.AddPrefixList("pl-0a", "office", 1, false)
			old, now := props(tier("Web", "Ports", 80, "Sources", "list/office")), props(tier("Web", "Ports", 80, "Sources", "vpc"))
			id := r.succeeds(r.create(old)).PhysicalResourceID
			r.succeeds(r.update(id, now, old))
			r.world.AddPrefixList("pl-0b", "office", 1, false)
			return warning(r.rollback(id, old, now))
		}},
		{"a group of the chain is named by its ID", func(r *rig) string {
			old := props(tier("Web"), tier("App", "Ports", 80))
			answer := r.succeeds(r.create(old))
			return reason(r.update(answer.PhysicalResourceID, props(tier("Web"), tier("App", "Ports", 80, "Sources", attribute(answer, "Web"))), old))
		}},
		{"the VPC is not there", func(r *rig) string { return reason(r.create(with(properties{"VpcId": "vpc-0a"}))) }},
		{"the function's role lacks a right", refusing(2, "UnauthorizedOperation", "You are not authorized to perform this operation. Encoded authorization failure message: "+strings.Repeat("x", 2000))},
		{"EC2 throttles for long", refusing(1, "RequestLimitExceeded", "Request limit exceeded.")},
		{"the account has too many groups", func(r *rig) string {
			r.world.GroupQuota = 1
			return reason(r.create(props(tier("Web"))))
		}},
		{"the account's quota of rules is lower than RuleQuota", func(r *rig) string {
			r.world.RuleQuota = 1
			return reason(r.create(props()))
		}},
		{"EC2 fails in another way", refusing(2, "InternalError", "An internal error has occurred")},
		{"EC2 refuses with a code that is not known", refusing(2, "SomethingNew", "EC2 says so")},
		{"a tag policy refuses", refusing(2, "TagPolicyViolation", "The tag policy does not allow the specified value for the following tag key: 'Team'.")},
		{"the credentials are not accepted", refusing(2, "AuthFailure", "AWS was not able to validate the provided access credentials")},
		{"the account is not verified", refusing(2, "PendingVerification", "Your account is currently being verified")},
		{"a peer is in a VPC that is not connected", func(r *rig) string {
			r.world.AddVPC(peeredVPC, world.OwnedBy(world.OtherAccount))
			return reason(r.create(props(tier("Web", "Ports", 443, "Sources", world.OtherAccount+"/"+r.world.AddForeign(world.OtherAccount, "far", peeredVPC, false)))))
		}},
		{"warning: a rule opens nothing", func(r *rig) string {
			now := props(tier("Web", "Ports", []any{443, "icmpv6"}, "Sources", "vpc"))
			now["IpFamilies"] = []any{"ipv4", "ipv6"}
			return warning(r.create(now))
		}},
		{"a peer of another account is not there", func(r *rig) string {
			return reason(r.create(props(tier("Web", "Ports", 443, "Sources", world.OtherAccount+"/sg-0fedcba9876543210"))))
		}},
		{"somebody else changes the groups all the time", func(r *rig) string {
			for n := 3; n < 60; n++ {
				r.ec2.FailAt(n, world.Fault{Hand: &world.Hand{Deed: world.AddRule, Pick: 100 * n}})
			}
			return reason(r.create(props(tier("Web"))))
		}},
		{"EC2 leaves out a group", func(r *rig) string {
			alone := props(tier("App", "Ports", 80, "Sources", "internet"))
			first := r.succeeds(r.create(alone))
			<-time.After(2 * time.Hour) // virtual
			second := r.succeeds(r.update(first.PhysicalResourceID, props(tier("Web"), tier("App", "Ports", 80)), alone))
			r.world.TagLag = time.Hour
			return reason(r.update(second.PhysicalResourceID, alone, alone))
		}},
		{"a network interface uses a group", blocked(func(r *rig, id string) { r.attach("eni-1", "ELB app/shop/1", id) })},
		{"many network interfaces use a group", blocked(func(r *rig, id string) {
			for n := range 8 {
				r.attach(fmt.Sprint("eni-", n), "AWS Lambda VPC ENI-resize", id)
			}
		})},
		{"a group of somebody else names a group", blocked(func(r *rig, id string) {
			other := r.world.Client("stranger")
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
		{"something else uses a group", blocked(func(r *rig, id string) {
			r.world.AddVPC("vpc-0b")
			r.world.Associate(id, "vpc-0b")
		})},
		{"a group is one that EC2 does not let anybody delete", func(r *rig) string {
			answer := r.succeeds(r.create(props(tier("Web"))))
			r.ec2.Forget()
			for n := range 40 {
				r.ec2.FailAt(3+n, world.Fault{Err: world.NewError("CannotDelete", "the specified group cannot be deleted by a user")})
			}
			r.stack.set("DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", answer.PhysicalResourceID)
			return reason(r.deliver(r.event(cfn.RequestDelete, answer.PhysicalResourceID, props(tier("Web")), nil)))
		}},
		{"the stack's status cannot be read", func(r *rig) string {
			r.handler.CloudFormation = brokenStatus{r.stack}
			return reason(r.create(props()))
		}},
		{"the resource's status cannot be read", func(r *rig) string {
			r.handler.CloudFormation = brokenResource{r.stack}
			return reason(r.create(props()))
		}},
		{"another operation begins meanwhile", func(r *rig) string {
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
		{"the operation is over: the stack is at rest", over("UPDATE_COMPLETE", "UPDATE_COMPLETE")},
		{"the operation is over: the resource is", over("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE")},
		{"the operation is over: the resource is being deleted", over("UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")},
		{"a Create is over", func(r *rig) string {
			r.stack.set("ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS", "")
			return reason(r.deliver(r.event(cfn.RequestCreate, "", props(), nil)))
		}},
		{"a Create is sent again after its answer", func(r *rig) string {
			r.stack.set("CREATE_IN_PROGRESS", "CREATE_COMPLETE", "sgchain-x")
			return reason(r.deliver(r.event(cfn.RequestCreate, "", props(), nil)))
		}},
		{"an Update is of a chain that was replaced since", func(r *rig) string {
			r.stack.set("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "sgchain-"+strings.Repeat("0", 40))
			return reason(r.deliver(r.event(cfn.RequestUpdate, "sgchain-"+strings.Repeat("1", 40), props(), props())))
		}},
		{"the stack is gone", over("", "")},
		{"a Delete is of a chain that lives", func(r *rig) string {
			answer := r.succeeds(r.create(props()))
			r.stack.set("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE", answer.PhysicalResourceID)
			return reason(r.deliver(r.event(cfn.RequestDelete, answer.PhysicalResourceID, props(), nil)))
		}},
		{"a Delete comes while nothing is deleted", func(r *rig) string {
			answer := r.succeeds(r.create(props()))
			r.stack.set("UPDATE_COMPLETE", "UPDATE_COMPLETE", answer.PhysicalResourceID)
			return reason(r.deliver(r.event(cfn.RequestDelete, answer.PhysicalResourceID, props(), nil)))
		}},
		{"a request is older than the operation", func(r *rig) string {
			event := r.event(cfn.RequestUpdate, "sgchain-x", props(), props())
			<-time.After(5 * time.Minute) // virtual
			r.stack.set("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "sgchain-x")
			return reason(r.deliver(event))
		}},
		{"the time is up", func(r *rig) string {
			r.stack.set("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "")
			r.ec2.FailAt(2, world.Fault{Hang: time.Hour})
			answer, err := r.deliverIn(time.Minute, r.event(cfn.RequestCreate, "", props(tier("Web")), nil))
			return reason(answer) + text(err)
		}},
		{"no time is left from the beginning", func(r *rig) string {
			answer, err := r.deliverIn(10*time.Second, r.event(cfn.RequestCreate, "", props(), nil))
			return reason(answer) + text(err)
		}},
		{"the resource type is another", func(r *rig) string {
			event := r.event(cfn.RequestCreate, "", props(), nil)
			event.ResourceType = "Custom::Other"
			return reason(r.deliver(event))
		}},
		{"the recorded resource is of another type", func(r *rig) string {
			r.stack.kind = "Custom::Other"
			return reason(r.create(props()))
		}},
		{"the stack is of another account", func(r *rig) string {
			event := r.event(cfn.RequestCreate, "", props(), nil)
			event.StackID = strings.Replace(stackID, "123456789012", "999999999999", 1)
			return reason(r.deliver(event))
		}},
		{"the stack has no ARN", func(r *rig) string {
			event := r.event(cfn.RequestCreate, "", props(), nil)
			event.StackID = "Shop"
			return reason(r.deliver(event))
		}},
		{"the event lacks something", func(r *rig) string {
			event := r.event(cfn.RequestUpdate, "", props(), props())
			return reason(r.deliver(event))
		}},
		{"a key of the event has another case", func(r *rig) string {
			return respelled(r, `"ResourceProperties"`, `"resourceproperties"`)
		}},
		{"a key of the event stands twice", func(r *rig) string {
			return respelled(r, `"ResourceProperties":{`, `"ResourceProperties":{"VpcId":"vpc-0",`)
		}},
		{"the event has another type of request", func(r *rig) string {
			event := r.event("Rename", "sgchain-x", props(), props())
			return reason(r.deliver(event))
		}},
		{"the function's environment lacks something", func(r *rig) string {
			r.handler.Misconfigured = errors.New("reading environment (SGCHAIN_PROVIDER): it is not set")
			return reason(r.create(props()))
		}},
		{"a bug", func(r *rig) string {
			r.ec2.FailAt(1, world.Fault{Panic: "index out of range [3] with length 3"})
			return reason(r.create(props()))
		}},
		{"warning: a tier can call nobody", func(r *rig) string { return warning(r.create(props(tier("Web", "Egress", "chain")))) }},
		{"warning: a group is near its quota", func(r *rig) string {
			old := with(properties{"RuleQuota": 1}, tier("Web", "Ports", 80, "Sources", "10.0.0.0/8"))
			now := with(properties{"RuleQuota": 1}, tier("Web", "Ports", 80, "Sources", "11.0.0.0/8"))
			return warning(r.update(r.succeeds(r.create(old)).PhysicalResourceID, now, old))
		}},
		{"warning: a group was left over", func(r *rig) string {
			one, two, three := props(tier("Web")), props(tier("App")), props(tier("Db"))
			second := r.succeeds(r.update(r.succeeds(r.create(one)).PhysicalResourceID, two, one))
			r.attach("eni-1", "late", r.world.Groups()[1])
			return warning(r.update(second.PhysicalResourceID, three, two))
		}},
		{"warnings: a peer is gone on the way back", func(r *rig) string {
			r.world.AddPrefixList("pl-0123456789abcdef0", "com.amazonaws.us-east-1.s3", 1, false)
			old, now := props(tier("Web", "Ports", 443, "Sources", "com.amazonaws.us-east-1.s3")), props(tier("Web", "Ports", 443, "Sources", "10.0.0.0/8"))
			id := r.succeeds(r.create(old)).PhysicalResourceID
			r.succeeds(r.update(id, now, old))
			r.world.AddPrefixList("pl-0123456789abcdef0", "renamed", 1, false)
			return warning(r.rollback(id, old, now))
		}},
		{"warnings: a peer cannot be looked up on the way back", func(r *rig) string {
			r.world.AddPrefixList("pl-0123456789abcdef0", "com.amazonaws.us-east-1.s3", 1, false)
			old, now := props(tier("Web", "Ports", 443, "Sources", "com.amazonaws.us-east-1.s3")), props(tier("Web", "Ports", 443, "Sources", "10.0.0.0/8"))
			id := r.succeeds(r.create(old)).PhysicalResourceID
			r.succeeds(r.update(id, now, old))
			r.ec2.Deny("DescribeManagedPrefixLists")
			return strings.ReplaceAll(warning(r.rollback(id, old, now)), "\n", "`, `") // one a line
		}},
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return " (" + err.Error() + ")"
}

// TestMessages writes down every message that a stack owner can see, as the function sends
// it, and holds the sources against that page: no text of an error or of a remedy is
// missing there. With UPDATE_DOCS=1 it writes the page.
func TestMessages(t *testing.T) { //nolint:tparallel // the messages are written in their order
	t.Parallel()
	var page strings.Builder
	page.WriteString("\n## Properties\n\nAll problems are reported at once, each with its path. Nothing is changed then.\n\n")
	for _, text := range problems {
		for n := 0; strings.Contains(text, "#"); n++ {
			text = strings.Replace(text, "#", strconv.Itoa(n), 1)
		}
		if !strings.Contains(text, `"VpcId"`) {
			text = `"VpcId": "vpc-0a", ` + text
		}
		_, err := chain.Parse(decodeProperties(t, "{"+text+"}"), chain.DefaultAnswerBytes)
		if err == nil {
			t.Fatalf("accepted: %s", text)
		}
		all, _ := errors.AsType[chain.Problems](err)
		for _, problem := range all {
			line := "- `" + problem.Error() + "`\n"
			if !strings.Contains(page.String(), line) {
				page.WriteString(line)
			}
		}
	}
	page.WriteString("\n## Everything else\n\n")
	for _, one := range slices.Concat(situations(), careSituations(), moveSituations()) {
		t.Run(one.title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				message := one.act(r)
				if message == "" || message == "<nil>" {
					t.Error("no message")
				}
				fmt.Fprintf(&page, "- %s: `%s`\n", one.title, message)
			})
		})
	}
	page.WriteString("\n")
	documented(t, "messages.md", "messages", page.String())
	for _, literal := range literals(t) {
		if !literal.pattern.MatchString(page.String()) {
			t.Errorf("%s: no message of docs/messages.md says %q", literal.place, literal.text)
		}
	}
}

type literal struct {
	place, text string
	pattern     *regexp.Regexp
}

// unseen are texts that no stack owner sees, with the reason.
func unseen() map[string]string {
	return map[string]string{
		"delivering answer":      "an answer that cannot be delivered reaches nobody; it is in the log",
		"S3 answered":            "the same",
		"checking ResponseURL":   "nothing is answered to a foreign URL",
		"security groups change": "is always joined with its cause and observed again",
		"rules to revoke":        "the chain is observed again",
		"not be read in time":    "the same",
		"read too long ago":      "the same",
		"it does not exist":      "the same",
		"reading its range":      "EC2 shows no range that cannot be read",
		"waiting to send":        "is joined with the cause why time ended",
		"is not a number":        "the provider's template sets no such variable",
		"neither true nor":       "the same",
		"answered with":          "CloudFormation shows one stack for an ARN",
		"answered without it":    "CloudFormation shows the resource that was asked for",
		"own ARN is not known":   "Lambda gives it to every invocation",
		"runs only in AWS":       "the same",
		"not a request of Cloud": "without a ResponseURL there is nobody to answer",
		"a list of tiers: ":      "of the construct library",
		"default security group": "properties with the name default are refused before",
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
