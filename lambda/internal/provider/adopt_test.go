package provider_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/proof/world"
)

var (
	outside = netip.MustParseAddr("198.51.100.1")
	office  = netip.MustParseAddr("192.0.2.7")
)

// writesNothing fails if anything was written since calls were forgotten.
func (r *rig) writesNothing() {
	r.t.Helper()
	for _, call := range r.world.Calls() {
		if call.Client == "handler" && call.Write {
			r.t.Errorf("a write: %s", call)
		}
	}
}

// existingGroup creates a group as a person does in the console.
func (r *rig) existingGroup(name, description string, tags ...types.Tag) string {
	r.t.Helper()
	in := &ec2.CreateSecurityGroupInput{GroupName: aws.String(name), Description: aws.String(description), VpcId: aws.String(vpcID)}
	if len(tags) > 0 {
		in.TagSpecifications = []types.TagSpecification{{ResourceType: types.ResourceTypeSecurityGroup, Tags: tags}}
	}
	out, err := r.world.Client("other").CreateSecurityGroup(r.t.Context(), in)
	if err != nil {
		r.t.Fatal(err)
	}
	return *out.GroupId
}

// deleteOutOfBand deletes a group out of band.
func (r *rig) deleteOutOfBand(id string) {
	r.t.Helper()
	if _, err := r.world.Client("other").DeleteSecurityGroup(r.t.Context(), &ec2.DeleteSecurityGroupInput{GroupId: &id}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) authorizeOutOfBand(groupID string, permission types.IpPermission) {
	r.t.Helper()
	if _, err := r.world.Client("other").AuthorizeSecurityGroupIngress(r.t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &groupID, IpPermissions: []types.IpPermission{permission}}); err != nil {
		r.t.Fatal(err)
	}
}

func tcpFrom(port int32, cidr string) types.IpPermission {
	return types.IpPermission{IpProtocol: aws.String("tcp"), FromPort: &port, ToPort: &port, IpRanges: []types.IpRange{{CidrIp: &cidr}}}
}

func tcpFromGroup(port int32, id string) types.IpPermission {
	return types.IpPermission{IpProtocol: aws.String("tcp"), FromPort: &port, ToPort: &port, UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: &id}}}
}

// tutorial creates the two groups of the tutorial by hand. Each has a member, and the outer one has
// an extra rule.
func (r *rig) tutorial() (alb, fargate string) {
	alb = r.existingGroup("ALB-SG", "ALB Security Group by hand")
	r.authorizeOutOfBand(alb, tcpFrom(80, "0.0.0.0/0"))
	r.authorizeOutOfBand(alb, tcpFrom(443, "0.0.0.0/0"))
	r.authorizeOutOfBand(alb, tcpFrom(8080, "192.0.2.0/24"))
	fargate = r.existingGroup("Fargate-SG", "Fargate by hand")
	r.authorizeOutOfBand(fargate, tcpFromGroup(6060, alb))
	r.attach("eni-alb", "ELB app/shop", alb)
	r.attach("eni-task", "task", fargate)
	return alb, fargate
}

// adopting returns the default chain that adopts groups with its names.
func adopting() properties {
	p := props()
	p["AdoptExisting"] = "true"
	return p
}

// serves reports whether all traffic of the tutorial's members is allowed.
func (r *rig) serves(alb, fargate string) bool {
	return r.world.AllowsFrom(outside, alb, "tcp", 80) && r.world.AllowsFrom(outside, alb, "tcp", 443) && r.world.Allows(alb, fargate, "tcp", 6060)
}

