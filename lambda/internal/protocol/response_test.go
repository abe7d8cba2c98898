package protocol_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/cfn"
	"pgregory.net/rapid"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/protocol"
)

// longest returns an event whose fields are as long as CloudFormation allows.
func longest() protocol.Event {
	return protocol.Event{
		StackID:           "arn:aws-us-gov:cloudformation:us-gov-west-1:123456789012:stack/" + strings.Repeat("s", 128) + "/6b1e1c10-0000-11ee-8c99-0242ac120002",
		LogicalResourceID: strings.Repeat("L", 255), RequestID: "6b1e1c10-0000-11ee-8c99-0242ac120002",
	}
}

func read(tb testing.TB, response cfn.Response) cfn.Response {
	tb.Helper()
	var got cfn.Response
	if err := json.Unmarshal(protocol.Encode(response), &got); err != nil {
		tb.Fatal(err)
	}
	return got
}

func TestSucceeded(t *testing.T) {
	t.Parallel()
	event := protocol.Event{StackID: "s", RequestID: "r", LogicalResourceID: "l"}
	got := string(protocol.Encode(protocol.Succeeded(event, "sgchain-x", map[string]string{"Summary": "internet -tcp 80-> Alb"})))
	want := `{"Status":"SUCCESS","RequestId":"r","LogicalResourceId":"l","StackId":"s","PhysicalResourceId":"sgchain-x","Data":{"Summary":"internet -tcp 80-> Alb"}}`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := protocol.Succeeded(event, "", nil); got.PhysicalResourceID == "" || got.Data != nil {
		t.Errorf("got %+v", got)
	}
}

// A FAILED answer fits whatever its cause is. The remedy and the place of the log stay whole, and
// the reason is never empty.
func TestFailedFits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		piece := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"<>&", "\x00\x01", "ö", "\u2028", "\"\\", "plain text "})).Draw(rt, "piece")
		reason := protocol.Reason{Cause: strings.Repeat(piece, rapid.IntRange(0, 3000).Draw(rt, "times")), Remedy: "Do this.", Log: "Log: there."}
		response := protocol.Failed(longest(), "sgchain-x", reason)
		if size := len(protocol.Encode(response)); size > protocol.MaxBody {
			rt.Fatalf("%d bytes", size)
		}
		got := read(t, response)
		if !strings.HasSuffix(got.Reason, " Do this. Log: there.") || len(got.Reason) <= len(" Do this. Log: there.") || !utf8.ValidString(got.Reason) {
			rt.Fatalf("the reason is %q", got.Reason)
		}
		if strings.Contains(got.Reason, "[cut;") && len(protocol.Encode(response)) < protocol.MaxBody-64 {
			rt.Fatalf("cut to %d bytes, though %d have room", len(protocol.Encode(response)), protocol.MaxBody)
		}
	})
}

func TestFailedTexts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		reason protocol.Reason
		want   string
	}{
		{protocol.Reason{Cause: "doing a: b", Remedy: "Do c.", Log: "Log: d."}, "doing a: b. Do c. Log: d."},
		{protocol.Reason{Cause: "ends with a stop."}, "ends with a stop."},
		{protocol.Reason{}, "the cause is unknown."},
	} {
		if got := protocol.Failed(longest(), "x", test.reason).Reason; got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

// Parse is told how many bytes fit: an answer with attributes of that size fits, also for the
// longest event. The size that synth assumes is not larger.
func TestAttributeBytes(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]protocol.Event{"longest": longest(), "short": {StackID: "s", RequestID: "r", LogicalResourceID: "l"}} {
		id := chain.PhysicalID(protocol.Resource(event), nil)
		room := protocol.AttributeBytes(event, id)
		filler := strings.Repeat("x", room-len(`{"Summary":""}`))
		if size := len(protocol.Encode(protocol.Succeeded(event, id, map[string]string{"Summary": filler}))); size > protocol.MaxBody {
			t.Errorf("%s: %d bytes", name, size)
		}
		if room < chain.DefaultAnswerBytes {
			t.Errorf("%s: the room is %d, less than the %d that are assumed at synth", name, room, chain.DefaultAnswerBytes)
		}
	}
}

func FuzzFailed(f *testing.F) {
	f.Add("describing security groups: <UnauthorizedOperation> & more")
	f.Add(strings.Repeat("ö\x00<", 3000))
	f.Fuzz(func(t *testing.T, cause string) {
		response := protocol.Failed(longest(), "sgchain-x", protocol.Reason{Cause: cause, Remedy: "Do this."})
		if size := len(protocol.Encode(response)); size > protocol.MaxBody {
			t.Errorf("%d bytes", size)
		}
		if got := read(t, response); got.Status != cfn.StatusFailed || got.Reason == "" {
			t.Errorf("got %+v", got)
		}
	})
}
