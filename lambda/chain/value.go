package chain

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// FieldError is one problem in what the author wrote.
type FieldError struct {
	Path    string // as in "Tiers[1].Ports[0]"
	Problem string // what is wrong and what to write instead
}

func (e FieldError) Error() string { return e.Path + ": " + e.Problem }

// Problems is every FieldError of one set of properties.
type Problems []FieldError

func (p Problems) Error() string {
	texts := make([]string, 0, len(p))
	for _, problem := range p {
		texts = append(texts, problem.Error())
	}
	return strings.Join(texts, "; ")
}

// reader takes values out of decoded JSON and gathers what is wrong with them.
// CloudFormation hands every scalar over as a string ("true", "6060"), and an
// empty string is how a template leaves a property out; test events and other
// engines send numbers and booleans as such. So a scalar is any of these.
type reader struct{ problems Problems }

func (r *reader) problem(path, format string, args ...any) {
	r.problems = append(r.problems, FieldError{Path: path, Problem: fmt.Sprintf(format, args...)})
}

// isAbsent says whether a value counts as not written.
func isAbsent(value any) bool { return value == nil || value == "" }

// scalar reads a value that is text in the end; ok is false, and the problem
// noted, for a list or a map. Absence is the empty text.
func (r *reader) scalar(path string, value any) (text string, ok bool) {
	switch value := value.(type) {
	case nil:
		return "", true
	case string:
		return strings.TrimSpace(value), true
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
		r.problem(path, "%q is not known; write %s, or leave it out for %s", text, strings.Join(words, " or "), words[0])
		return words[0]
	default:
		return word
	}
}

// flag reads true or false; absence is false.
func (r *reader) flag(path string, value any) bool {
	return r.word(path, value, "false", "true") == "true"
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

// object reads a map and refuses keys that it does not know.
func (r *reader) object(path string, value any, known ...string) map[string]any {
	object, ok := value.(map[string]any)
	if !ok {
		r.problem(path, "must be a map with the keys %s, not %s", strings.Join(known, ", "), kind(value))
		return nil
	}
	for _, key := range sortedKeys(object) {
		if !slices.Contains(known, key) {
			r.problem(join(path, key), "unknown property; %s", instead(key, known))
		}
	}
	return object
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

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

// instead proposes the known word nearest to a misspelled one, or all of them.
func instead(word string, known []string) string {
	for _, candidate := range known {
		if distance(strings.ToLower(word), strings.ToLower(candidate)) <= 2 {
			return "did you mean " + candidate + "?"
		}
	}
	return "known here are " + strings.Join(known, ", ")
}

// distance is the number of letters to insert, delete or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
