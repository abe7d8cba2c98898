package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The outputs of a stack that can be asked.
const (
	payloadOutput  = "PlanPayload"
	functionOutput = "ProviderFunction"
)

// changes are properties that a plan is to have in place of the stack's; empty where there are
// none.
type changes struct{ tiers, vpc, guardrails string }

// apply returns properties with the changes.
func (c changes) apply(properties json.RawMessage) (json.RawMessage, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(properties, &all); err != nil {
		return nil, fmt.Errorf("reading the properties in output %s: %w", payloadOutput, err)
	}
	if c.tiers != "" {
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(c.tiers), &list); err != nil {
			return nil, fmt.Errorf("reading TIERS: %w; write a list in JSON on one line, such as TIERS='[{\"Name\": \"Alb\", \"Ports\": [80, 443]}]'", err)
		}
		all["Tiers"] = json.RawMessage(c.tiers)
	}
	for key, value := range map[string]string{"VpcId": c.vpc, "Guardrails": c.guardrails} {
		if value != "" {
			encoded, err := json.Marshal(value)
			if err != nil {
				return nil, err
			}
			all[key] = encoded
		}
	}
	return json.Marshal(all)
}

// ask returns what the function says about the stack's chain, or of what it would become with
// changes.
func ask(ctx context.Context, cli aws, stack, action string, other changes) (text string, err error) {
	if stack == "" {
		return "", errors.New("STACK is missing: write make plan STACK=Shop, the name of the stack that has the chain")
	}
	if !slices.Contains([]string{"plan", "check"}, action) {
		return "", fmt.Errorf("ACTION is %q: write plan, for what an update would change now, or check, for what differs from the template", action)
	}
	if action == "check" && other != (changes{}) {
		return "", errors.New("TIERS, VPC and GUARDRAILS say what a plan is about: leave them out with ACTION=check, which holds the stack against its own template")
	}
	outputs, err := outputsOf(ctx, cli, stack)
	if err != nil {
		return "", err
	}
	// The rest of it stays as the stack has it.
	var payload map[string]json.RawMessage
	if err := json.Unmarshal([]byte(outputs[payloadOutput]), &payload); err != nil {
		return "", fmt.Errorf("reading output %s of stack %s: %w", payloadOutput, stack, err)
	}
	if other != (changes{}) {
		if payload["ResourceProperties"], err = other.apply(payload["ResourceProperties"]); err != nil {
			return "", err
		}
	}
	payload["action"] = json.RawMessage(`"` + action + `"`)
	question, err := json.Marshal(payload)
	if err != nil {
		return "", fmt.Errorf("writing the question: %w", err)
	}
	answer, err := invoke(ctx, cli, outputs[functionOutput], question)
	if err != nil {
		return "", fmt.Errorf("asking the function of stack %s: %w", stack, err)
	}
	var said struct {
		Text     *string
		Warnings []string
	}
	if err := json.Unmarshal(answer, &said); err != nil || said.Text == nil {
		return "", fmt.Errorf("asking the function of stack %s: it answered %.200q, which has no text; is it of an older version?", stack, answer)
	}
	text = strings.TrimRight(*said.Text, "\n")
	for _, warning := range said.Warnings {
		text += "\nwarning: " + warning
	}
	return text, nil
}

func outputsOf(ctx context.Context, cli aws, stack string) (map[string]string, error) {
	said, err := cli.run(ctx, "cloudformation", "describe-stacks", "--stack-name", stack)
	if err != nil {
		// Without a Region and in another Region than the stack's, the CLI names neither the stack's nor its own.
		region := "the Region of your AWS CLI"
		if cli.region != "" {
			region = cli.region
		}
		return nil, fmt.Errorf("reading the outputs of stack %s in %s: %w (for a stack elsewhere write AWS_REGION=eu-central-1 make plan STACK=%[1]s, with its Region)", stack, region, err)
	}
	var described struct {
		Stacks []struct {
			Outputs []struct{ OutputKey, OutputValue string }
		}
	}
	if err := json.Unmarshal(said, &described); err != nil {
		return nil, fmt.Errorf("reading the outputs of stack %s: the AWS CLI said %.200q: %w", stack, said, err)
	}
	found := map[string]string{}
	for _, one := range described.Stacks {
		for _, output := range one.Outputs {
			found[output.OutputKey] = output.OutputValue
		}
	}
	for _, name := range []string{payloadOutput, functionOutput} {
		if found[name] == "" {
			return nil, fmt.Errorf("reading the outputs of stack %s: it has no output %s; the published templates and the app have it, in your own CDK app put it out (docs/cdk.md)", stack, name)
		}
	}
	return found, nil
}

// invoke returns the function's answer.
func invoke(ctx context.Context, cli aws, function string, question []byte) (answer []byte, err error) {
	work, err := os.MkdirTemp("", "sgchain-ask-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for question and answer: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	asked, answered := filepath.Join(work, "question.json"), filepath.Join(work, "answer.json")
	if err := os.WriteFile(asked, question, 0o600); err != nil {
		return nil, err
	}
	// By fileb:// both major versions of the CLI take the bytes as they are. The function
	// may run for ten minutes; the CLI would give up after one.
	said, err := cli.run(ctx, "lambda", "invoke", "--function-name", function, "--payload", "fileb://"+asked,
		"--cli-read-timeout", "660", answered)
	if err != nil {
		return nil, err
	}
	var invoked struct{ FunctionError string }
	if err := json.Unmarshal(said, &invoked); err != nil {
		return nil, fmt.Errorf("the AWS CLI said %.200q: %w", said, err)
	}
	if answer, err = os.ReadFile(answered); err != nil {
		return nil, err
	}
	if invoked.FunctionError == "" {
		return answer, nil
	}
	var failed struct{ ErrorMessage string }
	if err := json.Unmarshal(answer, &failed); err != nil || failed.ErrorMessage == "" {
		return nil, fmt.Errorf("it failed (%s): %.200s", invoked.FunctionError, answer)
	}
	return nil, errors.New(failed.ErrorMessage)
}
