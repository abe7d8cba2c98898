package protocol_test

import (
	"encoding/json"
	"strings"
	"testing"

	"sgchain/lambda/internal/protocol"
)

// TestF14KeysOfEvents: a key that differs in case from a known one, or stands twice, is refused and
// never taken for the other; keys that CloudFormation may add are none of our business.
func TestF14KeysOfEvents(t *testing.T) {
	t.Parallel()
	for change, want := range map[string]string{
		`"StackId"->"stackId"`: `the key "stackId" is not known; did you mean StackId?`,
		`{"VpcId": "vpc-1"->{"VpcId": "vpc-0", "VpcId": "vpc-1"`:                                                  "ResourceProperties.VpcId is there twice",
		`{"VpcId": "vpc-1"->{"Tiers": [{"Name": "A", "Tags": {"a": "1", "a": "2"}}]`:                              "ResourceProperties.Tiers[0].Tags.a is there twice",
		`"OldResourceProperties": {"VpcId": "vpc-2"}->"resourceproperties": {"VpcId": "vpc-2"}`:                   `the key "resourceproperties" is not known; did you mean ResourceProperties?`,
		`"OldResourceProperties": {"VpcId": "vpc-2"}->"ResourceProperties": {"VpcId": "vpc-2"}`:                   `the key "ResourceProperties" is there twice`,
		`"OldResourceProperties": {"VpcId": "vpc-2"}->"Re\u017fourceProperties": {"VpcId": "vpc-2"}`:              "did you mean ResourceProperties?",
		`"ServiceToken": ->"Context": {"a": 1}, "Tags": [], "servicetoken": `:                                     "",
		`"OldResourceProperties": {"VpcId": "vpc-2"}->"OldResourceProperties": {"VpcId": "vpc-2", "VpcId": "v3"}`: "",
		`"RequestType": "Update"->"RequestType": "Delete"`:                                                        "",
	} {
		from, to, _ := strings.Cut(change, "->")
		text := strings.Replace(sample, from, to, 1)
		if text == sample {
			t.Fatalf("%s does not apply", change)
		}
		event, err := protocol.Decode(json.RawMessage(text))
		if (want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", change, err, want)
		}
		if event.ResponseURL == "" || event.LogicalResourceID == "" {
			t.Errorf("%s: the place to answer to is lost", change)
		}
	}
}

func TestF14KeysOfActions(t *testing.T) {
	t.Parallel()
	const action = `{"action": "plan", "StackId": "` + stackARN + `", "LogicalResourceId": "Chain", "ResourceProperties": {"VpcId": "vpc-1"}}`
	if _, err := protocol.DecodeAction(json.RawMessage(action)); err != nil {
		t.Fatal(err)
	}
	for change, want := range map[string]string{
		`"StackId"->"StackID"`: `decoding action: the key "StackID" is not known; did you mean StackId?`,
		`"action": "plan"->"action": "plan", "Action": "repair"`: `the key "Action" is not known; did you mean action?`,
		`"action": "plan"->"action": "plan", "action": "repair"`: `the key "action" is there twice`,
		`{"VpcId": "vpc-1"->{"VpcId": "vpc-0", "VpcId": "vpc-1"`: "ResourceProperties.VpcId is there twice",
		`"action": "plan"->"action": "plan", "dryRun": true`:     "unknown field",
	} {
		from, to, _ := strings.Cut(change, "->")
		text := strings.Replace(action, from, to, 1)
		if _, err := protocol.DecodeAction(json.RawMessage(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", change, err, want)
		}
	}
}
