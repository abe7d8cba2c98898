package sgchain

import (
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// suppression is a cdk-nag rule that a resource of the provider breaks for a reason. docs/cdk.md lists them.
type suppression struct {
	id, reason string
	// of limits the suppression to findings about one resource of a policy. Empty means all findings.
	of string
}

// The packs of cdk-nag that .ci/nag checks the provider against, beside AwsSolutions.
const (
	hipaa = "HIPAA.Security-"
	nist  = "NIST.800.53.R5-"
	pci   = "PCI.DSS.321-"
)

// inPacks returns a suppression of a rule for each of several packs.
func inPacks(rule, reason string, packs ...string) []suppression {
	var list []suppression
	for _, pack := range packs {
		list = append(list, suppression{id: pack + rule, reason: reason})
	}
	return list
}

func logGroupSuppressions() []suppression {
	const reason = "CloudWatch Logs encrypts the log with its own key. The log has IDs, rules and tags of security groups, and no secret. Set LogEncryptionKey to use your own key."
	return inPacks("CloudWatchLogGroupEncrypted", reason, hipaa, nist, pci)
}

func functionSuppressions(reserved bool) []suppression {
	const (
		concurrency = "CloudFormation invokes the function once for each change of a chain, and a fence stops late and repeated events. New accounts have no concurrency to reserve. Set ReservedConcurrentExecutions to reserve some."
		deadLetters = "CloudFormation waits for the response and reports a lost event. An event that is kept in a queue and replayed later would change a stack that has moved on."
		inside      = "The function calls the public endpoints of EC2 and CloudFormation and accepts no connections. Inside a VPC it would need a NAT gateway or endpoints, whose security groups it may be changing."
	)
	list := slices.Concat(inPacks("LambdaDLQ", deadLetters, hipaa, nist), inPacks("LambdaInsideVPC", inside, hipaa, nist, pci))
	if !reserved {
		list = append(inPacks("LambdaConcurrency", concurrency, hipaa, nist), list...)
	}
	return list
}

// explainRole writes the suppressions of the role, which depend on its rights.
func (p *provider) explainRole() {
	explain(p.role, roleSuppressions(p.shared || p.hasRight(others)))
}

func roleSuppressions(everyStack bool) []suppression {
	const reason = "Only this role uses the policy, and both are created, changed and deleted together. Its conditions name this provider."
	return append(inPacks("IAMNoInlinePolicy", reason, hipaa, nist, pci), wildcardSuppressions(everyStack)...)
}

// wildcardSuppressions returns why some resources of the role's policy end in an asterisk. It names each, so that cdk-nag still finds
// a new one.
func wildcardSuppressions(everyStack bool) []suppression {
	const wildcards, tagged = "AwsSolutions-IAM5", "The ID is not known in advance. A condition allows only resources that have the tag of this provider or of its FormerProvider."
	list := []suppression{
		{wildcards, tagged + " If adoption is on, it takes only groups without such a tag.", "arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>:security-group/*"},
		{wildcards, tagged, "arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>:security-group-rule/*"},
		{wildcards, "Creating a group needs the VPC too, which can be any VPC that a chain names. The group itself must have this provider's tag.", "arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>:vpc/*"},
		{wildcards, "The EC2 actions that read support no resource types.", "*"},
	}
	if everyStack {
		list = append(list, suppression{
			wildcards, "Read-only access to the status of the stacks that a shared provider serves, or whose groups can be adopted or moved.",
			"arn:<AWS::Partition>:cloudformation:<AWS::Region>:<AWS::AccountId>:stack/*",
		})
	}
	return list
}

// explain writes suppressions into the metadata of a construct's resource, where cdk-nag reads them.
func explain(construct constructs.Construct, suppressions []suppression) {
	var rules []any
	for _, one := range suppressions {
		rule := map[string]any{"id": one.id, "reason": one.reason}
		if one.of != "" {
			rule["applies_to"] = []any{"Resource::" + one.of}
		}
		rules = append(rules, rule)
	}
	resource, isResource := construct.Node().DefaultChild().(awscdk.CfnResource)
	if !isResource {
		panic(fmt.Errorf("writing suppressions of construct (%s): it has no resource", *construct.Node().Path()))
	}
	resource.AddMetadata(jsii.String("cdk_nag"), map[string]any{"rules_to_suppress": rules})
}