// The tutorial's groups are adopted, stay under the chain, and are released when the stack is
// deleted, with the rules that the chain had.
func TestAdoption(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		alb, fargate := r.tutorial()
		r.world.After = func(call world.Call) {
			noteCall(call)
			if !r.serves(alb, fargate) {
				t.Errorf("%s cuts what worked before", call)
			}
		}
		now := adopting()
		answer := r.succeeds(r.create(now))
		if answer.Data["AlbSecurityGroupId"] != alb || answer.Data["FargateSecurityGroupId"] != fargate {
			t.Fatalf("got %v, want the groups %s and %s", answer.Data, alb, fargate)
		}
		if !strings.Contains(fmt.Sprint(answer.Data["Warnings"]), "The next update revokes the rules that the chain lacks: ingress tcp 8080 from 192.0.2.0/24") {
			t.Errorf("the answer lacks what the next update revokes: %v", answer.Data["Warnings"])
		}
		for _, call := range r.world.Calls() {
			if call.Client == "handler" && call.Write && call.Operation != "CreateTags" && !strings.HasPrefix(call.Operation, "Authorize") {
				t.Errorf("the adopting run does more than add: %s", call)
			}
		}
		if !r.world.AllowsFrom(office, alb, "tcp", 8080) {
			t.Error("the adopting run took a rule away")
		}

		r.world.SetTag(alb, "Name", "the shop's entry")
		next := adopting()
		tiers := []any{
			properties{"Name": "Alb", "GroupName": "ALB-SG", "Description": "Security group for Application Load Balancer", "Ports": []any{"80", "443", "8443"}},
			properties{"Name": "Fargate", "GroupName": "Fargate-SG", "Description": "Security group for Fargate containers", "Ports": []any{"6060"}},
		}
		next["Tiers"] = tiers
		r.succeeds(r.update(answer.PhysicalResourceID, next, now))
		if r.world.AllowsFrom(office, alb, "tcp", 8080) {
			t.Error("the update after the adoption leaves a rule that the chain does not have")
		}
		r.stack.set("UPDATE_COMPLETE", "UPDATE_COMPLETE", answer.PhysicalResourceID)
		r.forget()
		last := props(tiers...) // without AdoptExisting: an adopted group stays adopted
		r.succeeds(r.update(answer.PhysicalResourceID, last, next))
		r.writesNothing()

		if got := r.world.Tag(alb, "Name"); got != "the shop's entry" {
			t.Errorf("the chain gave the group the name %q", got)
		}
		before := r.world.String()
		r.succeeds(r.destroy(answer.PhysicalResourceID, last))
		for _, id := range []string{alb, fargate} {
			if !slices.Contains(r.world.Groups(), id) {
				t.Errorf("group %s was deleted", id)
			}
			for rule, tags := range r.world.RuleTags(id) {
				if len(tags) > 0 {
					t.Errorf("the rule %s of %s keeps the tags %v", rule, id, tags)
				}
			}
		}
		if got, want := r.world.String(), withoutOwnership(before); got != want {
			t.Errorf("after the stack was deleted:\n%s\nwant\n%s", got, want)
		}
	})
}

// without removes the tags with a prefix from a printed world.
func without(text string, prefixes ...string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if !slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(strings.TrimSpace(line), "tag "+prefix) }) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func withoutOwnership(text string) string { return without(text, "sgchain:") }

// withoutTags also removes the tags that an adoption adds.
func withoutTags(text string) string { return without(text, "sgchain:", "Team=", "Name=") }

