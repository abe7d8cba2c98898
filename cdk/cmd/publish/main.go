// Command publish uploads the function's zips and the templates, so that a stack can
// be launched from the console, as a nested stack or as a StackSet.
//
//	make publish BUCKET=example REGIONS="eu-central-1 us-east-1"
//
// For each Region it takes the bucket BUCKET-REGION, which must be there, and the keys
// sgchain/VERSION/... What was published under a version is never overwritten. It
// calls S3 with the AWS CLI, and so with the user's own profile and credentials, which
// need s3:ListBucket on each bucket, and s3:GetObject and s3:PutObject on its sgchain/*.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"sgchain/cdk/internal/bootstrap"
)

func main() {
	bucket := flag.String("bucket", "", "what the buckets' `names` begin with: a bucket is NAME-REGION")
	regions := flag.String("regions", "", "the `Regions` to publish to, separated by blanks or commas; without any, the one of the AWS CLI")
	cli := flag.String("aws", "aws", "the AWS CLI, as a `command`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "publish: %q is not understood: only -bucket, -regions and -aws\n", flag.Arg(0))
		os.Exit(2)
	}
	if err := run(ctx, *bucket, *regions, *cli); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bucket, regions, cli string) (err error) {
	places, err := readPlaces(bucket, regions, func() string { return regionOfCLI(ctx, cli) })
	if err != nil {
		return err
	}
	dir, err := bootstrap.ModuleDir(ctx)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "sgchain-publish-")
	if err != nil {
		return fmt.Errorf("making a folder to build in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	files, err := prepare(ctx, dir, work, bucket)
	if err != nil {
		return err
	}
	return publish(ctx, s3{cli}, places, files, os.Stdout)
}

// regionOfCLI is the Region that the AWS CLI would use, or none.
func regionOfCLI(ctx context.Context, cli string) string {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if region := os.Getenv(name); region != "" {
			return region
		}
	}
	region, err := s3{cli}.run(ctx, "configure", "get", "region")
	if err != nil {
		return "" // it fails where nothing is configured
	}
	return region
}
