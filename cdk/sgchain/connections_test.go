package sgchain

import (
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"sgchain/lambda/chain"
)

// shop creates a load balancer, a service and a database, each of which sets its own port.
func shop(stack awscdk.Stack, mode Connections, tiers ...Tier) {
	vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), &awsec2.VpcProps{MaxAzs: jsii.Number(2)})
	c := NewSecurityGroupChain(stack, jsii.String("Chain"), &SecurityGroupChainProps{Vpc: vpc, Connections: mode, Tiers: tiers})
	s := scene{stack: stack, vpc: vpc, group: c.SecurityGroup}
	service := s.service()
	s.balancer().AddListener(jsii.String("Http"), &elb.BaseApplicationListenerProps{Port: jsii.Number(80)}).
		AddTargets(jsii.String("Web"), &elb.AddApplicationTargetsProps{Port: jsii.Number(8080), Targets: &[]elb.IApplicationLoadBalancerTarget{service}})
	s.database().Connections().AllowDefaultPortFrom(service, jsii.String("orders"))
}

// planOf returns the plan file of a stack's chain without its legend.
func planOf(t *testing.T, stack awscdk.Stack) string {
	t.Helper()
	whole := read(t, *awscdk.Stage_Of(stack).Outdir(), "Stack.Chain.plan.txt")
	return strings.TrimSuffix(whole, planLegend)
}

// A folding chain has every requested rule with its description, so that each port is written only once.
func TestFoldAddsRequestedRules(t *testing.T) {
	stack := newStack(t)
	shop(stack, Connections_FOLD, Tier{Name: "Alb"}, Tier{Name: "App"}, Tier{Name: "Db", Egress: EgressNone})
	resources := synth(stack)
	_, resource := only(t, resources, chain.ResourceType)
	equal(t, "Tiers", dig[any](resource, "Properties", "Tiers"), []any{
		object{"Name": "Alb", "Ingress": []any{object{"Ports": []string{"80"}, "Sources": []string{"internet-v4"}, "Description": "Allow from anyone on port 80"}}},
		object{"Name": "App", "Ingress": []any{object{"Ports": []string{"8080"}, "Sources": []string{"Alb"}, "Description": "Load balancer to target"}}},
		object{"Name": "Db", "Egress": "none", "Ingress": []any{object{"Ports": []string{"5432"}, "Sources": []string{"App"}, "Description": "orders"}}},
	})
	if plan := planOf(t, stack); !strings.Contains(plan, "internet -tcp 80-> Alb -tcp 8080-> App -tcp 5432-> Db") || !strings.Contains(plan, `ingress tcp 5432 from App`) {
		t.Errorf("the plan file:\n%s", plan)
	}
	for kind := range resources {
		if strings.HasPrefix(kind, "AWS::EC2::SecurityGroup") {
			t.Errorf("the template also has %s", kind)
		}
	}
	assertions.Annotations_FromStack(stack).HasWarning(jsii.String("/Stack/Chain"), assertions.Match_StringLikeRegexp(jsii.String("tier Alb is open to the internet: tcp 80 from 0.0.0.0/0")))
}

// The synth fails without a port, and following its message fixes that.
func TestRefuseNamesMissingPort(t *testing.T) {
	alb, app := Tier{Name: "Alb", Ports: Ports(80)}, Tier{Name: "App", Ports: Ports(8080), Egress: EgressChain}
	stack := newStack(t)
	shop(stack, "", alb, app, Tier{Name: "Db"})
	err := panics(t, func() { synth(stack) })
	want := `[Stack/Chain] Stack/Database requests the inbound rule tcp 5432 from App on the security group of tier Db ("orders"), but the chain does not allow it. ` +
		`Set Ports of tier Db to []sgchain.Port{sgchain.Tcp(5432)}, or set Connections of the chain to sgchain.Connections_FOLD.`
	if !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "[Stack/") != 1 {
		t.Errorf("error: got\n%v\nwant one with\n%s", err, want)
	}
	stack = newStack(t)
	shop(stack, "", alb, app, Tier{Name: "Db", Ports: []Port{Tcp(5432)}})
	_, resource := only(t, synth(stack), chain.ResourceType)
	if got := text(t, dig[any](resource, "Properties", "Tiers")); strings.Contains(got, "Ingress") {
		t.Errorf("a rule that the tier already has was added again: %s", got)
	}
}

