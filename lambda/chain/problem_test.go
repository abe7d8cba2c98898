package chain_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"sgchain/lambda/chain"
)

// parse calls chain.Parse and checks the form of every problem. All tests use it, so that the
// problems of all their tables are checked.
func parse(tb testing.TB, properties map[string]any, answerBytes int) (chain.Spec, error) {
	tb.Helper()
	spec, err := chain.Parse(properties, answerBytes)
	if problems, refused := errors.AsType[chain.Problems](err); refused {
		for _, problem := range problems {
			checkForm(tb, problem.Problem)
		}
	}
	return spec, err
}

// checkForm fails the test unless a problem has the form "cause. Remedy." and is short.
func checkForm(tb testing.TB, problem string) {
	tb.Helper()
	if fault := faultOf(problem); fault != "" {
		tb.Errorf("%s: %s", fault, problem)
	}
}

// The parts of a problem whose words do not count: input in quotes, and lists.
var (
	quotedInput = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'.'`)
	listOfWords = regexp.MustCompile(`(a tier \(|keys |one of )[^)., ]*(?:, [^)., ]+)*`)
	// characters are those that EC2 allows, as the remedies list them.
	characters = strings.NewReplacer("._-:/()#,@[]+=&;{}!$*", "characters", "._-:/()#,@[]+=;{}!$*", "characters")
)

// faultOf returns what is wrong with the form of a problem, or "".
func faultOf(problem string) string {
	const mostWords = 40
	text := quotedInput.ReplaceAllString(characters.Replace(problem), "input")
	switch {
	case !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "?"):
		return "no full stop at the end"
	case strings.Contains(text, ";"):
		return "a semicolon"
	case len(strings.Fields(listOfWords.ReplaceAllString(text, "$1"))) > mostWords:
		return "more than 40 words"
	}
	return ""
}

func TestFaultOfFindsProblemsInAnotherForm(t *testing.T) {
	t.Parallel()
	many := strings.Repeat(" word", 41)
	for problem, want := range map[string]string{
		"port 70000 is out of range. Use a port from 0 to 65535.":                                     "",
		"unknown property. Did you mean Tiers?":                                                       "",
		`unknown peer "a; b". Write a peer.`:                                                          "",
		`"x" has characters that EC2 refuses. Use letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*.`: "",
		"unknown property. Use one of " + strings.Repeat("Ports, ", 50) + "Sources.":                  "",
		`unknown peer "` + many + `". Write a peer.`:                                                  "",
		"port 70000 is out of range; use a port from 0 to 65535.":                                     "a semicolon",
		"port 70000 is out of range. Use a port from 0 to 65535":                                      "no full stop at the end",
		"a" + many + ".": "more than 40 words",
	} {
		if got := faultOf(problem); got != want {
			t.Errorf("%s: got %q, want %q", problem, got, want)
		}
	}
}

func TestProblemsAreNumberedIfThereAreSeveral(t *testing.T) {
	t.Parallel()
	first, second := chain.FieldError{Path: "Tiers[0].Ports[0]", Problem: "port 99999 is out of range. Use a port from 0 to 65535."}, chain.FieldError{Path: "Tears", Problem: "unknown property. Did you mean Tiers?"}
	for want, problems := range map[string]chain.Problems{
		"Tiers[0].Ports[0]: port 99999 is out of range. Use a port from 0 to 65535.":                                                                  {first},
		"2 problems: (1) Tiers[0].Ports[0]: port 99999 is out of range. Use a port from 0 to 65535. (2) Tears: unknown property. Did you mean Tiers?": {first, second},
	} {
		if got := problems.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if lines := problems.Lines(); len(lines) != len(problems) || lines[0] != first.Error() {
			t.Errorf("got the lines %q", lines)
		}
	}
}
