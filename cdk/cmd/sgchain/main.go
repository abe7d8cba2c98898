// Command sgchain is for people who own chains of security groups: it lints templates, plans changes, imports what is there, draws
// chains, and builds and publishes the provider.
//
//	go run ./cdk/cmd/sgchain help
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sgchain/cdk/internal/account"
)

// The exit codes, as git and terraform have them.
const (
	exitFound = 1 // there are findings, or the command failed on what it was asked about
	exitUsage = 2 // it could not be asked: a flag, a file, an account
	// exitChanges is what plan and check with --detailed-exitcode have in place of exitUsage.
	exitChanges = 2
)

// exitError ends the command with a code. The error in it may be nil: everything was said already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// surroundings are what a command reads and writes beside its arguments.
type surroundings struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, surroundings{os.Stdin, os.Stdout, os.Stderr, os.Getenv}, os.Args[1:])
	stop()
	os.Exit(code)
}

// run runs a command line and returns its exit code.
func run(ctx context.Context, around surroundings, arguments []string) int {
	root := newRoot(around) //nolint:contextcheck // cobra hands the context to each command
	root.SetArgs(arguments)
	root.SetIn(around.in)
	root.SetOut(around.out)
	root.SetErr(around.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	code := exitUsage
	if exit, isExit := errors.AsType[*exitError](err); isExit {
		code = exit.code
	}
	if text := err.Error(); text != "" {
		_, _ = fmt.Fprintf(around.err, "sgchain: %s\n", text) // nobody is left to tell
	}
	return code
}

// newRoot returns the whole command. Each of its subcommands has a file of its own.
func newRoot(around surroundings) *cobra.Command {
	root := &cobra.Command{
		Use:   "sgchain",
		Short: "Lint, plan, import and draw chains of EC2 security groups",
		Long: `Lint, plan, import and draw chains of EC2 security groups that the CloudFormation
custom resource Custom::SecurityGroupChain owns.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		// Before any subcommand runs.
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return checkFlags(cmd) },
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(newLint(around), newSchema(around), newPlan(around), newCheck(around), newImport(around), newDraw(around), newBundle(around), newPublish(around))
	return root
}

// addFormat adds the flag --format, which takes one of some words, the first of them by default, and which a shell completes.
// What it is set to is checked by [checkFlags].
func addFormat(cmd *cobra.Command, value *string, usage string, words ...string) {
	cmd.Flags().StringVar(value, formatFlag, words[0], usage+": "+strings.Join(words, ", "))
	cmd.Flags().Lookup(formatFlag).Annotations = map[string][]string{formatFlag: words}
	if err := cmd.RegisterFlagCompletionFunc(formatFlag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was added above
	}
}

const formatFlag = "format"

// checkFlags returns an error for a flag that is set to nothing, as by a variable that is not set, and for a --format of another word.
func checkFlags(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if flag.Value.Type() == "string" && flag.Value.String() == "" && err == nil {
			err = fmt.Errorf("--%s is empty: give it a value, or leave it out", flag.Name)
		}
	})
	if err != nil {
		return err
	}
	flag := cmd.Flags().Lookup(formatFlag)
	if flag == nil || slices.Contains(flag.Annotations[formatFlag], flag.Value.String()) {
		return nil
	}
	return fmt.Errorf("--format is %q: use %s", flag.Value, strings.Join(flag.Annotations[formatFlag], ", "))
}

// addAccountFlags adds the flags by which an account is named.
func addAccountFlags(cmd *cobra.Command, options *account.Options) {
	cmd.Flags().StringVar(&options.Region, "region", "", "the AWS `Region`; by default that of the environment or the profile")
	cmd.Flags().StringVar(&options.Profile, "profile", "", "a `profile` of ~/.aws; by default AWS_PROFILE, or default")
}
