// Package task runs what takes its time: a panic in it becomes an error, and it waits no longer
// than its context lasts. A panic in a goroutine would end the
// process before CloudFormation is answered, and the stack would hang.
package task

import (
	"fmt"
	"runtime/debug"
)

// PanicError is a panic that was caught. Its text is fit for a stack event; the
// stack trace is for the log.
type PanicError struct {
	Value any
	Stack string
}

func (e *PanicError) Error() string { return fmt.Sprintf("the function panicked: %v", e.Value) }

// Remedy is one sentence of what to do.
func (e *PanicError) Remedy() string {
	return "This is a bug of the provider: please report it with the log."
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
