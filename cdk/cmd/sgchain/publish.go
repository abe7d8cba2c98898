package main

import (
	"github.com/spf13/cobra"

	"sgchain/cdk/internal/account"
	"sgchain/cdk/internal/publish"
	"sgchain/cdk/internal/terminal"
)

func newPublish(around surroundings) *cobra.Command {
	var target publish.Target
	var options account.Options
	cmd := &cobra.Command{
		Use:   "publish --bucket NAME [--regions \"REGION ...\"]",
		Short: "Upload the function and the templates, and print the links that launch them",
		Long: `Build the function for both architectures, upload it with the templates to the
bucket NAME-REGION of each Region, and print a launch link for each.

The buckets must exist. What was published under a version is never overwritten:
publishing again uploads only what is missing. The credentials need s3:ListBucket on
each bucket, and s3:GetObject and s3:PutObject on its keys sgchain/*.`,
		Example: `  sgchain publish --bucket example --regions "eu-central-1 us-east-1"`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// Its own Region counts where none is named, so that a named one must not depend on it.
			if options.Region == "" {
				options.Region = publish.FirstRegion(target.Regions)
			}
			config, err := account.Load(cmd.Context(), options)
			if err != nil {
				return err
			}
			err = publish.Publish(cmd.Context(), config, target, around.out, func(doing string) func() { return terminal.Progress(around.err, doing) })
			if err != nil {
				return &exitError{exitFound, err}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&target.Bucket, "bucket", "", "what the buckets' `names` begin with: a bucket is NAME-REGION")
	cmd.Flags().StringVar(&target.Regions, "regions", "", "the `Regions` to publish to, separated by blanks or commas (default: the account's own)")
	addAccountFlags(cmd, &options)
	return cmd
}
