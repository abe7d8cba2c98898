package ask

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"

	"sgchain/cdk/internal/template"
	"sgchain/lambda/chain"
)

// CloudFormation is the service, as far as it is needed.
type CloudFormation interface {
	DescribeStacks(ctx context.Context, input *cloudformation.DescribeStacksInput, options ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error)
	DescribeStackResources(ctx context.Context, input *cloudformation.DescribeStackResourcesInput, options ...func(*cloudformation.Options)) (*cloudformation.DescribeStackResourcesOutput, error)
	GetTemplate(ctx context.Context, input *cloudformation.GetTemplateInput, options ...func(*cloudformation.Options)) (*cloudformation.GetTemplateOutput, error)
	ListExports(ctx context.Context, input *cloudformation.ListExportsInput, options ...func(*cloudformation.Options)) (*cloudformation.ListExportsOutput, error)
}

// Deployed is where stacks are.
type Deployed struct {
	CloudFormation CloudFormation
	Region         string
}

// File is a template that is not deployed yet.
type File struct {
	Name       string
	Text       []byte
	Parameters map[string]string // given for the plan; the others are the stack's
}

// Target is a chain of a stack, and who serves it.
type Target struct {
	StackID, LogicalID string
	Function           string // its name or ARN
	Properties         json.RawMessage
}

// Find finds the chain that a question is about. What the stack puts out comes first: it is what the function was given. A stack without
// these outputs, and a file, are evaluated here.
func (d Deployed) Find(ctx context.Context, question Question) (Target, error) {
	stack, err := d.stack(ctx, question.Stack)
	if err != nil {
		return Target{}, err
	}
	outputs := map[string]string{}
	for _, output := range stack.Outputs {
		outputs[aws.ToString(output.OutputKey)] = aws.ToString(output.OutputValue)
	}
	if question.File == nil {
		found, isThere, err := fromOutputs(question, outputs)
		if isThere || err != nil {
			return found, err
		}
	}
	e := evaluation{Deployed: d, question: question, stack: stack}
	return e.find(ctx, outputs[chain.OutputFunction])
}

func (d Deployed) stack(ctx context.Context, name string) (types.Stack, error) {
	said, err := d.CloudFormation.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if err == nil && len(said.Stacks) != 1 {
		err = fmt.Errorf("CloudFormation describes %d stacks", len(said.Stacks))
	}
	if err != nil {
		return types.Stack{}, fmt.Errorf("reading stack %s in %s: %w. For a stack elsewhere add --region, or set AWS_REGION", name, d.Region, brief(err))
	}
	return said.Stacks[0], nil
}

// brief returns what AWS itself says, without the operation and the request's ID.
func brief(err error) error {
	if refusal, isRefusal := errors.AsType[smithy.APIError](err); isRefusal && refusal.ErrorMessage() != "" {
		return fmt.Errorf("%s (%s)", strings.TrimRight(refusal.ErrorMessage(), "."), refusal.ErrorCode())
	}
	return err
}

// fromOutputs returns the chain that a stack puts out, if it is the one that is meant.
func fromOutputs(question Question, outputs map[string]string) (found Target, isThere bool, err error) {
	text, function := outputs[chain.OutputPayload], outputs[chain.OutputFunction]
	if text == "" || function == "" {
		return Target{}, false, nil
	}
	var payload struct {
		StackID            string `json:"StackId"`
		LogicalResourceID  string `json:"LogicalResourceId"`
		ResourceProperties json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &payload); err != nil {
		return Target{}, false, fmt.Errorf("reading output %s of stack %s: %w", chain.OutputPayload, question.Stack, err)
	}
	if question.Chain != "" && question.Chain != payload.LogicalResourceID {
		return Target{}, false, nil
	}
	return Target{payload.StackID, payload.LogicalResourceID, function, payload.ResourceProperties}, true, nil
}

// evaluation finds out what a template comes to in a stack.
type evaluation struct {
	Deployed

	question Question
	stack    types.Stack
}

// find evaluates the file, or else the template of the stack. Function is the one that the stack puts out; without one the chain's
// ServiceToken tells it.
func (e evaluation) find(ctx context.Context, function string) (Target, error) {
	name, text, err := e.text(ctx)
	if err != nil {
		return Target{}, err
	}
	parsed, err := template.Read(name, text)
	if err != nil {
		return Target{}, err
	}
	one, err := parsed.Chain(e.question.Chain)
	if err != nil {
		return Target{}, err
	}
	values, err := e.values(ctx, parsed, bytes.Contains(text, []byte("ImportValue")))
	if err != nil {
		return Target{}, err
	}
	properties, unknown := parsed.Properties(one, values)
	if function == "" {
		if function, _ = properties["ServiceToken"].(string); function == "" {
			return Target{}, fmt.Errorf("finding the function of chain %s: neither has stack %s an output %s, nor is the ServiceToken known before the deploy. Add the output, or export the provider's token",
				one.LogicalID, e.question.Stack, chain.OutputFunction)
		}
	}
	delete(properties, "ServiceToken") // the function does not read it
	var problems []error
	for _, each := range unknown {
		if each.Path != "ServiceToken" {
			problems = append(problems, fmt.Errorf("%s:%s: %s: the value of %s is not known before the deploy. Deploy it first, or pass it in as a parameter", name, each.At, cmp.Or(each.Path, "Properties"), each.Text))
		}
	}
	if len(problems) > 0 {
		return Target{}, errors.Join(problems...)
	}
	encoded, err := json.Marshal(properties)
	if err != nil {
		return Target{}, fmt.Errorf("writing the properties of chain %s: %w", one.LogicalID, err)
	}
	return Target{aws.ToString(e.stack.StackId), one.LogicalID, function, encoded}, nil
}

