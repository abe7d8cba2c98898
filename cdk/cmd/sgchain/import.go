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

// formats are what import writes, by the name of the format.
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
func newImport(around surroundings) *cobra.Command {
	var line importing
	cmd := &cobra.Command{
		Use:   "import [flags] [sg-ID...]",
		Short: "Write the chain that describes security groups which are there",
		Long: `Read security groups from an account and write the chain that describes them: a
template that adopts the groups when it is deployed, and changes none of their
rules.

Groups are named by their IDs, or all groups of a VPC (--vpc) or with a tag (--tag)
are taken. The chain is written to standard output once it is proven: its
properties are read as the provider reads them, and what they ask for is compared
with the rules of the groups. The proof and notes go to standard error. Nothing in
the account is changed.

It calls ec2:DescribeSecurityGroups, ec2:DescribeVpcs and, where rules name prefix
lists, ec2:DescribeManagedPrefixLists.

Exit codes: 0 the chain is proven and written, 1 no chain describes the groups
exactly, 2 the groups could not be read.`,
		Example: `  sgchain import sg-0123456789abcdef0 sg-0fedcba9876543210 > chain.yaml
  sgchain import --vpc vpc-0123456789abcdef0 --exclude sg-0aaaaaaaaaaaaaaaa
  sgchain import --tag Team=shop --format go > imported.go`,
		RunE: func(cmd *cobra.Command, arguments []string) error {
			line.options.Selection.IDs = arguments
			return line.run(cmd.Context(), around)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&line.options.Selection.VPCID, "vpc", "", "take the groups of this `VPC`")
	flags.StringVar(&line.options.Selection.Tag, "tag", "", "take the groups with this `tag`: Key or Key=Value")
	flags.StringSliceVar(&line.options.Exclude, "exclude", nil, "leave these groups out, by their `IDs`")
	flags.BoolVar(&line.options.Retained, "retained", false, "take groups that a CloudFormation stack made and has let go of")
	addFormat(cmd, &line.format, "what to write", "yaml", "json", "go")
	flags.StringVar(&line.options.Selection.Account, "account", "", "the `account` that the groups have to belong to, where those of several are shown")
	addAccountFlags(cmd, &line.account)
	return cmd
}

// check refuses a command line that means nothing.
func (l *importing) check() error {
	selection := l.options.Selection
	for _, id := range slices.Concat(selection.IDs, l.options.Exclude) {
		if !groupID.MatchString(id) {
			return fmt.Errorf("reading arguments: %q is not the ID of a security group; it looks like sg-0123456789abcdef0", id)
		}
	}
	switch {
	case selection.VPCID != "" && !vpcID.MatchString(selection.VPCID):
		return fmt.Errorf("reading --vpc: %q is not the ID of a VPC; it looks like vpc-0123456789abcdef0", selection.VPCID)
	case strings.HasPrefix(selection.Tag, "="):
		return fmt.Errorf("reading --tag: %q has no key; write Key or Key=Value", selection.Tag)
	case len(selection.IDs) == 0 && selection.VPCID == "" && selection.Tag == "":
		return errors.New("reading arguments: no security groups are named. Name their IDs, or add --vpc or --tag")
	default:
		return nil
	}
}

func (l *importing) run(ctx context.Context, around surroundings) error {
	if err := l.check(); err != nil {
		return err
	}
	config, err := account.Load(ctx, l.account)
	if err != nil {
		return err
	}
	l.options.Selection.Region = config.Region
	done := terminal.Progress(around.err, "reading security groups")
	result, err := importer.Import(ctx, ec2.NewFromConfig(config), l.options)
	done()
	return l.report(around, result, err)
}

// report writes what came of it.
func (l *importing) report(around surroundings, result importer.Result, err error) error {
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
	if _, err := io.WriteString(around.out, text); err != nil {
		return fmt.Errorf("writing the chain: %w", err)
	}
	style := terminal.StyleOf(around.err, around.getenv)
	var notes strings.Builder
	for _, note := range result.Notes() {
		notes.WriteString(style.Yellow("note:") + " " + note + "\n")
	}
	notes.WriteString(style.Green(result.Proof()) + "\n")
	if _, err := io.WriteString(around.err, notes.String()); err != nil {
		return fmt.Errorf("writing the notes: %w", err)
	}
	return nil
}