// The remedy depends on the form in which the author wrote the tier.
func TestRemedyForEachFormOfTier(t *testing.T) {
	for name, c := range map[string]struct {
		tier    Tier
		request func(group awsec2.ISecurityGroup)
		want    string
	}{
		"one more port": {Tier{Ports: Ports(80)}, func(g awsec2.ISecurityGroup) { g.AddIngressRule(awsec2.Peer_AnyIpv4(), tcp(443), nil, nil) }, "Add sgchain.Tcp(443) to Ports of tier Web"},
		"another source": {
			Tier{Ports: []Port{Https()}},
			func(g awsec2.ISecurityGroup) {
				g.AddIngressRule(awsec2.Peer_Ipv4(jsii.String("10.0.0.0/8")), awsec2.Port_UdpRange(jsii.Number(1), jsii.Number(9)), nil, nil)
			},
			`Set Ingress of tier Web to []sgchain.Ingress{{Ports: []sgchain.Port{sgchain.Https()}, Sources: []sgchain.Peer{sgchain.Internet()}}, {Ports: []sgchain.Port{sgchain.UdpRange(1, 9)}, Sources: []sgchain.Peer{sgchain.Cidr("10.0.0.0/8")}}}, instead of its Ports and Sources`,
		},
		"the long form": {
			Tier{Ingress: []Ingress{{Ports: Ports(80), Sources: []Peer{Vpc()}}}},
			func(g awsec2.ISecurityGroup) {
				g.AddIngressRule(awsec2.Peer_SecurityGroupId(jsii.String("sg-0123456789abcdef0"), jsii.String("210987654321")), awsec2.Port_AllTraffic(), nil, nil)
			},
			`Add {Ports: []sgchain.Port{sgchain.AllTraffic()}, Sources: []sgchain.Peer{sgchain.GroupId(jsii.String("210987654321/sg-0123456789abcdef0"))}} to Ingress of tier Web`,
		},
		"an outbound rule": {
			Tier{Egress: EgressChain},
			func(g awsec2.ISecurityGroup) { g.AddEgressRule(awsec2.Peer_AnyIpv4(), awsec2.Port_AllTcp(), nil, nil) },
			`Add {Ports: []sgchain.Port{sgchain.AllTcp()}, Destinations: []sgchain.Peer{sgchain.InternetV4()}} to EgressTo of tier Web`,
		},
		"an outbound rule with EgressNone": {
			Tier{Egress: EgressNone},
			func(g awsec2.ISecurityGroup) { g.AddEgressRule(awsec2.Peer_AnyIpv4(), awsec2.Port_Esp(), nil, nil) },
			"the tier has EgressNone, which allows no outbound traffic. Set its Egress to sgchain.EgressChain",
		},
		"a tier from JSON": {
			mustTier(`{"Name": "Web", "Ports": ["tcp/443", "LDAP", "HTTPS", "udp/53", "0-65535"], "Sources": ["pl-0123456789abcdef0", "com.amazonaws.{region}.s3", "Self", "sg-0123456789abcdef0", "group/my-sg-1", "list/pl-office", "gov.ic.c2s.{region}.s3"]}`),
			func(g awsec2.ISecurityGroup) { g.AddIngressRule(awsec2.Peer_AnyIpv4(), tcp(80), nil, nil) },
			`{Ports: []sgchain.Port{sgchain.Tcp(443), sgchain.Tcp(389), sgchain.Https(), sgchain.Udp(53), sgchain.AllTcp()}, Sources: []sgchain.Peer{` +
				`sgchain.PrefixList(jsii.String("pl-0123456789abcdef0")), sgchain.PrefixListNamed("com.amazonaws.{region}.s3"), sgchain.Self(), sgchain.GroupId(jsii.String("sg-0123456789abcdef0")), ` +
				`sgchain.GroupNamed("my-sg-1"), sgchain.ListNamed("pl-office"), sgchain.PrefixListNamed("gov.ic.c2s.{region}.s3")}}`,
		},
		"EgressNone from JSON in another case": {
			mustTier(`{"Name": "Web", "Egress": "None"}`), func(g awsec2.ISecurityGroup) { g.AddEgressRule(awsec2.Peer_AnyIpv4(), tcp(80), nil, nil) },
			"the tier has EgressNone",
		},
		"a description that EC2 refuses": {
			Tier{},
			func(g awsec2.ISecurityGroup) {
				g.AddIngressRule(awsec2.Peer_AnyIpv4(), tcp(80), jsii.String("the shop's"), nil)
			},
			`but the chain cannot have it: its Description: "the shop's" has characters that EC2 refuses`,
		},
		"a prefix list": {
			Tier{},
			func(g awsec2.ISecurityGroup) {
				g.AddIngressRule(awsec2.Peer_PrefixList(jsii.String("pl-0123456789abcdef0")), awsec2.Port_IcmpTypeAndCode(jsii.Number(3), jsii.Number(4)), nil, nil)
			},
			`Set Ingress of tier Web to []sgchain.Ingress{{Ports: []sgchain.Port{sgchain.IcmpTypeAndCode(3, 4)}, Sources: []sgchain.Peer{sgchain.PrefixList(jsii.String("pl-0123456789abcdef0"))}}}`,
		},
		"IPv6's ICMP": {
			Tier{},
			func(g awsec2.ISecurityGroup) {
				g.AddIngressRule(awsec2.Peer_AnyIpv6(), awsec2.Port_AllIcmpV6(), nil, nil)
			},
			`Set Ingress of tier Web to []sgchain.Ingress{{Ports: []sgchain.Port{sgchain.IcmpV6()}, Sources: []sgchain.Peer{sgchain.InternetV6()}}}`,
		},
	} {
		stack := newStack(t)
		c.tier.Name = "Web"
		chained := NewSecurityGroupChain(stack, jsii.String("Chain"), anyVpc(c.tier))
		c.request(chained.SecurityGroup("Web"))
		if err := panics(t, func() { synth(stack) }); !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got\n%v\nwant an error with\n%s", name, err, c.want)
		}
	}
}

