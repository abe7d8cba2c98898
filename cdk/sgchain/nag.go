package sgchain

import (
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// suppression is a rule of cdk-nag that a resource of the provider breaks for a reason. docs/cdk.md lists them.
type suppression struct {
	id, reason string
	// of is which findings of the rule are meant: a resource of a policy. Empty where all are.
	of string
}

// packs are those of cdk-nag that the provider is held against (.ci/nag).
const (
	hipaa = "HIPAA.Security-"
	nist  = "NIST.800.53.R5-"
	pci   = "PCI.DSS.321-"
)

// inPacks is a rule that several packs have.
func inPacks(rule, reason string, packs ...string) []suppression {
	var list []suppression
	for _, pack := range packs {
		list = append(list, suppression{id: pack + rule, reason: reason})
	}
	return list
}

func logGroupSuppressions() []suppression {
	const reason = "CloudWatch Logs encrypts it with a key of its own. It holds IDs, rules and tags of security groups, and no secret; LogEncryptionKey gives it a key of yours."
	return inPacks("CloudWatchLogGroupEncrypted", reason, hipaa, nist, pci)
}

func functionSuppressions(reserved bool) []suppression {
	const (
		concurrency = "CloudFormation invokes it once for each change of a chain, and a fence keeps late and repeated events from acting. New accounts have no concurrency to reserve; ReservedConcurrentExecutions reserves some."
		deadLetters = "CloudFormation waits for the answer and reports an event that is lost. One that is kept in a queue and replayed later would act on a stack that has moved on."
		inside      = "It calls the public endpoints of EC2 and CloudFormation and listens to nobody. Inside a VPC it would need a NAT gateway or endpoints, whose security groups it may be changing."
	)
	list := slices.Concat(inPacks("LambdaDLQ", deadLetters, hipaa, nist), inPacks("LambdaInsideVPC", inside, hipaa, nist, pci))
	if !reserved {
		list = append(inPacks("LambdaConcurrency", concurrency, hipaa, nist), list...)
	}
	return list
}

// explainRole says of the role why it is as it is.
func (p *provider) explainRole() {
	explain(p.role, roleSuppressions(p.shared || p.may(others)))
}

func roleSuppressions(everyStack bool) []suppression {
	const reason = "The policy is this role's alone: it comes, changes and goes with it, and its conditions name this provider."
	return append(inPacks("IAMNoInlinePolicy", reason, hipaa, nist, pci), wildcardSuppressions(everyStack)...)
}

// wildcardSuppressions says why some resources of the role's policy end in an asterisk. Each is named, so that one that joins them is
// found.
func wildcardSuppressions(everyStack bool) []suppression {
	const wildcards, tagged = "AwsSolutions-IAM5", "The ID is not known beforehand: a condition admits only what carries this provider's own tag, or its FormerProvider's."
	list := []suppression{
		{wildcards, tagged + " Adoption, where it is on, takes only groups without one.", "arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>:security-group/*"},
		{wildcards, tagged, "arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>:security-group-rule/*"},
		{wildcards, "The VPC's share in creating a group, for any VPC that a chain names: the group itself must carry this provider's tag.", "arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>:vpc/*"},
		{wildcards, "EC2 knows no resource for the actions that read.", "*"},
	}
	if everyStack {
		list = append(list, suppression{
			wildcards, "The status of the stacks that a shared provider serves, or whose groups may be adopted or moved, to read only.",
			"arn:<AWS::Partition>:cloudformation:<AWS::Region>:<AWS::AccountId>:stack/*",
		})
	}
	return list
}

// explain writes suppressions into the metadata of a construct's resource, where cdk-nag looks for them.
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
		panic(fmt.Errorf("explaining a resource (%s): it has none", *construct.Node().Path()))
	}
	resource.AddMetadata(jsii.String("cdk_nag"), map[string]any{"rules_to_suppress": rules})
}
