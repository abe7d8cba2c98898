package provider

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/protocol"
)

// answer sends the result of a request to CloudFormation, and writes it to the log and the metrics.
// It returns an error if the answer could not be delivered.
func (h *Handler) answer(ctx context.Context, log *slog.Logger, event protocol.Event, result outcome) error {
	response := protocol.Succeeded(event, result.physicalID, result.attributes)
	if result.err != nil {
		response = protocol.Failed(event, result.physicalID, h.reason(result.err))
		logFailure(log, oneLine(result.err), result.err)
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

// lastMoment returns the context for the answer. It uses nearly all the time that is left.
func lastMoment(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-sendUntil))
	}
	return context.WithTimeout(ctx, reserve)
}

// fallbackID returns the physical ID to answer with if the work returned none: the incoming one.
// For a Create it is the one that the chain would have had, so that the Delete that follows finds
// its groups.
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