// A Create that adopts and is rolled back leaves everything as it was: no rule is missing, and none
// was added.
func TestAdoptingCreateRollback(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(*rig, properties) (id string){
		"another resource fails": func(r *rig, now properties) string {
			now["Tiers"] = []any{
				properties{"Name": "Alb", "GroupName": "ALB-SG", "Ports": []any{"80", "443", "8443"}},
				properties{"Name": "Fargate", "GroupName": "Fargate-SG", "Ports": []any{"6060", "7070"}},
			}
			return r.succeeds(r.create(now)).PhysicalResourceID
		},
		"the last tier cannot be created": func(r *rig, now properties) string {
			now["Tiers"] = []any{
				properties{"Name": "Alb", "GroupName": "ALB-SG", "Ports": []any{"80", "443", "8443"}},
				properties{"Name": "Fargate", "GroupName": "Fargate-SG", "Ports": []any{"6060", "7070"}},
				properties{"Name": "Db", "Ports": []any{"5432"}},
			}
			r.world.GroupQuota = len(r.world.Groups())
			return r.fails(r.create(now), "SecurityGroupLimitExceeded").PhysicalResourceID
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				alb, fargate := r.tutorial()
				before := r.world.String()
				now := adopting()
				now["Tags"] = properties{"Team": "shop"}
				id := fail(r, now)
				r.stack.set("ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS", id)
				r.succeeds(r.deliver(r.event(cfn.RequestDelete, id, now, nil)))
				if !r.serves(alb, fargate) || !r.world.AllowsFrom(office, alb, "tcp", 8080) {
					t.Error("the rollback cut what worked before")
				}
				if r.world.AllowsFrom(outside, alb, "tcp", 8443) || r.world.Allows(alb, fargate, "tcp", 7070) {
					t.Error("the rollback leaves open what the failed Create opened")
				}
				if got := withoutTags(r.world.String()); got != withoutTags(before) {
					t.Errorf("got\n%s\nwant\n%s", got, withoutTags(before))
				}
				if strings.Contains(r.world.String(), "sgchain:") {
					t.Errorf("ownership tags stay:\n%s", r.world)
				}
			})
		})
	}
}

// An Update that adopts and is rolled back releases the groups, used or not, whichever ID
// CloudFormation records.
func TestAdoptingUpdateRollback(t *testing.T) {
	t.Parallel()
	for _, recorded := range []string{"the old ID", "the new ID"} {
		t.Run(recorded, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				first := props(properties{"Name": "Web", "Ports": []any{"443"}})
				x := r.succeeds(r.create(first)).PhysicalResourceID
				alone := r.world.String()
				alb, fargate := r.tutorial()
				before := withoutTags(r.world.String())
				next := adopting()
				next["Tiers"] = []any{
					properties{"Name": "Web", "Ports": []any{"443"}},
					properties{"Name": "Alb", "GroupName": "ALB-SG", "Ports": []any{"80", "443", "8443"}, "Sources": []any{"Web", "internet"}, "AllowPublic": true},
					properties{"Name": "Fargate", "GroupName": "Fargate-SG", "Ports": []any{"6060"}, "Sources": []any{"Alb", "Web"}},
				}
				y := r.succeeds(r.update(x, next, first)).PhysicalResourceID
				carried := y
				if recorded == "the old ID" {
					carried = x
				}
				answer := r.succeeds(r.rollback(carried, first, next))
				if answer.PhysicalResourceID != x {
					t.Fatalf("the rollback answers %s, want %s", answer.PhysicalResourceID, x)
				}
				r.succeeds(r.cleanup("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", y, x, next))
				if got := withoutTags(r.world.String()); got != before {
					t.Errorf("got\n%s\nwant\n%s", got, before)
				}
				if got := strings.Count(r.world.String(), "sgchain:stack-id"); got != strings.Count(alone, "sgchain:stack-id") {
					t.Errorf("%d groups are owned:\n%s", got, r.world)
				}
				if !r.serves(alb, fargate) {
					t.Error("the rollback cut what worked before")
				}
			})
		})
	}
}

