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
	// anything is for actions that take no resource.
	anything = "*"
	thisID   = "${AWS::StackId}"
	// ownStacks stands for the stacks that the provider serves.
	ownStacks  = "stacks"
	everyStack = "arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:stack/*"
	// ownLogGroup stands for the function's log group.
	ownLogGroup = "log group"
	// formerID stands for the ID of the provider that is gone.
	formerID = "former"

	tagRequested = "aws:RequestTag/" + chain.TagProvider
	tagThere     = "aws:ResourceTag/" + chain.TagProvider
)

// lasting is the ownership tags that stay as they were when the group was made.
var lasting = []string{chain.TagProvider, chain.TagStackID, chain.TagLogicalID, chain.TagTier}

// statement is one statement of the role's policy, in the words of IAM. Resources
// and the values of conditions are texts for Fn::Sub.
type statement struct {
	sid       string
	actions   []string
	resources []string
	when      map[string]map[string][]string // operator, key, values
	// only says which provider has it. Empty: every one.
	only right
}

// right is what a provider may do beyond the default.
type right string

const (
	always   right = ""
	adoption right = "adoption"
	moves    right = "moves"
	takeover right = "takeover" // moves from a provider that is gone
	others   right = "others"   // reading stacks that it does not serve: for adoption, and for moves
)

var (
	// requested admits what is created with the owner's tag.
	requested = map[string][]string{tagRequested: {thisID}}
	// owned admits what carries it already.
	owned = map[string][]string{tagThere: {thisID}}
)

