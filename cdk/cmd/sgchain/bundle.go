package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sgchain/cdk/bootstrap"
	"sgchain/cdk/internal/terminal"
)

func newBundle(env environment) *cobra.Command {
	var architecture, output string
	cmd := &cobra.Command{
		Use:   "bundle [--arch ARCH] [--output FILE]",
		Short: "Build the function's zip",
		Long: `Compile the function and write the zip for Lambda: one file, bootstrap, for the runtime
provided.al2023. The same sources give the same bytes on every machine.

The CDK construct builds the zip itself during synth. If the app runs without the go
command, use this command and pass the zip to sgchain.CodeFromZip.`,
		Example: "  sgchain bundle --arch arm64 --output build/lambda.zip",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := bootstrap.CheckArchitecture(architecture); err != nil {
				return err
			}
			defer terminal.Progress(env.err, "compiling the function for "+architecture)()
			dir, err := bootstrap.ModuleDir(cmd.Context())
			if err != nil {
				return &exitError{exitFound, err}
			}
			size, err := bootstrap.Zip(cmd.Context(), dir, architecture, output)
			if err != nil {
				return &exitError{exitFound, err}
			}
			_, err = fmt.Fprintf(env.out, "%s: %d bytes, %s\n", output, size, architecture)
			return err
		},
	}
	cmd.Flags().StringVar(&architecture, "arch", bootstrap.Architectures()[0], "the function's `architecture`: "+strings.Join(bootstrap.Architectures(), " or "))
	cmd.Flags().StringVarP(&output, "output", "o", "build/lambda.zip", "the `file` to write")
	return cmd
}
