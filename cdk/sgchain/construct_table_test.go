package sgchain

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsecs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsecspatterns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsefs"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/jsii-runtime-go"

	"sgchain/lambda/chain"
)

// requestingConstruct is a construct that requests rules on the groups of a chain without rules.
type requestingConstruct struct {
	name    string
	request func(s scene)
}

// scene is a stack with a VPC and a chain of Alb, App and Db.
type scene struct {
	stack awscdk.Stack
	vpc   awsec2.IVpc
	group func(tier string) awsec2.ISecurityGroup
	app   awscdk.App
	name  string
}

func germany() *awscdk.Environment {
	return &awscdk.Environment{Account: jsii.String("123456789012"), Region: jsii.String("eu-central-1")}
}

func (s scene) id(name string) *string { return jsii.String(name) }

func (s scene) balancer() elb.ApplicationLoadBalancer {
	return elb.NewApplicationLoadBalancer(s.stack, s.id("Balancer"), &elb.ApplicationLoadBalancerProps{
		Vpc: s.vpc, InternetFacing: jsii.Bool(true), SecurityGroup: s.group("Alb"),
	})
}

func (s scene) task() awsecs.FargateTaskDefinition {
	task := awsecs.NewFargateTaskDefinition(s.stack, s.id("Task"), nil)
	task.AddContainer(s.id("Web"), &awsecs.ContainerDefinitionOptions{
		Image:        awsecs.ContainerImage_FromRegistry(jsii.String("httpd"), nil),
		PortMappings: &[]*awsecs.PortMapping{{ContainerPort: jsii.Number(8080)}},
	})
	return task
}

func (s scene) service() awsecs.FargateService {
	return awsecs.NewFargateService(s.stack, s.id("Service"), &awsecs.FargateServiceProps{
		Cluster:        awsecs.NewCluster(s.stack, s.id("Cluster"), &awsecs.ClusterProps{Vpc: s.vpc}),
		TaskDefinition: s.task(), SecurityGroups: &[]awsec2.ISecurityGroup{s.group("App")},
	})
}

func (s scene) database() awsrds.DatabaseInstance {
	return awsrds.NewDatabaseInstance(s.stack, s.id("Database"), &awsrds.DatabaseInstanceProps{
		Engine: awsrds.DatabaseInstanceEngine_POSTGRES(), Vpc: s.vpc, SecurityGroups: &[]awsec2.ISecurityGroup{s.group("Db")},
	})
}

// cluster creates an Aurora cluster, whose engine implies no port.
func (s scene) cluster(port *float64) awsrds.DatabaseCluster {
	return awsrds.NewDatabaseCluster(s.stack, s.id("Aurora"), &awsrds.DatabaseClusterProps{
		Engine: awsrds.DatabaseClusterEngine_AuroraPostgres(&awsrds.AuroraPostgresClusterEngineProps{
			Version: awsrds.AuroraPostgresEngineVersion_Of(jsii.String("16.6"), jsii.String("16"), nil),
		}),
		Vpc: s.vpc, Port: port, SecurityGroups: &[]awsec2.ISecurityGroup{s.group("Db")},
		Writer: awsrds.ClusterInstance_ServerlessV2(jsii.String("Writer"), nil),
	})
}

// other creates a group that the chain does not own.
func (s scene) other() awsec2.SecurityGroup {
	return awsec2.NewSecurityGroup(s.stack, s.id("Other"), &awsec2.SecurityGroupProps{Vpc: s.vpc})
}

func tcp(port float64) awsec2.Port { return awsec2.Port_Tcp(jsii.Number(port)) }

