package protocol_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sgchain/lambda/internal/protocol"
)

const (
	stackARN = "arn:aws:cloudformation:us-east-1:123456789012:stack/Shop/6b1e1c10-0000-11ee-8c99-0242ac120002"
	sample   = `{"RequestType": "Update", "RequestId": "r-1", "ResponseURL": "https://example.com/a?X-Amz-Date=20261123T120000Z",
		"ResourceType": "Custom::SecurityGroupChain", "LogicalResourceId": "Chain", "StackId": "` + stackARN + `", "PhysicalResourceId": "sgchain-x",
		"ServiceToken": "arn:aws:lambda:us-east-1:123456789012:function:Provider",
		"ResourceProperties": {"VpcId": "vpc-1", "ServiceTimeout": "1020"}, "OldResourceProperties": {"VpcId": "vpc-2"}}`
)

func TestDecode(t *testing.T) {
	t.Parallel()
	event, err := protocol.Decode(json.RawMessage(sample))
	if err != nil || event.ResourceProperties["VpcId"] != "vpc-1" || event.OldResourceProperties["VpcId"] != "vpc-2" || event.PhysicalResourceID != "sgchain-x" {
		t.Errorf("got %+v, %v", event, err)
	}
	if made := protocol.Requested(event); !made.Equal(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("made at %v", made)
	}
	if got := protocol.ServiceTimeout(event); got != 1020*time.Second {
		t.Errorf("service timeout is %v", got)
	}
	if got := protocol.Resource(event); got.StackID != stackARN || got.LogicalID != "Chain" {
		t.Errorf("resource is %+v", got)
	}
}

// Whatever is wrong with an event, the fields that an answer needs are returned if they can be
// read.
func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for change, want := range map[string]string{
		`"RequestType": "Update"->"RequestType": "Replace"`:                                             `unknown RequestType "Replace"`,
		`"RequestId": "r-1"->"RequestId": ""`:                                                           "it has no RequestId",
		`"PhysicalResourceId": "sgchain-x"->"PhysicalResourceId": ""`:                                   "it has no PhysicalResourceId",
		`"LogicalResourceId": "Chain"->"Other": 1`:                                                      "it has no LogicalResourceId",
		`"ResourceProperties": {"VpcId": "vpc-1", "ServiceTimeout": "1020"}->"ResourceProperties": [1]`: "not a request of CloudFormation",
		`"StackId": "` + stackARN + `"->"StackId": 7`:                                                   "not a request of CloudFormation",
	} {
		from, to, _ := strings.Cut(change, "->")
		text := strings.Replace(sample, from, to, 1)
		if text == sample {
			t.Fatalf("%s does not apply", change)
		}
		event, err := protocol.Decode(json.RawMessage(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", change, err, want)
		}
		if event.ResponseURL == "" {
			t.Errorf("%s: the place to answer to is lost", change)
		}
		if strings.Contains(err.Error(), "example.com") {
			t.Errorf("%s: the error shows the URL: %v", change, err)
		}
	}
	for _, text := range []string{"", "null", "7", `"text"`, "[]", "{"} {
		if event, err := protocol.Decode(json.RawMessage(text)); err == nil || event.ResponseURL != "" {
			t.Errorf("%q: got %+v, %v", text, event, err)
		}
	}
}

func TestMissingDateAndServiceTimeout(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "https://example.com/", "https://example.com/?X-Amz-Date=today", "://"} {
		if made := protocol.Requested(protocol.Event{ResponseURL: address}); !made.IsZero() {
			t.Errorf("%q: made at %v", address, made)
		}
	}
	for _, value := range []any{nil, "", "soon", "-5", "0", []any{"60"}} {
		if got := protocol.ServiceTimeout(protocol.Event{ResourceProperties: map[string]any{"ServiceTimeout": value}}); got != 0 {
			t.Errorf("%v: service timeout is %v", value, got)
		}
	}
	if got := protocol.ServiceTimeout(protocol.Event{ResourceProperties: map[string]any{"ServiceTimeout": 60.0}}); got != time.Minute {
		t.Errorf("a number: service timeout is %v", got)
	}
}

func TestCheckOrigin(t *testing.T) {
	t.Parallel()
	const function = "arn:aws:lambda:us-east-1:123456789012:function:Provider"
	for _, test := range []struct{ stack, function, want string }{
		{stackARN, function, ""},
		{stackARN, function + ":live", ""},
		{strings.Replace(stackARN, "123456789012", "999999999999", 1), function, "the stack is in account 999999999999, Region us-east-1"},
		{strings.Replace(stackARN, "us-east-1", "eu-west-1", 1), function, "Region eu-west-1, but this function serves account 123456789012, Region us-east-1"},
		{strings.Replace(stackARN, "arn:aws:", "arn:aws-cn:", 1), function, "this function serves"},
		{strings.Replace(stackARN, "cloudformation", "s3", 1), function, "not the ARN of a stack"},
		{strings.Replace(stackARN, "stack/", "changeSet/", 1), function, "not the ARN of a stack"},
		{"Shop", function, "not the ARN of a stack"},
		{"", function, "not the ARN of a stack"},
		{stackARN, "", "the function has no ARN"},
	} {
		err := protocol.CheckOrigin(protocol.Event{StackID: test.stack}, test.function)
		if (test.want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s with %s: got %v, want %q", test.stack, test.function, err, test.want)
		}
	}
}

// For any bytes Decode returns a whole request or an error, and never panics.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(`{"RequestType": "Delete", "ResponseURL": 5}`))
	f.Add([]byte(`{"ResponseURL": "x", "ResourceProperties": {"ServiceTimeout": {"a": [1]}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		event, err := protocol.Decode(raw)
		if err == nil && (event.ResponseURL == "" || event.StackID == "" || event.RequestID == "" || event.LogicalResourceID == "") {
			t.Errorf("an incomplete request was accepted: %+v", event)
		}
		protocol.Requested(event)
		protocol.ServiceTimeout(event)
		if err := protocol.CheckOrigin(event, stackARN); err != nil && err.Error() == "" {
			t.Error("an error without text")
		}
	})
}
