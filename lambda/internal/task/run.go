// Package task runs tasks that may panic, and waits within a context. A panic becomes an error:
// in a goroutine it would end the process before CloudFormation gets a response, and the stack
// would hang.
package task

import (
	"fmt"
	"runtime/debug"
)

// PanicError reports a recovered panic. Its text is suitable for a stack event. The
// stack trace is for the log.
type PanicError struct {
	Value any
	Stack string
}

func (e *PanicError) Error() string { return fmt.Sprintf("the function panicked: %v", e.Value) }

// Remedy returns what to do about it.
func (e *PanicError) Remedy() string {
	return "This is a bug in the provider. Report it with the log."
}

// Run runs a task and returns its error, or its panic as a [PanicError].
func Run(task func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = &PanicError{Value: cause, Stack: string(debug.Stack())}
		}
	}()
	return task()
}
