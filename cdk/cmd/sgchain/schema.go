package main

import (
	"github.com/spf13/cobra"

	"sgchain/cdk/internal/schema"
)

func newSchema(env environment) *cobra.Command {
	var properties bool
	cmd := &cobra.Command{
		Use:   "schema [--properties]",
		Short: "Print a JSON Schema of chains, for editors and validators",
		Long: `Print a JSON Schema (draft-07) of CloudFormation templates. It constrains only the
properties of each Custom::SecurityGroupChain, so that an editor completes and checks
chains as you write them. docs/editor.md has the settings.

It accepts everything that the provider accepts. sgchain lint finds what a schema cannot.`,
		Example: `  sgchain schema >schema.json
  sgchain schema --properties >properties.json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			write := schema.Template
			if properties {
				write = schema.Properties
			}
			text, err := write()
			if err != nil {
				return err
			}
			_, err = env.out.Write(text)
			return err
		},
	}
	cmd.Flags().BoolVar(&properties, "properties", false, "print only the schema of the properties, without that of a template")
	return cmd
}
