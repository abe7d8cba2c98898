package release

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// sections returns the usual order of a template's sections, for readers.
func sections() []string {
	return []string{"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Conditions", "Resources", "Outputs"}
}

// width is the longest line that holds a whole list or map. A template in a request, instead of in
// a bucket, has at most 51,200 bytes, and deep indentation wastes most of them.
const width = 160

// Encode writes a template as JSON, its sections in the usual order. Within a section, keys are
// sorted, so that two runs write the same bytes.
func Encode(template map[string]any) ([]byte, error) {
	var text bytes.Buffer
	written := 0
	for _, section := range sections() {
		value, exists := template[section]
		if !exists {
			continue
		}
		between := ",\n"
		if written == 0 {
			between = "{\n"
		}
		written++
		start := fmt.Sprintf("  %q: ", section)
		encoded, err := encode(value, 1, len(start))
		if err != nil {
			return nil, fmt.Errorf("writing a template's %s: %w", section, err)
		}
		text.WriteString(between + start + encoded)
	}
	if written != len(template) || written == 0 {
		return nil, fmt.Errorf("writing a template: of its %d sections %d are known", len(template), written)
	}
	text.WriteString("\n}\n")
	return text.Bytes(), nil
}

// encode writes a value at a depth. It uses one line if the value fits behind the text already on
// it.
func encode(value any, depth, used int) (string, error) {
	items, open, closed, err := parts(value, depth)
	if err != nil || open == "" {
		return strings.Join(items, ""), err
	}
	line := open + strings.Join(items, ", ") + closed
	if !strings.Contains(line, "\n") && used+utf8.RuneCountInString(line) < width {
		return line, nil
	}
	indent := strings.Repeat("  ", depth)
	return open + "\n" + indent + "  " + strings.Join(items, ",\n"+indent+"  ") + "\n" + indent + closed, nil
}

// parts returns the written entries of a list or map, and the brackets around them. For anything
// else it returns only the text.
func parts(value any, depth int) (items []string, open, closed string, err error) {
	indent := 2 * (depth + 1)
	switch value := value.(type) {
	case []any:
		for _, one := range value {
			item, err := encode(one, depth+1, indent)
			if err != nil {
				return nil, "", "", err
			}
			items = append(items, item)
		}
		return items, "[", "]", nil
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			name, err := scalar(key)
			if err != nil {
				return nil, "", "", err
			}
			item, err := encode(value[key], depth+1, indent+utf8.RuneCountInString(name)+2)
			if err != nil {
				return nil, "", "", err
			}
			items = append(items, name+": "+item)
		}
		return items, "{", "}", nil
	default:
		text, err := scalar(value)
		return []string{text}, "", "", err
	}
}

func scalar(value any) (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "", err
	}
	return strings.TrimSuffix(text.String(), "\n"), nil
}
