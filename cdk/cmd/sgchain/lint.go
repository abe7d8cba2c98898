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

func newLint(env environment) *cobra.Command {
	var options lintOptions
	cmd := &cobra.Command{
		Use:   "lint FILE...",
		Short: "Check the chains of CloudFormation templates",
		Long: `Check the chains of CloudFormation templates, JSON or YAML, before they are deployed.
The command uses the function's own parser and guardrails, and also finds uses of a chain
that do not work.

If a FILE is a folder, the command reads every *.json, *.yaml, *.yml and *.template below
it, and skips files that are no templates. - is the standard input. If --parameter does
not decide a condition, both branches are checked, in at most 16 combinations per chain.

Exit codes: 0 no errors; 1 errors (with --strict also warnings); 2 a file could not be
read.`,
		Example: `  sgchain lint template.yaml
  sgchain lint --strict cdk.out
  sgchain lint -p Env=prod --format sarif template.yaml >lint.sarif`,
		RunE: func(_ *cobra.Command, arguments []string) error { return runLint(env, options, arguments) },
	}
	cmd.Flags().StringArrayVarP(&options.parameters, "parameter", "p", nil, "set a parameter, as `Key=Value` (may be repeated)")
	addFormat(cmd, &options.format, "text", "json", "sarif")
	cmd.Flags().BoolVar(&options.skipOthers, "skip-others", false, "also skip named files that are no templates, for pre-commit")
	cmd.Flags().BoolVar(&options.strict, "strict", false, "also exit with 1 for warnings")
	cmd.Flags().BoolVar(&options.listRules, "list-rules", false, "list the rules and check nothing")
	return cmd
}

func runLint(env environment, options lintOptions, arguments []string) error {
	if options.listRules {
		if len(arguments)+len(options.parameters) > 0 || options.strict || options.skipOthers || options.format != "text" {
			return errors.New("--list-rules checks nothing; remove the files and other flags, or --list-rules")
		}
		return lint.WriteRules(env.out)
	}
	if len(arguments) == 0 {
		return errors.New("no file to check; name templates or folders, or - for the standard input")
	}
	values, err := parameterValues(options.parameters)
	if err != nil {
		return err
	}
	defer terminal.Progress(env.err, "checking templates")()
	files, failed := lint.Read(arguments, env.in, options.skipOthers)
	if unknown := lint.UnknownParameters(files, values); failed == nil && len(unknown) > 0 {
		return fmt.Errorf("no template has the parameter %s; correct --parameter, or remove it", strings.Join(unknown, ", "))
	}
	var findings []lint.Finding
	read, chains := 0, 0
	for _, file := range files {
		switch {
		case file.Skipped != "":
			_, _ = fmt.Fprintf(env.err, "skipped %s: %s\n", file.Name, file.Skipped)
		case file.Template != nil:
			read++
			chains += len(file.Template.Chains())
			findings = append(findings, lint.Lint(file.Template, values)...)
		}
	}
	if err := writeFindings(env, options.format, findings); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return summary(env, options.strict, findings, fmt.Sprintf("%s with %s", counted(read, "template"), counted(chains, "chain")))
}

// parameterValues reads Key=Value pairs.
func parameterValues(pairs []string) (template.Values, error) {
	values := template.Values{Parameters: map[string]string{}}
	for _, pair := range pairs {
		key, value, found := strings.Cut(pair, "=")
		if _, isTwice := values.Parameters[key]; !found || key == "" {
			return values, fmt.Errorf("--parameter %q is not of the form Key=Value", pair)
		} else if isTwice {
			return values, fmt.Errorf("--parameter %s occurs twice; remove one of them", key)
		}
		values.Parameters[key] = value
	}
	return values, nil
}

func writeFindings(env environment, format string, findings []lint.Finding) error {
	switch format {
	case "json":
		return lint.WriteJSON(env.out, findings)
	case "sarif":
		folder, err := os.Getwd()
		if err != nil {
			return err
		}
		return lint.WriteSARIF(env.out, findings, folder, release.Version)
	default:
		return lint.WriteText(env.out, findings, terminal.StyleOf(env.out, env.getenv))
	}
}

// summary writes the number of findings and returns the command's exit code as an error.
func summary(env environment, strict bool, findings []lint.Finding, what string) error {
	bad, warned := 0, 0
	for _, finding := range findings {
		if finding.Severity == lint.Error {
			bad++
		} else {
			warned++
		}
	}
	_, _ = fmt.Fprintf(env.err, "%s: %s, %s\n", what, counted(bad, "error"), counted(warned, "warning"))
	if bad > 0 || (strict && warned > 0) {
		return &exitError{code: exitFound}
	}
	return nil
}

// counted returns a number with its noun.
func counted(number int, noun string) string {
	if number == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", number, noun)
}
