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

// request is a rule that a construct of the CDK requests on the security group of a tier.
type request struct {
	tier        string
	direction   chain.Direction
	port        Port
	peer        Peer
	family      netip.Prefix // all addresses of the family, if the peer is a range; else invalid
	description string
	// construct is the path of the rule's construct, which ends with the peer and the port as the CDK prints them.
	construct string
	// problem is why the chain cannot have the rule, and what to do. Empty if it can.
	problem string
	// stray is why the rule cannot be added to the chain, although it can be checked against it. Empty if it can be added.
	stray string
	// rule is the request in the form of the chain. folding sets it.
	rule chain.Rule
}

// l1 is a rule of CloudFormation: AWS::EC2::SecurityGroupIngress or AWS::EC2::SecurityGroupEgress.
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

// directionOf returns the construct as a rule, with its direction. It returns nil if the construct is no rule.
func directionOf(construct constructs.IConstruct) (rule l1, direction chain.Direction) {
	switch rule := construct.(type) {
	case awsec2.CfnSecurityGroupIngress:
		return rule, chain.Ingress
	case awsec2.CfnSecurityGroupEgress:
		return rule, chain.Egress
	}
	return nil, ""
}

// newRequest converts a rule on the security group of a tier.
func (c *securityGroupChain) newRequest(tier string, rule l1, direction chain.Direction) request {
	a := request{tier: tier, direction: direction, construct: *rule.Node().Path()}
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
		a.problem = "its source is named by SourceSecurityGroupName, which a chain does not support. Use SourceSecurityGroupId."
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

// isGenerated reports whether the CDK generated a description, for example "from StackOther22D239EB:8080". The chain's own description
// is better, because it names a tier. The end of a generated description is also the end of the rule's ID.
func isGenerated(description, id string) bool {
	port := id[strings.LastIndex(id, ":")+1:]
	return (strings.HasPrefix(description, "from ") || strings.HasPrefix(description, "to ")) && strings.HasSuffix(description, ":"+port)
}

// ends is the peer of a rule of the CDK. Exactly one of its fields is set, except that account can be set with group.
type ends struct{ cidr, group, account, list string }

// peer returns the peer as an entry of Sources or Destinations.
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

// ownTier returns the tier of the chain if the peer is its security group, and the peer otherwise.
func (c *securityGroupChain) ownTier(peer Peer, rule constructs.IConstruct) Peer {
	if tier := c.tierOf(peer.text, rule); peer.kind == groupPeer && tier != "" {
		return TierNamed(tier)
	}
	return peer
}

// tierOf returns the tier whose security group has an ID, which is a text in the properties of a construct. It returns "" for every other
// ID. The CDK uses the same token for the same attribute. An Fn::GetAtt that the author wrote has another token, so it is resolved.
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

// tierOfAttribute is tierOf for a resolved ID of the chain's own stack, {"Fn::GetAtt": [...]}.
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

// attributeOf returns the logical ID and name of a resource's attribute. Both are empty if the value is no attribute.
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

// literal returns a port as a number. A port that is known only at deployment cannot be part of a chain, because the chain is deployed
// before what listens on the port. But the port of a resource in the same stack is known if its properties contain it.
func (c *securityGroupChain) literal(port *float64) (number *int, problem string) {
	if port == nil {
		return nil, ""
	}
	if !*awscdk.Token_IsUnresolved(port) {
		whole := int(*port)
		return &whole, ""
	}
	const tooLate = "its port is known only at deployment (a token), and the chain is deployed before what listens on it."
	id, _ := attributeOf(awscdk.Stack_Of(c).Resolve(port))
	resource := c.resourceOf(id)
	if id == "" || resource == nil {
		return nil, tooLate + " Write the port as a number."
	}
	if known := portOfResource(resource); known != 0 {
		return &known, ""
	}
	return nil, tooLate + " Set Port of " + pathOf(resource) + "."
}

// pathOf returns the path of the construct that the author wrote for a resource: the L2 construct, or the resource itself.
func pathOf(resource constructs.IConstruct) string {
	if *resource.Node().Id() == "Resource" {
		resource = resource.Node().Scope()
	}
	return *resource.Node().Path()
}

// resourceOf returns the resource of the chain's stack with a logical ID, or nil.
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

// portOfResource returns the port that a database or a cluster listens on. It is the one in its properties, or else the default of the
// engine (CloudFormation reference of AWS::RDS::DBInstance, Port).
//
// It returns 0 for an AWS::RDS::DBCluster without a port. Aurora PostgreSQL listens on 3306 or 5432, and its default changed under existing
// stacks (aws-cloudformation/cloudformation-coverage-roadmap#281).
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
		own.SourceDbClusterIdentifier() == nil && own.SourceDbiResourceId() == nil { // a copy has the port of its original
		engine := value(own.Engine())
		for prefix, port := range map[string]int{"postgres": 5432, "mysql": 3306, "mariadb": 3306, "oracle-": 1521, "sqlserver-": 1433, "db2-": 50000} {
			if strings.HasPrefix(engine, prefix) {
				return port
			}
		}
	}
	return 0
}

// portOf converts the protocol and ports of CloudFormation (AWS::EC2::SecurityGroupIngress), in which -1 is every protocol, and every type
// or code of ICMP.
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

// icmpOf returns ICMP or ICMPv6 of every type, of one type, or of one type and code.
func icmpOf(whole Port, kind, code int) Port {
	switch {
	case kind == -1:
		return whole
	case code == -1:
		return Port{whole.text + "/" + strconv.Itoa(kind)}
	}
	return Port{whole.text + "/" + strconv.Itoa(kind) + "/" + strconv.Itoa(code)}
}