// An adopted group that leaves the chain is released once its members that move have moved. If
// others still use it, it is released at the end of the Delete's time.
func TestReplacedAdoptedGroup(t *testing.T) {
	t.Parallel()
	for name, stays := range map[string]bool{"its member moves": false, "a member stays": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				alb, fargate := r.tutorial()
				now := adopting()
				x := r.succeeds(r.create(now)).PhysicalResourceID
				next := adopting()
				next["Tiers"] = []any{
					properties{"Name": "Alb", "Ports": []any{"80", "443"}, "Sources": []any{"internet", "Fargate"}},
					properties{"Name": "Fargate", "GroupName": "Fargate-SG", "Ports": []any{"6060"}},
				}
				answer := r.succeeds(r.update(x, next, now))
				started := time.Now()
				moved := time.AfterFunc(5*time.Minute, func() {
					if !r.serves(alb, fargate) {
						t.Error("the traffic of a member of the group to release is interrupted")
					}
					if !stays {
						r.attach("eni-alb", "")
					}
				})
				defer moved.Stop()
				r.succeeds(r.cleanup("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", x, answer.PhysicalResourceID, now))
				if took := time.Since(started); took < 5*time.Minute || (took > 6*time.Minute) != stays || took > 10*time.Minute {
					t.Errorf("the cleanup took %v", took)
				}
				if r.world.Allows(alb, fargate, "tcp", 6060) {
					t.Error("a rule to a group that is no longer the chain's stays")
				}
				if owned := strings.Count(r.world.String(), "sgchain:stack-id"); owned != 2 {
					t.Errorf("%d groups are owned, want the new one and Fargate's:\n%s", owned, r.world)
				}
			})
		})
	}
}

// What must not be adopted is refused before the first write, with a remedy.
func TestRefusedAdoption(t *testing.T) {
	t.Parallel()
	const otherStack = "arn:aws:cloudformation:us-east-1:123456789012:stack/Other/6b1e1c10-0000-11ee-8c99-0242ac120003"
	own := func(stack string) []types.Tag {
		return []types.Tag{tagOf("sgchain:provider", ownProvider), tagOf("sgchain:stack-id", stack), tagOf("sgchain:logical-id", "Chain"), tagOf("sgchain:tier", "Alb"), tagOf("sgchain:chain", "1:sgchain-0")}
	}
	for _, test := range []struct {
		name  string
		tags  []types.Tag
		stack string // the CloudFormation tag
		group string // its name, if not the tier's
		gone  bool
		want  []string
	}{
		{name: "the default group", group: "default", want: []string{"Tiers[0].GroupName: \"default\" is the name of every VPC's default security group"}},
		{name: "a group of a stack that is there", stack: otherStack, want: []string{"it belongs to stack " + otherStack + ", which exists"}},
		{name: "a load balancer controller's", tags: []types.Tag{tagOf("elbv2.k8s.aws/cluster", "shop")}, want: []string{"the AWS Load Balancer Controller manages it (tag elbv2.k8s.aws/cluster)"}},
		{name: "a Kubernetes cluster's", tags: []types.Tag{tagOf("kubernetes.io/cluster/shop", "owned")}, want: []string{"a Kubernetes cluster manages it"}},
		{name: "an EKS cluster's", stack: "", tags: []types.Tag{tagOf("eks:cluster-name", "shop")}, want: []string{"Amazon EKS manages it"}},
		{name: "an environment of Beanstalk's", tags: []types.Tag{tagOf("elasticbeanstalk:environment-id", "e-1")}, want: []string{"AWS Elastic Beanstalk manages it"}},
		{name: "another chain's", tags: own(otherStack), want: []string{"it belongs to the chain Chain of stack " + otherStack + ", which exists"}},
		{name: "another chain's of the same stack", tags: append(own(stackID)[:2:2], tagOf("sgchain:logical-id", "Second"), tagOf("sgchain:tier", "Alb")), want: []string{"it belongs to the chain Second of stack " + stackID}},
		{name: "another provider's", tags: []types.Tag{tagOf("sgchain:provider", "other")}, want: []string{"it belongs to a chain of another provider (other)"}},
		{name: "of another provider, whose stack is gone", gone: true, tags: append([]types.Tag{tagOf("sgchain:provider", "other")}, own(otherStack)[1:]...), want: []string{"another provider"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				if test.gone {
					r.stack.gone = otherStack
				}
				name := "ALB-SG"
				if test.group != "" {
					name = test.group
				} else if id := r.existingGroup(name, "by hand", test.tags...); test.stack != "" {
					r.world.SetTag(id, "aws:cloudformation:stack-id", test.stack)
				}
				before := r.world.String()
				now := adopting()
				now["Tiers"] = []any{properties{"Name": "Alb", "GroupName": name, "Ports": []any{"80", "443"}}}
				answer := r.fails(r.create(now), append(test.want, "Nothing was changed")...)
				if test.group == "" && !strings.Contains(answer.Reason, "adopting security group (sg-") {
					t.Errorf("the reason does not name the group: %s", answer.Reason)
				}
				if r.world.String() != before {
					t.Errorf("the world has changed:\n%s\nwas\n%s", r.world, before)
				}
				r.writesNothing()
			})
		})
	}
}

