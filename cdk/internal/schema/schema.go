// Package schema writes the JSON Schema of chains as text, for editors and validators.
package schema

import (
	"bytes"
	"encoding/json"
	"fmt"

	"sgchain/lambda/chain"
)

// Template returns the schema of whole CloudFormation templates, as it is published.
func Template() ([]byte, error) { return encode(chain.Schema()) }

// Properties returns the schema of a chain's properties alone.
func Properties() ([]byte, error) { return encode(chain.PropertiesSchema()) }

// encode writes a schema in ASCII: its patterns have Unicode spaces and letters that would be
// invisible in the file. Keys are sorted, so that two runs write the same bytes.
func encode(schema map[string]any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(schema); err != nil {
		return nil, fmt.Errorf("writing the schema: %w", err)
	}
	var ascii bytes.Buffer
	for _, letter := range text.String() {
		if letter > 0x7e { // none exceeds the 16 bits of an escape
			fmt.Fprintf(&ascii, `\u%04x`, letter)
			continue
		}
		ascii.WriteRune(letter)
	}
	return ascii.Bytes(), nil
}
