package main

import (
	"github.com/spf13/cobra"

	"sgchain/cdk/internal/account"
	"sgchain/cdk/internal/publish"
	"sgchain/cdk/internal/terminal"
)

func newPublish(env environment) *cobra.Command {
	var target publish.Target
	var options account.Options
	cmd := &cobra.Command{
		Use:   "publish --bucket NAME [--regions \"REGION ...\"]",
		Short: "Upload the function and the templates, and print launch links",
		Long: `Build the function for both architectures and upload it with the templates to the
bucket NAME-REGION of each Region. Print a launch link for each template.

The buckets must exist. A published version is never overwritten: publishing again
uploads only what is missing. The credentials need s3:ListBucket on each bucket, and
s3:GetObject and s3:PutObject on its keys sgchain/*.`,
		Example: `  sgchain publish --bucket example --regions "eu-central-1 us-east-1"`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// Without --region, the account's own Region counts. With it, publishing must not
			// depend on that Region.
			if options.Region == "" {
				options.Region = publish.FirstRegion(target.Regions)
			}
			config, err := account.Load(cmd.Context(), options)
			if err != nil {
				return err
			}
			err = publish.Publish(cmd.Context(), config, target, env.out, func(doing string) func() { return terminal.Progress(env.err, doing) })
			if err != nil {
				return &exitError{exitFound, err}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&target.Bucket, "bucket", "", "the `NAME` of the buckets NAME-REGION")
	cmd.Flags().StringVar(&target.Regions, "regions", "", "the `Regions`, separated by blanks or commas (default: the account's)")
	addAccountFlags(cmd, &options)
	return cmd
}
