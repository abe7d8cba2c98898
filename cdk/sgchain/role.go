package sgchain

import (
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"sgchain/lambda/chain"
)

const (
	anyVPC   = "arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:vpc/*"
	anyGroup = "arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:security-group/*"
	anyRule  = "arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:security-group-rule/*"
	// anything is for actions without resource types.
	anything = "*"
	thisID   = "${AWS::StackId}"
	// ownStacks is a placeholder for the stacks that the provider serves.
	ownStacks  = "stacks"
	everyStack = "arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:stack/*"
	// ownLogGroup is a placeholder for the function's log group.
	ownLogGroup = "log group"
	// formerID is a placeholder for the ID of the former provider.
	formerID = "former"

	tagRequested = "aws:RequestTag/" + chain.TagProvider
	tagExisting  = "aws:ResourceTag/" + chain.TagProvider
)

// immutableTags are the ownership tags that keep the value of the group's creation.
var immutableTags = []string{chain.TagProvider, chain.TagStackID, chain.TagLogicalID, chain.TagTier}

// statement is a statement of the role's policy. Resources and the values of conditions are texts for
// Fn::Sub.
type statement struct {
	sid       string
	actions   []string
	resources []string
	when      map[string]map[string][]string // operator, key, values
	// only is the right that adds the statement. Empty means that every provider has it.
	only right
}

// right is what a provider is allowed beyond the default.
type right string

const (
	always   right = ""
	adoption right = "adoption"
	moves    right = "moves"
	takeover right = "takeover" // moves from a former provider
	others   right = "others"   // reading stacks that it does not serve, for adoption and for moves
)

var (
	// requested matches requests that set the provider's tag.
	requested = map[string][]string{tagRequested: {thisID}}
	// owned matches resources that have the provider's tag.
	owned = map[string][]string{tagExisting: {thisID}}
)

