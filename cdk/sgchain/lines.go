package sgchain

import (
	"errors"
	"strings"
)

// lister is an error of one or several problems, such as chain.Problems and chain.GuardrailError.
type lister interface {
	error

	Lines() []string
}

// listError prints each problem of a lister on a line of its own.
type listError struct {
	lister

	advice string // sentences about all problems; may be empty
}

func (e *listError) Unwrap() error { return e.lister }

func (e *listError) Lines() []string {
	if e.advice == "" {
		return e.lister.Lines()
	}
	return append(e.lister.Lines(), e.advice)
}

func (e *listError) Error() string {
	if len(e.lister.Lines()) == 1 {
		return strings.Join(e.Lines(), " ")
	}
	return "several problems:\n  " + strings.Join(e.Lines(), "\n  ")
}

// onLines returns an error that prints each problem on a line of its own, if err has several.
func onLines(err error) error {
	if _, isPrinted := errors.AsType[*listError](err); isPrinted {
		return err
	}
	if list, isList := errors.AsType[lister](err); isList {
		return &listError{lister: list}
	}
	return err
}

// linesOf returns one line for each problem of an error.
func linesOf(err error) []string {
	if list, isList := errors.AsType[lister](err); isList {
		return list.Lines()
	}
	return []string{err.Error()}
}
