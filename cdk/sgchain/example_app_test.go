package sgchain_test

import (
	"fmt"
	"log"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"sgchain/cdk/sgchain"
)

// Rules that other constructs request become part of the chain, so each port is written only once.
func ExampleConnections() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Shop"), nil)
	vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), nil)
	chain := sgchain.NewSecurityGroupChain(stack, jsii.String("Chain"), &sgchain.SecurityGroupChainProps{
		Vpc: vpc, Connections: sgchain.Connections_FOLD,
		Tiers: []sgchain.Tier{{Name: "App", Ports: []sgchain.Port{sgchain.Https()}}, {Name: "Db"}},
	})
	database := awsrds.NewDatabaseInstance(stack, jsii.String("Database"), &awsrds.DatabaseInstanceProps{
		Engine: awsrds.DatabaseInstanceEngine_POSTGRES(), Vpc: vpc, SecurityGroups: &[]awsec2.ISecurityGroup{chain.SecurityGroup("Db")},
	})
	function := awslambda.NewFunction(stack, jsii.String("Function"), &awslambda.FunctionProps{
		Runtime: awslambda.Runtime_NODEJS_LATEST(), Handler: jsii.String("index.handler"), Code: awslambda.Code_FromInline(jsii.String("exports.handler = async () => 0")),
		Vpc: vpc, SecurityGroups: &[]awsec2.ISecurityGroup{chain.SecurityGroup("App")},
	})
	database.Connections().AllowDefaultPortFrom(function, jsii.String("orders"))

	template := assertions.Template_FromStack(stack, nil)
	template.ResourceCountIs(jsii.String("AWS::EC2::SecurityGroupIngress"), jsii.Number(0))
	fmt.Print(chain.Mermaid())
	// Output:
	// flowchart TD
	//   n0["[App]"]
	//   n1["[Db]"]
	//   n2(["internet"])
	//   n3(["internet"])
	//   n2 -->|"tcp 443"| n0
	//   n0 -.->|"all traffic"| n3
	//   n0 -->|"tcp 5432"| n1
	//   n1 -.->|"all traffic"| n3
}

// A unit test of an app can check the tiers of the chain, its outputs and its warnings.
func ExampleSecurityGroupChain_unitTest() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Shop"), nil)
	chain := sgchain.NewSecurityGroupChain(stack, jsii.String("Chain"), &sgchain.SecurityGroupChainProps{
		VpcId: jsii.String("vpc-0123456789abcdef0"), Tiers: []sgchain.Tier{{Name: "Web", Ports: sgchain.Ports(443)}, {Name: "App", Ports: sgchain.Ports(8080)}},
	})
	awscdk.NewCfnOutput(stack, jsii.String("AppGroup"), &awscdk.CfnOutputProps{Value: chain.SecurityGroupId("App")})

	// These panic if the template is different.
	template := assertions.Template_FromStack(stack, nil)
	template.HasResourceProperties(jsii.String("Custom::SecurityGroupChain"), map[string]any{
		"Tiers": assertions.Match_ArrayWith(&[]any{assertions.Match_ObjectLike(&map[string]any{"Name": "App", "Ports": []any{"8080"}})}),
	})
	template.HasOutput(jsii.String("AppGroup"), map[string]any{"Value": map[string]any{"Fn::GetAtt": []any{"Chain", "AppSecurityGroupId"}}})
	assertions.Annotations_FromStack(stack).HasWarning(jsii.String("/Shop/Chain"), assertions.Match_StringLikeRegexp(jsii.String("tier Web is open to the internet: tcp 443 from 0.0.0.0/0")))
	fmt.Println(chain.TierNames()[0], "is the only tier that is open to the internet")
	// Output: Web is the only tier that is open to the internet
}

// A chain that moves within the app can keep its logical ID, and so its groups.
func ExampleSecurityGroupChain_moved() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Shop"), nil)
	network := awscdk.NewStack(stack, jsii.String("Network"), nil) // the chain was a child of Shop before
	chain := sgchain.NewSecurityGroupChain(network, jsii.String("Groups"), &sgchain.SecurityGroupChainProps{VpcId: jsii.String("vpc-0123456789abcdef0")})
	resource, isResource := chain.Node().FindChild(jsii.String("Default")).Node().DefaultChild().(awscdk.CfnResource)
	if !isResource {
		log.Fatal("the chain has no resource")
	}
	resource.OverrideLogicalId(jsii.String("Chain"))

	for id := range *assertions.Template_FromStack(network, nil).FindResources(jsii.String("Custom::SecurityGroupChain"), nil) {
		fmt.Println(id)
	}
	// Output: Chain
}

// The chains of several stacks share one function.
func ExampleNewProvider() {
	app := awscdk.NewApp(nil)
	platform := awscdk.NewStack(app, jsii.String("Platform"), nil)
	provider := sgchain.NewProvider(platform, jsii.String("Provider"), &sgchain.ProviderProps{Shared: true, EnforceGuardrails: true})
	shop := awscdk.NewStack(app, jsii.String("Shop"), nil)
	sgchain.NewSecurityGroupChain(shop, jsii.String("Chain"), &sgchain.SecurityGroupChainProps{VpcId: jsii.String("vpc-0123456789abcdef0"), Provider: provider})

	assertions.Template_FromStack(shop, nil).ResourceCountIs(jsii.String("AWS::Lambda::Function"), jsii.Number(0))
	assertions.Template_FromStack(platform, nil).ResourceCountIs(jsii.String("AWS::Lambda::Function"), jsii.Number(1))
	fmt.Println(*provider.Node().Path())
	// Output: Platform/Provider
}