// requestingConstructs returns every L2 construct that requests a rule, and every way for an author to request one.
func requestingConstructs() []requestingConstruct {
	return []requestingConstruct{
		{"Listener, `Open` (the default)", func(s scene) {
			s.balancer().AddListener(s.id("Http"), &elb.BaseApplicationListenerProps{Port: jsii.Number(80), DefaultAction: elb.ListenerAction_FixedResponse(jsii.Number(404), nil)})
		}},
		{"Fargate service as a target of a listener", func(s scene) {
			listener := s.balancer().AddListener(s.id("Http"), &elb.BaseApplicationListenerProps{Port: jsii.Number(80), Open: jsii.Bool(false)})
			listener.AddTargets(s.id("Web"), &elb.AddApplicationTargetsProps{Port: jsii.Number(8080), Targets: &[]elb.IApplicationLoadBalancerTarget{s.service()}})
		}},
		{"`ApplicationLoadBalancedFargateService` with `LoadBalancer` of tier Alb", func(s scene) {
			awsecspatterns.NewApplicationLoadBalancedFargateService(s.stack, s.id("Pattern"), &awsecspatterns.ApplicationLoadBalancedFargateServiceProps{
				Vpc: s.vpc, TaskDefinition: s.task(), LoadBalancer: s.balancer(), SecurityGroups: &[]awsec2.ISecurityGroup{s.group("App")},
			})
		}},
		{"`ApplicationLoadBalancedFargateService` without: its balancer gets a group of its own", func(s scene) {
			awsecspatterns.NewApplicationLoadBalancedFargateService(s.stack, s.id("Pattern"), &awsecspatterns.ApplicationLoadBalancedFargateServiceProps{
				Vpc: s.vpc, TaskDefinition: s.task(), SecurityGroups: &[]awsec2.ISecurityGroup{s.group("App")},
			})
		}},
		{"RDS instance, `AllowDefaultPortFrom`", func(s scene) {
			s.database().Connections().AllowDefaultPortFrom(s.service(), jsii.String("orders"))
		}},
		{"Aurora cluster with `Port`, `AllowDefaultPortFrom`", func(s scene) {
			s.cluster(jsii.Number(5432)).Connections().AllowDefaultPortFrom(s.service(), nil)
		}},
		{"ElastiCache (CfnReplicationGroup and `NewConnections`), `AllowDefaultPortFrom`", func(s scene) {
			awsec2.NewConnections(&awsec2.ConnectionsProps{DefaultPort: tcp(6379), SecurityGroups: &[]awsec2.ISecurityGroup{s.group("Db")}}).
				AllowDefaultPortFrom(s.service(), nil)
		}},
		{"EFS file system, `AllowDefaultPortFrom`", func(s scene) {
			awsefs.NewFileSystem(s.stack, s.id("Files"), &awsefs.FileSystemProps{Vpc: s.vpc, SecurityGroup: s.group("Db")}).
				Connections().AllowDefaultPortFrom(s.service(), nil)
		}},
		{"Lambda function in the VPC, `AllowTo`", func(s scene) {
			function := awslambda.NewFunction(s.stack, s.id("Function"), &awslambda.FunctionProps{
				Runtime: awslambda.Runtime_NODEJS_LATEST(), Handler: jsii.String("index.handler"), Code: awslambda.Code_FromInline(jsii.String("exports.handler = async () => 0")),
				Vpc: s.vpc, SecurityGroups: &[]awsec2.ISecurityGroup{s.group("App")},
			})
			function.Connections().AllowTo(s.group("Db"), tcp(5432), nil)
		}},
		{"Lambda function with an EFS file system", func(s scene) {
			files := awsefs.NewFileSystem(s.stack, s.id("Files"), &awsefs.FileSystemProps{Vpc: s.vpc, SecurityGroup: s.group("Db")})
			awslambda.NewFunction(s.stack, s.id("Function"), &awslambda.FunctionProps{
				Runtime: awslambda.Runtime_NODEJS_LATEST(), Handler: jsii.String("index.handler"), Code: awslambda.Code_FromInline(jsii.String("exports.handler = async () => 0")),
				Vpc: s.vpc, SecurityGroups: &[]awsec2.ISecurityGroup{s.group("App")},
				Filesystem: awslambda.FileSystem_FromEfsAccessPoint(files.AddAccessPoint(jsii.String("Point"), nil), jsii.String("/mnt/files")),
			})
		}},
		{"Interface endpoint, `Open` (the default)", func(s scene) {
			awsec2.NewInterfaceVpcEndpoint(s.stack, s.id("Secrets"), &awsec2.InterfaceVpcEndpointProps{
				Vpc: s.vpc, Service: awsec2.InterfaceVpcEndpointAwsService_SECRETS_MANAGER(), SecurityGroups: &[]awsec2.ISecurityGroup{s.group("Db")},
			})
		}},
		{"EC2 instance, `AllowFrom` a range", func(s scene) {
			awsec2.NewInstance(s.stack, s.id("Instance"), &awsec2.InstanceProps{
				Vpc: s.vpc, InstanceType: awsec2.NewInstanceType(jsii.String("t4g.nano")), SecurityGroup: s.group("App"),
				MachineImage: awsec2.MachineImage_GenericLinux(&map[string]*string{"eu-central-1": jsii.String("ami-0")}, nil),
			}).Connections().AllowFrom(awsec2.Peer_Ipv4(jsii.String("10.1.0.0/16")), tcp(8080), jsii.String("the office"))
		}},
		{"`AllowFrom` a group of the app", func(s scene) { s.group("Db").Connections().AllowFrom(s.other(), tcp(5432), nil) }},
		{"`AllowTo` a group of the app", func(s scene) { s.group("Db").Connections().AllowTo(s.other(), tcp(6379), nil) }},
		{"`AllowInternally`", func(s scene) { s.group("App").Connections().AllowInternally(tcp(7946), nil) }},
		{"`AllowFromAnyIpv4`", func(s scene) {
			s.group("Alb").Connections().AllowFromAnyIpv4(awsec2.Port_IcmpPing(), nil)
		}},
		{"`AddIngressRule` from a prefix list", func(s scene) {
			list := awsec2.PrefixList_FromPrefixListId(s.stack, s.id("List"), jsii.String("pl-0123456789abcdef0"))
			s.group("Alb").AddIngressRule(list, tcp(443), jsii.String("CloudFront"), nil)
		}},
		{"`AddIngressRule` from a token (`Fn_ImportValue`)", func(s scene) {
			s.group("App").AddIngressRule(awsec2.Peer_SecurityGroupId(awscdk.Fn_ImportValue(jsii.String("BastionGroup")), nil), tcp(22), nil, nil)
		}},
		{"`AddEgressRule` to IPv6 in a chain of IPv4", func(s scene) { s.group("App").AddEgressRule(awsec2.Peer_AnyIpv6(), tcp(443), nil, nil) }},
		{"A port that is a token", func(s scene) {
			s.cluster(nil)
			port := awscdk.NewCfnParameter(s.stack, s.id("PortParameter"), &awscdk.CfnParameterProps{Type: jsii.String("Number")}).ValueAsNumber()
			s.group("App").Connections().AllowFrom(s.group("Alb"), awsec2.Port_Tcp(port), nil)
		}},
		{"`AllowFrom` a group of a stack that uses the chain", func(s scene) {
			dependent := awscdk.NewStack(s.app, s.id(s.name+"Later"), &awscdk.StackProps{Env: germany()})
			group := awsec2.NewSecurityGroup(dependent, s.id("Group"), &awsec2.SecurityGroupProps{Vpc: s.vpc, AllowAllOutbound: jsii.Bool(false)})
			group.Connections().AllowTo(s.group("Db"), tcp(5432), nil)
		}},
		{"`CfnSecurityGroupIngress` of the author", func(s scene) {
			awsec2.NewCfnSecurityGroupIngress(s.stack, s.id("Rule"), &awsec2.CfnSecurityGroupIngressProps{
				GroupId: s.group("Db").SecurityGroupId(), IpProtocol: jsii.String("udp"), FromPort: jsii.Number(53), ToPort: jsii.Number(53), CidrIp: jsii.String("10.0.0.0/8"),
			})
		}},
	}
}