// The groups of a stack that was deleted, or that has retained them, may be adopted: no other stack
// manages them. While that stack changes, they may only be about to leave.
func TestAdoptionOfRetainedGroups(t *testing.T) {
	t.Parallel()
	const other = "arn:aws:cloudformation:us-east-1:123456789012:stack/Other/6b1e1c10-0000-11ee-8c99-0242ac120003"
	for _, test := range []struct {
		name           string
		stack          string
		gone           bool
		status, record string // the status of that stack, and of the group in it
		refused        bool
	}{
		{name: "the stack is gone", stack: other, gone: true},
		{name: "retained", stack: other, status: "UPDATE_COMPLETE"},
		{name: "retained, as is recorded", stack: other, status: "UPDATE_COMPLETE", record: "DELETE_SKIPPED"},
		{name: "retained by the chain's own stack", stack: stackID, status: "CREATE_IN_PROGRESS"},
		{name: "still there", stack: other, status: "UPDATE_COMPLETE", record: "UPDATE_COMPLETE", refused: true},
		{name: "still in the chain's own stack", stack: stackID, status: "CREATE_IN_PROGRESS", record: "CREATE_COMPLETE", refused: true},
		{name: "it could not be deleted", stack: other, status: "DELETE_FAILED", record: "DELETE_FAILED", refused: true},
		{name: "about to be deleted", stack: other, status: "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", refused: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				alb := r.existingGroup("ALB-SG", "left behind")
				r.world.SetTag(alb, "aws:cloudformation:stack-id", test.stack)
				r.world.SetTag(alb, "aws:cloudformation:logical-id", "Door")
				if r.stack.others = map[string]string{"Door": test.record}; test.stack == other {
					r.stack.others[other] = test.status
				}
				if test.gone {
					r.stack.gone = other
				}
				before := r.world.String()
				answer := r.create(adopting())
				if !test.refused {
					if r.succeeds(answer); answer.Data["AlbSecurityGroupId"] != alb {
						t.Errorf("got %v, want %s adopted", answer.Data, alb)
					}
					return
				}
				r.fails(answer, "it belongs to stack "+test.stack, "Nothing was changed. Set its DeletionPolicy to Retain and deploy")
				if r.world.String() != before {
					t.Errorf("the world has changed:\n%s", r.world)
				}
			})
		})
	}
}

// If another principal tags groups while a chain adopts them, the chain can still undo its
// adoption.
func TestAdoptionWhileTagsAreAdded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		alb := r.existingGroup("ALB-SG", "by hand")
		before := len(r.world.Groups())
		// Once it has all tags, it is another chain's.
		r.ec2.FailAt(7, world.Fault{Do: func() {
			r.world.SetTag(alb, "sgchain:stack-id", "arn:aws:cloudformation:us-east-1:123456789012:stack/Other/1")
		}})
		answer := r.fails(r.create(adopting()), "it belongs to the chain Chain of stack")
		if strings.Contains(answer.Reason, "Nothing was changed") {
			t.Errorf("the reason is not true: %s", answer.Reason)
		}
		if got := len(r.world.Groups()); got != before {
			t.Errorf("the run's changes are not undone:\n%s", r.world)
		}
	})
}

