package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"sgchain/cdk/sgchain"
	contract "sgchain/lambda/chain"
)

const defaultStackName = "SecurityGroupChain"

// newStack creates the stack of a chain. The stack has no environment, so it is deployed with the CLI's
// account and Region, and synth looks nothing up. Code is the function's zip. Nil means that synth
// compiles it.
func newStack(scope constructs.Construct, s settings, code awslambda.Code) awscdk.Stack {
	stack := awscdk.NewStack(scope, jsii.String(s.stackName), &awscdk.StackProps{
		Description: jsii.String("A chain of security groups, each open to exactly the tier before it"),
	})
	provider := sgchain.NewProvider(stack, jsii.String("Provider"), &sgchain.ProviderProps{
		Architecture: lambdaArchitecture(s.architecture), Code: code,
	})
	chain := sgchain.NewSecurityGroupChain(stack, jsii.String("Chain"), &sgchain.SecurityGroupChainProps{
		VpcId:      vpc(stack, s.vpcID),
		Tiers:      s.tiers,
		Guardrails: s.guardrails,
		Provider:   provider,
	})
	output := func(name string, value *string, description string) {
		awscdk.NewCfnOutput(stack, jsii.String(name), &awscdk.CfnOutputProps{Value: value, Description: jsii.String(description)})
	}
	for _, tier := range chain.TierNames() {
		output(tier+"SecurityGroupId", chain.SecurityGroupId(tier), "The security group of tier "+tier)
	}
	output("SecurityGroupIds", chain.SecurityGroupIds(), "All security groups, in the order of the chain")
	output("Summary", chain.Summary(), "The chain in one line")
	// "make plan" reads these two.
	output(contract.OutputPayload, chain.PlanPayload(), "The function's input to see what an update would change now (make plan)")
	output(contract.OutputFunction, provider.Function().FunctionName(), "The function that serves the chain")
	return stack
}

// vpc returns the ID of the VPC, which it creates for newVPC. The new VPC has isolated subnets and no
// gateway, so it costs nothing.
func vpc(stack awscdk.Stack, id string) *string {
	if id != newVPC {
		return jsii.String(id)
	}
	return awsec2.NewVpc(stack, jsii.String("Vpc"), &awsec2.VpcProps{
		MaxAzs:                jsii.Number(2),
		NatGateways:           jsii.Number(0),
		CreateInternetGateway: jsii.Bool(false),
		SubnetConfiguration: &[]*awsec2.SubnetConfiguration{
			{Name: jsii.String("Isolated"), SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED, CidrMask: jsii.Number(24)},
		},
		// Restricting it needs a custom resource of the CDK, and the stack does not use the default
		// group.
		RestrictDefaultSecurityGroup: jsii.Bool(false),
	}).VpcId()
}

func lambdaArchitecture(name string) awslambda.Architecture {
	if name == "amd64" {
		return awslambda.Architecture_X86_64()
	}
	return awslambda.Architecture_ARM_64()
}
