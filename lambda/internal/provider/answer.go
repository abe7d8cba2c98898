package provider

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/protocol"
)

// answer tells CloudFormation what a request came to, and the log and the metrics, too. The
// error is that of an answer which could not be delivered.
func (h *Handler) answer(ctx context.Context, log *slog.Logger, event protocol.Event, result outcome) error {
	response := protocol.Succeeded(event, result.physicalID, result.attributes)
	if result.err != nil {
		response = protocol.Failed(event, result.physicalID, h.reason(result.err))
		log.Error("failed", slog.String("error", result.err.Error()))
		logPanic(log, result.err)
	}
	until, cancel := lastMoment(ctx)
	defer cancel()
	err := h.Responder.Send(until, event.ResponseURL, protocol.Encode(response))
	took := time.Since(result.began)
	log.Info("answered", slog.String("status", string(response.Status)), slog.String("answeredId", response.PhysicalResourceID),
		slog.Bool("delivered", err == nil), slog.Int64("milliseconds", took.Milliseconds()))
	measure(log, event, result, err == nil, took)
	return err
}

// lastMoment is the context for the answer: nearly all that is left.
func lastMoment(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-sendUntil))
	}
	return context.WithTimeout(ctx, reserve)
}

// fallbackID is the physical ID of an answer when the work did not come to one:
// the incoming one, and for a Create the one that the chain would have had, so
// that the Delete that follows finds what was made.
func fallbackID(event protocol.Event) string {
	if event.RequestType != cfn.RequestCreate {
		return event.PhysicalResourceID
	}
	spec, err := chain.ParseBuilt(event.ResourceProperties)
	if err != nil {
		return chain.PhysicalID(protocol.Resource(event), nil)
	}
	return chain.PhysicalID(protocol.Resource(event), spec.Identities())
}
