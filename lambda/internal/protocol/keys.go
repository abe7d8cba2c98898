package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"sgchain/lambda/chain"
)

// strangeKey says what is wrong with the keys of an object: one stands twice, or differs from a known one in
// nothing but the case of its letters. Decoding would take either for the known one, and lose
// one of two values without a word (encoding/json, "preferring exact matches but also
// accepting case-insensitive matches"). Other keys that are not known are none of its business.
func strangeKey(raw json.RawMessage, known ...string) string {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return ""
	}
	there := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		key, isText := token.(string)
		var value json.RawMessage
		if err != nil || !isText || decoder.Decode(&value) != nil {
			return "" // decoding says what is wrong
		}
		if there[key] {
			return fmt.Sprintf("the key %.40q is there twice", key)
		}
		there[key] = true
		for _, name := range known {
			if key != name && strings.EqualFold(key, name) {
				return fmt.Sprintf("the key %.40q is not known; did you mean %s?", key, name)
			}
		}
	}
	return ""
}

// eventKeys are the keys of a request that are read.
func eventKeys() []string {
	return []string{
		"RequestType", "RequestId", "ResponseURL", "ResourceType", "PhysicalResourceId", "LogicalResourceId", "StackId",
		"ResourceProperties", "OldResourceProperties",
	}
}

// twice says which key of an event's properties stands there twice.
func twice(raw json.RawMessage) string {
	var event struct{ ResourceProperties json.RawMessage }
	if json.Unmarshal(raw, &event) != nil {
		return ""
	}
	if path := chain.Duplicate(event.ResourceProperties); path != "" {
		return "ResourceProperties" + path + " is there twice"
	}
	return ""
}
