package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/spf13/cobra"

	"sgchain/cdk/internal/account"
	"sgchain/cdk/internal/ask"
	"sgchain/cdk/internal/lint"
	"sgchain/cdk/internal/sketch"
	"sgchain/cdk/internal/template"
	"sgchain/cdk/internal/terminal"
	"sgchain/lambda/inventory"
)

// drawing is a command line of draw.
type drawing struct {
	env                        environment
	account                    account.Options
	parameters                 []string
	file, before               string
	stack, vpc                 string
	chain, format, output, own string
}

func newDraw(env environment) *cobra.Command {
	d := &drawing{env: env}
	cmd := &cobra.Command{
		Use:   "draw [TEMPLATE] [--before TEMPLATE | --stack STACK] | --vpc VPC",
		Short: "Draw a chain or a VPC, what is open to the world, and what a change does",
		Long: `Draw the security groups of a template's chain, of a deployed stack, or of a VPC. Mark
what is open to the world. Change nothing.

With --before, show the change from another template. With --stack, show the change to
the groups that the stack has in EC2 now. A template alone needs no account. Parameters
have their Default, unless -p sets another value.

Formats: text for a terminal, mermaid for pull requests and wikis, dot for Graphviz, svg,
and html, a self-contained page. With --output, the file's extension sets the format.

The command calls ec2:DescribeSecurityGroups, ec2:DescribeVpcs and
ec2:DescribeManagedPrefixLists. For a stack it also calls cloudformation:DescribeStacks
and what plan needs.

Exit codes: 0 drawn; 1 the chain does not exist or cannot be drawn; 2 a wrong command
line, a file that cannot be read, or no access.`,
		Example: `  sgchain draw template.yaml
  sgchain draw template.yaml --before main.yaml --output change.html
  sgchain draw template.yaml --stack Shop --format mermaid
  sgchain draw --stack Shop --output shop.svg
  sgchain draw --vpc vpc-0123456789abcdef0 --output vpc.html`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, arguments []string) error {
			d.file = strings.Join(arguments, "")
			return d.run(cmd.Context(), cmd.Flags().Changed("format"))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&d.before, "before", "", "the previous `template`")
	flags.StringVar(&d.stack, "stack", "", "the `name` of a deployed stack")
	flags.StringVar(&d.vpc, "vpc", "", "the `ID` of a VPC")
	flags.StringVar(&d.chain, "chain", "", "the chain's logical `ID`, if there are several")
	flags.StringArrayVarP(&d.parameters, "parameter", "p", nil, "set a parameter of the template, as `KEY=VALUE`")
	flags.StringVarP(&d.output, "output", "o", "", "the `file` to write instead of standard output")
	flags.StringVar(&d.own, "account", "", "your `account`, if groups of several are shown")
	addFormat(cmd, &d.format, sketch.Formats()...)
	addAccountFlags(cmd, &d.account)
	return cmd
}

// check refuses a command line that makes no sense, or that has a flag without effect.
func (d *drawing) check() error {
	switch {
	case d.vpc != "" && (d.file != "" || d.stack != "" || d.before != "" || d.chain != ""):
		return errors.New("--vpc draws a whole VPC; remove the template, --stack, --before and --chain, or --vpc")
	case d.before != "" && d.file == "":
		return errors.New("--before has no template to compare with; name the template as well")
	case d.file == "" && d.stack == "" && d.vpc == "":
		return errors.New("nothing to draw; name a template, or add --stack or --vpc")
	case d.before != "" && d.stack != "":
		return errors.New("--before and --stack exclude each other; remove one of them")
	case d.file == "" && len(d.parameters) > 0:
		return errors.New("-p sets parameters of a template; name the template as well, or remove -p")
	case d.vpc == "" && d.own != "":
		return errors.New("--account is only for --vpc; remove it")
	case d.stack == "" && d.vpc == "" && d.account != (account.Options{}):
		return errors.New("a template needs no account; remove --region and --profile, or add --stack")
	}
	return nil
}

// formatOf returns the requested format, or else the one that the output's name implies.
func (d *drawing) formatOf(isAsked bool) (string, error) {
	if d.output == "" || isAsked {
		return d.format, nil
	}
	ending := strings.TrimPrefix(strings.ToLower(filepath.Ext(d.output)), ".")
	if long := map[string]string{"txt": "text", "mmd": "mermaid", "gv": "dot", "htm": "html"}[ending]; long != "" {
		ending = long
	}
	if !slices.Contains(sketch.Formats(), ending) {
		return "", fmt.Errorf("%s has no extension of a format; add --format with one of %s", d.output, strings.Join(sketch.Formats(), ", "))
	}
	return ending, nil
}

func (d *drawing) run(ctx context.Context, isAsked bool) error {
	if err := d.check(); err != nil {
		return err
	}
	format, err := d.formatOf(isAsked)
	if err != nil {
		return err
	}
	drawn, err := d.sketch(ctx)
	if err != nil {
		return err
	}
	text, err := drawn.As(format)
	if err != nil {
		return err
	}
	if d.output == "" {
		_, err = io.WriteString(d.env.out, text)
		return err
	}
	return os.WriteFile(d.output, []byte(text), 0o644)
}

func (d *drawing) sketch(ctx context.Context) (sketch.Sketch, error) {
	if d.stack == "" && d.vpc == "" {
		return d.ofTemplate()
	}
	config, err := account.Load(ctx, d.account)
	if err != nil {
		return sketch.Sketch{}, err
	}
	api := ec2.NewFromConfig(config)
	if d.vpc != "" {
		defer terminal.Progress(d.env.err, "reading the security groups of "+d.vpc)()
		drawn, err := sketch.OfVPC(ctx, api, inventory.Selection{VPCID: d.vpc, Region: config.Region, Account: d.own})
		return drawn, outcome(err)
	}
	question := ask.Question{Stack: d.stack, Chain: d.chain}
	if d.file != "" {
		if question.File, err = readFile(d.file, d.env, d.parameters); err != nil {
			return sketch.Sketch{}, err
		}
	}
	defer terminal.Progress(d.env.err, "reading the security groups of stack "+d.stack)()
	drawn, err := sketch.OfStack(ctx, ask.Deployed{CloudFormation: cloudformation.NewFromConfig(config), Region: config.Region}, api, question)
	return drawn, outcome(err)
}

// outcome makes an error exit with 1, unless AWS did not answer.
func outcome(err error) error {
	if _, isCall := errors.AsType[*inventory.CallError](err); err == nil || isCall {
		return err
	}
	return &exitError{exitFound, err}
}

func (d *drawing) ofTemplate() (sketch.Sketch, error) {
	values, err := parameterValues(d.parameters)
	if err != nil {
		return sketch.Sketch{}, err
	}
	var versions []*sketch.Version
	var files []lint.File
	for _, name := range []string{d.file, d.before} {
		if name == "" {
			versions = append(versions, nil)
			continue
		}
		file, err := readFile(name, d.env, nil)
		if err != nil {
			return sketch.Sketch{}, err
		}
		read, err := template.Read(file.Name, file.Text)
		if err != nil {
			return sketch.Sketch{}, err
		}
		versions = append(versions, &sketch.Version{Template: read, Values: values})
		files = append(files, lint.File{Name: file.Name, Template: read})
	}
	if unknown := lint.UnknownParameters(files, values); len(unknown) > 0 {
		return sketch.Sketch{}, fmt.Errorf("no template has the parameter %s; correct -p, or remove it", strings.Join(unknown, ", "))
	}
	drawn, err := sketch.OfTemplate(*versions[0], versions[1], d.chain)
	return drawn, outcome(err)
}