func mustTier(text string) Tier {
	tiers, err := TiersFromJSON("[" + text + "]")
	if err != nil {
		panic(err)
	}
	return tiers[0]
}

// A chain without Tiers has none to add the rule to.
func TestRemedyForDefaultChain(t *testing.T) {
	stack := newStack(t)
	c := NewSecurityGroupChain(stack, jsii.String("Chain"), anyVpc())
	c.SecurityGroup("Fargate").AddEgressRule(awsec2.Peer_AnyIpv6(), tcp(443), nil, nil)
	c.SecurityGroup("Alb").AddIngressRule(awsec2.Peer_AnyIpv4(), tcp(8080), nil, nil)
	err := panics(t, func() { synth(stack) })
	for _, want := range []string{
		"Set Tiers of the chain to the default tiers, with {Ports: []sgchain.Port{sgchain.Tcp(443)}, Destinations: []sgchain.Peer{sgchain.InternetV6()}} in EgressTo of tier Fargate",
		"Set Tiers of the chain to the default tiers, with []sgchain.Ingress{",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error: got %v, want one with %s", err, want)
		}
	}
}

// The chain sees rules that an aspect adds late, on the chain's own group and on an import of it. Other aspects see no rule that never
// reaches the template. A construct that depends on the chain depends on its resource.
func TestRequestsOfAspects(t *testing.T) {
	stack := newStack(t)
	c := NewSecurityGroupChain(stack, jsii.String("Chain"), anyVpc(Tier{Name: "Web", Ports: Ports(443)}))
	group := c.SecurityGroup("Web")
	group.AddIngressRule(awsec2.Peer_AnyIpv4(), tcp(443), nil, nil) // the chain has it
	topic := awscdk.NewCfnResource(stack, jsii.String("Later"), &awscdk.CfnResourceProps{Type: jsii.String("AWS::SNS::Topic")})
	topic.Node().AddDependency(c, group)
	late := &lateAspect{on: topic, do: func() {
		group.AddIngressRule(awsec2.Peer_AnyIpv4(), tcp(80), nil, nil)
		awsec2.SecurityGroup_FromSecurityGroupId(stack, jsii.String("Again"), c.SecurityGroupId("Web"), nil).AddIngressRule(awsec2.Peer_AnyIpv4(), tcp(81), nil, nil)
	}}
	awscdk.Aspects_Of(stack).Add(late, nil)
	err := panics(t, func() { synth(stack) })
	for _, want := range []string{"inbound rule tcp 80 from 0.0.0.0/0", "inbound rule tcp 81 from 0.0.0.0/0", "The rule is created in Stack/Again"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error: got %v, want one with %s", err, want)
		}
	}
	if late.seen > 0 {
		t.Errorf("an aspect has seen %d rules", late.seen)
	}
}

// lateAspect requests rules when it visits a construct, and counts the rules that it has seen until then.
type lateAspect struct {
	on   constructs.IConstruct
	do   func()
	seen int
}

func (a *lateAspect) Visit(node constructs.IConstruct) {
	if rule, _ := directionOf(node); rule != nil && a.do != nil {
		a.seen++
	}
	if node == a.on && a.do != nil {
		a.do()
		a.do = nil
	}
}

// isRefused reports whether the synth of a stack fails.
func isRefused(stack awscdk.Stack) (refused bool) {
	defer func() { refused = recover() != nil }()
	synth(stack)
	return false
}

// A range that is a token belongs to one address family, and a rule for the other family does not allow it.
func TestAddressFamilyOfTokens(t *testing.T) {
	for name, c := range map[string]struct {
		ipv6 bool
		peer func(token *string) awsec2.IPeer
		want bool // whether the synth succeeds
	}{
		"IPv4 in a chain of IPv4": {false, awsec2.Peer_Ipv4, true},
		"IPv6 in a chain of IPv4": {false, awsec2.Peer_Ipv6, false},
		"IPv6 in a chain of both": {true, awsec2.Peer_Ipv6, true},
	} {
		stack := newStack(t)
		props := anyVpc(Tier{Name: "Web", Ports: Ports(443)})
		props.IPv6 = c.ipv6
		group := NewSecurityGroupChain(stack, jsii.String("Chain"), props).SecurityGroup("Web")
		group.AddIngressRule(c.peer(awscdk.Fn_ImportValue(jsii.String("Range"))), tcp(443), nil, nil)
		if refused := isRefused(stack); refused == c.want {
			t.Errorf("%s: refused is %t", name, refused)
		}
	}
}

