// Command ask has the function that serves a chain say what an update would change now,
// or what differs from the template.
//
//	make plan STACK=Shop
//	make plan STACK=Shop TIERS='[{"Name": "Alb", "Ports": [443]}]'
//	make plan STACK=Shop ACTION=check
//
// The stack's outputs PlanPayload and ProviderFunction say what to ask and whom. It calls
// AWS with the AWS CLI, and so with the user's own profile and credentials, which need
// cloudformation:DescribeStacks and lambda:InvokeFunction. Nothing is changed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	stack := flag.String("stack", "", "the `name` of the stack that has the chain")
	action := flag.String("action", "plan", "plan or check")
	var other changes
	flag.StringVar(&other.tiers, "tiers", "", "plan these tiers, a list in `JSON`, in place of the stack's")
	flag.StringVar(&other.vpc, "vpc", "", "plan for the VPC of this `ID`, in place of the stack's")
	flag.StringVar(&other.guardrails, "guardrails", "", "plan with Guardrails `enforce` or warn, in place of the stack's")
	cli := flag.String("aws", "aws", "the AWS CLI, as a `command`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "ask: %q is not understood: only -stack, -action, -tiers, -vpc, -guardrails and -aws\n", flag.Arg(0))
		os.Exit(2)
	}
	region := os.Getenv("AWS_REGION") // the CLI itself may know only AWS_DEFAULT_REGION
	text, err := ask(ctx, aws{cli: *cli, region: region}, *stack, *action, other)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(text)
}