// statements limit every write to resources that have this provider's tag. Only CreateGroupInVpc has
// no condition: a VPC has none of our tags, and CreateOwnGroup limits the group itself. The resource
// types and condition keys of an action are those of the Service Authorization Reference (Amazon EC2,
// AWS CloudFormation, Amazon CloudWatch Logs).
var statements = []statement{
	{
		sid:     "CreateGroupInVpc",
		actions: []string{"ec2:CreateSecurityGroup"}, resources: []string{anyVPC},
	},
	{
		// Not in one statement with the VPC, which does not support aws:RequestTag: that statement would
		// never match.
		sid:     "CreateOwnGroup",
		actions: []string{"ec2:CreateSecurityGroup"}, resources: []string{anyGroup},
		when: map[string]map[string][]string{"StringEquals": requested},
	},
	{
		sid:     "TagGroupOnCreate",
		actions: []string{"ec2:CreateTags"}, resources: []string{anyGroup},
		when: map[string]map[string][]string{"StringEquals": {
			tagRequested: {thisID}, "ec2:CreateAction": {"CreateSecurityGroup"},
		}},
	},
	{
		sid:     "TagRuleOnCreate",
		actions: []string{"ec2:CreateTags"}, resources: []string{anyRule},
		when: map[string]map[string][]string{"StringEquals": {
			tagRequested:       {thisID},
			"ec2:CreateAction": {"AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"},
		}},
	},
	{
		// The provider can change the tags of its own groups, but not the ownership tags that make them
		// its own. ForAllValues is also true without any key, so Null excludes that.
		sid:     "RetagOwnGroup",
		actions: []string{"ec2:CreateTags"}, resources: []string{anyGroup},
		when: map[string]map[string][]string{
			"StringEquals":                 owned,
			"ForAllValues:StringNotEquals": {"aws:TagKeys": immutableTags},
			"Null":                         {"aws:TagKeys": {"false"}},
		},
	},
	{
		// This removes the author's tags, those of the stack, and marks of the chain.
		sid:     "UntagOwnGroup",
		actions: []string{"ec2:DeleteTags"}, resources: []string{anyGroup},
		when: map[string]map[string][]string{
			"StringEquals":                 owned,
			"ForAllValues:StringNotEquals": {"aws:TagKeys": append([]string{chain.TagChain, chain.TagAdopted}, immutableTags...)},
			"Null":                         {"aws:TagKeys": {"false"}},
		},
	},
	{
		sid: "ChangeOwnGroup",
		actions: []string{
			"ec2:AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupEgress",
			"ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress",
			"ec2:UpdateSecurityGroupRuleDescriptionsIngress", "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
		},
		resources: []string{anyGroup},
		when:      map[string]map[string][]string{"StringEquals": owned},
	},
	{
		// An adopted group existed before the chain and must survive it. Its mark can only be removed
		// together with the owner's tag (ReleaseAdopted), so it cannot be removed first.
		sid:     "DeleteOwnGroup",
		actions: []string{"ec2:DeleteSecurityGroup"}, resources: []string{anyGroup},
		when: map[string]map[string][]string{
			"StringEquals": owned,
			"Null":         {"aws:ResourceTag/" + chain.TagAdopted: {"true"}},
		},
	},
	{
		// A group without an owner. The call must set the mark too, so that no adopted group can be
		// deleted.
		sid:     "AdoptGroup",
		actions: []string{"ec2:CreateTags"}, resources: []string{anyGroup},
		when: map[string]map[string][]string{
			"StringEquals": requested,
			"Null":         {tagExisting: {"true"}, "aws:RequestTag/" + chain.TagAdopted: {"false"}},
		},
		only: adoption,
	},
	{
		// A group of this provider whose stack no longer exists. The function looks that up.
		sid:     "AdoptOwnGroup",
		actions: []string{"ec2:CreateTags"}, resources: []string{anyGroup},
		when: map[string]map[string][]string{
			"StringEquals": {tagExisting: {thisID}, tagRequested: {thisID}},
			"Null":         {"aws:RequestTag/" + chain.TagAdopted: {"false"}},
		},
		only: adoption,
	},
	{
		// A move writes the owner again, and the chain that the group now belongs to. Its rollback does
		// the same.
		sid:     "MoveOwnGroup",
		actions: []string{"ec2:CreateTags"}, resources: []string{anyGroup},
		when: map[string]map[string][]string{"StringEquals": {tagExisting: {thisID}, tagRequested: {thisID}}},
		only: moves,
	},
	{
		// A chain of a former provider, whose ID the provider's own stack names.
		sid:     "TakeFromFormer",
		actions: []string{"ec2:CreateTags"}, resources: []string{anyGroup, anyRule},
		when: map[string]map[string][]string{"StringEquals": {tagExisting: {formerID}, tagRequested: {thisID}}},
		only: takeover,
	},
	{
		// The rollback of the Create that took it.
		sid:     "GiveBackToFormer",
		actions: []string{"ec2:CreateTags"}, resources: []string{anyGroup, anyRule},
		when: map[string]map[string][]string{"StringEquals": {tagExisting: {thisID}, tagRequested: {formerID}}},
		only: takeover,
	},
	{
		// For an adoption: whether the stack that created a group is deleted or has released the group.
		// For a move: the state of the chain that the groups come from. A shared provider can read
		// every stack anyway.
		sid:     "ReadOtherStacks",
		actions: []string{"cloudformation:DescribeStacks", "cloudformation:DescribeStackResource"}, resources: []string{everyStack},
		only: others,
	},
	{
		// Every provider has this statement: adopted groups must be released even after AllowAdoption
		// was removed. The keys must include the owner's tag, because a group that lost only its mark
		// could be deleted.
		sid:     "ReleaseAdopted",
		actions: []string{"ec2:DeleteTags"}, resources: []string{anyGroup},
		when: map[string]map[string][]string{
			"StringEquals":             owned,
			"Null":                     {"aws:ResourceTag/" + chain.TagAdopted: {"false"}},
			"ForAnyValue:StringEquals": {"aws:TagKeys": {chain.TagProvider}},
		},
	},
	{
		// The rules that the chain created on an adopted group stay after its release. IAM sees only the
		// rule, not the owner of its group.
		sid:     "ReleaseOwnRule",
		actions: []string{"ec2:DeleteTags"}, resources: []string{anyRule},
		when: map[string]map[string][]string{
			"StringEquals":             owned,
			"ForAnyValue:StringEquals": {"aws:TagKeys": {chain.TagProvider}},
		},
	},
	{
		// EC2 also checks the rule itself if it is created with tags.
		sid:       "CreateOwnRule",
		actions:   []string{"ec2:AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupEgress"},
		resources: []string{anyRule},
		when:      map[string]map[string][]string{"StringEquals": requested},
	},
	{
		// These actions support no resource types.
		sid: "ReadGroups",
		actions: []string{
			"ec2:DescribeSecurityGroups", "ec2:DescribeSecurityGroupRules", "ec2:DescribeNetworkInterfaces", "ec2:DescribeVpcs", "ec2:DescribeManagedPrefixLists",
		}, resources: []string{anything},
	},
	{
		sid:     "ReadStack",
		actions: []string{"cloudformation:DescribeStacks", "cloudformation:DescribeStackResource"}, resources: []string{ownStacks},
	},
	{
		sid:     "WriteOwnLog",
		actions: []string{"logs:CreateLogStream", "logs:PutLogEvents"}, resources: []string{ownLogGroup},
	},
}

