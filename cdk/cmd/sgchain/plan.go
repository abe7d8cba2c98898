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

// asking has the fields that plan and check share.
type asking struct {
	env      environment
	question ask.Question
	options  account.Options
	format   string
	detailed bool
}

// addFlags adds the flags that both share.
func (a *asking) addFlags(cmd *cobra.Command, formats ...string) {
	cmd.Flags().StringVar(&a.question.Chain, "chain", "", "the chain's logical `ID`, if the stack has several")
	addFormat(cmd, &a.format, formats...)
	cmd.Flags().BoolVar(&a.detailed, "detailed-exitcode", false, "exit with 2 for changes or differences, as terraform plan does")
	addAccountFlags(cmd, &a.options)
	cmd.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return fail(checkFlags(cmd)) }
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fail(err) })
	cmd.Args = func(_ *cobra.Command, arguments []string) error {
		if len(arguments) > 1 {
			return fail(fmt.Errorf("%d stacks are named; name one", len(arguments)))
		}
		a.question.Stack = strings.Join(arguments, "")
		return nil
	}
}

// fail makes any error exit with 1: with --detailed-exitcode, 2 means changes.
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
		// This finds problems before an account is needed.
		_, err := ask.Ask(ctx, ask.Deployed{}, nil, a.question)
		return err
	}
	config, err := account.Load(ctx, a.options)
	if err != nil {
		return err
	}
	// The function may take ten minutes, and its answer has the first byte of the response.
	config.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = ask.Patience })
	done := terminal.Progress(a.env.err, "waiting for the function of stack "+a.question.Stack)
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
		_, _ = fmt.Fprintf(a.env.err, "chain %s of stack %s\n", report.Chain, a.question.Stack) // a stack may have several
	}
	if _, err := io.WriteString(a.env.out, text); err != nil {
		return err
	}
	switch {
	case !report.Decided():
		return &exitError{exitFound, nil} // the report has the reason
	case a.detailed && report.Changes():
		return &exitError{exitChanges, nil}
	}
	return nil
}

func newPlan(env environment) *cobra.Command {
	a := &asking{env: env, question: ask.Question{Action: chain.ActionPlan}}
	var file string
	var parameters []string
	cmd := &cobra.Command{
		Use:   "plan STACK [-f TEMPLATE [-p KEY=VALUE]...]",
		Short: "Show what an update of a deployed chain would change in EC2 now",
		Long: `Ask the function that serves a stack's chain what an update would change now: the calls
of the update, those of its cleanup, and why it would be refused. Nothing is changed.

Without -f, plan the deployed chain. With -f, plan the chain of a template file.
Parameters have the stack's values, unless -p sets others.

The exit code is 0, or 1 if the update would be refused or the plan failed. With
--detailed-exitcode it is 0 if nothing would change, 2 if something would.`,
		Example: `  sgchain plan Shop
  sgchain plan Shop -f template.yaml -p Environment=prod
  sgchain plan Shop --tiers '[{"Name": "Alb", "Ports": [443]}]'
  sgchain plan Shop --format mermaid`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" && len(parameters) > 0 {
				return fail(errors.New("-p sets parameters of a template file; add -f, or remove -p"))
			}
			if file != "" {
				read, err := readFile(file, env, parameters)
				if err != nil {
					return fail(err)
				}
				a.question.File = read
			}
			return fail(a.run(cmd.Context()))
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "plan the template in this `file` (- for standard input)")
	cmd.Flags().StringArrayVarP(&parameters, "parameter", "p", nil, "set a parameter of that file, as `KEY=VALUE`")
	cmd.Flags().StringVar(&a.question.Changes.Tiers, "tiers", "", "plan these tiers, a list in `JSON`, instead of the stack's")
	cmd.Flags().StringVar(&a.question.Changes.VPC, "vpc", "", "plan for the VPC with this `ID` instead of the stack's")
	cmd.Flags().StringVar(&a.question.Changes.Guardrails, "guardrails", "", "plan with Guardrails `enforce` or warn instead of the stack's")
	a.addFlags(cmd, "text", "json", "mermaid")
	return cmd
}

func newCheck(env environment) *cobra.Command {
	a := &asking{env: env, question: ask.Question{Action: chain.ActionCheck}}
	cmd := &cobra.Command{
		Use:   "check STACK",
		Short: "Show how a deployed chain differs from its template",
		Long: `Ask the function that serves a stack's chain whether its security groups, rules and tags
match the template. Nothing is changed.

The exit code is 0, or 1 if the check failed. With --detailed-exitcode it is 0 if nothing
differs, 2 if something does.`,
		Example: `  sgchain check Shop
  sgchain check Shop --detailed-exitcode --format json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return fail(a.run(cmd.Context())) },
	}
	a.addFlags(cmd, "text", "json")
	return cmd
}

// readFile reads a template and its given parameters.
func readFile(name string, env environment, parameters []string) (*ask.File, error) {
	values, err := parameterValues(parameters)
	if err != nil {
		return nil, err
	}
	file := &ask.File{Name: name, Parameters: values.Parameters}
	if name == "-" {
		file.Name = "standard input"
		file.Text, err = io.ReadAll(env.in)
	} else {
		file.Text, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the template: %w", err)
	}
	return file, nil
}
