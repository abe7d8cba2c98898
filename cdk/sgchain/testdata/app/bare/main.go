// Command bare is the app above without a chain: its groups are the CDK's own. make bench holds the synth of both against each other.
package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	ec2 "github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	ecs "github.com/aws/aws-cdk-go/awscdk/v2/awsecs"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/jsii-runtime-go"
)

func main() {
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Shop"), nil)
	vpc := ec2.NewVpc(stack, jsii.String("Vpc"), &ec2.VpcProps{MaxAzs: jsii.Number(2), NatGateways: jsii.Number(0)})
	one := func(id string) ec2.ISecurityGroup {
		return ec2.NewSecurityGroup(stack, jsii.String(id), &ec2.SecurityGroupProps{Vpc: vpc})
	}
	task := ecs.NewFargateTaskDefinition(stack, jsii.String("Task"), nil)
	task.AddContainer(jsii.String("Web"), &ecs.ContainerDefinitionOptions{
		Image:   ecs.ContainerImage_FromRegistry(jsii.String("public.ecr.aws/docker/library/httpd:2.4"), nil),
		Command: jsii.Strings("httpd-foreground", "-c", "Listen 6060"), PortMappings: &[]*ecs.PortMapping{{ContainerPort: jsii.Number(6060)}},
	})
	service := ecs.NewFargateService(stack, jsii.String("Service"), &ecs.FargateServiceProps{
		Cluster: ecs.NewCluster(stack, jsii.String("Cluster"), &ecs.ClusterProps{Vpc: vpc}), TaskDefinition: task,
		SecurityGroups: &[]ec2.ISecurityGroup{one("F")}, AssignPublicIp: jsii.Bool(true),
	})
	balancer := elb.NewApplicationLoadBalancer(stack, jsii.String("Alb"), &elb.ApplicationLoadBalancerProps{
		Vpc: vpc, InternetFacing: jsii.Bool(true), SecurityGroup: one("A"),
	})
	balancer.AddListener(jsii.String("Http"), &elb.BaseApplicationListenerProps{Port: jsii.Number(80)}).
		AddTargets(jsii.String("Web"), &elb.AddApplicationTargetsProps{
			Protocol: elb.ApplicationProtocol_HTTP, Port: jsii.Number(6060), Targets: &[]elb.IApplicationLoadBalancerTarget{service},
		})
	app.Synth(nil)
}
