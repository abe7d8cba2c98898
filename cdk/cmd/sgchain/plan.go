package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/spf13/cobra"

	"sgchain/cdk/internal/account"
	"sgchain/cdk/internal/ask"
	"sgchain/cdk/internal/terminal"
	"sgchain/lambda/chain"
)

// asking is what plan and check have in common.
type asking struct {
	around   surroundings
	question ask.Question
	options  account.Options
	format   string
	detailed bool
}

// addFlags adds the flags of both.
func (a *asking) addFlags(cmd *cobra.Command, formats ...string) {
	cmd.Flags().StringVar(&a.question.Chain, "chain", "", "the chain's logical `ID`, where the stack has several")
	addFormat(cmd, &a.format, "how to print it", formats...)
	cmd.Flags().BoolVar(&a.detailed, "detailed-exitcode", false, "exit with 2 where something would change or differs, as terraform plan does")
	addAccountFlags(cmd, &a.options)
	cmd.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return fail(checkFlags(cmd)) }
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fail(err) })
	cmd.Args = func(_ *cobra.Command, arguments []string) error {
		if len(arguments) > 1 {
			return fail(fmt.Errorf("%d stacks are named: ask about one at a time", len(arguments)))
		}
		a.question.Stack = strings.Join(arguments, "")
		return nil
	}
}

// fail makes any error exit with 1: with --detailed-exitcode 2 means changes.
func fail(err error) error {
	if err == nil {
		return nil
	}
	if exit, isExit := errors.AsType[*exitError](err); isExit {
		return exit
	}
	return &exitError{exitFound, err}
}

func (a *asking) run(ctx context.Context) error {
	if a.question.Stack == "" {
		// Said before anything that an account is needed for.
		_, err := ask.Ask(ctx, ask.Deployed{}, nil, a.question)
		return err
	}
	config, err := account.Load(ctx, a.options)
	if err != nil {
		return err
	}
	// The function may take ten minutes, and its answer is the first byte that comes.
	config.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = ask.Patience })
	done := terminal.Progress(a.around.err, "waiting for the function of stack "+a.question.Stack)
	report, err := ask.Ask(ctx, ask.Deployed{CloudFormation: cloudformation.NewFromConfig(config), Region: config.Region}, lambda.NewFromConfig(config), a.question)
	done()
	if err != nil {
		return err
	}
	text := report.String()
	switch a.format {
	case "json":
		text = report.JSON()
	case "mermaid":
		text = report.Mermaid
	default:
		_, _ = fmt.Fprintf(a.around.err, "chain %s of stack %s\n", report.Chain, a.question.Stack) // a stack may have several
	}
	if _, err := io.WriteString(a.around.out, text); err != nil {
		return err
	}
	switch {
	case !report.Decided():
		return &exitError{exitFound, nil} // the report says why
	case a.detailed && report.Changes():
		return &exitError{exitChanges, nil}
	}
	return nil
}

func newPlan(around surroundings) *cobra.Command {
	a := &asking{around: around, question: ask.Question{Action: chain.ActionPlan}}
	var file string
	var parameters []string
	cmd := &cobra.Command{
		Use:   "plan STACK [-f TEMPLATE [-p KEY=VALUE]...]",
		Short: "Show what an update of a deployed chain would change in EC2 as it is now",
		Long: `Ask the function that serves the chain of a stack what an update would change now: the
calls of the update, those of its cleanup, and what it would be refused for. Nothing is
changed.

Without -f the plan is about the chain as it is deployed. With -f it is about the chain
in a template file; parameters are those of the stack, unless -p gives others.

The exit code is 0, or 1 where the update would be refused or the plan failed. With
--detailed-exitcode it is 0 if nothing would change, 2 if something would.`,
		Example: `  sgchain plan Shop
  sgchain plan Shop -f template.yaml -p Environment=prod
  sgchain plan Shop --tiers '[{"Name": "Alb", "Ports": [443]}]'
  sgchain plan Shop --format mermaid`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" && len(parameters) > 0 {
				return fail(errors.New("-p gives parameters to a template file: add -f, or leave it out"))
			}
			if file != "" {
				read, err := readFile(file, around, parameters)
				if err != nil {
					return fail(err)
				}
				a.question.File = read
			}
			return fail(a.run(cmd.Context()))
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "a template `file` to plan, in place of the deployed one; - for standard input")
	cmd.Flags().StringArrayVarP(&parameters, "parameter", "p", nil, "a parameter of that file, as `KEY=VALUE`")
	cmd.Flags().StringVar(&a.question.Changes.Tiers, "tiers", "", "plan these tiers, a list in `JSON`, in place of the stack's")
	cmd.Flags().StringVar(&a.question.Changes.VPC, "vpc", "", "plan for the VPC of this `ID`, in place of the stack's")
	cmd.Flags().StringVar(&a.question.Changes.Guardrails, "guardrails", "", "plan with Guardrails `enforce` or warn, in place of the stack's")
	a.addFlags(cmd, "text", "json", "mermaid")
	return cmd
}

func newCheck(around surroundings) *cobra.Command {
	a := &asking{around: around, question: ask.Question{Action: chain.ActionCheck}}
	cmd := &cobra.Command{
		Use:   "check STACK",
		Short: "Show in what a deployed chain differs from its template",
		Long: `Ask the function that serves the chain of a stack whether its security groups, rules and
tags are as the template says. Nothing is changed.

The exit code is 0, or 1 where the check could not be made. With --detailed-exitcode it
is 0 if nothing differs, 2 if something does.`,
		Example: `  sgchain check Shop
  sgchain check Shop --detailed-exitcode --format json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return fail(a.run(cmd.Context())) },
	}
	a.addFlags(cmd, "text", "json")
	return cmd
}

// readFile reads a template and the parameters that are given for it.
func readFile(name string, around surroundings, parameters []string) (*ask.File, error) {
	values, err := parameterValues(parameters)
	if err != nil {
		return nil, err
	}
	file := &ask.File{Name: name, Parameters: values.Parameters}
	if name == "-" {
		file.Name = "standard input"
		file.Text, err = io.ReadAll(around.in)
	} else {
		file.Text, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the template: %w", err)
	}
	return file, nil
}
