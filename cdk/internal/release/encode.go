package release

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// sections is the usual order of a template's, for people to read.
func sections() []string {
	return []string{"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Conditions", "Resources", "Outputs"}
}

// Encode writes a template as JSON, its sections in the usual order. Within a
// section the order is the names', so that two runs write the same bytes.
func Encode(template map[string]any) ([]byte, error) {
	var text bytes.Buffer
	written := 0
	for _, section := range sections() {
		value, isThere := template[section]
		if !isThere {
			continue
		}
		between := ",\n"
		if written == 0 {
			between = "{\n"
		}
		written++
		fmt.Fprintf(&text, "%s  %q: ", between, section)
		var encoded bytes.Buffer
		encoder := json.NewEncoder(&encoded)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("  ", "  ")
		if err := encoder.Encode(value); err != nil {
			return nil, fmt.Errorf("writing a template's %s: %w", section, err)
		}
		text.Write(bytes.TrimRight(encoded.Bytes(), "\n"))
	}
	if written != len(template) || written == 0 {
		return nil, fmt.Errorf("writing a template: of its %d sections %d are known", len(template), written)
	}
	text.WriteString("\n}\n")
	return text.Bytes(), nil
}
