package chain

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// FieldError is one problem in what the author wrote.
type FieldError struct {
	Path    string // as in "Tiers[1].Ports[0]"; empty for the number of problems that are left out
	Problem string // what is wrong and what to write instead
}

func (e FieldError) Error() string {
	if e.Path == "" {
		return e.Problem
	}
	return e.Path + ": " + e.Problem
}

// maxProblems is how many problems are put into words. An answer has room for fewer.
const maxProblems = 100

// Problems is every FieldError of one set of properties. Of more than 100 the last
// one says how many more there are.
type Problems []FieldError

func (p Problems) Error() string {
	texts := make([]string, 0, len(p))
	for _, problem := range p {
		texts = append(texts, problem.Error())
	}
	return strings.Join(texts, "; ")
}

// problem notes a problem. Arguments that take work are Stringers: they are not asked
// once there are enough problems.
func (r *reader) problem(path, format string, args ...any) {
	r.found++
	if r.found <= maxProblems {
		r.problems = append(r.problems, FieldError{Path: path, Problem: fmt.Sprintf(format, args...)})
	}
}

// err is the problems that were found, or nil.
func (r *reader) err() error {
	if r.found == 0 {
		return nil
	}
	if more := r.found - len(r.problems); more > 0 {
		return append(r.problems, FieldError{Problem: fmt.Sprintf("and %d more", more)})
	}
	return r.problems
}

// maxQuoted is how many bytes of what the author wrote a problem repeats.
const maxQuoted = 60

// clip cuts a text at the edge of a character, so that a problem stays short.
func clip(text string) string {
	if len(text) <= maxQuoted {
		return text
	}
	end := maxQuoted
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "..."
}

// clipped prints as itself, cut.
type clipped string

func (c clipped) String() string { return clip(string(c)) }

// quoted prints in quotes, cut.
type quoted string

func (q quoted) String() string { return strconv.Quote(clip(string(q))) }

// tierList prints as the first of the names.
type tierList []string

func (l tierList) String() string {
	const most = 20
	if len(l) <= most {
		return strings.Join(l, ", ")
	}
	return strings.Join(l[:most], ", ") + " and " + strconv.Itoa(len(l)-most) + " more"
}

// hint prints as the known word nearest to a misspelled one, or as all of them.
type hint struct {
	word  string
	known []string
}

func (h hint) String() string {
	const near = 2
	for _, candidate := range h.known {
		// Words whose lengths differ by more are further apart, and need not be compared.
		if gap := len(h.word) - len(candidate); gap >= -near && gap <= near && Distance(strings.ToLower(h.word), strings.ToLower(candidate)) <= near {
			return "did you mean " + candidate + "?"
		}
	}
	return "known here are " + strings.Join(h.known, ", ")
}

// Distance returns the number of letters to insert, delete or replace that makes one text the other (Levenshtein).
func Distance(a, b string) int {
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