// A listener that is open to the internet on a port of a database is refused, although it is a folded rule.
func TestFoldChecksGuardrails(t *testing.T) {
	stack := newStack(t)
	vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), nil)
	c := NewSecurityGroupChain(stack, jsii.String("Chain"), &SecurityGroupChainProps{Vpc: vpc, Connections: Connections_FOLD, Tiers: []Tier{{Name: "Alb"}, {Name: "App"}}})
	scene{stack: stack, vpc: vpc, group: c.SecurityGroup}.balancer().AddListener(jsii.String("Db"), &elb.BaseApplicationListenerProps{
		Port: jsii.Number(3306), Protocol: elb.ApplicationProtocol_HTTP, DefaultAction: elb.ListenerAction_FixedResponse(jsii.Number(404), nil),
	})
	err := panics(t, func() { synth(stack) })
	if !strings.Contains(err.Error(), "public-admin-port: tier Alb") {
		t.Errorf("error: got %v, want one with public-admin-port", err)
	}
}

// A chain without Tiers can fold rules too, and keeps its groups.
func TestFoldIntoDefaultChain(t *testing.T) {
	stack := newStack(t)
	props := anyVpc()
	props.Connections = Connections_FOLD
	c := NewSecurityGroupChain(stack, jsii.String("Chain"), props)
	c.SecurityGroup("Fargate").Connections().AllowFrom(c.SecurityGroup("Alb"), tcp(6061), nil)
	synth(stack)
	for _, want := range []string{"Alb(ALB-SG)", "Fargate(Fargate-SG)", "ingress tcp 6060 from Alb", `ingress tcp 6061 from Alb(ALB-SG) "Alb to Fargate: tcp 6061"`} {
		if plan := planOf(t, stack); !strings.Contains(plan, want) {
			t.Errorf("the plan lacks %s:\n%s", want, plan)
		}
	}
}

// If no rule is missing, both modes synthesize the same template.
func TestFoldWithoutMissingRulesKeepsTemplate(t *testing.T) {
	templates := map[string]string{}
	for _, mode := range []Connections{Connections_FOLD, Connections_REFUSE, Connections_FOLD} {
		stack := newStack(t)
		shop(stack, mode, Tier{Name: "Alb", Ports: Ports(80)}, Tier{Name: "App", Ports: Ports(8080)}, Tier{Name: "Db", Ports: Ports(5432)})
		got := text(t, synth(stack)[chain.ResourceType])
		templates[got] = got
	}
	if len(templates) != 1 {
		t.Errorf("%d different templates", len(templates))
	}
}

// A rule for a tier of another chain is folded in. It is refused if the chains would depend on each other, as CloudFormation does.
func TestFoldBetweenTwoChains(t *testing.T) {
	stack := newStack(t)
	fold := func(id string, tiers ...Tier) SecurityGroupChain {
		props := anyVpc(tiers...)
		props.Connections = Connections_FOLD
		return NewSecurityGroupChain(stack, jsii.String(id), props)
	}
	front, back := fold("Chain", Tier{Name: "Web"}), fold("Back", Tier{Name: "App"})
	back.SecurityGroup("App").Connections().AllowFrom(front.SecurityGroup("Web"), tcp(8080), nil)
	for id, resource := range synth(stack)[chain.ResourceType] {
		tiers := text(t, dig[any](resource, "Properties", "Tiers"))
		if isBack := strings.Contains(id, "Back"); isBack != strings.Contains(tiers, "WebSecurityGroupId") {
			t.Errorf("%s has %s", id, tiers)
		}
	}
	// With EgressChain, Web needs an outbound rule too, so that each chain depends on the other.
	stack = newStack(t)
	front, back = fold("Chain", Tier{Name: "Web", Egress: EgressChain}), fold("Back", Tier{Name: "App"})
	back.SecurityGroup("App").Connections().AllowFrom(front.SecurityGroup("Web"), tcp(8080), nil)
	if err := panics(t, func() { synth(stack) }); !strings.Contains(err.Error(), "each would need the other one first") {
		t.Errorf("error: got %v", err)
	}
}

// A value that the CDK has not looked up yet must not fail the synth.
func TestDummyValuesOfLookupsAreAccepted(t *testing.T) {
	stack := awscdk.NewStack(newApp(t, nil), jsii.String("Stack"), &awscdk.StackProps{Env: germany()})
	vpc := awsec2.Vpc_FromLookup(stack, jsii.String("Vpc"), &awsec2.VpcLookupOptions{IsDefault: jsii.Bool(true)})
	for _, id := range []string{"Chain", "Other"} {
		c := NewSecurityGroupChain(stack, jsii.String(id), &SecurityGroupChainProps{Vpc: vpc, Tiers: []Tier{
			{Name: "Web", GroupName: "web", Ports: []Port{Https()}, Sources: []Peer{Cidr("172.31.0.0/16")}},
		}})
		c.SecurityGroup("Web").AddIngressRule(awsec2.Peer_Ipv4(vpc.VpcCidrBlock()), tcp(443), nil, nil)
		c.SecurityGroup("Web").Connections().AllowFrom(awsec2.SecurityGroup_FromLookupById(stack, jsii.String("Looked"+id), jsii.String("sg-0abc")), tcp(443), nil)
	}
	synth(stack)
}

