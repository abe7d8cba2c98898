package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/fence"
	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/sg"
	"sgchain/lambda/internal/task"
)

// judge makes the fence's verdict, or only logs it.
func (r *run) judge(verdict func(fence.Reading) error) func(fence.Reading) error {
	return func(now fence.Reading) error {
		err := verdict(now)
		if err != nil && r.FenceOnlyLogs {
			r.log.Warn("the fence only logs", slog.String("over", err.Error()))
			return nil
		}
		return err
	}
}

// look reads CloudFormation and EC2 at the same time, with what else there is to be
// asked for. Where an older run may be alive it waits until that one cannot write any
// more, and looks again. So it does where what EC2 shows is odd for the request: it may be
// the past.
func (r *run) look(ctx context.Context, over func(fence.Reading) error, also func(context.Context) error, odd func(sg.Observed) bool) (fence.Reading, sg.Observed, error) {
	reading, observed, err := r.lookOnce(ctx, over, also, sg.Observed{})
	if err != nil || (!odd(observed) && !fence.OlderMayRun(r.request, reading) && !r.repairMayRun()) {
		return reading, observed, err
	}
	r.log.Info("an older run may be alive: waiting", slog.Duration("wait", fence.Settle))
	if err := task.Sleep(ctx, fence.Settle); err != nil {
		return reading, observed, err
	}
	return r.lookOnce(ctx, over, nil, observed)
}

// lookOnce looks; groups that are known have to be shown.
func (r *run) lookOnce(ctx context.Context, over func(fence.Reading) error, also func(context.Context) error, known sg.Observed) (fence.Reading, sg.Observed, error) {
	var observed sg.Observed
	seen := aside(func() (err error) {
		observed, err = r.edge.ObserveAgain(ctx, known)
		return err
	})
	asked := aside(func() error {
		if also == nil {
			return nil
		}
		return also(ctx)
	})
	reading, err := r.reader.Read(ctx)
	errEC2 := errors.Join(<-seen, <-asked)
	if err != nil {
		return reading, observed, errors.Join(&statusError{err}, context.Cause(ctx))
	}
	r.log.Info("status", slog.String("reading", reading.String()))
	if reading.ResourceType != "" && reading.ResourceType != chain.ResourceType {
		return reading, observed, &protocol.EventError{
			Problem: fmt.Sprintf("checking event: the stack records %s as %.60q, which is not %s", r.event.LogicalResourceID, reading.ResourceType, chain.ResourceType),
			Todo:    ownType,
		}
	}
	if over != nil {
		if err = r.judge(over)(reading); err != nil {
			return reading, observed, err
		}
	}
	return reading, observed, errEC2
}

// aside does something in a goroutine of its own.
func aside(do func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- task.Run(do) }()
	return done
}

// isBack says whether CloudFormation takes an operation back.
func isBack(now fence.Reading) bool { return strings.Contains(now.Stack, "ROLLBACK") }
