// Command sgchain lints templates, plans changes, imports existing groups, draws chains, and builds
// and publishes the provider.
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

// The exit codes, as in git and terraform.
const (
	exitFound = 1 // there are findings, or the command failed on its subject
	exitUsage = 2 // it could not start: a flag, a file, an account
	// exitChanges is the code of plan and check with --detailed-exitcode, instead of exitUsage.
	exitChanges = 2
)

// exitError ends the command with a code. If everything was printed already, the error in it is
// nil.
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

// environment has what a command reads and writes besides its arguments.
type environment struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, environment{os.Stdin, os.Stdout, os.Stderr, os.Getenv}, os.Args[1:])
	stop()
	os.Exit(code)
}

// run runs a command line and returns its exit code.
func run(ctx context.Context, env environment, arguments []string) int {
	root := newRoot(env) //nolint:contextcheck // cobra passes the context to each command
	root.SetArgs(arguments)
	root.SetIn(env.in)
	root.SetOut(env.out)
	root.SetErr(env.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	code := exitUsage
	if exit, isExit := errors.AsType[*exitError](err); isExit {
		code = exit.code
	}
	if text := err.Error(); text != "" {
		_, _ = fmt.Fprintf(env.err, "sgchain: %s\n", text) // nobody is left to tell
	}
	return code
}

// newRoot returns the root command. Each of its subcommands has a file of its own.
func newRoot(env environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "sgchain",
		Short: "Lint, plan, import and draw chains of EC2 security groups",
		Long: `Lint, plan, import and draw chains of EC2 security groups that the CloudFormation
custom resource Custom::SecurityGroupChain owns.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		// It runs before every subcommand.
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return checkFlags(cmd) },
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(newLint(env), newSchema(env), newPlan(env), newCheck(env), newImport(env), newDraw(env), newBundle(env), newPublish(env))
	return root
}

// addFormat adds the flag --format. It accepts some words, by default the first, and a shell
// completes them. [checkFlags] checks its value.
func addFormat(cmd *cobra.Command, value *string, words ...string) {
	cmd.Flags().StringVar(value, formatFlag, words[0], "output format: "+strings.Join(words, ", "))
	cmd.Flags().Lookup(formatFlag).Annotations = map[string][]string{formatFlag: words}
	if err := cmd.RegisterFlagCompletionFunc(formatFlag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was added above
	}
}

const formatFlag = "format"

// checkFlags returns an error for a flag with an empty value, such as that of an unset variable,
// and for an unknown word of --format.
func checkFlags(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if flag.Value.Type() == "string" && flag.Value.String() == "" && err == nil {
			err = fmt.Errorf("--%s is empty; give it a value, or remove it", flag.Name)
		}
	})
	if err != nil {
		return err
	}
	flag := cmd.Flags().Lookup(formatFlag)
	if flag == nil || slices.Contains(flag.Annotations[formatFlag], flag.Value.String()) {
		return nil
	}
	return fmt.Errorf("--format is %q; use %s", flag.Value, strings.Join(flag.Annotations[formatFlag], ", "))
}

// addAccountFlags adds the flags that select an account.
func addAccountFlags(cmd *cobra.Command, options *account.Options) {
	cmd.Flags().StringVar(&options.Region, "region", "", "the AWS `Region` (default: that of the environment or the profile)")
	cmd.Flags().StringVar(&options.Profile, "profile", "", "a `profile` of ~/.aws (default: AWS_PROFILE, or default)")
}