// An instance has its own port or that of its engine. A cluster must set it.
func TestPortOfDatabase(t *testing.T) {
	for name, c := range map[string]struct {
		database func(s scene) awsec2.IConnectable
		want     string
	}{
		"PostgreSQL": {func(s scene) awsec2.IConnectable { return s.database() }, "tcp 5432"},
		"an instance of SQL Server with a port": {func(s scene) awsec2.IConnectable {
			return awsrds.NewDatabaseInstance(s.stack, jsii.String("Database"), &awsrds.DatabaseInstanceProps{
				Engine: awsrds.DatabaseInstanceEngine_SqlServerEx(&awsrds.SqlServerExInstanceEngineProps{Version: awsrds.SqlServerEngineVersion_VER_15()}), Vpc: s.vpc,
				Port: jsii.Number(1444), SecurityGroups: &[]awsec2.ISecurityGroup{s.group("Db")},
			})
		}, "tcp 1444"},
		"MariaDB": {func(s scene) awsec2.IConnectable {
			return awsrds.NewDatabaseInstance(s.stack, jsii.String("Database"), &awsrds.DatabaseInstanceProps{
				Engine: awsrds.DatabaseInstanceEngine_MARIADB(), Vpc: s.vpc, SecurityGroups: &[]awsec2.ISecurityGroup{s.group("Db")},
			})
		}, "tcp 3306"},
		"an instance of a snapshot": {func(s scene) awsec2.IConnectable {
			return awsrds.NewDatabaseInstanceFromSnapshot(s.stack, jsii.String("Database"), &awsrds.DatabaseInstanceFromSnapshotProps{
				Engine: awsrds.DatabaseInstanceEngine_POSTGRES(), SnapshotIdentifier: jsii.String("old"), Vpc: s.vpc, SecurityGroups: &[]awsec2.ISecurityGroup{s.group("Db")},
			})
		}, "Set Port of Stack/Database"},
		"a cluster with a port": {func(s scene) awsec2.IConnectable { return s.cluster(jsii.Number(5433)) }, "tcp 5433"},
		"a resource without one": {func(s scene) awsec2.IConnectable {
			cluster := awsrds.NewCfnDBCluster(s.stack, jsii.String("Cluster"), &awsrds.CfnDBClusterProps{Engine: jsii.String("aurora-postgresql"), VpcSecurityGroupIds: &[]any{s.group("Db").SecurityGroupId()}})
			port := awscdk.Token_AsNumber(cluster.AttrEndpointPort())
			return awsec2.NewConnections(&awsec2.ConnectionsProps{DefaultPort: awsec2.Port_Tcp(port), SecurityGroups: &[]awsec2.ISecurityGroup{s.group("Db")}})
		}, "its port is known only at deployment (a token), and the chain is deployed before what listens on it. Set Port of Stack/Cluster."},
	} {
		stack := newStack(t)
		vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), nil)
		chained := NewSecurityGroupChain(stack, jsii.String("Chain"), &SecurityGroupChainProps{Vpc: vpc, Tiers: []Tier{{Name: "App"}, {Name: "Db"}}})
		c.database(scene{stack: stack, vpc: vpc, group: chained.SecurityGroup}).Connections().AllowDefaultPortFrom(chained.SecurityGroup("App"), nil)
		if err := panics(t, func() { synth(stack) }); !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got\n%v\nwant an error with %s", name, err, c.want)
		}
	}
}

