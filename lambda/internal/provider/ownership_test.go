package provider_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/internal/proof/world"
	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/provider"
	"sgchain/lambda/internal/sg"
)

// rivals are two stacks whose chains want to adopt one group, each with its own function.
func rivals(t *testing.T) (shop, other *rig) {
	t.Helper()
	shop, other = newRig(t), newRig(t)
	other.world, other.stackID, other.ec2 = shop.world, otherStackID, shop.world.Client("rival")
	both := records{stackID: shop.stack, otherStackID: other.stack}
	shop.handler.CloudFormation = both
	log := slog.New(slog.NewJSONHandler(other, nil))
	other.handler = &provider.Handler{
		EC2: other.ec2, CloudFormation: both, Provider: ownProvider, Limiter: &sg.Limiter{}, Log: log,
		Responder: protocol.Responder{Region: "us-east-1", Suffix: "amazonaws.com", Client: &http.Client{Transport: other.mail}, Log: log},
	}
	for _, r := range []*rig{shop, other} {
		r.stack.set("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "")
	}
	shop.world.Latency = latency
	return shop, other
}

// Whenever the second of two runs begins, and however long its calls take, one adopts the group and
// the other one is refused. The refused one changes nothing on the group afterwards.
func TestOneOfTwoRunsAdopts(t *testing.T) {
	t.Parallel()
	for after := time.Duration(0); after < 2*time.Second; after += latency / 2 {
		for slow := range 8 {
			synctest.Test(t, func(t *testing.T) {
				shop, other := rivals(t)
				group := shop.existingGroup("web", "by hand")
				now := with(properties{"AdoptExisting": true}, tier("Web", "GroupName", "web", "Ports", 443), tier("App", "Ports", 6060))
				if slow > 0 {
					other.ec2.FailAt(slow, world.Fault{Hang: 3 * time.Second})
				}
				theirs := make(chan cfn.Response, 1)
				go func() {
					<-time.After(after)
					theirs <- other.deliver(other.event(cfn.RequestCreate, "", now, nil))
				}()
				first := shop.deliver(shop.event(cfn.RequestCreate, "", now, nil))
				second := <-theirs
				if (first.Status == cfn.StatusSuccess) == (second.Status == cfn.StatusSuccess) {
					t.Fatalf("after %v, call %d slow: the first answered %s %s, the second %s %s", after, slow, first.Status, first.Reason, second.Status, second.Reason)
				}
				winner, loser, lost := shop, other, second
				if second.Status == cfn.StatusSuccess {
					winner, loser, lost = other, shop, first
				}
				if !strings.Contains(lost.Reason, "adopting security group") {
					t.Errorf("the refused one answers %q", lost.Reason)
				}
				mine := winner.groups()
				loser.stack.set("ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS", lost.PhysicalResourceID)
				loser.succeeds(loser.deliver(loser.event(cfn.RequestDelete, lost.PhysicalResourceID, now, nil)))
				if after := winner.groups(); after != mine || !winner.world.AllowsFrom(outside, group, "tcp", 443) {
					t.Errorf("the group that was won is\n%s\nwas\n%s", after, mine)
				}
			})
		}
	}
}

// A group that lost a tag of ownership is never reported as another owner's. The update and its
// rollback name the tags to restore, and after that the next update continues with the group.
func TestLostOwnershipTags(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"sgchain:provider", "sgchain:stack-id", "sgchain:logical-id", "sgchain:tier"} {
		for name, fields := range map[string][]any{"explicit": {"GroupName", "web", "Ports", 443}, "generated": {"Ports", 443}} {
			t.Run(strings.TrimPrefix(key, "sgchain:")+" "+name, func(t *testing.T) {
				t.Parallel()
				simulate(t, func(t *testing.T, r *rig) {
					old := props(tier("Web", fields...), tier("App", "Ports", 6060))
					created := r.succeeds(r.create(old))
					id, group := created.PhysicalResourceID, attribute(created, "Web")
					r.untag(group, key)
					now := having(props(tier("Web", fields...), tier("App", "Ports", 6060)), "Revision", "2")
					want := []string{"restore its tags (aws ec2 create-tags --resources " + group, "Key=" + key}
					for _, answer := range []cfn.Response{r.update(id, now, old), r.rollback(id, old, now)} {
						if r.fails(answer, want...); strings.Contains(answer.Reason, "delete the other group") {
							t.Errorf("the reason is %q", answer.Reason)
						}
					}
					for pair := range strings.FieldsSeq(tagsIn(r.mail.answers[len(r.mail.answers)-1].Reason)) {
						given, value, _ := strings.Cut(strings.TrimPrefix(pair, "Key="), ",Value=")
						if given != "sgchain:adopted" { // the chain created it
							r.world.SetTag(group, given, value)
						}
					}
					if back := r.succeeds(r.rollback(id, old, now)); attribute(back, "Web") != group {
						t.Errorf("the group is %s, was %s", attribute(back, "Web"), group)
					}
				})
			})
		}
	}
}

// tagsIn returns the tags that a reason asks to restore.
func tagsIn(reason string) string {
	_, tags, _ := strings.Cut(reason, "--tags ")
	tags, _, _ = strings.Cut(tags, ")")
	return tags
}

// untag removes a tag out of band.
func (r *rig) untag(groupID, key string) {
	r.t.Helper()
	in := &ec2.DeleteTagsInput{Resources: []string{groupID}, Tags: []types.Tag{{Key: aws.String(key)}}}
	if _, err := r.world.Client("other").DeleteTags(r.t.Context(), in); err != nil {
		r.t.Error(err)
	}
}

// A group that a cleanup could not delete is named with what uses it, and each warning is one line.
func TestWarningsOfOrphanedGroups(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, r *rig) {
		old := props(tier("Web", "Ports", 443), tier("App", "Ports", 6060, "Description", "first"))
		created := r.succeeds(r.create(old))
		retired := attribute(created, "App")
		r.attach("eni-0123456789abcdef0", "arn:aws:ecs:us-east-1:123456789012:attachment/1", retired)
		now := props(tier("Web", "Ports", 443), tier("App", "Ports", 6060, "Description", "second"))
		updated := r.succeeds(r.update(created.PhysicalResourceID, now, old))
		r.fails(r.cleanup("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", created.PhysicalResourceID, updated.PhysicalResourceID, old), "eni-0123456789abcdef0")
		next := having(props(tier("Web", "Ports", 443), tier("App", "Ports", 6060, "Description", "second")), "Revision", "2")
		answer := r.succeeds(r.update(updated.PhysicalResourceID, next, now))
		warnings := fmt.Sprint(answer.Data["Warnings"])
		if !strings.Contains(warnings, retired) || !strings.Contains(warnings, "network interface eni-0123456789abcdef0") || strings.Contains(warnings, "broken off") || strings.Contains(warnings, "\n") {
			t.Errorf("warnings %q", warnings)
		}
	})
}
