// Command cdk is the app that deploys one chain of security groups: into a VPC that
// is there, or into a small one of its own.
//
//	npx cdk deploy -c vpcId=vpc-0123456789abcdef0
//
// Context it reads: stackName (default SecurityGroupChain), vpcId (an ID, or "new"), arch (arm64 or amd64, what the function
// runs on), tiers (the chain, as the JSON list of the property Tiers), guardrails (enforce or warn).
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

// refusal is the error with which a construct refuses its input. It says what is wrong and
// what to do: the stack of calls that a panic shows would only hide that.
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

// newApp writes the assembly to a folder; "" is where the CLI wants it.
func newApp(output string) awscdk.App {
	props := &awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)}
	if output != "" {
		props.Outdir = jsii.String(output)
	}
	return awscdk.NewApp(props)
}
