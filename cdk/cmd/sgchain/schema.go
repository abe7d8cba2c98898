package main

import (
	"github.com/spf13/cobra"

	"sgchain/cdk/internal/schema"
)

func newSchema(around surroundings) *cobra.Command {
	var properties bool
	cmd := &cobra.Command{
		Use:   "schema [--properties]",
		Short: "Print a JSON Schema of chains, for editors and validators",
		Long: `Print a JSON Schema (draft-07) of CloudFormation templates. It constrains the
properties of each Custom::SecurityGroupChain and nothing else of a template, so that
an editor completes and checks chains as you write them. docs/editor.md has the settings.

It refuses nothing that the provider takes. What it cannot see, sgchain lint does.`,
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
			_, err = around.out.Write(text)
			return err
		},
	}
	cmd.Flags().BoolVar(&properties, "properties", false, "print the schema of the properties alone, without that of a template around them")
	return cmd
}