// requestAll creates an app with a stack for each row.
func requestAll(t *testing.T, rows []requestingConstruct, mode Connections, imports func(s awscdk.Stack, tier string, id *string) awsec2.ISecurityGroup) (awscdk.App, []SecurityGroupChain) {
	t.Helper()
	app := newApp(t, nil)
	var chains []SecurityGroupChain
	for i, row := range rows {
		name := fmt.Sprintf("Row%02d", i)
		stack := awscdk.NewStack(app, jsii.String(name), &awscdk.StackProps{Env: germany()})
		vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), &awsec2.VpcProps{MaxAzs: jsii.Number(2)})
		c := NewSecurityGroupChain(stack, jsii.String("Chain"), &SecurityGroupChainProps{
			Vpc: vpc, Connections: mode, Tiers: []Tier{{Name: "Alb"}, {Name: "App"}, {Name: "Db", Egress: EgressChain}},
		})
		group := c.SecurityGroup
		if imports != nil {
			group = func(tier string) awsec2.ISecurityGroup { return imports(stack, tier, c.SecurityGroupId(tier)) }
		}
		row.request(scene{stack: stack, vpc: vpc, group: group, app: app, name: name})
		chains = append(chains, c)
	}
	return app, chains
}

// unexpectedIn returns what templates must not have: rules on a chain's groups, and dependencies on a resource that does not exist.
func unexpectedIn(t *testing.T, assembly string) []string {
	t.Helper()
	var wrong []string
	templates, err := filepath.Glob(filepath.Join(assembly, "*.template.json"))
	if err != nil || len(templates) < len(requestingConstructs()) {
		t.Fatalf("templates: got %d, %v", len(templates), err)
	}
	for _, path := range templates {
		var template object
		if err := json.Unmarshal([]byte(read(t, path)), &template); err != nil {
			t.Fatal(err)
		}
		resources := dig[object](template, "Resources")
		for id, resource := range resources {
			needed, isList := dig[any](resource, "DependsOn").([]any)
			if !isList && dig[any](resource, "DependsOn") != nil {
				needed = []any{dig[any](resource, "DependsOn")}
			}
			for _, one := range needed {
				if resources[fmt.Sprint(one)] == nil {
					wrong = append(wrong, fmt.Sprintf("%s: %s depends on %v, which does not exist", filepath.Base(path), id, one))
				}
			}
			kind := dig[string](resource, "Type")
			if group := text(t, dig[any](resource, "Properties", "GroupId")); strings.HasPrefix(kind, "AWS::EC2::SecurityGroup") && strings.Contains(group, "Chain") {
				wrong = append(wrong, fmt.Sprintf("%s: %s is a rule on %s", filepath.Base(path), id, group))
			}
		}
	}
	return wrong
}

