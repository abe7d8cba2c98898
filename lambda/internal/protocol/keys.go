package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"sgchain/lambda/chain"
)

// fieldsOf takes an object apart, and says what is wrong with its keys: one stands twice, or differs from a known one in
// nothing but the case of its letters. Decoding would take either for the known one, and lose
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

// twice says which key of an event's properties stands there twice.
func twice(fields map[string]json.RawMessage) string {
	if path := chain.Duplicate(fields[propertiesKey]); path != "" {
		return propertiesKey + path + " is there twice"
	}
	return ""
}
