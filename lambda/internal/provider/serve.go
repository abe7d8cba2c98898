package provider

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/fence"
	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/sg"
)

// run is a running request.
type run struct {
	*Handler

	log     *slog.Logger
	event   protocol.Event
	request fence.Request
	edge    *sg.Edge
	reader  fence.Reader
}

func (h *Handler) newRun(log *slog.Logger, event protocol.Event) *run {
	resource := protocol.Resource(event)
	return &run{
		Handler: h, log: log, event: event,
		request: fence.Request{Type: fence.RequestType(event.RequestType), PhysicalID: event.PhysicalResourceID, Date: protocol.Requested(event)},
		edge:    &sg.Edge{API: h.EC2, Owner: sg.Owner{Provider: h.Provider, Resource: resource}, Limiter: h.Limiter, Log: log},
		reader:  fence.Reader{API: h.CloudFormation, Resource: resource},
	}
}

// serve runs a request.
func (h *Handler) serve(ctx context.Context, log *slog.Logger, functionARN string, event protocol.Event) outcome {
	r := h.newRun(log, event)
	if err := protocol.CheckServed(event, functionARN, chain.ResourceType); err != nil {
		if refused, ok := errors.AsType[*protocol.EventError](err); ok && refused.NotServed && event.RequestType == cfn.RequestDelete {
			// The Delete that follows a refused Create. A failure would keep the stack from being
			// deleted.
			log.Warn("nothing to delete: this provider does not serve the resource", slog.String("because", err.Error()))
			return outcome{physicalID: event.PhysicalResourceID}
		}
		return outcome{physicalID: fallbackID(event), err: err}
	}
	if h.Misconfigured != nil {
		return outcome{physicalID: fallbackID(event), err: &environmentError{h.Misconfigured}}
	}
	if err := context.Cause(ctx); err != nil {
		return outcome{physicalID: fallbackID(event), err: err}
	}
	switch event.RequestType {
	case cfn.RequestDelete:
		err := r.remove(ctx)
		return outcome{physicalID: event.PhysicalResourceID, err: err, writes: r.edge.Writes()}
	case cfn.RequestCreate, cfn.RequestUpdate:
		result := r.change(ctx)
		result.writes = r.edge.Writes()
		return result
	}
	panic("a request that Decode does not let through: " + event.RequestType)
}

// stamp formats a time as the tag of an adoption has it.
func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }
