package provider_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
)

// ServiceTimeout counts from the request's date and not from the moment when the function receives
// it: CloudFormation has waited since then. The function's own time counts if it ends earlier. If
// the request has no date, its arrival counts.
func TestServiceTimeoutCountsFromRequestDate(t *testing.T) {
	t.Parallel()
	const limit = 10 * time.Minute
	for _, one := range []struct {
		name           string
		age, timeout   time.Duration
		undated        bool
		earliest, last time.Duration // from the delivery to the answer
	}{
		{name: "new", timeout: 5 * time.Minute, earliest: 4 * time.Minute, last: 5 * time.Minute},
		{name: "delayed", age: 100 * time.Second, timeout: 5 * time.Minute, earliest: 170 * time.Second, last: 200 * time.Second},
		{name: "nearly expired", age: 270 * time.Second, timeout: 5 * time.Minute, last: 30 * time.Second},
		{name: "long timeout", age: 100 * time.Second, timeout: time.Hour, earliest: 9 * time.Minute, last: limit},
		{name: "delayed, without a date", age: 100 * time.Second, timeout: 5 * time.Minute, undated: true, earliest: 4 * time.Minute, last: 5 * time.Minute},
	} {
		for _, kind := range []cfn.RequestType{cfn.RequestCreate, cfn.RequestUpdate, cfn.RequestDelete} {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				now := having(props(), "ServiceTimeout", fmt.Sprint(int(one.timeout.Seconds())))
				id := r.succeeds(r.create(now)).PhysicalResourceID
				r.world.Latency = time.Hour // EC2 never answers
				operation := strings.ToUpper(string(kind)) + "_IN_PROGRESS"
				r.stack.set(operation, operation, id)
				r.stack.updated = time.Now()
				event := r.event(kind, id, now, now)
				if kind == cfn.RequestCreate {
					event.PhysicalResourceID, event.OldResourceProperties = "", nil
				}
				if one.undated {
					event.ResponseURL, _, _ = strings.Cut(event.ResponseURL, "?")
				}
				<-time.After(one.age)
				delivered := time.Now()
				answer, err := r.deliverIn(limit, event)
				if err != nil || answer.Status != cfn.StatusFailed {
					t.Fatalf("%s, %s: answered %q, %v", one.name, kind, answer.Status, err)
				}
				if took := time.Since(delivered); took < one.earliest || took > one.last {
					t.Errorf("%s, %s: answered after %v, not between %v and %v", one.name, kind, took, one.earliest, one.last)
				}
			})
		}
	}
}

// TestDeleteWaitsForMove checks that a Delete waits 10 s before its first write if moves are allowed.
// The Create of another chain may be taking its groups over.
func TestDeleteWaitsForMove(t *testing.T) {
	t.Parallel()
	for _, moves := range []bool{false, true} {
		t.Run(fmt.Sprint("moves allowed: ", moves), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.handler.Moves = moves
				id := r.succeeds(r.create(props())).PhysicalResourceID
				began := time.Now()
				r.succeeds(r.destroy(id, props()))
				if took := time.Since(began); (took >= 10*time.Second) != moves {
					t.Errorf("the Delete took %v", took)
				}
			})
		})
	}
}
