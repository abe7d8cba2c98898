package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/chain"
)

// Decode reads a request. Where it is not a complete request, what could be read
// comes with the error, so that it can be answered if there is anywhere to answer
// to.
func Decode(raw json.RawMessage) (Event, error) {
	fields, problem := fieldsOf(raw, eventKeys()...)
	if problem != "" {
		return lenient(raw), &EventError{Problem: "decoding event: " + problem, Todo: onlyCloudFormation}
	}
	var event Event
	if err := json.Unmarshal(raw, &event); err != nil {
		return lenient(raw), &EventError{Problem: "decoding event: it is not a request of CloudFormation", Todo: onlyCloudFormation}
	}
	missing := []string{}
	for _, field := range []struct{ name, value string }{
		{"ResponseURL", event.ResponseURL},
		{"StackId", event.StackID},
		{"RequestId", event.RequestID},
		{"LogicalResourceId", event.LogicalResourceID},
	} {
		if field.value == "" {
			missing = append(missing, field.name)
		}
	}
	if event.PhysicalResourceID == "" && (event.RequestType == cfn.RequestUpdate || event.RequestType == cfn.RequestDelete) {
		missing = append(missing, "PhysicalResourceId")
	}
	if len(missing) > 0 {
		return event, &EventError{Problem: "decoding event: it has no " + strings.Join(missing, ", "), Todo: onlyCloudFormation}
	}
	switch event.RequestType {
	case cfn.RequestCreate, cfn.RequestUpdate:
		if problem := twice(fields, event.ResourceProperties); problem != "" {
			return event, &EventError{Problem: "decoding event: " + problem, Todo: onlyCloudFormation}
		}
		return event, nil
	case cfn.RequestDelete: // needs no properties
		return event, nil
	default:
		return event, &EventError{Problem: fmt.Sprintf("decoding event: unknown RequestType %.40q", event.RequestType), Todo: onlyCloudFormation}
	}
}

// lenient takes the texts that an answer needs out of an event that is malformed
// elsewhere.
func lenient(raw json.RawMessage) Event {
	var fields map[string]any
	if json.Unmarshal(raw, &fields) != nil {
		return Event{}
	}
	text := func(key string) string {
		value, _ := fields[key].(string)
		return value
	}
	return Event{
		RequestType: cfn.RequestType(text("RequestType")), ResponseURL: text("ResponseURL"), StackID: text("StackId"),
		RequestID: text("RequestId"), LogicalResourceID: text("LogicalResourceId"), PhysicalResourceID: text("PhysicalResourceId"),
	}
}

// fieldsOf takes an object apart, and says what is wrong with its keys: one stands twice, or
// differs from a known one in nothing but the case of its letters. Decoding would take either for the known one, and lose
// one of two values without a word (encoding/json, "preferring exact matches but also
// accepting case-insensitive matches"). Other keys that are not known are none of its business.
func fieldsOf(raw json.RawMessage, known ...string) (fields map[string]json.RawMessage, problem string) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, ""
	}
	fields = map[string]json.RawMessage{}
	for decoder.More() {
		token, err := decoder.Token()
		key, isText := token.(string)
		var value json.RawMessage
		if err != nil || !isText || decoder.Decode(&value) != nil {
			return nil, "" // decoding says what is wrong
		}
		if _, isThere := fields[key]; isThere {
			return nil, fmt.Sprintf("the key %.40q is there twice", key)
		}
		fields[key] = value
		for _, name := range known {
			if key != name && strings.EqualFold(key, name) {
				return nil, fmt.Sprintf("the key %.40q is not known; did you mean %s?", key, name)
			}
		}
	}
	return fields, ""
}

// eventKeys are the keys of a request that are read.
func eventKeys() []string {
	return []string{
		"RequestType", "RequestId", "ResponseURL", "ResourceType", "PhysicalResourceId", "LogicalResourceId", "StackId",
		propertiesKey, "OldResourceProperties",
	}
}

// propertiesKey is the key of an event's properties.
const propertiesKey = "ResourceProperties"

// twice says which key of an event's properties stands there twice. Decoded are the properties
// where they were decoded, and nil where they were not.
func twice(fields map[string]json.RawMessage, decoded any) string {
	if path := chain.Duplicate(fields[propertiesKey], decoded); path != "" {
		return propertiesKey + path + " is there twice"
	}
	return ""
}
