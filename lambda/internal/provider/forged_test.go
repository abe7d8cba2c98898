package provider_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/internal/protocol"
)

// secondStage returns the default chain with its first tier replaced and its inbound rule changed.
func secondStage(vpc string) properties {
	p := props(tier("Alb", "GroupName", "ALB-SG2", "Ports", 443), tier("Fargate", "GroupName", "Fargate-SG", "Description", "Security group for Fargate containers", "Ports", 7070))
	p["VpcId"] = vpc
	return p
}

// generated returns a chain without explicit names, which conflicts with no other.
func generated() properties {
	return props(tier("Alb", "Ports", 443), tier("Fargate", "Ports", 6060))
}

// wrote returns the calls so far that ask for a change.
func (r *rig) wrote() []string {
	var all []string
	for _, call := range r.world.Calls() {
		if call.Write {
			all = append(all, call.Operation)
		}
	}
	return all
}

// unchanged fails if a stack's groups differ from what they were.
func (r *rig) unchanged(were, after string) {
	r.t.Helper()
	if now := r.groups(); now != were {
		r.t.Errorf("after %s the groups of %s are\n%s\nwere\n%s", after, r.stackID, now, were)
	}
}

// refuses delivers an event that must change nothing.
func (r *rig) refuses(event protocol.Event, words ...string) {
	r.t.Helper()
	before := r.world.String()
	r.forget()
	answer := r.deliver(event)
	if answer.Status != cfn.StatusFailed || r.world.Writes() != 0 || r.world.String() != before {
		r.t.Errorf("%s: answered %q (%s), wrote %v; the world is\n%s\nwas\n%s", event.RequestType, answer.Status, answer.Reason, r.wrote(), r.world, before)
	}
	for _, word := range words {
		if !strings.Contains(answer.Reason, word) {
			r.t.Errorf("%s: reason %q lacks %q", event.RequestType, answer.Reason, word)
		}
	}
}

// ignores delivers a Delete of a resource that the provider does not serve: it succeeds without a
// read or a write.
func (r *rig) ignores(event protocol.Event) {
	r.t.Helper()
	before, reads := r.world.String(), r.stack.reads
	r.forget()
	r.succeeds(r.deliver(event))
	if calls := r.world.Calls(); len(calls) != 0 || r.stack.reads != reads || r.world.String() != before {
		r.t.Errorf("%s of %s: %d calls of EC2, %d of CloudFormation", event.RequestType, event.ResourceType, len(calls), r.stack.reads-reads)
	}
}

// ownership returns the tags that make a group one of the chain of the stack Shop.
func ownership(chainTag string) map[string]string {
	return map[string]string{"sgchain:provider": ownProvider, "sgchain:stack-id": stackID, "sgchain:logical-id": "Chain", "sgchain:tier": "Alb", "sgchain:chain": chainTag}
}

// forge creates a group as a principal can that may tag security groups.
func (r *rig) forge(vpc, name string, tags map[string]string) string {
	r.t.Helper()
	made, err := r.world.Client("other").CreateSecurityGroup(r.t.Context(), &ec2.CreateSecurityGroupInput{
		GroupName: aws.String(name), Description: aws.String("another owner"), VpcId: aws.String(vpc),
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeSecurityGroup, Tags: tagged(tags)}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return aws.ToString(made.GroupId)
}

// retag overwrites tags of a group as the same principal.
func (r *rig) retag(groupID string, tags map[string]string) {
	r.t.Helper()
	if _, err := r.world.Client("other").CreateTags(r.t.Context(), &ec2.CreateTagsInput{Resources: []string{groupID}, Tags: tagged(tags)}); err != nil {
		r.t.Fatal(err)
	}
}

func tagged(tags map[string]string) []types.Tag {
	var all []types.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
	}
	return all
}