// A chain can use the provider of another app or template by an export of its ARN.
func ExampleProvider_fromServiceToken() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Shop"), nil)
	chain := sgchain.NewSecurityGroupChain(stack, jsii.String("Chain"), &sgchain.SecurityGroupChainProps{
		VpcId:    jsii.String("vpc-0123456789abcdef0"),
		Provider: sgchain.Provider_FromServiceToken(stack, jsii.String("Provider"), awscdk.Fn_ImportValue(jsii.String("ChainProvider"))),
	})
	assertions.Template_FromStack(stack, nil).HasResourceProperties(jsii.String("Custom::SecurityGroupChain"), map[string]any{
		"ServiceToken": map[string]any{"Fn::ImportValue": "ChainProvider"},
	})
	fmt.Println(chain.Provider().Shared())
	// Output: true
}

// Every 15 minutes the function compares EC2 with the template. An alarm goes off if they differ.
func ExampleDriftGuardProps() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Shop"), nil)
	sgchain.NewSecurityGroupChain(stack, jsii.String("Chain"), &sgchain.SecurityGroupChainProps{
		VpcId: jsii.String("vpc-0123456789abcdef0"), DriftGuard: &sgchain.DriftGuardProps{
			Mode: sgchain.DriftMode_CHECK, Schedule: awsevents.Schedule_Rate(awscdk.Duration_Minutes(jsii.Number(15))),
			Topic: awssns.NewTopic(stack, jsii.String("Alarms"), nil),
		},
	})
	template := assertions.Template_FromStack(stack, nil)
	template.HasResourceProperties(jsii.String("AWS::Events::Rule"), map[string]any{"ScheduleExpression": "rate(15 minutes)"})
	fmt.Println(len(*template.FindResources(jsii.String("AWS::CloudWatch::Alarm"), nil)), "alarms")
	// Output: 2 alarms
}

// Tiers can come from a file, in the form of a template.
func ExampleTiersFromJSON() {
	tiers, err := sgchain.TiersFromJSON(`[{"Name": "Web", "Ports": ["https"]}, {"Name": "App", "Ports": [8080], "Egress": "chain"}]`)
	if err != nil {
		log.Fatal(err)
	}
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Shop"), nil)
	chain := sgchain.NewSecurityGroupChain(stack, jsii.String("Chain"), &sgchain.SecurityGroupChainProps{VpcId: jsii.String("vpc-0123456789abcdef0"), Tiers: tiers})
	fmt.Println(chain.TierNames())
	_, err = sgchain.TiersFromJSON(`[{"Name": "Web", "Prots": [80]}]`)
	fmt.Println(err)
	// Output:
	// [Web App]
	// reading Tiers: Tiers[0].Prots: unknown property. Did you mean Ports?
}

// PeerOf and PortOf convert values of the CDK.
func ExamplePeerOf() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Shop"), nil)
	office := awsec2.Peer_Ipv4(jsii.String("203.0.113.0/24"))
	chain := sgchain.NewSecurityGroupChain(stack, jsii.String("Chain"), &sgchain.SecurityGroupChainProps{
		VpcId: jsii.String("vpc-0123456789abcdef0"), Tiers: []sgchain.Tier{
			{Name: "Web", Ports: []sgchain.Port{sgchain.PortOf(awsec2.Port_HTTPS())}, Sources: []sgchain.Peer{sgchain.PeerOf(office)}},
		},
	})
	fmt.Print(chain.Mermaid())
	// Output:
	// flowchart TD
	//   n0["[Web]"]
	//   n1(["203.0.113.0/24"])
	//   n2(["internet"])
	//   n1 -->|"tcp 443"| n0
	//   n0 -.->|"all traffic"| n2
}

// Tags of the app reach the groups. The chain's own Tags override them.
func ExampleSecurityGroupChain_tags() {
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Shop"), nil)
	sgchain.NewSecurityGroupChain(stack, jsii.String("Chain"), &sgchain.SecurityGroupChainProps{
		VpcId: jsii.String("vpc-0123456789abcdef0"), Tags: map[string]*string{"Team": jsii.String("shop")},
	})
	awscdk.Tags_Of(app).Add(jsii.String("Team"), jsii.String("platform"), nil)
	awscdk.Tags_Of(app).Add(jsii.String("CostCenter"), jsii.String("4711"), nil)

	assertions.Template_FromStack(stack, nil).HasResourceProperties(jsii.String("Custom::SecurityGroupChain"), map[string]any{
		"Tags": map[string]any{"CostCenter": "4711", "Team": "shop"},
	})
	fmt.Println("the groups have both tags")
	// Output: the groups have both tags
}

// If the app's machine has no go command or no sources, build the zip elsewhere with "sgchain bundle" (docs/cdk.md). The provider checks
// that the zip exists and has its architecture.
func ExampleCodeFromZip() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Shop"), nil)
	defer func() { fmt.Println("the synth fails without the zip:", recover() != nil) }()
	sgchain.NewSecurityGroupChain(stack, jsii.String("Chain"), &sgchain.SecurityGroupChainProps{
		VpcId:    jsii.String("vpc-0123456789abcdef0"),
		Provider: sgchain.NewProvider(stack, jsii.String("Provider"), &sgchain.ProviderProps{Code: sgchain.CodeFromZip("lambda.zip")}),
	})
	// Output: the synth fails without the zip: true
}
