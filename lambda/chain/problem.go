package chain

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// FieldError is one problem with a property.
type FieldError struct {
	Path    string // such as "Tiers[1].Ports[0]"; empty for the number of omitted problems
	Problem string // the cause and the remedy: "cause. Remedy."
}

func (e FieldError) Error() string {
	if e.Path == "" {
		return e.Problem
	}
	return e.Path + ": " + e.Problem
}

// maxProblems limits how many problems get a text. An answer has room for fewer.
const maxProblems = 100

// Problems has every FieldError of one set of properties. If there are more than 100, the last
// one says how many were omitted.
type Problems []FieldError

// Error returns all problems on one line, as [Numbered] does. The number of omitted problems is at
// the end.
func (p Problems) Error() string {
	lines := p.Lines()
	count := min(len(lines), maxProblems)
	text := Numbered(lines[:count])
	if count < len(lines) {
		text += " " + lines[count]
	}
	return text
}

// Numbered returns several problems on one line: "2 problems: (1) ... (2) ...". A single problem has
// no number.
func Numbered(lines []string) string {
	if len(lines) == 1 {
		return lines[0]
	}
	text := strconv.Itoa(len(lines)) + " problems:"
	for i, line := range lines {
		text += " (" + strconv.Itoa(i+1) + ") " + line //nolint:modernize // a builder makes the function larger, and problems are few
	}
	return text
}

// Lines returns one line for each problem, without numbers.
func (p Problems) Lines() []string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return lines
}

// problem adds a problem: "cause. Remedy." Arguments that are costly to print are Stringers, so
// that nothing prints them once there are enough problems.
func (r *reader) problem(path, format string, args ...any) {
	r.found++
	if r.found <= maxProblems {
		r.problems = append(r.problems, FieldError{Path: path, Problem: fmt.Sprintf(format, args...)})
	}
}

// err returns the problems that were found, or nil.
func (r *reader) err() error {
	if r.found == 0 {
		return nil
	}
	return r.all()
}

// all returns the problems that were found.
func (r *reader) all() Problems {
	if omitted := r.found - len(r.problems); omitted > 0 {
		return append(r.problems, FieldError{Problem: fmt.Sprintf("And %d more.", omitted)})
	}
	return r.problems
}

// maxQuoted limits how many bytes of a value a problem repeats.
const maxQuoted = 60

// clip shortens a text to keep a problem short. It never splits a character.
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

// clipped prints a text, shortened by [clip].
type clipped string

func (c clipped) String() string { return clip(string(c)) }

// quoted prints a text in quotes, shortened by [clip].
type quoted string

func (q quoted) String() string { return strconv.Quote(clip(string(q))) }

// tierList prints the first names of a list.
type tierList []string

func (l tierList) String() string {
	const most = 20
	if len(l) <= most {
		return strings.Join(l, ", ")
	}
	return strings.Join(l[:most], ", ") + " and " + strconv.Itoa(len(l)-most) + " more"
}

// hint prints the known word nearest to a misspelled one. If no word is near, it prints all of
// them.
type hint struct {
	word  string
	known []string
}

func (h hint) String() string {
	const near = 2
	for _, candidate := range h.known {
		// A difference in length is a lower bound of the distance.
		if gap := len(h.word) - len(candidate); gap >= -near && gap <= near && Distance(strings.ToLower(h.word), strings.ToLower(candidate)) <= near {
			return "Did you mean " + candidate + "?"
		}
	}
	return "Use one of " + strings.Join(h.known, ", ") + "."
}

// Distance returns the Levenshtein distance of two texts in bytes: how many to insert, delete or
// replace to turn one text into the other.
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
