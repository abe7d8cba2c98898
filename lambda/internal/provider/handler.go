// Package provider is the custom resource: it takes a request of CloudFormation
// through to its answer. Everything else is a step on that way.
package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/fence"
	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/sg"
	"sgchain/lambda/internal/task"
)

const (
	// reserve is what is kept of the time for the answer.
	reserve = 15 * time.Second
	// grace is how long work may take to stop once its time is over.
	grace = 5 * time.Second
	// sendUntil is how long before the function is ended the last try to answer
	// ends.
	sendUntil = 500 * time.Millisecond
)

// Handler serves the requests of one provider. One Handler may serve many
// requests, one after the other or at once.
type Handler struct {
	EC2            sg.API
	CloudFormation fence.API
	Responder      protocol.Responder
	// Provider is the value of the ownership tag sgchain:provider.
	Provider string
	// FenceOnlyLogs is for MiniStack, which does not keep the statuses that the
	// fence reads: a request that looks over goes on.
	FenceOnlyLogs bool
	// EnforceGuardrails takes no notice of chains that ask for warnings in place of refusals.
	EnforceGuardrails bool
	// Repairs admits the action repair. Every Update and Delete then waits until one that
	// may be alive cannot write any more.
	Repairs bool
	// Moves admits MovedFrom. Every Delete then waits until a move that may be alive cannot write any more.
	Moves   bool
	Limiter *sg.Limiter
	Log     *slog.Logger
	// Misconfigured is why the function cannot work; every request is then
	// answered with it.
	Misconfigured error
	// LogPlace says where the log is, for the end of messages; may be empty.
	LogPlace string
}

// outcome is what a request came to.
type outcome struct {
	physicalID string
	attributes map[string]string
	writes     int64 // calls of EC2 that change something
	err        error
	began      time.Time // when the request came
}

// Handle answers a request. Its error is for Lambda, which then delivers the
// event again: only where no answer could be delivered. FunctionARN is the ARN
// by which the function was invoked.
func (h *Handler) Handle(ctx context.Context, functionARN string, raw json.RawMessage) error {
	event, decodeErr := protocol.Decode(raw)
	if err := h.Responder.Check(event.ResponseURL); err != nil {
		return errors.Join(decodeErr, err)
	}
	log := h.Log.With(slog.String("request", event.RequestID), slog.String("type", string(event.RequestType)),
		slog.String("stack", event.StackID), slog.String("resource", event.LogicalResourceID), slog.String("physicalId", event.PhysicalResourceID))
	started := time.Now()
	log.Info("request")

	result := outcome{physicalID: event.PhysicalResourceID, err: decodeErr}
	if decodeErr == nil {
		result = h.inTime(ctx, log, functionARN, event)
	}
	result.began = started
	return h.answer(ctx, log, event, result)
}

// inTime does the work and comes back before the function is ended, whatever the
// work does.
func (h *Handler) inTime(ctx context.Context, log *slog.Logger, functionARN string, event protocol.Event) outcome {
	deadline := h.deadline(ctx, event)
	work := context.WithoutCancel(ctx)
	work, cancel := context.WithDeadlineCause(work, deadline, timeIsUpError{})
	defer cancel()
	done := make(chan outcome, 1)
	go func() {
		var result outcome
		if err := task.Run(func() error {
			result = h.serve(work, log, functionARN, event)
			return nil
		}); err != nil {
			result = outcome{physicalID: fallbackID(event), err: err}
		}
		if result.err != nil && work.Err() != nil {
			result.err = fmt.Errorf("%w (%w)", result.err, timeIsUpError{})
		}
		done <- result
	}()
	late := time.NewTimer(time.Until(deadline) + grace)
	defer late.Stop()
	select {
	case result := <-done:
		return result
	case <-late.C:
		return outcome{physicalID: fallbackID(event), err: timeIsUpError{}}
	}
}

// deadline is when the work has to end: before the function is ended, and before
// CloudFormation stops waiting.
func (h *Handler) deadline(ctx context.Context, event protocol.Event) time.Time {
	now := time.Now()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = now.Add(chain.FunctionTimeout * time.Second)
	}
	if patience := protocol.ServiceTimeout(event); patience > 0 {
		made := protocol.Made(event)
		if made.IsZero() {
			made = now
		}
		if end := made.Add(patience); end.Before(deadline) {
			deadline = end
		}
	}
	return deadline.Add(-reserve)
}