func TestFoldingAllows(t *testing.T) {
	web := func(ports ...Port) Tier { return Tier{Name: "Web", Ports: ports} }
	list := func(id string) Peer { return PrefixList(jsii.String(id)) }
	for name, c := range map[string]struct {
		tier Tier
		port Port
		peer Peer
		ipv6 bool
		want bool
	}{
		"the same":                                 {tier: web(Tcp(80)), port: Tcp(80), peer: InternetV4(), want: true},
		"a part of a range":                        {tier: web(TcpRange(80, 90)), port: TcpRange(81, 90), peer: InternetV4(), want: true},
		"more than a range":                        {tier: web(TcpRange(80, 90)), port: TcpRange(80, 91), peer: InternetV4()},
		"two ranges that touch":                    {tier: web(TcpRange(86, 90), TcpRange(80, 85)), port: TcpRange(80, 90), peer: InternetV4(), want: true},
		"two ranges with a hole":                   {tier: web(TcpRange(87, 90), TcpRange(80, 85)), port: TcpRange(80, 90), peer: InternetV4()},
		"another protocol":                         {tier: web(Udp(80)), port: Tcp(80), peer: InternetV4()},
		"all traffic":                              {tier: web(AllTraffic()), port: Protocol(50), peer: InternetV4(), want: true},
		"all traffic requested":                    {tier: web(AllTcp()), port: AllTraffic(), peer: InternetV4()},
		"a protocol":                               {tier: web(Protocol(50)), port: Protocol(50), peer: InternetV4(), want: true},
		"a code of ICMP":                           {tier: web(IcmpType(3)), port: IcmpTypeAndCode(3, 4), peer: InternetV4(), want: true},
		"all of ICMP":                              {tier: web(Icmp()), port: IcmpTypeAndCode(3, 4), peer: InternetV4(), want: true},
		"another code":                             {tier: web(IcmpTypeAndCode(3, 3)), port: IcmpTypeAndCode(3, 4), peer: InternetV4()},
		"a range within the internet":              {tier: web(Tcp(80)), port: Tcp(80), peer: Cidr("10.0.0.0/8"), want: true},
		"the internet within a range":              {tier: Tier{Name: "Web", Ports: Ports(80), Sources: []Peer{Cidr("10.0.0.0/8")}}, port: Tcp(80), peer: InternetV4()},
		"IPv6 within IPv4":                         {tier: web(Tcp(80)), port: Tcp(80), peer: InternetV6()},
		"a group within the internet":              {tier: web(Tcp(80)), port: Tcp(80), peer: GroupId(jsii.String("sg-0123")), want: true},
		"a list within IPv4 of a chain of both":    {tier: Tier{Name: "Web", Ports: Ports(80), Sources: []Peer{InternetV4()}}, port: Tcp(80), peer: list("pl-0123"), ipv6: true},
		"a list within both":                       {tier: web(Tcp(80)), port: Tcp(80), peer: list("pl-0123"), ipv6: true, want: true},
		"another list":                             {tier: Tier{Name: "Web", Ports: Ports(80), Sources: []Peer{list("pl-0123")}}, port: Tcp(80), peer: list("pl-0124")},
		"the same list":                            {tier: Tier{Name: "Web", Ports: Ports(80), Sources: []Peer{list("pl-0123")}}, port: Tcp(80), peer: list("pl-0123"), want: true},
		"a group of another account, the ID alone": {tier: Tier{Name: "Web", Ports: Ports(80), Sources: []Peer{GroupId(jsii.String("210987654321/sg-0123"))}}, port: Tcp(80), peer: GroupId(jsii.String("sg-0123")), want: true},
		"the VPC by its own range":                 {tier: Tier{Name: "Web", Ports: Ports(80), Sources: []Peer{Vpc()}}, port: Tcp(80), peer: Cidr("172.16.0.0/12"), want: true},
		"the VPC by another range":                 {tier: Tier{Name: "Web", Ports: Ports(80), Sources: []Peer{Vpc()}}, port: Tcp(80), peer: Cidr("172.16.0.0/16")},
	} {
		properties := map[string]any{"VpcId": someVPC, "Tiers": properties([]Tier{c.tier})}
		if c.ipv6 {
			properties["IpFamilies"] = []any{"ipv4", "ipv6"}
		}
		facts := newKnown([]Tier{c.tier})
		spec, err := facts.check(properties)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f := newFolding([]Tier{c.tier}, facts, spec, "172.16.0.0/12")
		f.apply([]request{{tier: "Web", direction: chain.Ingress, port: c.port, peer: c.peer}})
		if is := len(f.missing) == 0; is != c.want {
			t.Errorf("%s: covered is %t, want %t (%v)", name, is, c.want, f.missing)
		}
	}
}

// A first tier is open to the internet by default, which is probably not intended for an internal load balancer.
func TestInternalBalancerInOpenFirstTierIsWarnedOf(t *testing.T) {
	for public, want := range map[bool]int{true: 0, false: 1} {
		stack := newStack(t)
		vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), nil)
		c := NewSecurityGroupChain(stack, jsii.String("Chain"), &SecurityGroupChainProps{Vpc: vpc, Tiers: []Tier{{Name: "Alb", Ports: Ports(443)}}})
		elb.NewApplicationLoadBalancer(stack, jsii.String("Balancer"), &elb.ApplicationLoadBalancerProps{
			Vpc: vpc, InternetFacing: jsii.Bool(public), SecurityGroup: c.SecurityGroup("Alb"),
		})
		found := *assertions.Annotations_FromStack(stack).FindWarning(jsii.String("*"), assertions.Match_StringLikeRegexp(jsii.String(`its load balancer \(Stack/Balancer\) is internal`)))
		if len(found) != want {
			t.Errorf("internet-facing %t: got %d warnings, want %d", public, len(found), want)
		}
	}
}

// Two chains of an app cannot have the same group name in one VPC.
func TestSharedGroupNameIsRefused(t *testing.T) {
	stack := newStack(t)
	NewSecurityGroupChain(stack, jsii.String("Chain"), anyVpc(Tier{Name: "Alb", GroupName: "web"}))
	NewSecurityGroupChain(stack, jsii.String("Other"), anyVpc(Tier{Name: "A"}, Tier{Name: "B", GroupName: "WEB"}))
	err := panics(t, func() { synth(stack) })
	want := `[Stack/Other] Tiers[1].GroupName: tier Alb of chain Stack/Chain in the same VPC has the name "WEB" too.`
	if !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "GroupName:") != 1 {
		t.Errorf("error: got %v, want one with %s", err, want)
	}
	stack = newStack(t)
	NewSecurityGroupChain(stack, jsii.String("Chain"), anyVpc(Tier{Name: "Alb", GroupName: "web"}))
	elsewhere := anyVpc(Tier{Name: "Alb", GroupName: "web"})
	elsewhere.VpcId = jsii.String("vpc-0def")
	NewSecurityGroupChain(stack, jsii.String("Other"), elsewhere)
	synth(stack)
}

