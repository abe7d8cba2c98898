// Package sgchain is the CDK construct library of Custom::SecurityGroupChain.
//
// A chain is a list of tiers, outermost first. Each tier is one security group, which has exactly
// the rules that the chain names.
//
//	chain := sgchain.NewSecurityGroupChain(stack, jsii.String("Chain"), &sgchain.SecurityGroupChainProps{
//		Vpc: vpc,
//		Tiers: []sgchain.Tier{
//			{Name: "Alb", Ports: sgchain.Ports(80, 443)},
//			{Name: "Fargate", Ports: sgchain.Ports(6060)},
//		},
//	})
//	service := awsecs.NewFargateService(stack, jsii.String("Service"), &awsecs.FargateServiceProps{
//		SecurityGroups: &[]awsec2.ISecurityGroup{chain.SecurityGroup("Fargate")}, // and so on
//	})
//
// Without Tiers, a chain has two. The first is for an Application Load Balancer, open to the internet
// on 80 and 443. The second is for Fargate containers, which only the load balancer reaches, on 6060.
//
// The constructor checks the chain with the same code that the function runs. It panics with every
// problem at once, each with its path, as the CDK's own constructs do. A value that must be known
// at synth is a plain Go value. A value that can be a token has a type of the CDK.
//
// The chain is the only writer of its groups. At synth it checks the rules that other constructs
// request on its groups, see [Connections].
//
// Each synth writes the chain into the cloud assembly, beside the template. For the chain Chain of
// the stack Shop, Shop.Chain.plan.txt lists every group and rule, and Shop.Chain.plan.html is the
// same as a page with a drawing. To see what a change opens and closes, compare the files of two
// synths.
//
// A [Provider] runs the function. By default the first chain of a stack creates one for all chains
// of the stack, and synth compiles its code. [NewProvider] creates one with other settings, see
// [ProviderProps].
package sgchain