// text returns the template. That of a stack is taken after its transforms.
func (e evaluation) text(ctx context.Context) (name string, text []byte, err error) {
	if file := e.question.File; file != nil {
		return file.Name, file.Text, nil
	}
	name = "the template of stack " + e.question.Stack
	said, err := e.CloudFormation.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: e.stack.StackId, TemplateStage: types.TemplateStageProcessed})
	if err != nil {
		return "", nil, fmt.Errorf("reading %s: %w", name, brief(err))
	}
	return name, []byte(aws.ToString(said.TemplateBody)), nil
}

// values returns what is known of a stack that is deployed: its parameters, and the IDs of its resources and of exports.
func (e evaluation) values(ctx context.Context, parsed *template.Template, imports bool) (template.Values, error) {
	values := template.Values{
		Parameters: map[string]string{}, Resolved: map[string]string{}, Pseudo: pseudo(aws.ToString(e.stack.StackId), e.Region),
		Refs: map[string]string{}, Attributes: map[string]string{},
	}
	for _, one := range e.stack.Parameters {
		key := aws.ToString(one.ParameterKey)
		values.Parameters[key] = aws.ToString(one.ParameterValue)
		if one.ResolvedValue != nil {
			values.Resolved[key] = *one.ResolvedValue
		}
	}
	if file := e.question.File; file != nil {
		names := parsed.Parameters()
		for key, value := range file.Parameters {
			if !slices.Contains(names, key) {
				return template.Values{}, fmt.Errorf("%s has no parameter %s. Its parameters are %s", file.Name, key, strings.Join(names, ", "))
			}
			if values.Parameters[key] != value {
				delete(values.Resolved, key)
			}
			values.Parameters[key] = value
		}
	}
	said, err := e.CloudFormation.DescribeStackResources(ctx, &cloudformation.DescribeStackResourcesInput{StackName: e.stack.StackId})
	if err != nil {
		return template.Values{}, fmt.Errorf("reading the resources of stack %s: %w", e.question.Stack, brief(err))
	}
	for _, one := range said.StackResources {
		logicalID, physicalID := aws.ToString(one.LogicalResourceId), aws.ToString(one.PhysicalResourceId)
		if physicalID == "" {
			continue
		}
		values.Refs[logicalID] = physicalID
		if attribute := sameAsRef[aws.ToString(one.ResourceType)]; attribute != "" {
			values.Attributes[logicalID+"."+attribute] = physicalID
		}
	}
	if imports {
		values.Exports, err = e.exports(ctx)
	}
	return values, err
}

// sameAsRef has the attributes that are what Ref returns, too, by resource type (template reference, "Return values" of each type). The
// ARN of a function is not, but Lambda takes its name in the same place.
var sameAsRef = map[string]string{ //nolint:gochecknoglobals // a constant in all but syntax
	"AWS::EC2::SecurityGroup": "GroupId", "AWS::EC2::VPC": "VpcId", "AWS::EC2::PrefixList": "PrefixListId", "AWS::Lambda::Function": "Arn",
}

func (e evaluation) exports(ctx context.Context) (map[string]string, error) {
	exports := map[string]string{}
	for pages := cloudformation.NewListExportsPaginator(e.CloudFormation, &cloudformation.ListExportsInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing exports: %w", brief(err))
		}
		for _, export := range page.Exports {
			exports[aws.ToString(export.Name)] = aws.ToString(export.Value)
		}
	}
	return exports, nil
}

// pseudo returns the pseudo parameters of a stack, as far as its ARN tells them: arn:PARTITION:cloudformation:REGION:ACCOUNT:stack/NAME/ID.
func pseudo(stackID, region string) map[string]string {
	known := map[string]string{"AWS::StackId": stackID, "AWS::Region": region, "AWS::StackName": chain.Resource{StackID: stackID}.StackName()}
	if parts := strings.SplitN(stackID, ":", 6); len(parts) == 6 {
		known["AWS::Partition"], known["AWS::Region"], known["AWS::AccountId"] = parts[1], parts[3], parts[4]
	}
	return known
}
