package protocol

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/cfn"
)

// MaxBody is the most bytes that an answer may have; CloudFormation replaces a
// longer one by "Response object is too long" (user guide, "Custom resource
// response objects").
const MaxBody = 4096

// maxRequestID is the length of CloudFormation's request IDs, UUIDs, with room to
// spare.
const maxRequestID = 64

// Reason is why a request failed, and what comes after it.
type Reason struct {
	Cause  string // as long as it is; it is cut to fit
	Remedy string // one sentence of what to do; may be empty
	Log    string // where the log is; may be empty
}

// String is the whole reason.
func (r Reason) String() string { return r.text(r.Cause) }

func (r Reason) text(cause string) string {
	if cause == "" {
		cause = "failed for no known reason" // CloudFormation wants a reason for every failure
	}
	cause = strings.TrimRight(cause, ". ")
	if !strings.HasSuffix(cause, "?") {
		cause += "."
	}
	parts := []string{cause}
	for _, part := range []string{r.Remedy, r.Log} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, " ")
}

// Succeeded is the answer to a request that was fulfilled.
func Succeeded(event Event, physicalID string, attributes map[string]string) cfn.Response {
	response := answer(event, cfn.StatusSuccess, physicalID)
	if len(attributes) > 0 {
		response.Data = make(map[string]any, len(attributes))
		for key, value := range attributes {
			response.Data[key] = value
		}
	}
	return response
}

// Failed is the answer to a request that was not, its cause cut so that the whole
// fits.
func Failed(event Event, physicalID string, reason Reason) cfn.Response {
	response := answer(event, cfn.StatusFailed, physicalID)
	cause := reason.Cause
	response.Reason = reason.text(cause)
	for cause != "" && len(Encode(response)) > MaxBody {
		cause = shorten(cause, len(Encode(response))-MaxBody)
		response.Reason = reason.text(cause + " [cut; the log has it whole]")
	}
	return response
}

// shorten cuts bytes off the end, at the edge of a character. What JSON escapes
// takes more room than it has letters, so cutting as many bytes as are too many
// may need another turn, and cuts a sixth of them at least.
func shorten(text string, excess int) string {
	end := max(0, len(text)-max(1, excess/6))
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

func answer(event Event, status cfn.StatusType, physicalID string) cfn.Response {
	if physicalID == "" {
		// Without one CloudFormation would make one up, and show "Invalid
		// PhysicalResourceId" in place of the reason.
		physicalID = "sgchain-none"
	}
	return cfn.Response{
		Status: status, StackID: event.StackID, RequestID: event.RequestID,
		LogicalResourceID: event.LogicalResourceID, PhysicalResourceID: physicalID,
	}
}

// AttributeBytes is the room that attributes have in the answer to an event.
func AttributeBytes(event Event, physicalID string) int {
	event.RequestID = strings.Repeat("x", max(maxRequestID, len(event.RequestID)))
	return MaxBody - len(Encode(answer(event, cfn.StatusSuccess, physicalID))) - len(`,"Data":`)
}

// Encode writes an answer as JSON, without the escapes for HTML that would
// inflate it.
func Encode(response cfn.Response) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(response); err != nil {
		panic(err) // texts and maps of texts always encode
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
}