// problemsByChain returns the problems of a failed synth by the path of their chain.
func problemsByChain(problem string) map[string][]string {
	by := map[string][]string{}
	for line := range strings.Lines(problem) {
		if path, text, isProblem := strings.Cut(strings.TrimSpace(line), "] "); isProblem && strings.HasPrefix(path, "[") {
			by[path[1:]] = append(by[path[1:]], text)
		}
	}
	return by
}

// The table of docs/cdk.md must have what each construct requests, the remedy of the failed synth and the folded rules. UPDATE_DOCS=1
// writes it.
func TestConnectionsTable(t *testing.T) {
	app, _ := requestAll(t, requestingConstructs(), Connections_REFUSE, nil)
	refused := problemsByChain(synthTwice(t, app))
	folded, chains := requestAll(t, requestingConstructs(), Connections_FOLD, nil)
	stillRefused := problemsByChain(synthTwice(t, folded))

	var table strings.Builder
	table.WriteString("| Construct | Requests | Remedy of `REFUSE` if the chain lacks the rule | `FOLD` adds |\n|---|---|---|---|\n")
	for i, row := range requestingConstructs() {
		c, _ := chains[i].(*securityGroupChain)
		path := *c.Node().Path()
		var requests, adds []string
		for _, request := range c.requests {
			requests = append(requests, "`"+requestText(c, request)+"`")
		}
		for _, request := range c.settled.missing {
			if request.problem+request.stray == "" {
				adds = append(adds, "`"+requestText(c, request)+"`")
			}
		}
		var remedies []string
		for _, text := range refused[path] {
			if remedy := remedyOf(text); !slices.Contains(remedies, remedy) {
				remedies = append(remedies, remedy)
			}
		}
		if len(requests) == 0 || len(refused[path]) == 0 {
			t.Errorf("%s requests %v, and the problems of the synth are %q", row.name, requests, refused[path])
		}
		if len(adds) == 0 {
			adds = []string{"nothing: refused too"}
		}
		if (len(stillRefused[path]) > 0) != strings.HasPrefix(adds[0], "nothing") {
			t.Errorf("%s: folding adds %v, and the problems of the synth are %q", row.name, adds, stillRefused[path])
		}
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", row.name, strings.Join(requests, "<br>"), strings.Join(remedies, "<br>"), strings.Join(adds, "<br>"))
	}
	checkWritten(t, filepath.Join("..", "..", "docs", "cdk.md"), "<!-- the table of what constructs ask for, written by the tests -->\n", "<!-- end of the table -->\n", table.String())
}