// Actions returns the IAM actions that a provider's role can have, including those for adoption and
// moves, sorted, for example "ec2:CreateSecurityGroup".
func Actions() []string {
	var actions []string
	for _, statement := range statements {
		actions = append(actions, statement.actions...)
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// newRole creates the role. Its policy is inline, because a separate policy could be deleted before
// the function has served the Delete event.
func newRole(p *provider, props *ProviderProps) awsiam.Role {
	p.policy = awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{
		// Keep one statement for each reason, which is easier to review.
		Minimize: jsii.Bool(false),
	})
	p.allow(always)
	return awsiam.NewRole(p, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy:      awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
		Description:    jsii.String("Lets the function of Custom::SecurityGroupChain change the security groups that it made"),
		InlinePolicies: &map[string]awsiam.PolicyDocument{"SecurityGroupChain": p.policy},
		Path:           props.RolePath, PermissionsBoundary: props.PermissionsBoundary,
	})
}

// allow adds the statements of a right to the role's policy, unless it has them.
func (p *provider) allow(one right) {
	if slices.Contains(p.rights, one) {
		return
	}
	p.rights = append(p.rights, one)
	stacks := thisID
	if p.shared {
		stacks = everyStack
	}
	texts := map[string]*string{formerID: p.former, ownStacks: substitute(stacks), ownLogGroup: p.logGroup.LogGroupArn()}
	for _, statement := range statements {
		isCovered := p.shared && slices.Equal(statement.resources, []string{everyStack})
		if statement.only == one && !isCovered {
			p.policy.AddStatements(statement.policy(texts))
		}
	}
}

// policy converts the statement. Texts are the values of the placeholders that differ from provider
// to provider.
func (s statement) policy(texts map[string]*string) awsiam.PolicyStatement {
	named := func(name string) *string {
		if own, isKnown := texts[name]; isKnown {
			return own
		}
		return substitute(name)
	}
	resources := make([]*string, 0, len(s.resources))
	for _, resource := range s.resources {
		resources = append(resources, named(resource))
	}
	conditions := map[string]any{}
	for operator, keys := range s.when {
		operands := map[string]any{}
		for key, values := range keys {
			var list []*string
			for _, value := range values {
				list = append(list, named(value))
			}
			operands[key] = list
			if len(list) == 1 { // IAM's short form
				operands[key] = list[0]
			}
		}
		conditions[operator] = operands
	}
	props := &awsiam.PolicyStatementProps{
		Sid: jsii.String(s.sid), Effect: awsiam.Effect_ALLOW, Actions: jsii.Strings(s.actions...), Resources: &resources,
	}
	if len(conditions) > 0 {
		props.Conditions = &conditions
	}
	return awsiam.NewPolicyStatement(props)
}

func substitute(text string) *string {
	switch {
	case text == thisID:
		return awscdk.Aws_STACK_ID()
	case strings.Contains(text, "${"):
		return awscdk.Fn_Sub(jsii.String(text), nil)
	default:
		return jsii.String(text)
	}
}
