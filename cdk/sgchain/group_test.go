package sgchain

import (
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsecs"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/jsii-runtime-go"
)

// Constructs can use the groups if the chain has every rule that they request.
func TestConstructsUseGroupsOfChain(t *testing.T) {
	stack := newStack(t)
	vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), &awsec2.VpcProps{MaxAzs: jsii.Number(2), NatGateways: jsii.Number(1)})
	c := NewSecurityGroupChain(stack, jsii.String("Chain"), &SecurityGroupChainProps{Vpc: vpc, Tiers: []Tier{
		{Name: "Alb", Ports: Ports(80, 443), Egress: EgressChain},
		{Name: "App", Ports: Ports(8080), Egress: EgressChain},
		{Name: "Db", Ports: []Port{Postgres()}, Egress: EgressNone},
	}})
	alb, app, db := c.SecurityGroup("Alb"), c.SecurityGroup("App"), c.SecurityGroup("Db")
	if alb != c.SecurityGroup("Alb") {
		t.Error("a second call returned another object")
	}
	if *alb.AllowAllOutbound() {
		t.Error("AllowAllOutbound is true for a tier with EgressChain")
	}

	balancer := elb.NewApplicationLoadBalancer(stack, jsii.String("Balancer"), &elb.ApplicationLoadBalancerProps{
		Vpc: vpc, InternetFacing: jsii.Bool(true), SecurityGroup: alb,
	})
	listener := balancer.AddListener(jsii.String("Http"), &elb.BaseApplicationListenerProps{Port: jsii.Number(80), Open: jsii.Bool(true)})
	listener.Connections().AllowDefaultPortFromAnyIpv4(jsii.String("anyone"))
	task := awsecs.NewFargateTaskDefinition(stack, jsii.String("Task"), nil)
	task.AddContainer(jsii.String("Web"), &awsecs.ContainerDefinitionOptions{
		Image:        awsecs.ContainerImage_FromRegistry(jsii.String("httpd"), nil),
		PortMappings: &[]*awsecs.PortMapping{{ContainerPort: jsii.Number(8080)}},
	})
	service := awsecs.NewFargateService(stack, jsii.String("Service"), &awsecs.FargateServiceProps{
		Cluster:        awsecs.NewCluster(stack, jsii.String("Cluster"), &awsecs.ClusterProps{Vpc: vpc}),
		TaskDefinition: task, SecurityGroups: &[]awsec2.ISecurityGroup{app},
	})
	listener.AddTargets(jsii.String("Web"), &elb.AddApplicationTargetsProps{Port: jsii.Number(8080), Targets: &[]elb.IApplicationLoadBalancerTarget{service}})
	database := awsrds.NewDatabaseInstance(stack, jsii.String("Database"), &awsrds.DatabaseInstanceProps{
		Engine: awsrds.DatabaseInstanceEngine_POSTGRES(), Vpc: vpc, SecurityGroups: &[]awsec2.ISecurityGroup{db},
	})
	cluster := awsrds.NewDatabaseCluster(stack, jsii.String("Aurora"), &awsrds.DatabaseClusterProps{
		Engine: awsrds.DatabaseClusterEngine_AuroraPostgres(&awsrds.AuroraPostgresClusterEngineProps{
			Version: awsrds.AuroraPostgresEngineVersion_Of(jsii.String("16.6"), jsii.String("16"), nil),
		}),
		Vpc: vpc, SecurityGroups: &[]awsec2.ISecurityGroup{db},
		Writer: awsrds.ClusterInstance_ServerlessV2(jsii.String("Writer"), nil),
	})
	database.Connections().AllowDefaultPortFrom(service, nil)
	cluster.Connections().AllowDefaultPortFrom(service, nil)

	resources := synth(stack)
	for kind := range resources {
		if strings.HasPrefix(kind, "AWS::EC2::SecurityGroup") {
			t.Errorf("the template also has %s: %v", kind, text(t, resources[kind]))
		}
	}
	groups := func(tier string) []any {
		return []any{object{"Fn::GetAtt": []string{"Chain", tier + "SecurityGroupId"}}}
	}
	_, found := only(t, resources, "AWS::ElasticLoadBalancingV2::LoadBalancer")
	equal(t, "the load balancer's groups", dig[any](found, "Properties", "SecurityGroups"), groups("Alb"))
	_, found = only(t, resources, "AWS::ECS::Service")
	equal(t, "the service's groups", dig[any](found, "Properties", "NetworkConfiguration", "AwsvpcConfiguration", "SecurityGroups"), groups("App"))
	_, found = only(t, resources, "AWS::RDS::DBCluster")
	equal(t, "the cluster's groups", dig[any](found, "Properties", "VpcSecurityGroupIds"), groups("Db"))
	for id, found := range resources["AWS::RDS::DBInstance"] {
		if !strings.HasPrefix(id, "Aurora") {
			equal(t, "the database's groups", dig[any](found, "Properties", "VPCSecurityGroups"), groups("Db"))
		}
	}
}

// A group that the CDK creates gets its own rule if the peer is a group of the chain.
func TestGroupsOfTheCDKGetTheirRules(t *testing.T) {
	stack := newStack(t)
	vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), nil)
	c := NewSecurityGroupChain(stack, jsii.String("Chain"), &SecurityGroupChainProps{Vpc: vpc})
	own := awsec2.NewSecurityGroup(stack, jsii.String("Own"), &awsec2.SecurityGroupProps{Vpc: vpc})
	own.Connections().AllowFrom(c.SecurityGroup("Fargate"), awsec2.Port_Tcp(jsii.Number(6379)), nil)
	resources := synth(stack)
	ownID, _ := only(t, resources, "AWS::EC2::SecurityGroup")
	_, rule := only(t, resources, "AWS::EC2::SecurityGroupIngress")
	equal(t, "the rule", []any{dig[any](rule, "Properties", "GroupId"), dig[any](rule, "Properties", "SourceSecurityGroupId")},
		[]any{object{"Fn::GetAtt": []string{ownID, "GroupId"}}, object{"Fn::GetAtt": []string{"Chain", "FargateSecurityGroupId"}}})
}
