//go:build e2e

package stand_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
)

// recorded fakes a service of AWS that the emulator lacks. It answers as in the service's API
// reference, and records the requests. It takes the operation from the header of the JSON protocol,
// or from the last word of the path.
type recorded struct {
	*httptest.Server

	mu       sync.Mutex
	requests map[string]object
}

// record starts a service that answers operations with these samples.
func record(t *testing.T, answers map[string]any) *recorded {
	t.Helper()
	r := &recorded{requests: map[string]object{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		_, operation, _ := strings.Cut(request.Header.Get("X-Amz-Target"), ".")
		operation = cmp.Or(operation[strings.LastIndex(operation, ".")+1:], path.Base(request.URL.Path))
		answer, isKnown := answers[operation]
		input := object{}
		if err := json.NewDecoder(request.Body).Decode(&input); !isKnown || (err != nil && !errors.Is(err, io.EOF)) {
			http.Error(w, `{"__type": "InvalidAction"}`, http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		r.requests[operation] = input
		r.mu.Unlock()
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// was compares the request of an operation with the expected one.
func (r *recorded) was(t *testing.T, operation string, want object) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if got := encode(t, r.requests[operation]); got != encode(t, want) {
		t.Errorf("%s was asked %s, want %s", operation, got, encode(t, want))
	}
}

// quotas answers as in the Service Quotas API reference (GetServiceQuota, RequestServiceQuotaIncrease,
// ListRequestedServiceQuotaChangeHistoryByQuota).
func quotas(t *testing.T) *recorded {
	t.Helper()
	quota := func(more object) object {
		more["ServiceCode"], more["ServiceName"] = "vpc", "Amazon Virtual Private Cloud (Amazon VPC)"
		more["QuotaCode"], more["QuotaName"] = "L-0EA8095F", "Inbound or outbound rules per security group"
		more["GlobalQuota"], more["Unit"] = false, "None"
		return more
	}
	return record(t, map[string]any{
		"GetServiceQuota":             object{"Quota": quota(object{"Value": json.Number("60.0"), "Adjustable": true})},
		"RequestServiceQuotaIncrease": object{"RequestedQuota": quota(object{"Id": "0123", "DesiredValue": json.Number("120.0"), "Status": "PENDING", "Created": 1764417600})},
		"ListRequestedServiceQuotaChangeHistoryByQuota": object{"RequestedQuotas": []any{
			quota(object{"Id": "0123", "DesiredValue": json.Number("120.0"), "Status": "APPROVED", "Created": 1764417600}),
			quota(object{"Id": "0122", "DesiredValue": 80.0, "Status": "DENIED", "Created": 1732881600}),
		}},
	})
}

// trail answers as in the CloudTrail API reference (LookupEvents). The three events are an out-of-band
// rule, a rule by the function, and a read. The function's session has its name.
func trail(t *testing.T, group, function string) *recorded {
	t.Helper()
	event := func(name, user, readOnly string) object {
		return object{
			"EventId": "00000000-0000-0000-0000-000000000000", "EventName": name, "EventTime": 1764417600, "EventSource": "ec2.amazonaws.com", "Username": user, "ReadOnly": readOnly,
			"Resources":       []any{object{"ResourceType": "AWS::EC2::SecurityGroup", "ResourceName": group}},
			"CloudTrailEvent": `{"eventName":"` + name + `","sourceIPAddress":"198.51.100.7","requestParameters":{"groupId":"` + group + `"}}`,
		}
	}
	return record(t, map[string]any{"LookupEvents": object{"Events": []any{
		event("AuthorizeSecurityGroupIngress", "bob", "false"),
		event("RevokeSecurityGroupIngress", function, "false"),
		event("DescribeSecurityGroups", "alice", "true"),
	}}})
}
