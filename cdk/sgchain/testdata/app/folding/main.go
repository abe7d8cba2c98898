// Command folding is a web service on Fargate behind a load balancer, with a database, in which no port is written twice: each stands where
// it is listened on, and the chain takes it from there.
package main

import (
	"sgchain/cdk/sgchain"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	ec2 "github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	ecs "github.com/aws/aws-cdk-go/awscdk/v2/awsecs"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	rds "github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/jsii-runtime-go"
)

func main() {
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Shop"), nil)
	vpc := ec2.NewVpc(stack, jsii.String("Vpc"), &ec2.VpcProps{MaxAzs: jsii.Number(2), NatGateways: jsii.Number(0)})
	chain := sgchain.NewSecurityGroupChain(stack, jsii.String("Chain"), &sgchain.SecurityGroupChainProps{
		Vpc: vpc, Connections: sgchain.Connections_FOLD,
		Tiers: []sgchain.Tier{{Name: "Alb"}, {Name: "App", Egress: sgchain.EgressChain}, {Name: "Db", Egress: sgchain.EgressNone}},
	})
	task := ecs.NewFargateTaskDefinition(stack, jsii.String("Task"), nil)
	task.AddContainer(jsii.String("Web"), &ecs.ContainerDefinitionOptions{
		Image:        ecs.ContainerImage_FromRegistry(jsii.String("public.ecr.aws/docker/library/httpd:2.4"), nil),
		PortMappings: &[]*ecs.PortMapping{{ContainerPort: jsii.Number(80)}},
	})
	service := ecs.NewFargateService(stack, jsii.String("Service"), &ecs.FargateServiceProps{
		Cluster: ecs.NewCluster(stack, jsii.String("Cluster"), &ecs.ClusterProps{Vpc: vpc}), TaskDefinition: task,
		SecurityGroups: &[]ec2.ISecurityGroup{chain.SecurityGroup("App")}, AssignPublicIp: jsii.Bool(true),
	})
	elb.NewApplicationLoadBalancer(stack, jsii.String("Alb"), &elb.ApplicationLoadBalancerProps{
		Vpc: vpc, InternetFacing: jsii.Bool(true), SecurityGroup: chain.SecurityGroup("Alb"),
	}).AddListener(jsii.String("Http"), &elb.BaseApplicationListenerProps{Port: jsii.Number(8080), Protocol: elb.ApplicationProtocol_HTTP}).
		AddTargets(jsii.String("Web"), &elb.AddApplicationTargetsProps{
			Protocol: elb.ApplicationProtocol_HTTP, Targets: &[]elb.IApplicationLoadBalancerTarget{service},
		})
	database := rds.NewDatabaseInstance(stack, jsii.String("Database"), &rds.DatabaseInstanceProps{
		Engine: rds.DatabaseInstanceEngine_Postgres(&rds.PostgresInstanceEngineProps{Version: rds.PostgresEngineVersion_VER_17()}), Vpc: vpc,
		VpcSubnets: &ec2.SubnetSelection{SubnetType: ec2.SubnetType_PRIVATE_ISOLATED}, SecurityGroups: &[]ec2.ISecurityGroup{chain.SecurityGroup("Db")},
		StorageEncrypted: jsii.Bool(true),
	})
	database.Connections().AllowDefaultPortFrom(service, jsii.String("orders of the shop"))
	app.Synth(nil)
}
