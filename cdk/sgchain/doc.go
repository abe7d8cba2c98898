// Package sgchain is the CDK construct library of Custom::SecurityGroupChain: a
// chain of tiers, outermost first, with one security group for each tier and
// exactly the doors open that the chain names.
//
//	chain := sgchain.NewSecurityGroupChain(stack, jsii.String("Chain"), &sgchain.SecurityGroupChainProps{
//		VpcId: vpc.VpcId(),
//		Tiers: &[]*sgchain.Tier{
//			{Name: jsii.String("Alb"), Ports: jsii.Strings("80", "443")},
//			{Name: jsii.String("Fargate"), Ports: jsii.Strings("6060")},
//		},
//	})
//	group := awsec2.SecurityGroup_FromSecurityGroupId(stack, jsii.String("AlbGroup"),
//		chain.SecurityGroupId("Alb"), &awsec2.SecurityGroupImportOptions{Mutable: jsii.Bool(false)})
//
// Without Tiers it is the chain of an Application Load Balancer that is open on 80
// and 443 and of Fargate containers that it alone reaches, on 6060.
//
// A chain is checked when it is constructed, by the same code that the function
// runs. What is wrong with it, all at once and each with its path, is the panic that
// the CDK's constructs answer bad input with.
//
// The function comes from a [Provider]: one for each stack, made by the first chain
// or by [NewProvider]. Its zip is build/lambda.zip in the app's folder, unless
// [ProviderProps] says otherwise.
package sgchain
