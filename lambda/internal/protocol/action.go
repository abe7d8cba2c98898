package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sgchain/lambda/chain"
)

// Action is an invocation by a person or a schedule: an action, a chain and its properties.
type Action struct {
	Action             string         `json:"action"`
	StackID            string         `json:"StackId"`
	LogicalResourceID  string         `json:"LogicalResourceId"`
	ResourceProperties map[string]any `json:"ResourceProperties"`
}

// IsAction reports whether an invocation is an action and not a request of CloudFormation.
func IsAction(raw json.RawMessage) bool {
	// A request is recognized without decoding it. Only an escape could hide the key.
	if !bytes.Contains(raw, []byte(`action`)) && !bytes.ContainsRune(raw, '\\') {
		return false
	}
	var keys map[string]json.RawMessage
	if json.Unmarshal(raw, &keys) != nil {
		return false
	}
	_, isAction := keys["action"]
	_, isRequest := keys["RequestType"]
	return isAction && !isRequest
}

// DecodeAction reads an action.
func DecodeAction(raw json.RawMessage) (Action, error) {
	fields, problem := fieldsOf(raw, "action", "StackId", "LogicalResourceId", propertiesKey)
	if problem == "" {
		problem = twice(fields, nil)
	}
	if problem != "" {
		return Action{}, &EventError{Problem: "decoding action: " + problem, Fix: actionForm}
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	decoder.DisallowUnknownFields()
	var action Action
	if err := decoder.Decode(&action); err != nil {
		return Action{}, &EventError{Problem: "decoding action: " + strings.TrimPrefix(err.Error(), "json: "), Fix: actionForm}
	}
	actions := []string{chain.ActionPlan, chain.ActionCheck, chain.ActionRepair}
	switch {
	case !slices.Contains(actions, action.Action):
		return Action{}, &EventError{Problem: fmt.Sprintf("decoding action: unknown action %.40q; use plan, check or repair", action.Action), Fix: actionForm}
	case action.StackID == "" || action.LogicalResourceID == "" || action.ResourceProperties == nil:
		return Action{}, &EventError{Problem: "decoding action: StackId, LogicalResourceId or ResourceProperties is missing", Fix: actionForm}
	case !strings.HasPrefix(action.StackID, "arn:"):
		return Action{}, &EventError{Problem: fmt.Sprintf("decoding action: StackId %.40q is not the ARN of a stack", action.StackID), Fix: actionForm}
	default:
		return action, nil
	}
}

// actionForm is the remedy for an action that cannot be read.
const actionForm = "Invoke the function with the payload in the stack's output PlanPayload."

// Event returns the action as a request, for the code that serves both.
func (a Action) Event(requestID string) Event {
	return Event{RequestID: requestID, StackID: a.StackID, LogicalResourceID: a.LogicalResourceID, ResourceProperties: a.ResourceProperties}
}