func TestUnknownConnectionsIsRefused(t *testing.T) {
	props := anyVpc()
	props.Connections = "ignore"
	err := panics(t, func() { NewSecurityGroupChain(newStack(t), jsii.String("Chain"), props) })
	if want := `Connections: unknown value "ignore". Use sgchain.Connections_REFUSE or sgchain.Connections_FOLD.`; !strings.Contains(err.Error(), want) {
		t.Errorf("error: got %v, want %s", err, want)
	}
}

// A converted port or peer of the CDK equals the chain's own.
func TestPortOfAndPeerOf(t *testing.T) {
	stack := newStack(t)
	for want, port := range map[Port]awsec2.Port{
		Tcp(443): tcp(443), TcpRange(1, 9): awsec2.Port_TcpRange(jsii.Number(1), jsii.Number(9)), AllTcp(): awsec2.Port_AllTcp(),
		Udp(53): awsec2.Port_DNS_UDP(), UdpRange(1, 9): awsec2.Port_UdpRange(jsii.Number(1), jsii.Number(9)), AllUdp(): awsec2.Port_AllUdp(),
		IcmpPing(): awsec2.Port_IcmpPing(), Icmp(): awsec2.Port_AllIcmp(), IcmpV6(): awsec2.Port_AllIcmpV6(), AllTraffic(): awsec2.Port_AllTraffic(),
		IcmpTypeAndCode(3, 4): awsec2.Port_IcmpTypeAndCode(jsii.Number(3), jsii.Number(4)), Protocol(50): awsec2.Port_Esp(), Protocol(51): awsec2.Port_Ah(),
	} {
		if got := PortOf(port); got != want {
			t.Errorf("%s: got %q, want %q", *port.ToString(), got, want)
		}
	}
	group := awsec2.SecurityGroup_FromSecurityGroupId(stack, jsii.String("Group"), jsii.String("sg-0123456789abcdef0"), nil)
	list := awsec2.PrefixList_FromPrefixListId(stack, jsii.String("List"), jsii.String("pl-0123456789abcdef0"))
	for want, peer := range map[Peer]awsec2.IPeer{
		InternetV4(): awsec2.Peer_AnyIpv4(), InternetV6(): awsec2.Peer_AnyIpv6(), Cidr("10.0.0.0/8"): awsec2.Peer_Ipv4(jsii.String("10.0.0.0/8")),
		GroupId(jsii.String("sg-0123456789abcdef0")): group, PrefixList(jsii.String("pl-0123456789abcdef0")): list,
		GroupId(jsii.String("210987654321/sg-0123456789abcdef0")): awsec2.Peer_SecurityGroupId(jsii.String("sg-0123456789abcdef0"), jsii.String("210987654321")),
	} {
		if got := PeerOf(peer); got != want {
			t.Errorf("%s: got %v, want %v", *peer.UniqueId(), got, want)
		}
	}
	port := awscdk.NewCfnParameter(stack, jsii.String("Port"), &awscdk.CfnParameterProps{Type: jsii.String("Number")}).ValueAsNumber()
	err := panics(t, func() {
		NewSecurityGroupChain(stack, jsii.String("Chain"), anyVpc(Tier{Name: "Web", Ports: []Port{PortOf(awsec2.Port_Tcp(port)), PortOf(nil)}, Sources: []Peer{PeerOf(nil)}}))
	})
	for _, want := range []string{
		"Tiers[0].Ports[0]: is known only at deployment (a token), and the chain is deployed before what listens on the port. Write the number in both places.",
		"Tiers[0].Ports[1]: ", "Tiers[0].Sources[0]: is an empty Peer",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error: got %v, want one with %s", err, want)
		}
	}
}

// The author can change and use the props again after the chain is created.
func TestChainKeepsItsOwnCopyOfProps(t *testing.T) {
	stack := newStack(t)
	props := anyVpc(Tier{Name: "Web", Ports: Ports(80), Sources: []Peer{Cidr("10.0.0.0/8")}})
	props.Connections = Connections_FOLD
	c := NewSecurityGroupChain(stack, jsii.String("Chain"), props)
	props.Tiers[0].Name, props.Tiers[0].Ports[0], props.Tiers[0].Sources[0] = "Other", Tcp(22), Internet()
	c.SecurityGroup("Web").Connections().AllowInternally(tcp(7946), nil)
	_, resource := only(t, synth(stack), chain.ResourceType)
	equal(t, "Tiers", dig[any](resource, "Properties", "Tiers"), []any{object{"Name": "Web", "Ingress": []any{
		object{"Ports": []string{"80"}, "Sources": []string{"10.0.0.0/8"}}, object{"Ports": []string{"7946"}, "Sources": []string{"Web"}},
	}}})
}

