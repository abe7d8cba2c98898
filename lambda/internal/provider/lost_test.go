package provider_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"sgchain/lambda/internal/lifecycle"
	"sgchain/lambda/internal/world"
)

// Whichever call's answer is lost, the SDK makes the call once more and the operation
// succeeds, of a chain that adopts as of one that makes its groups. The role counts: what a
// first DeleteTags released, it does not let a second one touch.
func TestAnswersLost(t *testing.T) {
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
// of these three. It returns how many calls that operation made.
func liveWithLoss(t *testing.T, adopts bool, lossy, call int) (calls int) {
	t.Helper()
	r := newRig(t)
	now := props()
	if adopts {
		now = adopting()
		alb := r.handMade("ALB-SG", "by hand")
		r.letIn(alb, tcpFrom(8080, "192.0.2.0/24"))
		r.handMade("Fargate-SG", "by hand")
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
