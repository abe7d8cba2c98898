// Package ask asks the function that serves a chain what an update would change now, or how the
// groups differ from the template. It changes nothing.
package ask

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/inventory"
)

// Patience is how long an HTTP client has to wait for the function's answer: its time limit and a
// minute.
const Patience = (chain.FunctionTimeout + 60) * time.Second

// Invoker is the part of Lambda's API that is used.
type Invoker interface {
	Invoke(ctx context.Context, input *lambda.InvokeInput, options ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

// Question is a question about a chain.
type Question struct {
	Stack  string // name or ID
	Action string // [chain.ActionPlan] or [chain.ActionCheck]
	// Chain is the logical ID of the chain. It may be empty if the stack has one chain.
	Chain string
	// File is a template that a plan reads instead of the stack's. It is nil for the stack's.
	File *File
	// Changes are properties that a plan uses instead of the stack's.
	Changes Changes
}

// Changes are properties that replace others. Empty ones replace nothing.
type Changes struct {
	Tiers      string // a list in JSON
	VPC        string
	Guardrails string
}

// check refuses a question that cannot be answered.
func (q Question) check() error {
	switch {
	case q.Stack == "":
		return errors.New("the stack is missing; name the stack that has the chain, as in sgchain plan Shop")
	case !slices.Contains([]string{chain.ActionPlan, chain.ActionCheck}, q.Action):
		return fmt.Errorf("unknown action %q; use plan or check", q.Action)
	case q.Action == chain.ActionCheck && (q.Changes != (Changes{}) || q.File != nil):
		return errors.New("a check compares the chain with its own template; remove other tiers, VPC, guardrails and templates")
	case q.File != nil && q.Changes != (Changes{}):
		return fmt.Errorf("%s has the tiers, VPC and guardrails; remove --tiers, --vpc and --guardrails", q.File.Name)
	}
	return nil
}

// apply returns properties with the changes.
func (c Changes) apply(properties json.RawMessage) (json.RawMessage, error) {
	if c == (Changes{}) {
		return properties, nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(properties, &all); err != nil {
		return nil, fmt.Errorf("reading the properties of the chain: %w", err)
	}
	if c.Tiers != "" {
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(c.Tiers), &list); err != nil {
			return nil, fmt.Errorf("reading the tiers: %w. Write a list in JSON on one line, such as '[{\"Name\": \"Alb\", \"Ports\": [80, 443]}]'", err)
		}
		all["Tiers"] = json.RawMessage(c.Tiers)
	}
	for key, value := range map[string]string{"VpcId": c.VPC, "Guardrails": c.Guardrails} {
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

// Ask asks the function. The error names the call that failed and the remedy.
func Ask(ctx context.Context, deployed Deployed, functions Invoker, question Question) (Report, error) {
	if err := question.check(); err != nil {
		return Report{}, err
	}
	target, err := deployed.Find(ctx, question)
	if err != nil {
		return Report{}, err
	}
	if target.Properties, err = question.Changes.apply(target.Properties); err != nil {
		return Report{}, err
	}
	payload, err := json.Marshal(map[string]any{
		"action": question.Action, "StackId": target.StackID, "LogicalResourceId": target.LogicalID, "ResourceProperties": target.Properties,
	})
	if err != nil {
		return Report{}, fmt.Errorf("encoding the question: %w", err)
	}
	answer, err := invoke(ctx, functions, target.Function, payload)
	if err != nil {
		return Report{}, fmt.Errorf("invoking the function of stack %s (%s): %w", question.Stack, target.Function, err)
	}
	report, err := readReport(question, answer)
	report.Chain = target.LogicalID
	return report, err
}

// invoke returns the function's answer.
func invoke(ctx context.Context, functions Invoker, function string, payload []byte) ([]byte, error) {
	answer, err := functions.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, InvocationType: types.InvocationTypeRequestResponse, Payload: payload})
	if err != nil {
		return nil, &inventory.CallError{Action: "lambda:InvokeFunction", Doing: "waiting for its answer", Err: err}
	}
	if answer.FunctionError == nil {
		return answer.Payload, nil
	}
	var failed struct{ ErrorMessage string }
	if err := json.Unmarshal(answer.Payload, &failed); err != nil || failed.ErrorMessage == "" {
		return nil, fmt.Errorf("it failed (%s): %.200s", aws.ToString(answer.FunctionError), answer.Payload)
	}
	return nil, errors.New(failed.ErrorMessage)
}

// Report is the function's answer. docs/asking.md describes its fields.
type Report struct {
	Chain       string `json:"-"` // the logical ID that was asked about
	Result      string
	Text        string
	Differences int
	Cleanup     []json.RawMessage
	Warnings    []string
	Mermaid     string

	raw []byte
}

func readReport(question Question, answer []byte) (Report, error) {
	var answered struct {
		Text *string
		Report
	}
	if err := json.Unmarshal(answer, &answered); err != nil || answered.Text == nil {
		return Report{}, fmt.Errorf("reading the answer for stack %s: %.200q has no text. If the function is of an older release, update its provider", question.Stack, answer)
	}
	answered.Report.Text, answered.raw = *answered.Text, answer
	return answered.Report, nil
}

// Changes reports whether an update would change something, or the groups differ from the template.
func (r Report) Changes() bool { return r.Differences > 0 || len(r.Cleanup) > 0 }

// Decided reports whether the function did what was asked instead of refusing: the update is
// possible, or the check was made.
func (r Report) Decided() bool {
	return slices.Contains([]string{chain.ResultPlan, chain.ResultInSync, chain.ResultDrift}, r.Result)
}

// String returns the report for people.
func (r Report) String() string {
	var text strings.Builder
	text.WriteString(strings.TrimRight(r.Text, "\n") + "\n")
	for _, warning := range r.Warnings {
		text.WriteString("warning: " + warning + "\n")
	}
	return text.String()
}

// JSON returns the answer itself, indented.
func (r Report) JSON() string {
	var text bytes.Buffer
	if err := json.Indent(&text, r.raw, "", "  "); err != nil {
		panic(fmt.Errorf("indenting valid JSON: %w", err))
	}
	return text.String() + "\n"
}
