// Command cdk is the app that deploys one chain of security groups: into a VPC that
// is there, or into a small one of its own.
//
//	npx cdk deploy -c vpcId=vpc-0123456789abcdef0
//
// Context it reads: stackName (default SecurityGroupChain), vpcId (an ID, or "new"), arch (arm64 or amd64, what the function
// runs on), tiers (the chain, as the JSON list of the property Tiers).
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"sgchain/cdk/internal/bootstrap"
	"sgchain/cdk/sgchain"
)

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	defer jsii.Close()
	app := newApp("")
	settings, err := readSettings(func(key string) any { return app.Node().TryGetContext(jsii.String(key)) })
	if err == nil {
		err = build(ctx, settings.architecture)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	newStack(app, settings)
	app.Synth(nil)
	return 0
}

// newApp writes the assembly to a folder; "" is where the CLI wants it.
func newApp(output string) awscdk.App {
	props := &awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)}
	if output != "" {
		props.Outdir = jsii.String(output)
	}
	return awscdk.NewApp(props)
}

// build makes the function's zip anew, so that what is deployed is what the sources
// say. It takes a second, and the same sources give the same bytes.
func build(ctx context.Context, architecture string) error {
	dir, err := bootstrap.ModuleDir(ctx)
	if err != nil {
		return err
	}
	_, err = bootstrap.Zip(ctx, dir, architecture, sgchain.DefaultZip)
	return err
}
