package protocol_test

import (
	"encoding/json"
	"strings"
	"testing"

	"sgchain/lambda/internal/protocol"
)

// A key that differs from a known one in letter case, or occurs twice, is refused and never read as
// the other. Unknown keys, which CloudFormation may add, are ignored.
func TestKeysOfEvents(t *testing.T) {
	t.Parallel()
	for change, want := range map[string]string{
		`"StackId"->"stackId"`: `unknown key "stackId". Did you mean StackId?`,
		`{"VpcId": "vpc-1"->{"VpcId": "vpc-0", "VpcId": "vpc-1"`:                                                  "ResourceProperties.VpcId occurs twice",
		`{"VpcId": "vpc-1"->{"Tiers": [{"Name": "A", "Tags": {"a": "1", "a": "2"}}]`:                              "ResourceProperties.Tiers[0].Tags.a occurs twice",
		`"OldResourceProperties": {"VpcId": "vpc-2"}->"resourceproperties": {"VpcId": "vpc-2"}`:                   `unknown key "resourceproperties". Did you mean ResourceProperties?`,
		`"OldResourceProperties": {"VpcId": "vpc-2"}->"ResourceProperties": {"VpcId": "vpc-2"}`:                   `the key "ResourceProperties" occurs twice`,
		`"OldResourceProperties": {"VpcId": "vpc-2"}->"Re\u017fourceProperties": {"VpcId": "vpc-2"}`:              "Did you mean ResourceProperties?",
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

func TestKeysOfActions(t *testing.T) {
	t.Parallel()
	const action = `{"action": "plan", "StackId": "` + stackARN + `", "LogicalResourceId": "Chain", "ResourceProperties": {"VpcId": "vpc-1"}}`
	if _, err := protocol.DecodeAction(json.RawMessage(action)); err != nil {
		t.Fatal(err)
	}
	for change, want := range map[string]string{
		`"StackId"->"StackID"`: `decoding action: unknown key "StackID". Did you mean StackId?`,
		`"action": "plan"->"action": "plan", "Action": "repair"`: `unknown key "Action". Did you mean action?`,
		`"action": "plan"->"action": "plan", "action": "repair"`: `the key "action" occurs twice`,
		`{"VpcId": "vpc-1"->{"VpcId": "vpc-0", "VpcId": "vpc-1"`: "ResourceProperties.VpcId occurs twice",
		`"action": "plan"->"action": "plan", "dryRun": true`:     "unknown field",
	} {
		from, to, _ := strings.Cut(change, "->")
		text := strings.Replace(action, from, to, 1)
		if _, err := protocol.DecodeAction(json.RawMessage(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", change, err, want)
		}
	}
}
