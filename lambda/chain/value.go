package chain

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// reader takes values out of decoded JSON and collects their problems. CloudFormation passes every
// scalar as a string ("true", "6060"), and templates omit a property by an empty string. Test
// events and other engines send numbers and booleans. So a scalar is any of these.
type reader struct {
	problems Problems
	found    int  // problems, including those that are only counted
	built    bool // accepts what an earlier release accepted: see ParseBuilt
	rules    int  // of all tiers so far
	overfull bool // the chain has too many rules
}

// isAbsent reports whether a value counts as absent.
func isAbsent(value any) bool { return value == nil || value == "" }

// isBlank reports whether a value is text with nothing but white space.
func isBlank(value any) bool {
	text, isText := value.(string)
	return isText && strings.TrimSpace(text) == ""
}

// scalar reads a scalar as text. For a list or a map it adds a problem and ok is false. An absent
// value is the empty text.
func (r *reader) scalar(path string, value any) (text string, ok bool) {
	text, ok = r.verbatim(path, value)
	return strings.TrimSpace(text), ok
}

// verbatim is like scalar, but keeps blanks.
func (r *reader) verbatim(path string, value any) (text string, ok bool) {
	switch value := value.(type) {
	case nil:
		return "", true
	case string:
		return value, true
	case bool:
		return strconv.FormatBool(value), true
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64), true
	case int:
		return strconv.Itoa(value), true
	case json.Number:
		return value.String(), true
	default:
		r.problem(path, "is %s. Write one value.", kind(value))
		return "", false
	}
}

// word reads one of the words that a property may have. The default is the first word.
func (r *reader) word(path string, value any, words ...string) string {
	text, ok := r.scalar(path, value)
	word := strings.ToLower(text)
	switch {
	case !ok || word == "":
		return words[0]
	case !slices.Contains(words, word):
		r.problem(path, "unknown value %s. Write %s, or remove it to use %s.", quoted(text), strings.Join(words, " or "), words[0])
		return words[0]
	default:
		return word
	}
}

// flag reads true or false. The default is false.
func (r *reader) flag(path string, value any) bool {
	return r.word(path, value, flagWords...) == "true"
}

// list reads a list. A scalar counts as a list of one.
func (r *reader) list(path string, value any) []any {
	switch value := value.(type) {
	case []any:
		return value
	case map[string]any:
		r.problem(path, "is a map. Write a list.")
		return nil
	default:
		if isAbsent(value) {
			return nil
		}
		return []any{value}
	}
}

// entries reads a list that differs from its default if it is empty. So it refuses an empty list
// or text, with the remedy. Given is false if the list is absent.
func (r *reader) entries(path string, value any, remedy string) (entries []any, given bool) {
	list, isList := value.([]any)
	switch {
	case r.built && isAbsent(value), value == nil, isList && list == nil:
		return nil, false
	case isList && len(list) == 0 && !r.built:
		r.problem(path, "is an empty list. %s", remedy)
	case isBlank(value) && !r.built:
		r.problem(path, "is empty. %s", remedy)
		return nil, true
	}
	return r.list(path, value), true
}

// isEmptyEntry reports whether an entry of a list is empty, and adds a problem. A list parameter
// that was not filled in arrives as a list of one empty text.
func (r *reader) isEmptyEntry(path string, place int, value any, remedy string) bool {
	if value != nil && !isBlank(value) {
		return false
	}
	r.problem(path, "entry %d is empty (an empty list parameter gives this). %s", place, remedy)
	return true
}

// object reads a map and refuses unknown keys.
func (r *reader) object(path string, value any, known ...string) map[string]any {
	object, ok := value.(map[string]any)
	if !ok {
		r.problem(path, "is %s. Write a map with the keys %s.", kind(value), strings.Join(known, ", "))
		return nil
	}
	for _, key := range sortedKeys(object) {
		if !slices.Contains(known, key) {
			r.problem(join(path, key), "unknown property. %s", hint{key, known})
		}
	}
	return object
}

func join(path, key string) string {
	if path == "" {
		return clip(key)
	}
	return path + "." + clip(key)
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

func sortedKeys(object map[string]any) []string {
	keys := make([]string, 0, len(object))
	for key := range object {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func kind(value any) string {
	switch value.(type) {
	case nil:
		return "nothing"
	case []any:
		return "a list"
	case map[string]any:
		return "a map"
	default:
		return "one value"
	}
}
