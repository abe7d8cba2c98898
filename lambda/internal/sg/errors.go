package sg

import (
	"errors"
	"slices"
	"strings"
)

func hasCode(err error, codes ...string) bool {
	var coded interface{ ErrorCode() string }
	return errors.As(err, &coded) && slices.Contains(codes, coded.ErrorCode())
}

// IsGroupNotFound says whether a group is not there, or not there yet: EC2 is
// eventually consistent after a create.
func IsGroupNotFound(err error) bool { return hasCode(err, codeGroupNotFound, codeGroupIDNotFound) }

// IsDependencyViolation says whether a group cannot be deleted because something
// uses or names it.
func IsDependencyViolation(err error) bool {
	return hasCode(err, codeDependencyViolation, codeGroupInUse)
}

// isStaleView reports whether a refusal only tells that somebody moved since the last
// observation, that a call whose answer was lost took effect, or that it is not known
// whether one did. Nothing else is ever made a second time; what may help there, the SDK
// has done.
func isStaleView(err error) bool { return classOf(err) == staleView || isLapsed(err) }

// isLapsed says whether the gate ended a call half way: whether it took effect is
// not known.
func isLapsed(err error) bool {
	var lapsed interface{ Lapsed() bool }
	return errors.As(err, &lapsed) && lapsed.Lapsed()
}

// Cause is the text of an error for a stack event, on one line: EC2's code and
// message without the SDK's wrapping, and without the encoded authorization
// message, which alone is longer than an answer may be.
func Cause(err error) string {
	var api interface {
		ErrorCode() string
		ErrorMessage() string
	}
	if !errors.As(err, &api) {
		return err.Error()
	}
	message, _, _ := strings.Cut(api.ErrorMessage(), "Encoded authorization failure message")
	return strings.TrimSpace(api.ErrorCode() + ": " + strings.TrimSpace(message))
}

// CallError is a call of EC2 that failed for good.
type CallError struct {
	Doing string // verb-ing noun (id)
	Err   error
}

func (e *CallError) Error() string { return e.Doing + ": " + Cause(e.Err) }

func (e *CallError) Unwrap() error { return e.Err }

// Remedy is one sentence of what to do.
func (e *CallError) Remedy() string { return Remedy(e.Err) }
