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

// inProcess returns the function under test: one handler for each invocation, and the state that
// one process shares.
func inProcess() lifecycle.Function {
	limiter := &sg.Limiter{}
	return func(ctx context.Context, delivery lifecycle.Delivery) error {
		lines := slog.New(slog.DiscardHandler)
		handler := &provider.Handler{
			Repairs: delivery.Repairs, Moves: delivery.Moves,
			EC2: delivery.EC2, CloudFormation: delivery.CloudFormation, Provider: lifecycle.Provider, Limiter: limiter, Log: lines,
			Responder: protocol.Responder{Region: "us-east-1", Suffix: "amazonaws.com", Client: &http.Client{Transport: delivery.Bucket}, Log: lines},
		}
		_, err := handler.Invoke(ctx, lifecycle.FunctionARN, delivery.Event)
		return err
	}
}

// play plays a history in a bubble of virtual time.
func play(t *testing.T, h lifecycle.History, story bool) (out lifecycle.Outcome) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { out = lifecycle.Play(h, inProcess(), lifecycle.Virtual(), story) })
	return out
}

// prologue plays the steps that histories share, and continueFrom the steps after them. Each runs
// in its own bubble of virtual time.
func prologue(t *testing.T, h lifecycle.History) (start *lifecycle.Prologue) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { start = lifecycle.PlayPrologue(h, inProcess(), lifecycle.Virtual()) })
	return start
}

func continueFrom(t *testing.T, start *lifecycle.Prologue, steps []lifecycle.Step) (out lifecycle.Outcome) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { out = start.Play(steps, inProcess()) })
	return out
}
