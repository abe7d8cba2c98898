// Command cdk is the CDK app that deploys one chain of security groups, into an existing VPC or into
// a small new one.
//
//	npx cdk deploy -c vpcId=vpc-0123456789abcdef0
//
// It reads this context:
//
//   - stackName: the name of the stack. Default: SecurityGroupChain.
//   - vpcId: the ID of the VPC, or "new". Required.
//   - arch: the architecture of the function, arm64 or amd64. Default: arm64.
//   - tiers: the JSON list of the property Tiers. Default: the default chain.
//   - guardrails: enforce or warn. Default: enforce.
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
	if err := refusal(func() { newStack(app, settings, nil) }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	app.Synth(nil)
	return 0
}

// refusal returns the error with which a construct refuses its input. Its text has the problem and the
// remedy, which the stack trace of a panic would hide. Any other panic stays one.
func refusal(construct func()) (err error) {
	defer func() {
		cause := recover()
		known, isError := cause.(interface {
			error
			Unwrap() error
		})
		switch {
		case isError:
			err = known
		case cause != nil:
			panic(cause)
		}
	}()
	construct()
	return nil
}

// newApp creates an app that writes its assembly to a folder. "" means the folder of the CDK CLI.
func newApp(output string) awscdk.App {
	props := &awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)}
	if output != "" {
		props.Outdir = jsii.String(output)
	}
	return awscdk.NewApp(props)
}
