package provider_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sgchain/lambda/internal/proof/lifecycle"
	"sgchain/lambda/internal/proof/world"
)

// Whichever call's answer is lost, the SDK repeats the call once and the operation succeeds. So it
// does for a chain that adopts. The role matters: it does not allow a second DeleteTags on a group
// that the first one released.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, adopts := range []bool{false, true} {
		for operation, what := range []string{"create", "update", "delete"} {
			t.Run(fmt.Sprintf("%s, adopts %v", what, adopts), func(t *testing.T) {
				t.Parallel()
				for call, calls := 1, 1; call <= calls; call++ {
					synctest.Test(t, func(t *testing.T) { calls = liveWithLoss(t, adopts, operation, call) })
				}
			})
		}
	}
}

// liveWithLoss creates, updates and deletes a chain, and loses the answer of one call of one
// operation. It returns how many calls that operation made.
func liveWithLoss(t *testing.T, adopts bool, lossy, call int) (calls int) {
	t.Helper()
	r := newRig(t)
	now := props()
	if adopts {
		now = adopting()
		alb := r.existingGroup("ALB-SG", "by hand")
		r.authorizeOutOfBand(alb, tcpFrom(8080, "192.0.2.0/24"))
		r.existingGroup("Fargate-SG", "by hand")
	}
	before := r.world.Groups()
	next := props(
		tier("Alb", "GroupName", "ALB-SG", "Description", "Security group for Application Load Balancer", "Ports", 443),
		tier("Fargate", "GroupName", "Fargate-SG", "Description", "Security group for Fargate containers", "Ports", 7070))
	id := ""
	for number, act := range []func(){
		func() { id = r.succeeds(r.create(now)).PhysicalResourceID },
		func() { r.succeeds(r.update(id, next, now)) },
		func() { r.succeeds(r.destroy(id, next)) },
	} {
		r.world.Forget()
		client := r.sdk(fmt.Sprintf("operation %d", number))
		client.Role = lifecycle.Role(ownProvider)
		if number == lossy {
			client.FailAt(call, world.Fault{Lost: true})
		}
		if act(); number == lossy {
			calls = client.Count()
		}
	}
	if got, want := fmt.Sprint(r.world.Groups()), fmt.Sprint(before); got != want {
		t.Errorf("answer %d lost: the groups afterwards are %s, want %s", call, got, want)
	}
	if text := r.world.String(); strings.Contains(text, "sgchain:") {
		t.Errorf("answer %d lost: tags are left:\n%s", call, text)
	}
	return calls
}

// A group whose creation took effect though its answer was lost belongs to the run: the SDK's
// second attempt fails because the name is taken. When the Update fails later, the group is
// removed.
func TestUndoAfterLostAnswer(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]world.Fault{"the connection is cut": {Lost: true}, "EC2 breaks off": {Lost: true, Err: world.NewError("InternalError", "An internal error has occurred")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				now, next := props(tier("Web", "Ports", 443)), props(tier("Web", "Ports", 443), tier("App", "Ports", 8080))
				id := r.succeeds(r.create(now)).PhysicalResourceID
				before := r.world.String()
				client := r.sdk("update")
				client.FailOperation("AuthorizeSecurityGroupIngress", world.Fault{Err: world.TagPolicyViolation("Team")})
				client.FailAt(2, lost) // the first call looks, the second one creates
				r.fails(r.update(id, next, now), "TagPolicyViolation")
				if after := r.world.String(); after != before {
					t.Errorf("the world was\n%sand is\n%s", before, after)
				}
			})
		})
	}
}

// A group that an earlier run created is not this run's, because no answer of this run was lost. A
// lagging read that hid the group and a taken name do not change that.
func TestUndoKeepsGroupsOfEarlierRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		now := props(tier("Web", "Ports", 443))
		next := props(tier("Web", "Ports", 443), tier("App", "Ports", 8080))
		id := r.succeeds(r.create(now)).PhysicalResourceID
		<-time.After(2 * time.Minute)
		earlier := r.world.Client("earlier")
		earlier.FailAt(3, world.Fault{Cut: true})
		r.handler.EC2 = earlier
		r.update(id, next, now)
		if left := r.world.Groups(); len(left) != 2 {
			t.Fatalf("the earlier run left %v", left)
		}
		client := r.sdk("later")
		client.FailOperation("AuthorizeSecurityGroupIngress", world.Fault{Err: world.TagPolicyViolation("Team")})
		client.FailAt(1, world.Fault{Stale: time.Minute})
		client.FailAt(2, world.Fault{Err: world.NewError("RequestLimitExceeded", "Request limit exceeded.")})
		r.fails(r.update(id, next, now), "TagPolicyViolation")
		duplicates := 0
		for _, call := range r.world.Calls() {
			if call.Err != nil && strings.Contains(call.Err.Error(), "InvalidGroup.Duplicate") {
				duplicates++
			}
		}
		if duplicates != 1 {
			t.Errorf("EC2 said %d times that the name is taken", duplicates)
		}
		if left := r.world.Groups(); len(left) != 2 {
			t.Errorf("left are %v", left)
		}
	})
}
