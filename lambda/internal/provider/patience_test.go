package provider_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
)

// The patience of ServiceTimeout counts from the request's date and not from the moment at
// which the function gets it: CloudFormation has waited since then. The function's own time
// counts where it ends earlier, and where the request has no date, its arrival.
func TestServiceTimeoutCountsFromTheRequestsDate(t *testing.T) {
	t.Parallel()
	const limit = 10 * time.Minute
	for _, one := range []struct {
		name           string
		age, patience  time.Duration
		undated        bool
		earliest, last time.Duration // of the answer, after the delivery
	}{
		{name: "just made", patience: 5 * time.Minute, earliest: 4 * time.Minute, last: 5 * time.Minute},
		{name: "on its way for a while", age: 100 * time.Second, patience: 5 * time.Minute, earliest: 170 * time.Second, last: 200 * time.Second},
		{name: "nearly given up", age: 270 * time.Second, patience: 5 * time.Minute, last: 30 * time.Second},
		{name: "long patience", age: 100 * time.Second, patience: time.Hour, earliest: 9 * time.Minute, last: limit},
		{name: "on its way, without a date", age: 100 * time.Second, patience: 5 * time.Minute, undated: true, earliest: 4 * time.Minute, last: 5 * time.Minute},
	} {
		for _, kind := range []cfn.RequestType{cfn.RequestCreate, cfn.RequestUpdate, cfn.RequestDelete} {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				now := having(props(), "ServiceTimeout", fmt.Sprint(int(one.patience.Seconds())))
				id := r.succeeds(r.create(now)).PhysicalResourceID
				r.world.Latency = time.Hour // nothing comes back from EC2
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
