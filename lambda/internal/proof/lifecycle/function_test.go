package lifecycle_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"

	"sgchain/lambda/internal/proof/lifecycle"
	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/provider"
	"sgchain/lambda/internal/sg"
)

// inProcess is the function under test: the handler, one for each invocation, with
// what one process has in common.
func inProcess() lifecycle.Function {
	limiter := &sg.Limiter{}
	return func(ctx context.Context, delivery lifecycle.Delivery) error {
		lines := slog.New(slog.DiscardHandler)
		handler := &provider.Handler{
			Repairs: delivery.Repairs, Moves: delivery.Moves,
			EC2: delivery.EC2, CloudFormation: delivery.CloudFormation, Provider: lifecycle.Provider, Limiter: limiter, Log: lines,
			Responder: protocol.Responder{Region: "us-east-1", Suffix: "amazonaws.com", Client: &http.Client{Transport: delivery.Mail}, Log: lines},
		}
		_, err := handler.Invoke(ctx, lifecycle.FunctionARN, delivery.Event)
		return err
	}
}

// play lives a history in a bubble of virtual time.
func play(t *testing.T, h lifecycle.History, story bool) (out lifecycle.Outcome) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { out = lifecycle.Play(h, inProcess(), lifecycle.Virtual(), story) })
	return out
}

// prologue lives what histories have in common, and goOn what comes after it, each in a bubble
// of virtual time.
func prologue(t *testing.T, h lifecycle.History) (lived *lifecycle.Prologue) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { lived = lifecycle.Live(h, inProcess(), lifecycle.Virtual()) })
	return lived
}

func goOn(t *testing.T, lived *lifecycle.Prologue, steps []lifecycle.Step) (out lifecycle.Outcome) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { out = lived.Play(steps, inProcess()) })
	return out
}
