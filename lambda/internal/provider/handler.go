// Package provider implements the custom resource: it takes a request of CloudFormation from its
// event to its answer.
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
	// reserve is the part of the time that is kept for the answer.
	reserve = 15 * time.Second
	// grace is how long the work may take to stop after its time is up.
	grace = 5 * time.Second
	// sendUntil is how long before the end of the function the last attempt to answer ends.
	sendUntil = 500 * time.Millisecond
)

// Handler serves the requests of one provider. It may serve several at once.
type Handler struct {
	EC2            sg.API
	CloudFormation fence.API
	Responder      protocol.Responder
	// Provider is the value of the ownership tag sgchain:provider.
	Provider string
	// FenceOnlyLogs is for MiniStack, which does not keep the statuses that the fence reads. A
	// request that seems to be over continues.
	FenceOnlyLogs bool
	// EnforceGuardrails ignores the property Guardrails: warn.
	EnforceGuardrails bool
	// Repairs allows the action repair. Every Update and Delete then waits until a repair that may
	// still run can no longer write.
	Repairs bool
	// Moves allows MovedFrom. Every Delete then waits until a move that may still run can no longer
	// write.
	Moves   bool
	Limiter *sg.Limiter
	Log     *slog.Logger
	// Misconfigured is why the function cannot work. Every request is answered with it.
	Misconfigured error
	// LogPlace names the place of the log, for the end of messages. It may be empty.
	LogPlace string
}

// outcome is the result of a request.
type outcome struct {
	physicalID string
	attributes map[string]string
	writes     int64 // EC2 calls that change something
	err        error
	began      time.Time // when the request arrived
}

// Handle answers a request. It returns an error only if no answer could be delivered: Lambda then
// delivers the event again. FunctionARN is the ARN by which the function was invoked.
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

// inTime does the work, and returns before the function ends even if the work does not.
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
		if result.err != nil && work.Err() != nil && !errors.Is(result.err, timeIsUpError{}) {
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

// deadline returns when the work has to end: before the function does, and before CloudFormation
// stops waiting.
func (h *Handler) deadline(ctx context.Context, event protocol.Event) time.Time {
	now := time.Now()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = now.Add(chain.FunctionTimeout * time.Second)
	}
	if timeout := protocol.ServiceTimeout(event); timeout > 0 {
		requested := protocol.Requested(event)
		if requested.IsZero() {
			requested = now
		}
		if end := requested.Add(timeout); end.Before(deadline) {
			deadline = end
		}
	}
	return deadline.Add(-reserve)
}