// statements pin every write to what carries this provider's tag. The only one
// without a condition is the VPC's share in making a group: a VPC has none of our
// tags, and the group itself is the next statement's. Which resource types and
// condition keys an action knows is from the Service Authorization Reference
// (Amazon EC2, AWS CloudFormation, Amazon CloudWatch Logs).
var statements = []statement{
	{
		sid:     "CreateGroupInVpc",
		actions: []string{"ec2:CreateSecurityGroup"}, resources: []string{anyVPC},
	},
	{
		// Apart from the VPC, which knows no aws:RequestTag: one statement over both
		// would never match.
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
		// Of the ownership tags of its own groups it may rewrite one, and not those that
		// make them its own. ForAllValues holds for no keys at all too, so Null is there.
		sid:     "RetagOwnGroup",
		actions: []string{"ec2:CreateTags"}, resources: []string{anyGroup},
		when: map[string]map[string][]string{
			"StringEquals":                 owned,
			"ForAllValues:StringNotEquals": {"aws:TagKeys": lasting},
			"Null":                         {"aws:TagKeys": {"false"}},
		},
	},
	{
		// The author's tags, those of the stack, and the chain's marks.
		sid:     "UntagOwnGroup",
		actions: []string{"ec2:DeleteTags"}, resources: []string{anyGroup},
		when: map[string]map[string][]string{
			"StringEquals":                 owned,
			"ForAllValues:StringNotEquals": {"aws:TagKeys": append([]string{chain.TagChain, chain.TagAdopted}, lasting...)},
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
		// What was adopted was there before the chain and stays after it. The mark goes
		// only with the owner's tag (ReleaseAdopted), so it can not be taken off first.
		sid:     "DeleteOwnGroup",
		actions: []string{"ec2:DeleteSecurityGroup"}, resources: []string{anyGroup},
		when: map[string]map[string][]string{
			"StringEquals": owned,
			"Null":         {"aws:ResourceTag/" + chain.TagAdopted: {"true"}},
		},
	},
	{
		// A group that nobody owns. The mark comes in the same call, so that none is
		// adopted that could be deleted.
		sid:     "AdoptGroup",
		actions: []string{"ec2:CreateTags"}, resources: []string{anyGroup},
		when: map[string]map[string][]string{
			"StringEquals": requested,
			"Null":         {tagThere: {"true"}, "aws:RequestTag/" + chain.TagAdopted: {"false"}},
		},
		only: adoption,
	},
	{
		// A group of this provider whose stack is gone, which the function looks up.
		sid:     "AdoptOwnGroup",
		actions: []string{"ec2:CreateTags"}, resources: []string{anyGroup},
		when: map[string]map[string][]string{
			"StringEquals": {tagThere: {thisID}, tagRequested: {thisID}},
			"Null":         {"aws:RequestTag/" + chain.TagAdopted: {"false"}},
		},
		only: adoption,
	},
	{
		// A move says again whose the group is, and where its chain is now. It is given back in the same way.
		sid:     "MoveOwnGroup",
		actions: []string{"ec2:CreateTags"}, resources: []string{anyGroup},
		when: map[string]map[string][]string{"StringEquals": {tagThere: {thisID}, tagRequested: {thisID}}},
		only: moves,
	},
	{
		// A chain of a provider that is gone, whose ID the provider's own stack names.
		sid:     "TakeFromFormer",
		actions: []string{"ec2:CreateTags"}, resources: []string{anyGroup, anyRule},
		when: map[string]map[string][]string{"StringEquals": {tagThere: {formerID}, tagRequested: {thisID}}},
		only: takeover,
	},
	{
		// Where the Create that took it is undone.
		sid:     "GiveBackToFormer",
		actions: []string{"ec2:CreateTags"}, resources: []string{anyGroup, anyRule},
		when: map[string]map[string][]string{"StringEquals": {tagThere: {thisID}, tagRequested: {formerID}}},
		only: takeover,
	},
	{
		// Whether the stack that made a group is gone, or has given the group up; and where the chain is from which
		// groups are moved. A shared provider reads every stack anyway.
		sid:     "ReadOtherStacks",
		actions: []string{"cloudformation:DescribeStacks", "cloudformation:DescribeStackResource"}, resources: []string{everyStack},
		only: others,
	},
	{
		// Always there: what was adopted is released also where the right to adopt has
		// been taken away since. The owner's tag has to be among the keys: a group that
		// lost its mark alone could be deleted.
		sid:     "ReleaseAdopted",
		actions: []string{"ec2:DeleteTags"}, resources: []string{anyGroup},
		when: map[string]map[string][]string{
			"StringEquals":             owned,
			"Null":                     {"aws:ResourceTag/" + chain.TagAdopted: {"false"}},
			"ForAnyValue:StringEquals": {"aws:TagKeys": {chain.TagProvider}},
		},
	},
	{
		// The rules that the chain made on an adopted group stay with it. IAM sees only
		// the rule, not whose its group is.
		sid:     "ReleaseOwnRule",
		actions: []string{"ec2:DeleteTags"}, resources: []string{anyRule},
		when: map[string]map[string][]string{
			"StringEquals":             owned,
			"ForAnyValue:StringEquals": {"aws:TagKeys": {chain.TagProvider}},
		},
	},
	{
		// EC2 asks for the rule as well where rules are made with tags.
		sid:       "CreateOwnRule",
		actions:   []string{"ec2:AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupEgress"},
		resources: []string{anyRule},
		when:      map[string]map[string][]string{"StringEquals": requested},
	},
	{
		// EC2 knows no resource for these.
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

// Actions lists what a provider's role allows, adoption and moves included, sorted, as in
// "ec2:CreateSecurityGroup".
func Actions() []string {
	var actions []string
	for _, statement := range statements {
		actions = append(actions, statement.actions...)
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// newRole gives the role its policy inline: a policy beside it could be deleted
// before the Delete event has been served.
func newRole(p *provider, props *ProviderProps) awsiam.Role {
	p.policy = awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{
		// One statement for each reason stays readable.
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

// allow adds the statements of a right to the role's policy, once.
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

// policy takes what differs from provider to provider by its name.
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
			if len(list) == 1 { // a list only where there is a choice
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
