package sgchain

import (
	"cmp"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"sgchain/lambda/chain"
)

// ask is a rule that a construct of the CDK asks for on the security group of a tier.
type ask struct {
	tier        string
	direction   chain.Direction
	port        Port
	peer        Peer
	family      netip.Prefix // of a peer that is a range of addresses: all of its family; else invalid
	description string
	// construct is the path of the rule's construct; it ends with the peer and the port as the CDK prints them.
	construct string
	// problem is why the chain can not have the rule, and what to do; empty where it can.
	problem string
	// stray is why the rule can be held against the chain and not added to it; empty where it can be added.
	stray string
	// rule is the same as the chain would have it; known once it was held against the chain.
	rule chain.Rule
}

// l1 is a rule as CloudFormation has it: AWS::EC2::SecurityGroupIngress or AWS::EC2::SecurityGroupEgress.
type l1 interface {
	constructs.IConstruct
	GroupId() *string
	IpProtocol() *string
	FromPort() *float64
	ToPort() *float64
	CidrIp() *string
	CidrIpv6() *string
	Description() *string
}

// directionOf reports whether a construct is a rule, and which way that lets traffic.
func directionOf(construct constructs.IConstruct) (rule l1, direction chain.Direction) {
	switch rule := construct.(type) {
	case awsec2.CfnSecurityGroupIngress:
		return rule, chain.Ingress
	case awsec2.CfnSecurityGroupEgress:
		return rule, chain.Egress
	}
	return nil, ""
}

// newAsk reads a rule of a tier.
func (c *securityGroupChain) newAsk(tier string, rule l1, direction chain.Direction) ask {
	a := ask{tier: tier, direction: direction, construct: *rule.Node().Path()}
	if text := value(rule.Description()); !isToken(text) && !isGenerated(text, *rule.Node().Id()) {
		a.description = text
	}
	from, problem := c.literal(rule.FromPort())
	to, problemTo := c.literal(rule.ToPort())
	if a.problem = cmp.Or(problem, problemTo); a.problem != "" {
		return a
	}
	a.port = portOf(value(rule.IpProtocol()), from, to)
	ends := ends{cidr: value(rule.CidrIp()) + value(rule.CidrIpv6())}
	switch rule := rule.(type) {
	case awsec2.CfnSecurityGroupIngress:
		ends.group, ends.account, ends.list = value(rule.SourceSecurityGroupId()), value(rule.SourceSecurityGroupOwnerId()), value(rule.SourcePrefixListId())
	case awsec2.CfnSecurityGroupEgress:
		ends.group, ends.list = value(rule.DestinationSecurityGroupId()), value(rule.DestinationPrefixListId())
	}
	peer := ends.peer()
	if peer.text == "" {
		a.problem = "it names its peer by SourceSecurityGroupName, which no VPC has; write SourceSecurityGroupId"
		return a
	}
	a.peer = c.ownTier(peer, rule)
	switch {
	case rule.CidrIp() != nil:
		a.family = chain.InternetV4
	case rule.CidrIpv6() != nil:
		a.family = chain.InternetV6
	}
	return a
}

// isGenerated reports whether a description is the CDK's own, "from StackOther22D239EB:8080", which names a construct where the chain
// names a tier. The rule's ID ends as it does.
func isGenerated(description, id string) bool {
	port := id[strings.LastIndex(id, ":")+1:]
	return (strings.HasPrefix(description, "from ") || strings.HasPrefix(description, "to ")) && strings.HasSuffix(description, ":"+port)
}

// ends is the other end of a rule of the CDK: one of its fields is set, the account beside group alone.
type ends struct{ cidr, group, account, list string }

// peer is the same as an entry of Sources or Destinations.
func (e ends) peer() Peer {
	switch {
	case e.group != "" && e.account != "":
		return Peer{groupPeer, e.account + "/" + e.group}
	case e.group != "":
		return Peer{groupPeer, e.group}
	case e.list != "":
		return Peer{listPeer, e.list}
	case e.cidr == chain.InternetV4.String():
		return InternetV4()
	case e.cidr == chain.InternetV6.String():
		return InternetV6()
	default:
		return Peer{cidrPeer, e.cidr}
	}
}

// ownTier is the tier of the chain that a peer is, where it is one.
func (c *securityGroupChain) ownTier(peer Peer, rule constructs.IConstruct) Peer {
	if tier := c.tierOf(peer.text, rule); peer.kind == groupPeer && tier != "" {
		return TierNamed(tier)
	}
	return peer
}

// tierOf is the tier whose security group a text in the properties of a construct is the ID of; empty where it is another one's. The CDK
// gives the same attribute the same token; what was written by hand (Fn::GetAtt) is the same once it is resolved.
func (c *securityGroupChain) tierOf(id string, in constructs.IConstruct) string {
	if !isToken(id) {
		return ""
	}
	for tier, own := range c.ids {
		if id == own {
			return tier
		}
	}
	stack := awscdk.Stack_Of(c)
	if awscdk.Stack_Of(in) != stack {
		return ""
	}
	return c.tierOfAttribute(stack.Resolve(jsii.String(id)))
}

// tierOfAttribute is the same of what a template of the chain's own stack has, {"Fn::GetAtt": [...]}.
func (c *securityGroupChain) tierOfAttribute(resolved any) string {
	resource, attribute := attributeOf(resolved)
	tier := strings.TrimSuffix(attribute, "SecurityGroupId")
	if resource == "" || c.ids[tier] == "" {
		return ""
	}
	if own, _ := attributeOf(awscdk.Stack_Of(c).Resolve(jsii.String(c.ids[tier]))); own != resource {
		return ""
	}
	return tier
}

