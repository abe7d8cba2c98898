package provider

import (
	"cmp"
	"errors"
	"log/slog"
	"strings"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/task"
)

// Remedier is an error that knows what a stack owner can do. Remedy returns sentences, or nothing
// if the error knows no remedy.
type Remedier interface {
	error

	Remedy() string
}

// anyRemedy is the remedy if no error in the tree has one.
const anyRemedy = "Change what the cause names, if anything, then retry the operation. It continues from the chain's current state."

// reason makes an error readable for a stack owner: on one line, with the first remedy that an error
// in its tree has.
func (h *Handler) reason(err error) protocol.Reason {
	reason := protocol.Reason{Cause: oneLine(err), Remedy: cmp.Or(remedy(err), anyRemedy)}
	if h.LogPlace != "" {
		reason.Log = "Log: " + h.LogPlace + "."
	}
	return reason
}

// oneLine returns the text of an error without the errors of the context that accompany a cause.
func oneLine(err error) string {
	return strings.NewReplacer("\ncontext canceled", "", "\ncontext deadline exceeded", "", "\n", "; ").Replace(err.Error())
}

// severalError is several errors, each with its own remedy.
type severalError []error

func (e severalError) Error() string   { return chain.Numbered(e.Lines()) }
func (e severalError) Unwrap() []error { return e }
func (e severalError) Remedy() string  { return "Then deploy again." }

// Lines returns one line for each error, with its remedy.
func (e severalError) Lines() []string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = oneLine(one) + ". " + remedy(one)
	}
	return lines
}

// logFailure logs why a request failed. Several problems are also an attribute, in which
// CloudWatch Logs shows each of them on its own line.
func logFailure(log *slog.Logger, text string, err error) {
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		if several, ok := cause.(interface{ Lines() []string }); ok {
			log = log.With(slog.Any("problems", several.Lines()))
			break
		}
	}
	log.Error("failed", slog.String("error", text))
	logPanic(log, err)
}

// logPanic writes the stack trace of a panic to the log. It does not fit in an answer.
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

// timeIsUpError is the cause with which the time of a request ends.
type timeIsUpError struct{}

func (timeIsUpError) Error() string { return "the time for this request is up" }

func (timeIsUpError) Remedy() string {
	return "Retry the operation. It continues from the chain's current state."
}

// statusError is returned if the fence could not read a status.
type statusError struct{ err error }

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }
func (e *statusError) Remedy() string {
	var coded interface{ ErrorCode() string }
	if errors.As(e.err, &coded) && strings.Contains(coded.ErrorCode(), "AccessDenied") {
		return "Allow the function's role cloudformation:DescribeStacks and cloudformation:DescribeStackResource on this stack, then retry the operation."
	}
	return "" // nothing is written while the status is unknown; only a retry helps
}

// environmentError is returned if the function cannot work as it is deployed.
type environmentError struct{ err error }

func (e *environmentError) Error() string { return e.err.Error() }
func (e *environmentError) Unwrap() error { return e.err }
func (e *environmentError) Remedy() string {
	return "Deploy the function with the provider's own construct or template, which sets its environment."
}

// inputError is returned if the properties cannot be built.
type inputError struct{ problems error }

func (e *inputError) Error() string { return "reading properties: " + e.problems.Error() }
func (e *inputError) Unwrap() error { return e.problems }
func (e *inputError) Remedy() string {
	return "Nothing was changed. Correct the properties and deploy again."
}

// repairOffError is returned for a repair that the provider does not allow.
type repairOffError struct{}

func (repairOffError) Error() string { return "repairing chain: the provider does not allow it" }
func (repairOffError) Remedy() string {
	return "Nothing was changed. Deploy the provider with AllowRepair, or set the mode of its drift guard to repair."
}

// untaggedError is returned for a repair if groups of the chain have lost their tags. Creating others
// instead would abandon those groups and their members.
type untaggedError struct{ lines []string }

func (e *untaggedError) Error() string  { return "repairing chain: " + chain.Numbered(e.lines) }
func (e *untaggedError) Remedy() string { return "Nothing was changed. Repair again." }
