// Package sgchain is the CDK construct library of Custom::SecurityGroupChain: a
// chain of tiers, outermost first, with one security group for each tier and
// exactly the doors open that the chain names.
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
// Without Tiers it is the chain of an Application Load Balancer that is open on 80
// and 443 and of Fargate containers that it alone reaches, on 6060.
//
// A chain is checked when it is constructed, by the same code that the function
// runs. What is wrong with it, all at once and each with its path, is the panic that
// the CDK's constructs answer bad input with. What must be known then is a plain Go
// value; what may be a token is a value of the CDK.
//
// The chain is the only writer of its groups. What other constructs ask for on them is
// held against the chain at synth, see [Connections]. Each synth writes what the chain
// will be into the cloud
// assembly, beside the template: Shop.Chain.plan.txt for the chain Chain of the stack
// Shop. Hold two of these against each other to see what a change opens and closes.
// Shop.Chain.plan.html is the same as a page, with a drawing.
//
// The function comes from a [Provider]: one for each stack, made by the first chain
// or by [NewProvider], and compiled during synth, unless [ProviderProps] says
// otherwise.
package sgchain
