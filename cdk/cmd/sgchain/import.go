package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/spf13/cobra"

	"sgchain/cdk/internal/account"
	"sgchain/cdk/internal/importer"
	"sgchain/cdk/internal/terminal"
	"sgchain/lambda/inventory"
)

// formats are the functions that write a result, by the name of the format.
var formats = map[string]func(importer.Result) (string, error){ //nolint:gochecknoglobals // a table
	"yaml": importer.Result.YAML, "json": importer.Result.JSON, "go": importer.Result.Go,
}

var (
	groupID = regexp.MustCompile(`^sg-[0-9a-z]+$`)
	vpcID   = regexp.MustCompile(`^vpc-[0-9a-z]+$`)
)

// importing is a command line of import.
type importing struct {
	account account.Options
	options importer.Options
	format  string
}

// newImport returns the command import.
func newImport(env environment) *cobra.Command {
	var line importing
	cmd := &cobra.Command{
		Use:   "import [flags] [sg-ID...]",
		Short: "Write a template or Go for existing security groups",
		Long: `Read security groups from an account and write the chain that describes them: a
template that adopts the groups when it is deployed, and changes none of their
rules.

Name groups by their IDs, or select those of a VPC (--vpc) or with a tag (--tag).
The command proves the chain before it writes it to standard output: it parses the
properties as the provider does, and compares the result with the groups' rules.
The proof and notes go to standard error. Nothing in the account is changed.

The command calls ec2:DescribeSecurityGroups, ec2:DescribeVpcs and, if rules name
prefix lists, ec2:DescribeManagedPrefixLists.

Exit codes: 0 the chain is proven and written; 1 no chain describes the groups
exactly; 2 the groups could not be read.`,
		Example: `  sgchain import sg-0123456789abcdef0 sg-0fedcba9876543210 > chain.yaml
  sgchain import --vpc vpc-0123456789abcdef0 --exclude sg-0aaaaaaaaaaaaaaaa
  sgchain import --tag Team=shop --format go > imported.go`,
		RunE: func(cmd *cobra.Command, arguments []string) error {
			line.options.Selection.IDs = arguments
			return line.run(cmd.Context(), env)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&line.options.Selection.VPCID, "vpc", "", "select the groups of this `VPC`")
	flags.StringVar(&line.options.Selection.Tag, "tag", "", "select the groups with this `tag`: Key or Key=Value")
	flags.StringSliceVar(&line.options.Exclude, "exclude", nil, "exclude the groups with these `IDs`")
	flags.BoolVar(&line.options.Retained, "retained", false, "include groups that a CloudFormation stack created and retained")
	addFormat(cmd, &line.format, "yaml", "json", "go")
	flags.StringVar(&line.options.Selection.Account, "account", "", "require groups of this `account`, if several share the VPC")
	addAccountFlags(cmd, &line.account)
	return cmd
}

// check refuses a command line that makes no sense.
func (l *importing) check() error {
	selection := l.options.Selection
	for _, id := range slices.Concat(selection.IDs, l.options.Exclude) {
		if !groupID.MatchString(id) {
			return fmt.Errorf("reading arguments: %q is not a security group ID; use the form sg-0123456789abcdef0", id)
		}
	}
	switch {
	case selection.VPCID != "" && !vpcID.MatchString(selection.VPCID):
		return fmt.Errorf("reading --vpc: %q is not a VPC ID; use the form vpc-0123456789abcdef0", selection.VPCID)
	case strings.HasPrefix(selection.Tag, "="):
		return fmt.Errorf("reading --tag: %q has no key; use Key or Key=Value", selection.Tag)
	case len(selection.IDs) == 0 && selection.VPCID == "" && selection.Tag == "":
		return errors.New("no security groups are named; name their IDs, or add --vpc or --tag")
	default:
		return nil
	}
}

func (l *importing) run(ctx context.Context, env environment) error {
	if err := l.check(); err != nil {
		return err
	}
	config, err := account.Load(ctx, l.account)
	if err != nil {
		return err
	}
	l.options.Selection.Region = config.Region
	done := terminal.Progress(env.err, "reading security groups")
	result, err := importer.Import(ctx, ec2.NewFromConfig(config), l.options)
	done()
	return l.report(env, result, err)
}

// report writes the result, or returns why it does not exist.
func (l *importing) report(env environment, result importer.Result, err error) error {
	_, isCall := errors.AsType[*inventory.CallError](err)
	_, isSelection := errors.AsType[*inventory.SelectionError](err)
	switch {
	case isCall || isSelection:
		return err
	case err != nil:
		return &exitError{exitFound, err}
	}
	text, err := formats[l.format](result)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(env.out, text); err != nil {
		return fmt.Errorf("writing the chain: %w", err)
	}
	style := terminal.StyleOf(env.err, env.getenv)
	var notes strings.Builder
	for _, note := range result.Notes() {
		notes.WriteString(style.Yellow("note:") + " " + note + "\n")
	}
	notes.WriteString(style.Green(result.Proof()) + "\n")
	if _, err := io.WriteString(env.err, notes.String()); err != nil {
		return fmt.Errorf("writing the notes: %w", err)
	}
	return nil
}