// If a chain keeps unmanaged rules, an adopted group keeps its outbound rules, in the adopting run
// and in later ones.
func TestKeptEgressOfAdoptedGroup(t *testing.T) {
	t.Parallel()
	for _, egress := range []any{"chain", "none", []any{properties{"Ports": "443", "Destinations": "internet"}}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			alb, fargate := r.tutorial()
			now := keeping(
				tier("Alb", "GroupName", "ALB-SG", "Ports", []any{80, 443}, "Egress", egress),
				tier("Fargate", "GroupName", "Fargate-SG", "Ports", 6060))
			now["AdoptExisting"] = true
			answer := r.succeeds(r.create(now))
			for revision := range 2 {
				next := with(now)
				next["Tiers"], next["UnmanagedRules"], next["AdoptExisting"], next["Revision"] = now["Tiers"], "keep", "true", revision
				answer = r.succeeds(r.update(answer.PhysicalResourceID, next, now))
				if !r.world.AllowsTo(alb, outside, "tcp", 9999) || !r.world.AllowsFrom(office, alb, "tcp", 8080) || !r.serves(alb, fargate) {
					t.Fatalf("an existing rule is gone:\n%s", r.world)
				}
				if warnings := fmt.Sprint(answer.Data["Warnings"]); !strings.Contains(warnings, "egress all traffic to 0.0.0.0/0") {
					t.Errorf("the answer does not list it: %s", warnings)
				}
			}
		})
	}
}

// An unmanaged rule on a group of the chain that names a released group stays if such rules are
// kept.
func TestKeptRuleWithReleasedPeer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		alb := r.existingGroup("ALB-SG", "by hand")
		front := tier("Alb", "GroupName", "ALB-SG", "Ports", 443)
		first := keeping(front, tier("App", "GroupName", "app", "Ports", 6060))
		first["AdoptExisting"] = true
		answer := r.succeeds(r.create(first))
		app := attribute(answer, "App")
		r.authorizeOutOfBand(app, tcpFromGroup(9000, alb))
		then := keeping(tier("App", "GroupName", "app", "Ports", 6060, "Sources", "192.0.2.0/24"))
		second := r.succeeds(r.update(answer.PhysicalResourceID, then, first))
		r.succeeds(r.cleanup("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", answer.PhysicalResourceID, second.PhysicalResourceID, first))
		if !r.world.Allows(alb, app, "tcp", 9000) {
			t.Errorf("the kept rule is gone:\n%s", r.world)
		}
		if r.world.Allows(alb, app, "tcp", 6060) || r.world.Tag(alb, "sgchain:stack-id") != "" {
			t.Errorf("the group is not released:\n%s", r.world)
		}
	})
}

// Restoring an adopted group's tags as the report shows does not make it a group that the chain
// deletes.
func TestRestoredTagsOfAdoptedGroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		alb := r.existingGroup("ALB-SG", "Security group for Application Load Balancer")
		now := adopting()
		answer := r.succeeds(r.create(now))
		for _, key := range []string{"provider", "stack-id", "logical-id", "tier", "chain", "adopted"} {
			r.world.SetTag(alb, "sgchain:"+key, "")
		}
		report := r.reports("check", now, chain.ResultDrift)
		given := 0
		for word := range strings.FieldsSeq(strings.Join(report.Warnings, " ")) {
			if pair, isTag := strings.CutPrefix(word, "Key="); isTag {
				key, value, _ := strings.Cut(pair, ",Value=")
				r.world.SetTag(alb, key, value)
				given++
			}
		}
		if given != 6 {
			t.Fatalf("%d tags are to be restored: %v", given, report.Warnings)
		}
		r.reports("check", now, chain.ResultInSync)
		r.succeeds(r.destroy(answer.PhysicalResourceID, now))
		if !slices.Contains(r.world.Groups(), alb) {
			t.Error("the group was deleted")
		}
	})
}

