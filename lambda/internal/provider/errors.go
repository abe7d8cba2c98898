package provider

import (
	"cmp"
	"errors"
	"log/slog"
	"strings"

	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/task"
)

// Remedier is an error that knows what a stack owner can do about it, in a sentence; empty
// where it does not.
type Remedier interface {
	error

	Remedy() string
}

// anyRemedy is what to do where no error knows better.
const anyRemedy = "If the cause names something to change, change it; then try again: the chain goes on from where it is. The log has what was done before."

// reason makes an error readable for a stack owner: on one line, with the first
// remedy that any error in it knows.
func (h *Handler) reason(err error) protocol.Reason {
	reason := protocol.Reason{Cause: strings.Join(strings.Split(strings.TrimSpace(err.Error()), "\n"), "; "), Remedy: cmp.Or(remedy(err), anyRemedy)}
	if h.LogPlace != "" {
		reason.Log = "Log: " + h.LogPlace + "."
	}
	return reason
}

// logPanic puts the stack trace of a panic into the log, which an answer has no room for.
func logPanic(log *slog.Logger, err error) {
	if panicked, ok := errors.AsType[*task.PanicError](err); ok {
		log.Error("panic", slog.String("stackTrace", panicked.Stack))
	}
}

func remedy(err error) string {
	if known, ok := err.(Remedier); ok && known.Remedy() != "" { //nolint:errorlint // the tree is walked here
		return known.Remedy()
	}
	switch err := err.(type) { //nolint:errorlint // the tree is walked here
	case interface{ Unwrap() error }:
		return remedy(err.Unwrap())
	case interface{ Unwrap() []error }:
		for _, one := range err.Unwrap() {
			if text := remedy(one); text != "" {
				return text
			}
		}
	}
	return ""
}

// timeIsUpError is the cause with which a request's time ends.
type timeIsUpError struct{}

func (timeIsUpError) Error() string { return "the time for this request is up" }

func (timeIsUpError) Remedy() string {
	return "Try again: the chain goes on from where it is."
}

// statusError is a status that the fence could not read.
type statusError struct{ err error }

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }
func (e *statusError) Remedy() string {
	var coded interface{ ErrorCode() string }
	if errors.As(e.err, &coded) && strings.Contains(coded.ErrorCode(), "AccessDenied") {
		return "The function's role needs cloudformation:DescribeStacks and cloudformation:DescribeStackResource on this stack."
	}
	return "" // nothing is written while the status is not known; trying again is all there is
}

// environmentError is a function that cannot work as it is deployed.
type environmentError struct{ err error }

func (e *environmentError) Error() string { return e.err.Error() }
func (e *environmentError) Unwrap() error { return e.err }
func (e *environmentError) Remedy() string {
	return "Deploy the function with the provider's own construct or template, which sets its environment."
}

// inputError is properties that cannot be built.
type inputError struct{ problems error }

func (e *inputError) Error() string { return "reading properties: " + e.problems.Error() }
func (e *inputError) Unwrap() error { return e.problems }
func (e *inputError) Remedy() string {
	return "Nothing was changed; correct the properties and deploy again."
}

// repairOffError is a repair where none is allowed.
type repairOffError struct{}

func (repairOffError) Error() string { return "repairing chain: the provider does not allow it" }
func (repairOffError) Remedy() string {
	return "Deploy the provider with AllowRepair, or with the drift guard in the mode repair."
}

// strayError is a repair of a chain of which some groups lost their tags: to make others in
// their place would leave those, and who is in them, alone.
type strayError struct{ strays []string }

func (e *strayError) Error() string { return "repairing chain: " + strings.Join(e.strays, "; ") }

func (e *strayError) Remedy() string {
	return "Nothing was changed. With the tags given back the next repair goes on; a group that is not the chain's needs another name."
}
