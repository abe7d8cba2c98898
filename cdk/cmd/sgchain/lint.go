package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sgchain/cdk/internal/lint"
	"sgchain/cdk/internal/release"
	"sgchain/cdk/internal/template"
	"sgchain/cdk/internal/terminal"
)

// lintOptions are the flags of sgchain lint.
type lintOptions struct {
	parameters []string
	format     string
	strict     bool
	skipOthers bool
	listRules  bool
}

func newLint(around surroundings) *cobra.Command {
	var options lintOptions
	cmd := &cobra.Command{
		Use:   "lint FILE...",
		Short: "Check the chains of CloudFormation templates",
		Long: `Check the chains of CloudFormation templates, JSON or YAML, before they are deployed:
with the function's own parser and guardrails, and for uses of a chain that do not work.

A FILE may be a folder: every *.json, *.yaml, *.yml and *.template below it is read, and
what is no template is skipped. - is the standard input. Where a condition is not decided
by --parameter, both branches are checked, in at most 16 combinations for each chain.

Exit codes: 0 no errors, 1 errors (with --strict also warnings), 2 a file could not be
read.`,
		Example: `  sgchain lint template.yaml
  sgchain lint --strict cdk.out
  sgchain lint -p Env=prod --format sarif template.yaml >lint.sarif`,
		RunE: func(_ *cobra.Command, arguments []string) error { return runLint(around, options, arguments) },
	}
	cmd.Flags().StringArrayVarP(&options.parameters, "parameter", "p", nil, "a parameter's value, as `Key=Value`; may be repeated")
	addFormat(cmd, &options.format, "how to print the findings", "text", "json", "sarif")
	cmd.Flags().BoolVar(&options.skipOthers, "skip-others", false, "skip named files too that are no templates, as for pre-commit")
	cmd.Flags().BoolVar(&options.strict, "strict", false, "exit with 1 for warnings too")
	cmd.Flags().BoolVar(&options.listRules, "list-rules", false, "list the rules, and check nothing")
	return cmd
}

func runLint(around surroundings, options lintOptions, arguments []string) error {
	if options.listRules {
		if len(arguments)+len(options.parameters) > 0 || options.strict || options.skipOthers || options.format != "text" {
			return errors.New("--list-rules checks nothing. Leave the files and the other flags out, or the flag")
		}
		return lint.WriteRules(around.out)
	}
	if len(arguments) == 0 {
		return errors.New("no file to check. Name templates or folders, or - for the standard input")
	}
	values, err := parameterValues(options.parameters)
	if err != nil {
		return err
	}
	defer terminal.Progress(around.err, "checking templates")()
	files, failed := lint.Read(arguments, around.in, options.skipOthers)
	if unknown := lint.UnknownParameters(files, values); failed == nil && len(unknown) > 0 {
		return fmt.Errorf("no template has the parameter %s. Correct --parameter, or leave it out", strings.Join(unknown, ", "))
	}
	var findings []lint.Finding
	read, chains := 0, 0
	for _, file := range files {
		switch {
		case file.Skipped != "":
			_, _ = fmt.Fprintf(around.err, "skipped %s: %s\n", file.Name, file.Skipped)
		case file.Template != nil:
			read++
			chains += len(file.Template.Chains())
			findings = append(findings, lint.Lint(file.Template, values)...)
		}
	}
	if err := writeFindings(around, options.format, findings); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return summary(around, options.strict, findings, fmt.Sprintf("%s with %s", counted(read, "template"), counted(chains, "chain")))
}

// parameterValues reads Key=Value pairs.
func parameterValues(pairs []string) (template.Values, error) {
	values := template.Values{Parameters: map[string]string{}}
	for _, pair := range pairs {
		key, value, found := strings.Cut(pair, "=")
		if _, isTwice := values.Parameters[key]; !found || key == "" {
			return values, fmt.Errorf("--parameter %q is no Key=Value", pair)
		} else if isTwice {
			return values, fmt.Errorf("--parameter %s is given twice. Keep one of them", key)
		}
		values.Parameters[key] = value
	}
	return values, nil
}

func writeFindings(around surroundings, format string, findings []lint.Finding) error {
	switch format {
	case "json":
		return lint.WriteJSON(around.out, findings)
	case "sarif":
		folder, err := os.Getwd()
		if err != nil {
			return err
		}
		return lint.WriteSARIF(around.out, findings, folder, release.Version)
	default:
		return lint.WriteText(around.out, findings, terminal.StyleOf(around.out, around.getenv))
	}
}

// summary ends the command with its exit code.
func summary(around surroundings, strict bool, findings []lint.Finding, what string) error {
	bad, warned := 0, 0
	for _, finding := range findings {
		if finding.Severity == lint.Error {
			bad++
		} else {
			warned++
		}
	}
	_, _ = fmt.Fprintf(around.err, "%s: %s, %s\n", what, counted(bad, "error"), counted(warned, "warning"))
	if bad > 0 || (strict && warned > 0) {
		return &exitError{code: exitFound}
	}
	return nil
}

// counted is a number with its noun.
func counted(number int, noun string) string {
	if number == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", number, noun)
}
