package chain

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// tierList reads Tiers: a list, or the same list as JSON in a string, which is how a
// template's parameter carries it.
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
				r.problem("Tiers"+path, "is there twice in the text; keep one of them")
			}
		}
		if err != nil {
			r.problem("Tiers", `is text, and not a list of tiers in JSON (%v); write it as [{"Name": "Alb", "Ports": [80, 443]}]`, err)
		}
		return tiers, err == nil
	}
	before := r.found
	tiers = r.list("Tiers", value)
	return tiers, r.found == before
}

// tagsFromJSON returns tags that are written as JSON in a string, which is how a template's parameter
// carries them. Any other value, the empty text among them, is returned as it is.
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
		r.problem(path, `is text, and not tags in JSON (%v); write it as {"Team": "shop"}`, err)
		return nil
	}
	if twice := Duplicate([]byte(text), tags); twice != "" && !r.built {
		r.problem(path+twice, "is there twice in the text; keep one of them")
	}
	return tags
}

// decodeJSON reads a text that holds one value and nothing after it. A list is wanted for Tiers, any
// value for Tags.
func decodeJSON(text string, into any) error {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after it")
	}
	return nil
}

// level is a list or a map that is being read.
type level struct {
	keys map[string]bool // of a map; nil for a list
	key  string          // with a dot before it: whose value is being read; empty where a key comes next
	next int             // place of the entry that is being read, of a list
}

// done goes on to the next entry.
func (l *level) done() {
	l.key = ""
	l.next++
}

// Duplicate is the path of the first key that stands twice in the same map of a JSON
// text, as in "[0].Ports", or empty. Decoding such a text keeps the last value without a word.
// A text that is no JSON has none. Decoded is what the text was decoded to, nil where it was
// not: a text with as many colons as that has keys needs no second reading.
func Duplicate(text []byte, decoded any) string {
	if decoded != nil && colons(text) == keys(decoded) {
		return ""
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	levels := []*level{{}} // a list of what the text holds
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

// colons counts those outside of strings: one for each key of each map.
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

// keys counts those of a decoded value, and of all in it.
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
