package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/chain"
)

// Decode reads a request. If it is not complete, Decode returns an error and what could be read. So
// it can be answered if it has a ResponseURL.
func Decode(raw json.RawMessage) (Event, error) {
	fields, problem := fieldsOf(raw, eventKeys()...)
	if problem != "" {
		return lenient(raw), &EventError{Problem: "decoding event: " + problem, Fix: onlyCloudFormation}
	}
	var event Event
	if err := json.Unmarshal(raw, &event); err != nil {
		return lenient(raw), &EventError{Problem: "decoding event: it is not a request of CloudFormation", Fix: onlyCloudFormation}
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
		return event, &EventError{Problem: "decoding event: it has no " + strings.Join(missing, ", "), Fix: onlyCloudFormation}
	}
	switch event.RequestType {
	case cfn.RequestCreate, cfn.RequestUpdate:
		if problem := twice(fields, event.ResourceProperties); problem != "" {
			return event, &EventError{Problem: "decoding event: " + problem, Fix: onlyCloudFormation}
		}
		return event, nil
	case cfn.RequestDelete: // needs no properties
		return event, nil
	default:
		return event, &EventError{Problem: fmt.Sprintf("decoding event: unknown RequestType %.40q", event.RequestType), Fix: onlyCloudFormation}
	}
}

// lenient returns the fields that an answer needs from an event that is malformed elsewhere.
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

// fieldsOf returns the fields of an object, or a problem with its keys. A problem is a key that
// occurs twice, or that differs from a known one only in letter case. Decoding would accept either
// as the known key, and silently lose one of two values (encoding/json, "preferring exact matches
// but also accepting case-insensitive matches"). It ignores other unknown keys.
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
			return nil, "" // decoding returns the error
		}
		if _, isThere := fields[key]; isThere {
			return nil, fmt.Sprintf("the key %.40q occurs twice", key)
		}
		fields[key] = value
		for _, name := range known {
			if key != name && strings.EqualFold(key, name) {
				return nil, fmt.Sprintf("unknown key %.40q. Did you mean %s?", key, name)
			}
		}
	}
	return fields, ""
}

// eventKeys returns the keys of a request that are read.
func eventKeys() []string {
	return []string{
		"RequestType", "RequestId", "ResponseURL", "ResourceType", "PhysicalResourceId", "LogicalResourceId", "StackId",
		propertiesKey, "OldResourceProperties",
	}
}

// propertiesKey is the key of an event's properties.
const propertiesKey = "ResourceProperties"

// twice returns a problem if a key of the event's properties occurs twice. Decoded has the
// properties if they were decoded, and is nil otherwise.
func twice(fields map[string]json.RawMessage, decoded any) string {
	if path := chain.Duplicate(fields[propertiesKey], decoded); path != "" {
		return propertiesKey + path + " occurs twice"
	}
	return ""
}