// requestText returns a request as text for the table.
func requestText(c *securityGroupChain, request request) string {
	way, preposition := "into", "from"
	if request.direction == chain.Egress {
		way, preposition = "out of", "to"
	}
	if request.port.text == "" {
		return way + " " + request.tier + " on a port that is a token"
	}
	peer := request.peer.text
	if isToken(peer) {
		peer = (&advice{securityGroupChain: c, everything: lastScan.everything}).named(peer)
	}
	return request.port.text + " " + way + " " + request.tier + " " + preposition + " " + peer
}

// remedyOf returns the reason and remedy of a problem, without the remedy that all have.
func remedyOf(text string) string {
	text = strings.TrimSuffix(text, ", or set Connections of the chain to sgchain.Connections_FOLD.")
	if _, reason, isImpossible := strings.Cut(text, "the chain cannot have it: "); isImpossible {
		return reason
	}
	if _, rest, found := strings.Cut(text, "the chain does not allow it. "); found {
		return strings.TrimSuffix(rest, ".")
	}
	return text
}

// synthTwice returns the problems of the validation. Then it synthesizes again without validation, and checks that no collected rule is
// in a template.
func synthTwice(t *testing.T, app awscdk.App) string {
	t.Helper()
	problem := panics(t, func() { app.Synth(nil) }).Error()
	assembly := app.Synth(&awscdk.StageSynthesisOptions{SkipValidation: jsii.Bool(true), Force: jsii.Bool(true)})
	for _, wrong := range unexpectedIn(t, *assembly.Directory()) {
		t.Error(wrong)
	}
	return problem
}

// On a group that the app imports as immutable by its ID, the CDK silently drops the rules of the same constructs. The chain once imported
// its groups so. The table shows that it now sees every rule.
func TestImmutableImportLosesRules(t *testing.T) {
	app, chains := requestAll(t, requestingConstructs()[:5], "", func(s awscdk.Stack, tier string, id *string) awsec2.ISecurityGroup {
		found, _ := s.Node().TryFindChild(jsii.String("Imported" + tier)).(awsec2.ISecurityGroup)
		if found == nil {
			found = awsec2.SecurityGroup_FromSecurityGroupId(s, jsii.String("Imported"+tier), id, &awsec2.SecurityGroupImportOptions{Mutable: jsii.Bool(false)})
		}
		return found
	})
	app.Synth(nil)
	for _, c := range chains {
		if own, _ := c.(*securityGroupChain); len(own.requests) > 0 {
			t.Errorf("%s recorded %v", *c.Node().Path(), own.requests)
		}
	}
}