// Tags that the CDK adds to scopes reach the groups by the CDK's own rules. The chain's own Tags override them.
func TestTagsOfScopes(t *testing.T) {
	app := newApp(t, nil)
	stack := awscdk.NewStack(app, jsii.String("Stack"), &awscdk.StackProps{Tags: &map[string]*string{"Cost": jsii.String("stack"), "Owner": jsii.String("stack"), "aws:x": jsii.String("theirs")}})
	props := anyVpc(Tier{Name: "Web", Tags: map[string]*string{"Stage": jsii.String("tier")}})
	props.Tags = map[string]*string{"Team": jsii.String("author"), "Gone": jsii.String("author"), "Empty": nil}
	c := NewSecurityGroupChain(stack, jsii.String("Chain"), props)
	add := func(scope constructs.IConstruct, key, value string, props *awscdk.TagProps) {
		awscdk.Tags_Of(scope).Add(jsii.String(key), jsii.String(value), props)
	}
	add(app, "App", "app", nil)
	add(app, "Owner", "app", nil)
	add(stack, "Owner", "nearer", nil)
	add(app, "Team", "app", nil)
	add(app, "Empty", "loud", &awscdk.TagProps{Priority: jsii.Number(300)})
	add(c, "Chain", *awscdk.Aws_STACK_NAME(), nil)
	add(app, "Bucket", "no", &awscdk.TagProps{IncludeResourceTypes: jsii.Strings("AWS::S3::Bucket"), ExcludeResourceTypes: jsii.Strings("aws:cdk:stack")})
	awscdk.Tags_Of(app).Remove(jsii.String("Gone"), nil)
	_, resource := only(t, synth(stack), chain.ResourceType)
	equal(t, "Tags", dig[any](resource, "Properties", "Tags"), object{
		"App": "app", "Chain": object{"Ref": "AWS::StackName"}, "Empty": "loud", "Owner": "nearer", "Team": "author",
	})
	if asked := dig[any](resource, "Properties", "StackTags"); asked != nil { // the function reads the tags of the stack itself
		t.Errorf("StackTags is %v", asked)
	}
	if plan := planOf(t, stack); !strings.Contains(plan, `Owner="nearer" Stage="tier" Team="author"`) {
		t.Errorf("the plan file:\n%s", plan)
	}
}

// The function adds the tags of the stack, so synth only passes StackTags on.
func TestStackTagsReachTheTemplate(t *testing.T) {
	for _, reach := range []bool{true, false} {
		stack := awscdk.NewStack(newApp(t, nil), jsii.String("Stack"), &awscdk.StackProps{Tags: &map[string]*string{"Cost": jsii.String("stack")}})
		props := anyVpc(Tier{Name: "Web"})
		props.StackTags = jsii.Bool(reach)
		NewSecurityGroupChain(stack, jsii.String("Chain"), props)
		_, resource := only(t, synth(stack), chain.ResourceType)
		properties := dig[object](resource, "Properties")
		if properties["StackTags"] != strconv.FormatBool(reach) || properties["Tags"] != nil {
			t.Errorf("StackTags is %v, and Tags are %v", properties["StackTags"], properties["Tags"])
		}
	}
}

// A rule for a group whose ID is a token allows this group and no other.
func TestTokensAreDistinctPeers(t *testing.T) {
	for name, request := range map[string]func(known, other awsec2.ISecurityGroup, c SecurityGroupChain){
		"the same": func(known, _ awsec2.ISecurityGroup, c SecurityGroupChain) {
			c.SecurityGroup("Web").Connections().AllowFrom(known, tcp(443), nil)
		},
		"another one": func(_, other awsec2.ISecurityGroup, c SecurityGroupChain) {
			c.SecurityGroup("Web").Connections().AllowFrom(other, tcp(443), nil)
		},
		"another one, after a token that already has a placeholder": func(_, other awsec2.ISecurityGroup, c SecurityGroupChain) {
			c.SecurityGroup("App").Connections().AllowFrom(other, tcp(443), nil)
		},
	} {
		stack := newStack(t)
		vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), nil)
		group := func(id string) awsec2.ISecurityGroup {
			return awsec2.NewSecurityGroup(stack, jsii.String(id), &awsec2.SecurityGroupProps{Vpc: vpc})
		}
		first, known, other := group("First"), group("Known"), group("Other")
		c := NewSecurityGroupChain(stack, jsii.String("Chain"), &SecurityGroupChainProps{Vpc: vpc, Tiers: []Tier{
			{Name: "Web", Ingress: []Ingress{{Ports: Ports(80), Sources: []Peer{Group(first)}}, {Ports: Ports(443), Sources: []Peer{Group(known)}}}},
			{Name: "App", Ingress: []Ingress{{Ports: Ports(443), Sources: []Peer{Group(first)}}}},
		}})
		request(known, other, c)
		if refused := isRefused(stack); refused != strings.HasPrefix(name, "another one") {
			t.Errorf("%s: refused is %t", name, refused)
		}
	}
}
