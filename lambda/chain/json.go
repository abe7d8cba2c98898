package chain

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// tierList reads Tiers: a list, or the same list as JSON text, which a template's parameter can
// hold.
func (r *reader) tierList(value any) (tiers []any, readable bool) {
	text, isText := value.(string)
	switch {
	case isAbsent(value):
		return DefaultTiers(), true
	case isText:
		var tiers []any
		err := decodeJSON(text, &tiers)
		if err == nil && !r.built {
			if path := Duplicate([]byte(text), tiers); path != "" {
				r.problem("Tiers"+path, "occurs twice in the JSON text. Keep one of them.")
			}
		}
		if err != nil {
			r.problem("Tiers", `is text, but not a list of tiers in JSON (%v). Write it as [{"Name": "Alb", "Ports": [80, 443]}].`, err)
		}
		return tiers, err == nil
	}
	before := r.found
	tiers = r.list("Tiers", value)
	return tiers, r.found == before
}

// tagsFromJSON returns tags that are written as JSON text, which a template's parameter can hold.
// It returns any other value unchanged, including the empty text.
func (r *reader) tagsFromJSON(path string, value any) any {
	text, isText := value.(string)
	if !isText || isAbsent(value) {
		return value
	}
	var tags any
	err := decodeJSON(text, &tags)
	switch tags.(type) {
	case map[string]any, []any:
	default:
		err = cmp.Or(err, errors.New("it is neither a map nor a list"))
	}
	if err != nil {
		r.problem(path, `is text, but not tags in JSON (%v). Write it as {"Team": "shop"}.`, err)
		return nil
	}
	if twice := Duplicate([]byte(text), tags); twice != "" && !r.built {
		r.problem(path+twice, "occurs twice in the JSON text. Keep one of them.")
	}
	return tags
}

// decodeJSON reads a text that has exactly one value: a list for Tiers, any value for Tags.
func decodeJSON(text string, into any) error {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more text follows the value")
	}
	return nil
}

// level is a list or a map that is being read.
type level struct {
	keys map[string]bool // of a map; nil for a list
	key  string          // with a dot before it; empty if a key comes next
	next int             // the index of the current entry of a list
}

// done continues with the next entry.
func (l *level) done() {
	l.key = ""
	l.next++
}

// Duplicate returns the path of the first key that occurs twice in the same map of a JSON text,
// such as "[0].Ports". It returns "" for a text without such a key or that is not JSON. Decoding
// such a text keeps the last value and reports no error.
//
// Decoded is the decoded text, or nil. If it has as many keys as the text has colons, no key
// occurs twice and Duplicate does not parse the text again.
func Duplicate(text []byte, decoded any) string {
	if decoded != nil && colons(text) == keys(decoded) {
		return ""
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	levels := []*level{{}} // the outermost level stands for a list of the text's values
	for {
		token, err := decoder.Token()
		if err != nil {
			return ""
		}
		top := levels[len(levels)-1]
		key, isText := token.(string)
		switch {
		case token == json.Delim('['):
			levels = append(levels, &level{})
		case token == json.Delim('{'):
			levels = append(levels, &level{keys: map[string]bool{}})
		case token == json.Delim(']') || token == json.Delim('}'):
			levels = levels[:len(levels)-1]
			levels[len(levels)-1].done()
		case isText && top.keys != nil && top.key == "":
			top.key = "." + clip(key)
			if top.keys[key] {
				return pathOf(levels[1:])
			}
			top.keys[key] = true
		default:
			top.done()
		}
	}
}

// colons counts the colons outside of strings: one for each key of each map.
func colons(text []byte) int {
	count, isInString := 0, false
	for i := 0; i < len(text); i++ {
		switch {
		case isInString && text[i] == '\\':
			i++
		case text[i] == '"':
			isInString = !isInString
		case !isInString && text[i] == ':':
			count++
		}
	}
	return count
}

// keys counts the keys of all maps in a decoded value.
func keys(value any) int {
	count := 0
	switch value := value.(type) {
	case map[string]any:
		count = len(value)
		for _, one := range value {
			count += keys(one)
		}
	case []any:
		for _, one := range value {
			count += keys(one)
		}
	}
	return count
}

func pathOf(levels []*level) string {
	var path strings.Builder
	for _, level := range levels {
		if level.keys == nil {
			path.WriteString(index("", level.next))
			continue
		}
		path.WriteString(level.key)
	}
	return path.String()
}
