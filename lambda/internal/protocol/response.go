package protocol

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/cfn"
)

// MaxBody is the most bytes that an answer may have. CloudFormation replaces a longer one by
// "Response object is too long" (user guide, "Custom resource response objects").
const MaxBody = 4096

// maxRequestID is the length of CloudFormation's request IDs, UUIDs, with a margin.
const maxRequestID = 64

// Reason is why a request failed, what to do and where the log is.
type Reason struct {
	Cause  string // of any length; it is cut to fit
	Remedy string // what to do; may be empty
	Log    string // where the log is; may be empty
}

// String returns the whole reason.
func (r Reason) String() string { return r.text(r.Cause) }

func (r Reason) text(cause string) string {
	if cause == "" {
		cause = "the cause is unknown" // CloudFormation requires a reason for every failure
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

// Succeeded returns the answer to a request that succeeded.
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

// Failed returns the answer to a request that failed. Its cause is cut so that the whole fits.
func Failed(event Event, physicalID string, reason Reason) cfn.Response {
	response := answer(event, cfn.StatusFailed, physicalID)
	cause := reason.Cause
	response.Reason = reason.text(cause)
	for cause != "" && len(Encode(response)) > MaxBody {
		cause = shorten(cause, len(Encode(response))-MaxBody)
		response.Reason = reason.text(cause + " [cut; the log has the whole text]")
	}
	return response
}

// shorten removes bytes from the end of a text, between two characters. JSON escapes make a text
// longer than its letters. So removing the excess may not be enough, and it removes at least a
// sixth of that.
func shorten(text string, excess int) string {
	end := max(0, len(text)-max(1, excess/6))
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

func answer(event Event, status cfn.StatusType, physicalID string) cfn.Response {
	if physicalID == "" {
		// Without one CloudFormation would invent an ID, and show "Invalid PhysicalResourceId"
		// instead of the reason.
		physicalID = "sgchain-none"
	}
	return cfn.Response{
		Status: status, StackID: event.StackID, RequestID: event.RequestID,
		LogicalResourceID: event.LogicalResourceID, PhysicalResourceID: physicalID,
	}
}

// AttributeBytes returns how many bytes of attributes fit in the answer to an event.
func AttributeBytes(event Event, physicalID string) int {
	event.RequestID = strings.Repeat("x", max(maxRequestID, len(event.RequestID)))
	return MaxBody - len(Encode(answer(event, cfn.StatusSuccess, physicalID))) - len(`,"Data":`)
}

// Encode returns an answer as JSON, without the escapes for HTML that would inflate it.
func Encode(response cfn.Response) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(response); err != nil {
		panic(err) // texts and maps of texts always encode
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
}
