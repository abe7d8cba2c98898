// Command cdk is the app that deploys one chain of security groups: into a VPC that
// is there, or into a small one of its own.
//
//	npx cdk deploy -c vpcId=vpc-0123456789abcdef0
//
// Context it reads: stackName (default SecurityGroupChain), vpcId (an ID, or "new"), arch (arm64 or amd64, what the function
// runs on), tiers (the chain, as the JSON list of the property Tiers).
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

func main() {
	os.Exit(run())
}

func run() int {
	defer jsii.Close()
	app := newApp("")
	settings, err := readSettings(func(key string) any { return app.Node().TryGetContext(jsii.String(key)) })
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	newStack(app, settings, nil)
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
