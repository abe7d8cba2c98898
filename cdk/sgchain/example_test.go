package sgchain_test

import (
	"log"
	"os"
	"path/filepath"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/jsii-runtime-go"

	"sgchain/cdk/sgchain"
)

// A chain of three tiers, a load balancer in the group of the first tier, and the plan file that each
// synth writes.
func Example() {
	folder, err := os.MkdirTemp("", "sgchain-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(folder)})
	stack := awscdk.NewStack(app, jsii.String("Shop"), nil)
	vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), nil)
	bastion := awsec2.SecurityGroup_FromSecurityGroupId(stack, jsii.String("Bastion"), jsii.String("sg-0123456789abcdef0"), nil)

	chain := sgchain.NewSecurityGroupChain(stack, jsii.String("Chain"), &sgchain.SecurityGroupChainProps{
		Vpc: vpc,
		Tiers: []sgchain.Tier{
			{Name: "Alb", GroupName: "shop-alb", Ports: []sgchain.Port{sgchain.Https()}},
			{Name: "App", GroupName: "shop-app", Egress: sgchain.EgressChain, Ingress: []sgchain.Ingress{
				{Ports: sgchain.Ports(6060), Sources: []sgchain.Peer{sgchain.TierNamed("Alb")}},
				{Ports: []sgchain.Port{sgchain.Ssh()}, Sources: []sgchain.Peer{sgchain.Group(bastion)}, Description: "administration"},
			}},
			{Name: "Db", GroupName: "shop-db", Ports: []sgchain.Port{sgchain.Postgres()}, Egress: sgchain.EgressNone},
		},
	})
	elb.NewApplicationLoadBalancer(stack, jsii.String("Balancer"), &elb.ApplicationLoadBalancerProps{
		Vpc: vpc, SecurityGroup: chain.SecurityGroup("Alb"),
	})

	assembly := app.Synth(nil)
	plan, err := os.ReadFile(filepath.Join(*assembly.Directory(), "Shop.Chain.plan.txt"))
	if err != nil {
		log.Fatal(err)
	}
	_, _ = os.Stdout.Write(plan)
	// Output:
	// Chain Shop/Chain in VPC ${Vpc8378EB38}
	// internet -tcp 443-> Alb -tcp 6060-> App -tcp 5432-> Db [sg-0123456789abcdef0 -tcp 22-> App]
	//
	// internet
	//    |  tcp 443
	//    v
	// [Alb] shop-alb
	//    --> anywhere
	//    |  tcp 6060
	//    v
	// [App] shop-app
	//    <-- sg-0123456789abcdef0: tcp 22
	//    --> Db: tcp 5432
	//    |  tcp 5432
	//    v
	// [Db] shop-db
	//    --> nowhere
	//
	// Alb(shop-alb) "Security group of tier Alb"
	//   ingress tcp 443 from 0.0.0.0/0 "internet to Alb: tcp 443"
	//   egress all traffic to 0.0.0.0/0
	// App(shop-app) "Security group of tier App"
	//   ingress tcp 22 from sg-0123456789abcdef0 "administration"
	//   ingress tcp 6060 from Alb(shop-alb) "Alb to App: tcp 6060"
	//   egress tcp 5432 to Db(shop-db) "App to Db: tcp 5432"
	// Db(shop-db) "Security group of tier Db"
	//   ingress tcp 5432 from App(shop-app) "App to Db: tcp 5432"
	//
	// An update keeps a group if its first line stays the same. If that line differs, the update creates
	// a new group and retires the old one. Once every consumer has moved, the cleanup deletes the retired
	// group, or releases it if the chain adopted it or ReleaseTiers names its tier. To see what an update
	// would change now, run "make plan".
}
