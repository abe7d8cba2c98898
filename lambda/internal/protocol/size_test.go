package protocol_test

import (
	"strings"
	"testing"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/protocol"
)

// CloudFormation accepts an answer of 4,096 bytes, and none of 4,097 (measured, inclusive;
// awsdocs/aws-cloudformation-user-guide issue 262). The figure is repeated here, so that another
// one in the code fails.
const room = 4096

// Attributes may fill the answer exactly: one byte less would refuse chains that fit, and one more
// would lose the answer.
func TestAttributesFillTheAnswer(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]protocol.Event{"longest": longest(), "short": {StackID: "s", LogicalResourceID: "l"}, "no ID": {StackID: "s", LogicalResourceID: "l"}} {
		// As long a RequestID as AttributeBytes assumes.
		event.RequestID = strings.Repeat("r", 64)
		id := chain.PhysicalID(protocol.Resource(event), nil)
		if name == "no ID" {
			id = ""
		}
		bytes := protocol.AttributeBytes(event, id)
		for _, off := range []int{-1, 0, 1} {
			attributes := map[string]string{"Summary": strings.Repeat("x", bytes+off-len(`{"Summary":""}`))}
			if size := len(protocol.Encode(protocol.Succeeded(event, id, attributes))); size != room+off {
				t.Errorf("%s: attributes of %d bytes in a room of %d make an answer of %d, want %d", name, bytes+off, bytes, size, room+off)
			}
		}
		event.RequestID = strings.Repeat("r", 65)
		if longer := protocol.AttributeBytes(event, id); longer != bytes-1 {
			t.Errorf("%s: a longer RequestID leaves %d bytes, want %d", name, longer, bytes-1)
		}
	}
}

// A reason that just fits is whole. One that is a byte too long is cut, and only as much as
// necessary.
func TestReasonFillsTheAnswer(t *testing.T) {
	t.Parallel()
	const remedy, log = "Do this.", "Log: there."
	failed := func(cause string) (string, int) {
		response := protocol.Failed(longest(), "sgchain-x", protocol.Reason{Cause: cause, Remedy: remedy, Log: log})
		return response.Reason, len(protocol.Encode(response))
	}
	_, least := failed("x")
	for _, character := range []string{"x", "ö", "\"", "\n", "😀"} {
		_, one := failed("x" + character)
		width := one - least
		cause := strings.Repeat(character, (room-least)/width)
		cause = strings.Repeat("x", 1+room-least-width*((room-least)/width)) + cause
		for off, whole := range map[int]bool{-1: true, 0: true, 1: false, 2: false} {
			text := cause
			if off > 0 {
				text = strings.Repeat("x", off) + cause
			} else if off < 0 {
				text = strings.TrimPrefix(cause, "x")
			}
			reason, size := failed(text)
			switch isWhole := !strings.Contains(reason, "[cut;"); {
			case isWhole != whole:
				t.Errorf("%q, %+d bytes: whole is %v", character, off, isWhole)
			case whole && size != room+off:
				t.Errorf("%q, %+d bytes: the answer has %d", character, off, size)
			case !whole && (size > room || size < room-64):
				t.Errorf("%q, %+d bytes: cut to %d bytes, though %d have room", character, off, size, room)
			}
			if !strings.HasSuffix(reason, remedy+" "+log) {
				t.Errorf("%q, %+d bytes: the reason ends with %q", character, off, reason[max(0, len(reason)-40):])
			}
		}
	}
}