// read returns what EC2 shows of some groups of any owner.
func (r *rig) read(ids ...string) string {
	r.t.Helper()
	found, err := r.world.Client("reader").DescribeSecurityGroups(r.t.Context(), &ec2.DescribeSecurityGroupsInput{GroupIds: ids})
	if err != nil {
		r.t.Fatal(err)
	}
	text, err := json.Marshal(found.SecurityGroups)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

var groupIDs = regexp.MustCompile(`sg-[0-9a-f]+`)

// One handler serves two stacks at the same time, with the same names in two VPCs. Each answer
// names only the groups of its own chain.
func TestTwoStacksAtOnce(t *testing.T) {
	shared(t, func(t *testing.T, shop, other *rig) {
		both := func(stage string, one, two func() cfn.Response) (mine, theirs cfn.Response) {
			var group sync.WaitGroup
			group.Go(func() { mine = one() })
			group.Go(func() { theirs = two() })
			group.Wait()
			for r, answer := range map[*rig]cfn.Response{shop: mine, other: theirs} {
				r.succeeds(answer)
				vpc := map[*rig]string{shop: vpcID, other: otherVPC}[r]
				if answer.StackID != r.stackID || (answer.Data != nil && answer.Data["VpcId"] != vpc) {
					t.Errorf("%s: the answer for %s is %+v", stage, r.stackID, answer)
				}
			}
			for r, not := range map[*rig]*rig{shop: other, other: shop} {
				for _, id := range groupIDs.FindAllString(r.groups(), -1) {
					if strings.Contains(not.groups(), id) {
						t.Errorf("%s: both stacks know the group %s:\n%s\n%s", stage, id, shop.groups(), other.groups())
					}
				}
			}
			return mine, theirs
		}
		mine, theirs := both("create", func() cfn.Response { return shop.create(in(vpcID)) }, func() cfn.Response { return other.create(in(otherVPC)) })
		first, second := mine.PhysicalResourceID, theirs.PhysicalResourceID
		mine, theirs = both("update", func() cfn.Response { return shop.update(first, secondStage(vpcID), in(vpcID)) }, func() cfn.Response { return other.update(second, secondStage(otherVPC), in(otherVPC)) })
		both("cleanup beside rollback",
			func() cfn.Response {
				return shop.cleanup("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", first, mine.PhysicalResourceID, in(vpcID))
			},
			func() cfn.Response {
				return other.rollback(theirs.PhysicalResourceID, in(otherVPC), secondStage(otherVPC))
			})
		if names := shop.groups(); strings.Contains(names, `"ALB-SG"`) || !strings.Contains(names, `"ALB-SG2"`) {
			t.Errorf("after its cleanup the first has\n%s", names)
		}
		if !strings.Contains(other.groups(), `"ALB-SG"`) {
			t.Errorf("after its rollback the second has\n%s", other.groups())
		}
		kept := ""
		both("delete beside update",
			func() cfn.Response { return shop.destroy(mine.PhysicalResourceID, secondStage(vpcID)) },
			func() cfn.Response {
				answer := other.update(second, in(otherVPC), in(otherVPC))
				kept = other.groups()
				return answer
			})
		if shop.groups() != "null" {
			t.Errorf("the deleted one has\n%s", shop.groups())
		}
		other.unchanged(kept, "the Delete of the other stack")
	})
}

// If one of a chain's names is taken, EC2 refuses it in the first phase, before any rule or tag is
// written. The run removes what it created, and the chain of an Update stays as it was.
func TestTakenNameOfOneTier(t *testing.T) {
	wanted := props(tier("Web", "GroupName", "ALB-SG", "Ports", 443), tier("Fargate", "Ports", 6060))
	words := []string{"creating security group (ALB-SG): the name is taken in VPC " + vpcID, "of the chain Chain, tier Alb, in stack " + stackID, "Choose another GroupName"}
	onlyGroups := func(t *testing.T, r *rig) {
		t.Helper()
		if names := slices.Compact(slices.Sorted(slices.Values(r.wrote()))); !slices.Equal(names, []string{"CreateSecurityGroup", "DeleteSecurityGroup"}) {
			t.Errorf("a refused chain wrote %v", names)
		}
	}
	t.Run("Create", func(t *testing.T) {
		shared(t, func(t *testing.T, shop, other *rig) {
			shop.succeeds(shop.create(in(vpcID)))
			before := shop.world.String()
			shop.forget()
			answer := other.fails(other.create(wanted), append(words, shop.world.GroupID("ALB-SG"))...)
			onlyGroups(t, other)
			other.stack.set("ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS", answer.PhysicalResourceID)
			other.succeeds(other.deliver(other.event(cfn.RequestDelete, answer.PhysicalResourceID, wanted, nil)))
			if now := shop.world.String(); now != before {
				t.Errorf("the world is\n%s\nwas\n%s", now, before)
			}
		})
	})
	t.Run("another letter case", func(t *testing.T) { // EC2's filters are case-sensitive, and its names are not
		shared(t, func(t *testing.T, shop, other *rig) {
			shop.succeeds(shop.create(in(vpcID)))
			before, started := shop.world.String(), time.Now()
			other.fails(other.create(props(tier("Web", "GroupName", "alb-sg", "Ports", 443))), append(words[1:], "the name is taken in VPC "+vpcID, shop.world.GroupID("ALB-SG"))...)
			if took := time.Since(started); shop.world.String() != before || took > 15*time.Second {
				t.Errorf("refused after %v; the world is\n%s\nwas\n%s", took, shop.world, before)
			}
		})
	})
	t.Run("Update", func(t *testing.T) {
		shared(t, func(t *testing.T, shop, other *rig) {
			shop.succeeds(shop.create(in(vpcID)))
			id := other.succeeds(other.create(generated())).PhysicalResourceID
			before := shop.world.String()
			shop.forget()
			answer := other.fails(other.update(id, wanted, generated()), words...)
			if answer.PhysicalResourceID != id {
				t.Errorf("a failed Update answered the ID %s, want %s", answer.PhysicalResourceID, id)
			}
			if slices.ContainsFunc(other.wrote(), func(name string) bool { return !strings.HasSuffix(name, "SecurityGroup") }) || shop.world.String() != before {
				t.Errorf("a refused Update wrote %v; the world is\n%s\nwas\n%s", other.wrote(), shop.world, before)
			}
			other.succeeds(other.rollback(id, generated(), wanted))
			if now := shop.world.String(); now != before {
				t.Errorf("the world is\n%s\nwas\n%s", now, before)
			}
		})
	})
}

// A stack sends the physical ID and properties of another one, and has a chain under the same
// logical ID in the same VPC. The other chain does not change. The request is judged by the
// sender's own groups and status.
func TestForgedEventsOfAStackWithAChain(t *testing.T) {
	type theirs struct {
		id    string
		props properties
	}
	for name, test := range map[string]struct {
		act    func(other *rig, own string, of theirs) cfn.Response
		status cfn.StatusType
		left   string // of its own groups: all, or none
	}{
		"Create": {func(other *rig, _ string, of theirs) cfn.Response {
			other.stack.set("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "")
			return other.deliver(other.event(cfn.RequestCreate, of.id, of.props, nil))
		}, cfn.StatusFailed, "all"},
		"Update": {func(other *rig, own string, of theirs) cfn.Response {
			other.stack.set("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", own)
			return other.deliver(other.event(cfn.RequestUpdate, of.id, of.props, of.props))
		}, cfn.StatusFailed, "all"},
		"Update of its own ID": {func(other *rig, own string, of theirs) cfn.Response {
			return other.update(own, of.props, of.props)
		}, cfn.StatusFailed, "all"},
		"rollback": {func(other *rig, own string, of theirs) cfn.Response {
			other.stack.set("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS", own)
			return other.deliver(other.event(cfn.RequestUpdate, of.id, of.props, of.props))
		}, cfn.StatusFailed, "all"},
		"cleanup Delete": {func(other *rig, own string, of theirs) cfn.Response {
			return other.cleanup("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", of.id, own, of.props)
		}, cfn.StatusSuccess, "all"},
		"cleanup Delete after a rollback": {func(other *rig, own string, of theirs) cfn.Response {
			return other.cleanup("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", of.id, own, of.props)
		}, cfn.StatusSuccess, "all"},
		"cleanup Delete, invented ID": {func(other *rig, own string, of theirs) cfn.Response {
			return other.cleanup("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "Other-Chain-1ABCDEFGH", own, of.props)
		}, cfn.StatusSuccess, "all"},
		"Delete for good": {func(other *rig, _ string, of theirs) cfn.Response {
			return other.destroy(of.id, of.props)
		}, cfn.StatusSuccess, "none"},
		"Delete of a stack that is gone": {func(other *rig, _ string, of theirs) cfn.Response {
			other.stack.set("", "", "")
			return other.deliver(other.event(cfn.RequestDelete, of.id, of.props, nil))
		}, cfn.StatusSuccess, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			shared(t, func(t *testing.T, shop, other *rig) {
				shop.world.IgnoreFilters = true // what EC2's filter returns is checked again
				first := shop.succeeds(shop.create(in(vpcID)))
				own := other.succeeds(other.create(generated())).PhysicalResourceID
				shop.world.IgnoreFilters = false
				mine, before := shop.groups(), other.groups()
				shop.world.IgnoreFilters = true
				answer := test.act(other, own, theirs{first.PhysicalResourceID, in(vpcID)})
				shop.world.IgnoreFilters = false
				if answer.Status != test.status {
					t.Errorf("answered %s (%s), want %s", answer.Status, answer.Reason, test.status)
				}
				shop.unchanged(mine, name)
				if test.left == "none" {
					before = "null"
				}
				other.unchanged(before, name)
			})
		})
	}
}

// No request is served if the status does not fit it, from any sender. The package lifecycle tests
// the Deletes that CloudFormation may send at such a time.
func TestEventsThatDoNotFitTheStatus(t *testing.T) {
	const own, invented = "its own ID", "an invented ID"
	kinds := map[string]struct {
		kind cfn.RequestType
		id   string
	}{
		"Create": {cfn.RequestCreate, ""}, "Update": {cfn.RequestUpdate, own}, "Update, invented": {cfn.RequestUpdate, invented},
		"Delete": {cfn.RequestDelete, own}, "Delete, invented": {cfn.RequestDelete, invented},
	}
	for status, refused := range map[[2]string][]string{
		{"CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS"}:                        {"Delete", "Delete, invented"},
		{"CREATE_IN_PROGRESS", "CREATE_COMPLETE"}:                           {"Create", "Update", "Update, invented", "Delete", "Delete, invented"},
		{"CREATE_FAILED", "CREATE_COMPLETE"}:                                {"Create", "Update", "Update, invented", "Delete", "Delete, invented"},
		{"UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"}:                        {"Create", "Update, invented", "Delete", "Delete, invented"},
		{"UPDATE_FAILED", "UPDATE_COMPLETE"}:                                {"Create", "Update", "Update, invented", "Delete", "Delete, invented"},
		{"UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"}:          {"Create", "Update", "Update, invented", "Delete"},
		{"UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS"}:               {"Create", "Delete", "Delete, invented"},
		{"UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED"}:                         {"Create", "Update", "Update, invented", "Delete", "Delete, invented"},
		{"UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"}: {"Create", "Update", "Update, invented", "Delete"},
		{"UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE"}:                     {"Create", "Update", "Update, invented", "Delete", "Delete, invented"},
		{"REVIEW_IN_PROGRESS", "CREATE_COMPLETE"}:                           {"Create", "Update", "Update, invented", "Delete", "Delete, invented"},
		{"ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"}:                      {"Create", "Update"},
		{"DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS"}:                        {"Create", "Update", "Update, invented"},
		{"DELETE_COMPLETE", "DELETE_COMPLETE"}:                              {"Create", "Update", "Update, invented"},
		{"", ""}:                                                            {"Create", "Update", "Update, invented"},
		// The stack has no such resource: the stack's own status alone has to tell.
		{"CREATE_COMPLETE", ""}:                     {"Create", "Update", "Update, invented", "Delete", "Delete, invented"},
		{"UPDATE_ROLLBACK_COMPLETE", ""}:            {"Create", "Update", "Update, invented", "Delete", "Delete, invented"},
		{"UPDATE_IN_PROGRESS", ""}:                  {"Delete", "Delete, invented"},
		{"UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", ""}: {"Create", "Update", "Update, invented"},
		{"ROLLBACK_IN_PROGRESS", ""}:                {"Create"},
		{"DELETE_FAILED", ""}:                       {"Create", "Update", "Update, invented"},
	} {
		t.Run(strings.Join(status[:], " "), func(t *testing.T) {
			shared(t, func(_ *testing.T, shop, _ *rig) {
				id := shop.succeeds(shop.create(in(vpcID))).PhysicalResourceID
				recorded := id
				if status[1] == "CREATE_IN_PROGRESS" {
					recorded = ""
				}
				shop.stack.set(status[0], status[1], recorded)
				for _, name := range refused {
					sent := kinds[name]
					event := shop.event(sent.kind, strings.NewReplacer(own, id, invented, "Shop-Chain-1ABCDEFGH").Replace(sent.id), generated(), in(vpcID))
					shop.refuses(event, "the "+string(sent.kind)+" request is over")
				}
			})
		})
	}
}

// Any principal that can invoke the function can remove what a deleted stack left behind, with any
// ID: its Delete is final. The Delete removes every group of that resource of that stack and no
// other. If none is left, it succeeds.
func TestForgedDeleteOfADeletedStack(t *testing.T) {
	for name, status := range map[string][2]string{"gone": {"", ""}, "DELETE_COMPLETE": {"DELETE_COMPLETE", "DELETE_COMPLETE"}} {
		for _, id := range []string{"its own", "*", "sgchain-0000000000000000000000000000000000000000", "Shop-Chain-1ABCDEFGH"} {
			t.Run(name+" "+id, func(t *testing.T) {
				shared(t, func(t *testing.T, shop, other *rig) {
					first := shop.succeeds(shop.create(in(vpcID))).PhysicalResourceID
					shop.succeeds(shop.update(first, secondStage(vpcID), in(vpcID))) // a retired group is left too
					other.succeeds(other.create(in(otherVPC)))
					theirs := other.groups()
					second := shop.forge(vpcID, "of another resource", map[string]string{"sgchain:provider": ownProvider, "sgchain:stack-id": stackID, "sgchain:logical-id": "Second", "sgchain:tier": "Alb", "sgchain:chain": "1:" + first})
					kept := shop.read(second)
					shop.stack.set(status[0], status[1], first)
					if id == "its own" {
						id = first
					}
					for range 2 { // the second one finds no group
						shop.succeeds(shop.deliver(shop.event(cfn.RequestDelete, id, in(vpcID), nil)))
						if left := groupIDs.FindAllString(shop.groups(), -1); !slices.Equal(left, []string{second}) {
							t.Errorf("left are %v, want %s alone", left, second)
						}
						if now := shop.read(second); now != kept {
							t.Errorf("the group of another resource is\n%s\nwas\n%s", now, kept)
						}
						other.unchanged(theirs, name)
					}
				})
			})
		}
	}
}

// The status fits, but the resource that the stack records under that logical ID is of another
// type, or the event has another type.
func TestEventsOfOtherResourceTypes(t *testing.T) {
	for _, kind := range []string{"AWS::S3::Bucket", "AWS::CloudFormation::CustomResource", "Custom::SecurityGroupChains"} {
		for request, status := range map[cfn.RequestType][2]string{
			cfn.RequestCreate: {"CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS"}, cfn.RequestUpdate: {"UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"},
			cfn.RequestDelete: {"DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS"},
		} {
			t.Run(kind+" "+string(request), func(t *testing.T) {
				shared(t, func(_ *testing.T, shop, _ *rig) {
					id := shop.succeeds(shop.create(in(vpcID))).PhysicalResourceID
					if request == cfn.RequestCreate {
						id = ""
					}
					shop.stack.set(status[0], status[1], id)
					event := shop.event(request, id, generated(), in(vpcID))
					event.ResourceType = kind
					if request == cfn.RequestDelete {
						shop.ignores(event)
					} else {
						shop.refuses(event, `"`+kind+`"`, "this provider serves Custom::SecurityGroupChain")
					}
					shop.stack.kind = kind
					shop.refuses(shop.event(request, id, generated(), in(vpcID)), `the type of Chain in the stack is "`+kind+`"`)
				})
			})
		}
	}
}

// Account, Region and the answer's address are checked first, so also before a final Delete.
func TestRequestsOfOtherOrigins(t *testing.T) {
	for request, status := range map[cfn.RequestType]string{
		cfn.RequestCreate: "CREATE_IN_PROGRESS", cfn.RequestUpdate: "UPDATE_IN_PROGRESS", cfn.RequestDelete: "DELETE_IN_PROGRESS",
	} {
		t.Run(string(request), func(t *testing.T) {
			shared(t, func(t *testing.T, shop, _ *rig) {
				id := shop.succeeds(shop.create(in(vpcID))).PhysicalResourceID
				shop.stack.set(status, status, id)
				mine, reads := shop.groups(), shop.stack.reads
				for _, forged := range []string{strings.Replace(stackID, "123456789012", "999999999999", 1), strings.Replace(stackID, "us-east-1", "eu-west-1", 1)} {
					event := shop.event(request, id, generated(), in(vpcID))
					event.StackID = forged
					// Groups with the tag of the forged stack are not found either.
					bait := ownership("1:" + id)
					bait["sgchain:stack-id"] = forged
					baitID := shop.forge(vpcID, "bait"+strings.ReplaceAll(forged, "/", "_")[20:60], bait)
					before := shop.read(baitID)
					shop.forget()
					if answer := shop.deliver(event); request == cfn.RequestDelete {
						shop.succeeds(answer)
					} else {
						shop.fails(answer, "the stack is in account")
					}
					if len(shop.world.Calls()) != 0 || shop.read(baitID) != before {
						t.Errorf("stack %s: calls %v", forged, shop.world.Calls())
					}
				}
				for _, bucket := range []string{"mine", "cloudformation-custom-resource-response-useast1-mine", "cloudformation-custom-resource-response-euwest1"} {
					event := shop.event(request, id, generated(), in(vpcID))
					event.ResponseURL = strings.Replace(event.ResponseURL, "cloudformation-custom-resource-response-useast1", bucket, 1)
					shop.forget()
					puts := len(shop.mail.answers)
					_, err := shop.deliverIn(time.Minute, event)
					if err == nil || len(shop.mail.answers) != puts || len(shop.world.Calls()) != 0 {
						t.Errorf("bucket %s: error %v, %d answers, calls %v", bucket, err, len(shop.mail.answers)-puts, shop.world.Calls())
					}
				}
				if shop.stack.reads != reads {
					t.Errorf("the status was read %d times", shop.stack.reads-reads)
				}
				shop.unchanged(mine, "forged origins")
			})
		})
	}
}

// Documents what a principal that can invoke the function can do. During the stack's own operation
// the status fits, and nothing tells a forged event from CloudFormation's. Guard
// lambda:InvokeFunction. None of this is a promise: if a change prevents one of these, this test
// shows it.
//
// There are two more limits. One is what a deleted stack left behind
// (TestForgedDeleteOfADeletedStack). The other is groups that a principal which can tag security
// groups makes the chain's own (TestForgedTagsOfAnOwner).
func TestForgedEventsDuringAnOperation(t *testing.T) {
	opened := in(vpcID)
	opened["Tiers"] = []any{
		tier("Alb", "GroupName", "ALB-SG", "Description", "Security group for Application Load Balancer", "Ports", []any{80, 443, 8443}),
		tier("Fargate", "GroupName", "Fargate-SG", "Description", "Security group for Fargate containers", "Ports", 6060),
	}
	for name, test := range map[string]struct {
		forge func(shop *rig, id string) protocol.Event
		shows string
	}{
		"an Update during an Update": {func(shop *rig, id string) protocol.Event {
			shop.stack.set("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", id)
			return shop.event(cfn.RequestUpdate, id, opened, in(vpcID))
		}, "ingress tcp 8443-8443 0.0.0.0/0"},
		// A reading may be older than the request, so a Create in progress is not refused.
		"an Update during a Create": {func(shop *rig, id string) protocol.Event {
			shop.stack.set("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "")
			return shop.event(cfn.RequestUpdate, id, opened, in(vpcID))
		}, "ingress tcp 8443-8443 0.0.0.0/0"},
		// Its deletion removes that chain and not the stack's own. Only a Delete with the same
		// logical ID finds it by its tags.
		"a Create of a resource that the stack does not have": {func(shop *rig, id string) protocol.Event {
			shop.stack.set("UPDATE_IN_PROGRESS", "", id)
			event := shop.event(cfn.RequestCreate, "", generated(), nil)
			event.LogicalResourceID = "Invented"
			return event
		}, "sgchain:logical-id=Invented"},
	} {
		t.Run(name, func(t *testing.T) {
			shared(t, func(t *testing.T, shop, other *rig) {
				id := shop.succeeds(shop.create(in(vpcID))).PhysicalResourceID
				other.succeeds(other.create(in(otherVPC)))
				theirs := other.groups()
				shop.succeeds(shop.deliver(test.forge(shop, id)))
				if !strings.Contains(shop.world.String(), test.shows) {
					t.Errorf("the world lacks %q: update design and docs\n%s", test.shows, shop.world)
				}
				other.unchanged(theirs, name) // never a stack's that has no operation
			})
		})
	}
}

// A group that lacks one of the four lasting tags of a chain, or has another value, belongs to no
// chain. No event of either stack changes, counts or names it.
func TestForgedTagsThatAreIncomplete(t *testing.T) {
	shared(t, func(t *testing.T, shop, other *rig) {
		id := shop.succeeds(shop.create(in(vpcID))).PhysicalResourceID
		own := other.succeeds(other.create(generated())).PhysicalResourceID
		with := func(changes ...string) map[string]string {
			tags := ownership("7:" + id)
			for i := 0; i < len(changes); i += 2 {
				if tags[changes[i]] = changes[i+1]; changes[i+1] == "" {
					delete(tags, changes[i])
				}
			}
			return tags
		}
		var ids []string
		for name, tags := range map[string]map[string]string{
			"another provider":                  with("sgchain:provider", "arn:another"),
			"another provider of the other":     with("sgchain:provider", "arn:another", "sgchain:stack-id", otherStackID),
			"no provider":                       with("sgchain:provider", ""),
			"the other stack, another resource": with("sgchain:stack-id", otherStackID, "sgchain:logical-id", "Second"),
			"this stack, another resource":      with("sgchain:logical-id", "Second"),
			"another letter case":               with("sgchain:logical-id", "chain"),
			"a beginning of the stack ID":       with("sgchain:stack-id", stackID[:len(stackID)-1]),
			"a pattern":                         with("sgchain:stack-id", "*"),
			"no tier":                           with("sgchain:tier", ""),
			"the chain alone":                   {"sgchain:chain": "1:" + id},
			"malformed":                         with("sgchain:provider", "arn:another", "sgchain:chain", "9223372036854775808"),
		} {
			ids = append(ids, shop.forge(vpcID, name, tags))
		}
		before := shop.read(ids...)
		counted := func(r *rig, answer cfn.Response, rules string) {
			t.Helper()
			r.succeeds(answer)
			if answer.Data["RuleCount"] != rules || answer.Data["Warnings"] != "" {
				t.Errorf("%s: RuleCount is %v, Warnings are %q", r.stackID, answer.Data["RuleCount"], answer.Data["Warnings"])
			}
			for _, one := range ids {
				if text, _ := json.Marshal(answer); strings.Contains(string(text), one) {
					t.Errorf("%s: the answer names %s: %s", r.stackID, one, text)
				}
			}
		}
		for _, ignored := range []bool{false, true} { // as some emulators do
			shop.world.IgnoreFilters = ignored
			counted(shop, shop.update(id, in(vpcID), in(vpcID)), "5")
			counted(other, other.update(own, generated(), generated()), "4")
		}
		mine := shop.update(id, secondStage(vpcID), in(vpcID))
		counted(shop, mine, "4")
		shop.succeeds(shop.cleanup("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", id, mine.PhysicalResourceID, in(vpcID)))
		shop.succeeds(shop.destroy(mine.PhysicalResourceID, secondStage(vpcID)))
		other.succeeds(other.destroy(own, generated()))
		if after := shop.read(ids...); after != before {
			t.Errorf("the other owners' groups are\n%s\nwere\n%s", after, before)
		}
		if left := shop.world.Groups(); len(left) != len(ids) {
			t.Errorf("left are %v, want the other owners' %v", left, ids)
		}
	})
}

// A group with all four tags is the chain's. It does not matter which principal tagged it, where it
// is and what its sgchain:chain is. It is an orphaned group: named in Warnings, and no peer of any
// tier. An Update removes it once it is unused. If it claims the last generation, it is removed
// when the chain is deleted. The chain itself is built as before.
func TestForgedTagsOfAnOwner(t *testing.T) {
	for _, vpc := range []string{vpcID, otherVPC} {
		for _, value := range []string{
			"", "junk", "0:x", "-1:x", "1:", ":", "1:sgchain-x", "9:sgchain-x", "1000000000:sgchain-x", "1000000001:sgchain-x",
			"9223372036854775807:sgchain-x", "9223372036854775808:sgchain-x",
		} {
			t.Run(vpc+" "+value, func(t *testing.T) {
				shared(t, func(t *testing.T, shop, other *rig) {
					id := shop.succeeds(shop.create(in(vpcID))).PhysicalResourceID
					other.succeeds(other.create(in(otherVPC)))
					theirs := other.groups()
					forged := shop.forge(vpc, "forged", ownership(value))
					shop.attach("eni-forged", "another owner's", forged)
					now, old := secondStage(vpcID), in(vpcID)
					for round := range 3 { // replaced, rolled back, and replaced again
						answer := shop.succeeds(shop.update(id, now, old))
						if warnings, _ := answer.Data["Warnings"].(string); !strings.Contains(warnings, forged) {
							t.Errorf("round %d: Warnings are %q, without %s", round, warnings, forged)
						}
						if fargate := shop.read(attribute(answer, "Fargate")); strings.Contains(fargate, forged) {
							t.Errorf("round %d: the tier behind lets %s in:\n%s", round, forged, fargate)
						}
						shop.succeeds(shop.cleanup("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", id, answer.PhysicalResourceID, old))
						if left := len(groupIDs.FindAllString(strings.Join(shop.world.Groups(), " "), -1)); left != 5 {
							t.Errorf("round %d: %d groups are left, want two of each stack and the forged one:\n%s", round, left, shop.world)
						}
						id, now, old = answer.PhysicalResourceID, old, now
					}
					other.unchanged(theirs, "the lifecycle of a chain with a forged group")
					if err := shop.world.Attach("eni-forged", "another owner's"); err != nil {
						t.Fatal(err)
					}
					id = shop.succeeds(shop.update(id, old, old)).PhysicalResourceID
					isLast := value == "1000000000:sgchain-x"
					if left := strings.Contains(shop.groups(), forged); left != isLast {
						t.Errorf("unused, it is there after an Update: %v", left)
					}
					shop.succeeds(shop.destroy(id, old))
					if shop.groups() != "null" {
						t.Errorf("left are\n%s", shop.groups())
					}
					other.unchanged(theirs, "the Delete of a chain with a forged group")
				})
			})
		}
	}
}

// Overwriting sgchain:chain of a group does not remove the group from the chain. An Update without
// other changes corrects the tag, and no cleanup removes a live group.
func TestForgedChainTag(t *testing.T) {
	for _, value := range []string{"", "junk", "1:sgchain-x", "9:sgchain-x", "9223372036854775807:sgchain-x", "-9223372036854775808:sgchain-x"} {
		t.Run(value, func(t *testing.T) {
			shared(t, func(t *testing.T, shop, _ *rig) {
				id := shop.succeeds(shop.create(in(vpcID))).PhysicalResourceID
				alb := shop.world.GroupID("ALB-SG")
				shop.retag(alb, map[string]string{"sgchain:chain": value})
				mine := shop.groups()
				shop.stack.set("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE", id)
				shop.deliver(shop.event(cfn.RequestDelete, id+"0", in(vpcID), nil))
				shop.unchanged(mine, "a cleanup of another ID")
				answer := shop.succeeds(shop.update(id, in(vpcID), in(vpcID)))
				if answer.PhysicalResourceID != id || attribute(answer, "Alb") != alb || answer.Data["Warnings"] != "" {
					t.Errorf("the answer is %+v", answer)
				}
				tag := shop.world.Tag(alb, "sgchain:chain")
				if tag != shop.world.Tag(shop.world.GroupID("Fargate-SG"), "sgchain:chain") || !strings.HasSuffix(tag, ":"+id) {
					t.Errorf("the tag is %q", tag)
				}
				shop.succeeds(shop.destroy(id, in(vpcID)))
				if shop.groups() != "null" {
					t.Errorf("left are\n%s", shop.groups())
				}
			})
		})
	}
}
