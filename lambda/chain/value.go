package chain

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// reader takes values out of decoded JSON and gathers what is wrong with them.
// CloudFormation hands every scalar over as a string ("true", "6060"), and an
// empty string is how a template leaves a property out; test events and other
// engines send numbers and booleans as such. So a scalar is any of these.
type reader struct {
	problems Problems
	found    int  // problems, those included that are only counted
	built    bool // what an earlier release accepted is accepted: see ParseBuilt
	rules    int  // of all tiers so far
	overfull bool // there are more rules than a chain may have
}

// isAbsent reports whether a value counts as not written.
func isAbsent(value any) bool { return value == nil || value == "" }

// isBlank reports whether a value is text without a letter.
func isBlank(value any) bool {
	text, isText := value.(string)
	return isText && strings.TrimSpace(text) == ""
}

// scalar reads a value that is text in the end; ok is false, and the problem
// noted, for a list or a map. Absence is the empty text.
func (r *reader) scalar(path string, value any) (text string, ok bool) {
	text, ok = r.verbatim(path, value)
	return strings.TrimSpace(text), ok
}

// verbatim is scalar for text whose blanks count.
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
		r.problem(path, "must be one value, not %s", kind(value))
		return "", false
	}
}

// word reads one of the words that a property may have; absence is the first of them.
func (r *reader) word(path string, value any, words ...string) string {
	text, ok := r.scalar(path, value)
	word := strings.ToLower(text)
	switch {
	case !ok || word == "":
		return words[0]
	case !slices.Contains(words, word):
		r.problem(path, "%s is not known; write %s, or leave it out for %s", quoted(text), strings.Join(words, " or "), words[0])
		return words[0]
	default:
		return word
	}
}

// flag reads true or false; absence is false.
func (r *reader) flag(path string, value any) bool {
	return r.word(path, value, flagWords...) == "true"
}

// list reads a list; one scalar counts as a list of one.
func (r *reader) list(path string, value any) []any {
	switch value := value.(type) {
	case []any:
		return value
	case map[string]any:
		r.problem(path, "must be a list, not a map")
		return nil
	default:
		if isAbsent(value) {
			return nil
		}
		return []any{value}
	}
}

// entries reads a list that means something else when it is left out: an empty one, as
// list or as text, is neither absence nor the default. The remedy says what to write. Given
// is false where the list is left out.
func (r *reader) entries(path string, value any, remedy string) (entries []any, given bool) {
	list, isList := value.([]any)
	switch {
	case r.built && isAbsent(value), value == nil, isList && list == nil:
		return nil, false
	case isList && len(list) == 0 && !r.built:
		r.problem(path, "is an empty list; %s", remedy)
	case isBlank(value) && !r.built:
		r.problem(path, "is empty; %s", remedy)
		return nil, true
	}
	return r.list(path, value), true
}

// isEmptyEntry reports whether an entry of a list has nothing in it, and notes the problem. A
// parameter that is a list comes as a list of one empty text where nothing was filled in.
func (r *reader) isEmptyEntry(path string, place int, value any, remedy string) bool {
	if value != nil && !isBlank(value) {
		return false
	}
	r.problem(path, "entry %d is empty; an empty list parameter gives this; %s", place, remedy)
	return true
}

// object reads a map and refuses keys that it does not know.
func (r *reader) object(path string, value any, known ...string) map[string]any {
	object, ok := value.(map[string]any)
	if !ok {
		r.problem(path, "must be a map with the keys %s, not %s", strings.Join(known, ", "), kind(value))
		return nil
	}
	for _, key := range sortedKeys(object) {
		if !slices.Contains(known, key) {
			r.problem(join(path, key), "unknown property; %s", hint{key, known})
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