// attributeOf is the logical ID and the name of an attribute of a resource; empty where a value is something else.
func attributeOf(resolved any) (logicalID, name string) {
	function, _ := resolved.(map[string]any)
	attribute, _ := function["Fn::GetAtt"].([]any)
	if len(attribute) != 2 {
		return "", ""
	}
	logicalID, _ = attribute[0].(string)
	name, _ = attribute[1].(string)
	return logicalID, name
}

// literal is a port as a number. What is known only at deploy time can not stand in a chain: its groups are there before what they
// guard. Where the port is that of a resource of the same stack that says it, it is known all the same.
func (c *securityGroupChain) literal(port *float64) (number *int, problem string) {
	if port == nil {
		return nil, ""
	}
	if !*awscdk.Token_IsUnresolved(port) {
		whole := int(*port)
		return &whole, ""
	}
	const tooLate = "its port is known only when the stack is deployed (a token), and the chain is deployed before that"
	id, _ := attributeOf(awscdk.Stack_Of(c).Resolve(port))
	resource := c.resourceOf(id)
	if id == "" || resource == nil {
		return nil, tooLate + "; write the number"
	}
	if known := portOfResource(resource); known != 0 {
		return &known, ""
	}
	return nil, tooLate + "; set the Port of " + pathOf(resource)
}

// pathOf is the path of the construct that an author made a resource by: it is its only one, or stands for itself.
func pathOf(resource constructs.IConstruct) string {
	if *resource.Node().Id() == "Resource" {
		resource = resource.Node().Scope()
	}
	return *resource.Node().Path()
}

// resourceOf is the resource of the chain's stack that has a logical ID.
func (c *securityGroupChain) resourceOf(logicalID string) awscdk.CfnElement {
	stack := awscdk.Stack_Of(c)
	for _, construct := range *stack.Node().FindAll(constructs.ConstructOrder_PREORDER) {
		element, isElement := construct.(awscdk.CfnElement)
		if isElement && awscdk.Stack_Of(element) == stack && stack.Resolve(element.LogicalId()) == any(logicalID) {
			return element
		}
	}
	return nil
}

// portOfResource is the port that a database or a cluster listens on: the one in its properties, or that of its engine (AWS::RDS::DBInstance,
// Port). Of an AWS::RDS::DBCluster that says none it is not known, 0: Aurora PostgreSQL listens on 3306 or on 5432, which has changed
// under stacks that were there (aws-cloudformation/cloudformation-coverage-roadmap#281).
func portOfResource(resource constructs.IConstruct) int {
	switch own := resource.(type) {
	case interface{ Port() *float64 }:
		if port := own.Port(); port != nil && !*awscdk.Token_IsUnresolved(port) {
			return int(*port)
		}
		return 0
	case interface{ Port() *string }:
		if port, err := strconv.Atoi(value(own.Port())); err == nil {
			return port
		}
		if own.Port() != nil {
			return 0
		}
	}
	own, isInstance := resource.(interface {
		Engine() *string
		DbInstanceClass() *string
		DbSnapshotIdentifier() *string
		DbClusterSnapshotIdentifier() *string
		SourceDbInstanceIdentifier() *string
		SourceDbClusterIdentifier() *string
		SourceDbiResourceId() *string
	})
	if isInstance && own.DbSnapshotIdentifier() == nil && own.DbClusterSnapshotIdentifier() == nil && own.SourceDbInstanceIdentifier() == nil &&
		own.SourceDbClusterIdentifier() == nil && own.SourceDbiResourceId() == nil { // of a copy it is the port of the original
		engine := value(own.Engine())
		for prefix, port := range map[string]int{"postgres": 5432, "mysql": 3306, "mariadb": 3306, "oracle-": 1521, "sqlserver-": 1433, "db2-": 50000} {
			if strings.HasPrefix(engine, prefix) {
				return port
			}
		}
	}
	return 0
}

// portOf is protocol and ports as CloudFormation has them (AWS::EC2::SecurityGroupIngress): -1 is every protocol, and every type or
// code of ICMP.
func portOf(protocol string, from, to *int) Port {
	whole := func(number *int) int {
		if number == nil {
			return -1
		}
		return *number
	}
	low, high := whole(from), whole(to)
	switch protocol {
	case "-1":
		return AllTraffic()
	case "tcp", "6":
		if low == high && low != math.MinInt {
			return Tcp(low)
		}
		return TcpRange(low, high)
	case "udp", "17":
		if low == high && low != math.MinInt {
			return Udp(low)
		}
		return UdpRange(low, high)
	case "icmp", "1":
		return icmpOf(Icmp(), low, high)
	case "icmpv6", "58":
		return icmpOf(IcmpV6(), low, high)
	}
	return Port{"proto/" + protocol}
}

// icmpOf is one type of ICMP or ICMPv6, or one type and code.
func icmpOf(whole Port, kind, code int) Port {
	switch {
	case kind == -1:
		return whole
	case code == -1:
		return Port{whole.text + "/" + strconv.Itoa(kind)}
	}
	return Port{whole.text + "/" + strconv.Itoa(kind) + "/" + strconv.Itoa(code)}
}
