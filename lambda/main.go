// Command lambda is the bootstrap binary of the function that serves
// Custom::SecurityGroupChain. It only connects the parts; package provider has the behavior.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/clients"
	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/provider"
	"sgchain/lambda/internal/sg"
)

func main() {
	// Created with the first event: provisioned concurrency without invocations then needs no memory for
	// clients, and an invalid environment becomes a response.
	handler := sync.OnceValue(func() *provider.Handler {
		return newHandler(os.Getenv, slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	})
	lambda.Start(func(ctx context.Context, event json.RawMessage) (any, error) {
		arn := ""
		if invocation, ok := lambdacontext.FromContext(ctx); ok {
			arn = invocation.InvokedFunctionArn
		}
		return handler().Invoke(ctx, arn, event)
	})
}

// newHandler is the only reader of the environment. A function that cannot work still
// responds, with the reason: without a response the stack would hang.
func newHandler(getenv func(string) string, log *slog.Logger) *provider.Handler {
	handler := &provider.Handler{Provider: getenv(chain.EnvProvider), Limiter: &sg.Limiter{}, Log: log}
	built, err := clients.New(getenv, nil)
	if err == nil {
		handler.EC2, handler.CloudFormation = built.EC2, built.CloudFormation
	}
	if handler.Provider == "" {
		err = errors.Join(err, errors.New("reading environment ("+chain.EnvProvider+"): it is not set"))
	}
	handler.EnforceGuardrails = has(getenv, chain.EnvGuardrails, chain.GuardrailsEnforce, &err)
	handler.Repairs = has(getenv, chain.EnvRepair, chain.RepairAllow, &err)
	handler.Moves = has(getenv, chain.EnvMoves, chain.MovesAllow, &err)
	handler.Misconfigured = err
	handler.Responder = protocol.Responder{
		Region: getenv("AWS_REGION"), Suffix: clients.Suffix(getenv("AWS_REGION")), Emulator: getenv("SGCHAIN_EMULATOR_ENDPOINT"), Client: protocol.NewClient(), Log: log,
	}
	handler.FenceOnlyLogs = getenv("SGCHAIN_EMULATOR_FENCE") == "log"
	if handler.Responder.Emulator != "" {
		log.Warn("SGCHAIN_EMULATOR_ENDPOINT is set: responses may go to an emulator", slog.String("endpoint", handler.Responder.Emulator))
	}
	if handler.FenceOnlyLogs {
		log.Warn("SGCHAIN_EMULATOR_FENCE=log is set: requests that are over are served; never use this in AWS")
	}
	if stream := getenv("AWS_LAMBDA_LOG_STREAM_NAME"); stream != "" {
		group := getenv("AWS_LAMBDA_LOG_GROUP_NAME")
		if group == "" {
			group = "/aws/lambda/" + getenv("AWS_LAMBDA_FUNCTION_NAME")
		}
		handler.LogPlace = "CloudWatch log group " + group + ", stream " + stream
	}
	return handler
}

// has reports whether a variable has its only valid value. Unset means off. Any other value is a
// problem, since someone may have meant to set a safeguard.
func has(getenv func(string) string, name, only string, problems *error) bool {
	value := getenv(name)
	if value != "" && value != only {
		*problems = errors.Join(*problems, fmt.Errorf("reading environment (%s): unknown value %q. Use %s, or unset it", name, value, only))
	}
	return value == only
}