// A group of the same name in another VPC is ignored.
func TestAdoptionIgnoresOtherVPCs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.AddVPC("vpc-2")
		out, err := r.world.Client("other").CreateSecurityGroup(t.Context(), &ec2.CreateSecurityGroupInput{GroupName: aws.String("ALB-SG"), Description: aws.String("far"), VpcId: aws.String("vpc-2")})
		if err != nil {
			t.Fatal(err)
		}
		r.world.IgnoreFilters = true
		answer := r.succeeds(r.create(adopting()))
		if answer.Data["AlbSecurityGroupId"] == *out.GroupId {
			t.Error("a group of another VPC was adopted")
		}
	})
}

func tagOf(key, value string) types.Tag {
	return types.Tag{Key: aws.String(key), Value: aws.String(value)}
}

// A run ends after any call, the event is delivered again, and the stack is deleted. The groups
// still exist, are released, and have the rules of the chain.
func TestAdoptionAfterCrash(t *testing.T) {
	t.Parallel()
	for _, fault := range []world.Fault{{Cut: true}, {Cut: true, Lost: true}, {Lost: true}} {
		for at := 1; at <= 8; at++ {
			t.Run(fmt.Sprintf("%+v at %d", fault, at), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					alb, fargate := r.tutorial()
					before := withoutTags(r.world.String())
					now := adopting()
					r.ec2.FailAt(at, fault)
					r.stack.set("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "")
					event := r.event(cfn.RequestCreate, "", now, nil)
					r.deliver(event)
					r.ec2 = r.world.Client("handler")
					r.handler.EC2 = r.ec2
					answer := r.succeeds(r.deliver(event))
					if !r.world.AllowsFrom(office, alb, "tcp", 8080) {
						t.Error("the second delivery of the adopting event took something away")
					}
					r.succeeds(r.destroy(answer.PhysicalResourceID, now))
					if !r.serves(alb, fargate) || strings.Contains(r.world.String(), "sgchain:") {
						t.Errorf("the groups are not free and whole:\n%s", r.world)
					}
					if got := withoutTags(r.world.String()); got != before {
						t.Errorf("got\n%s\nwant\n%s", got, before)
					}
				})
			})
		}
	}
}

// A failed run that undoes its adoption does not believe a read that lags behind its own rules.
func TestAdoptionRollbackWithLag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		alb, _ := r.tutorial()
		before := withoutTags(r.world.String())
		<-time.After(time.Minute)
		r.world.Lag = 2 * time.Second
		now := adopting()
		now["Tiers"] = []any{properties{"Name": "Alb", "GroupName": "ALB-SG", "Ports": []any{"80", "443", "8443"}}}
		r.ec2.FailAt(6, world.Fault{Err: world.NewError("InternalError", "An internal error has occurred")}) // the read after the rules
		r.fails(r.create(now), "InternalError")
		if got := withoutTags(r.world.String()); got != before {
			t.Errorf("got\n%s\nwant\n%s\n%s", got, before, r.logged())
		}
		if r.world.Tag(alb, "sgchain:provider") != "" {
			t.Error("the group was not released")
		}
	})
}

// CloudFormation also invents an ID for an Update that never answered, and deletes that ID after
// the rollback. What a chain adopted before that operation stays with it. What was adopted in the
// operation is released.
func TestAdoptedGroupsUnderInventedID(t *testing.T) {
	t.Parallel()
	for name, lives := range map[string]bool{"of an Update of an existing chain": true, "of a Create that is undone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.tutorial()
				begins := func() { r.stack.updated = time.Now() }
				if !lives {
					begins()
					<-time.After(time.Second)
				}
				now := adopting()
				r.succeeds(r.create(now))
				if lives {
					<-time.After(time.Minute)
					begins()
				}
				owned := r.world.String()
				const id = "Shop-Chain-1A2B3C4D5E6F"
				r.stack.set("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "DELETE_IN_PROGRESS", id)
				r.succeeds(r.deliver(r.event(cfn.RequestDelete, id, now, nil)))
				if lives != (r.world.String() == owned) || lives != strings.Contains(r.world.String(), "sgchain:adopted") {
					t.Errorf("the chain exists: %v, and this is left of it:\n%s", lives, r.world)
				}
			})
		})
	}
}
