package ask

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"

	"sgchain/cdk/internal/template"
	"sgchain/lambda/chain"
	"sgchain/lambda/inventory"
)

// CloudFormation is the part of the service's API that is used.
type CloudFormation interface {
	DescribeStacks(ctx context.Context, input *cloudformation.DescribeStacksInput, options ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error)
	ListStackResources(ctx context.Context, input *cloudformation.ListStackResourcesInput, options ...func(*cloudformation.Options)) (*cloudformation.ListStackResourcesOutput, error)
	GetTemplate(ctx context.Context, input *cloudformation.GetTemplateInput, options ...func(*cloudformation.Options)) (*cloudformation.GetTemplateOutput, error)
	ListExports(ctx context.Context, input *cloudformation.ListExportsInput, options ...func(*cloudformation.Options)) (*cloudformation.ListExportsOutput, error)
}

// Deployed is the account and Region of the stacks.
type Deployed struct {
	CloudFormation CloudFormation
	Region         string
}

// File is a template that is not deployed yet.
type File struct {
	Name       string
	Text       []byte
	Parameters map[string]string // given for the plan; the stack has the others
}

// Target is a chain of a stack, and the function that serves it.
type Target struct {
	StackID, LogicalID string
	Function           string // its name or ARN
	Properties         json.RawMessage
}

// Find finds the chain that a question is about. The stack's outputs come first, because they are
// the function's input. For a stack without these outputs, and for a file, Find evaluates the
// template.
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
		found, exists, err := fromOutputs(question, outputs)
		if exists || err != nil {
			return found, err
		}
	}
	e := evaluation{Deployed: d, question: question, stack: stack, functions: map[string]string{}}
	return e.find(ctx, outputs[chain.OutputFunction])
}

func (d Deployed) stack(ctx context.Context, name string) (types.Stack, error) {
	output, err := d.CloudFormation.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if refusal, isRefusal := errors.AsType[smithy.APIError](err); isRefusal && refusal.ErrorCode() == "ValidationError" {
		return types.Stack{}, fmt.Errorf("reading stack %s in %s: %s. For a stack in another Region, add --region", name, d.Region, strings.TrimRight(refusal.ErrorMessage(), "."))
	}
	if err != nil {
		return types.Stack{}, &inventory.CallError{Action: "cloudformation:DescribeStacks", Doing: "reading stack " + name + " in " + d.Region, Err: err}
	}
	if len(output.Stacks) != 1 {
		return types.Stack{}, fmt.Errorf("reading stack %s in %s: CloudFormation describes %d stacks", name, d.Region, len(output.Stacks))
	}
	return output.Stacks[0], nil
}

// fromOutputs returns the chain of a stack's outputs, if the question is about it.
func fromOutputs(question Question, outputs map[string]string) (found Target, exists bool, err error) {
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

// evaluation evaluates a template for a stack.
type evaluation struct {
	Deployed

	question Question
	stack    types.Stack
	// functions are the names of the stack's functions, by "LogicalID.Arn". Only Lambda accepts a
	// name for an ARN.
	functions map[string]string
}

// find evaluates the file, or else the template of the stack. function is the one of the stack's
// outputs. Without one, find uses the chain's ServiceToken.
func (e evaluation) find(ctx context.Context, function string) (Target, error) {
	name, text, err := e.text(ctx)
	if err != nil {
		return Target{}, err
	}
	parsed, err := template.Read(name, text)
	if err != nil {
		return Target{}, err
	}
	values, err := e.values(ctx, parsed, bytes.Contains(text, []byte("ImportValue")))
	if err != nil {
		return Target{}, err
	}
	one, err := parsed.ChainUnder(e.question.Chain, values)
	if err != nil {
		return Target{}, err
	}
	properties, unknown := parsed.Properties(one, values)
	if function == "" {
		if function = e.token(parsed, one, values); function == "" {
			return Target{}, fmt.Errorf("finding the function of chain %s: stack %s has no output %s, and the ServiceToken is unknown before the deployment. Add the output, or export the provider's token",
				one.LogicalID, e.question.Stack, chain.OutputFunction)
		}
	}
	delete(properties, "ServiceToken") // the function does not read it
	var problems []error
	for _, each := range unknown {
		if each.Path != "ServiceToken" {
			problems = append(problems, fmt.Errorf("%s:%s: %s: the value of %s is unknown before the deployment. Deploy it first, or make it a parameter", name, each.At, cmp.Or(each.Path, "Properties"), each.Text))
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

// token returns the function of the chain's ServiceToken, or an empty text.
func (e evaluation) token(parsed *template.Template, one template.Chain, values template.Values) string {
	values.Attributes = maps.Clone(values.Attributes)
	maps.Copy(values.Attributes, e.functions)
	properties, _ := parsed.Properties(one, values)
	token, _ := properties["ServiceToken"].(string)
	return token
}

// text returns the template. A stack's is read after its transforms.
func (e evaluation) text(ctx context.Context) (name string, text []byte, err error) {
	if file := e.question.File; file != nil {
		return file.Name, file.Text, nil
	}
	name = "the template of stack " + e.question.Stack
	output, err := e.CloudFormation.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: e.stack.StackId, TemplateStage: types.TemplateStageProcessed})
	if err != nil {
		return "", nil, &inventory.CallError{Action: "cloudformation:GetTemplate", Doing: "reading " + name, Err: err}
	}
	return name, []byte(aws.ToString(output.TemplateBody)), nil
}

// values returns what is known of a deployed stack: its parameters, and the IDs of its resources
// and of exports.
func (e evaluation) values(ctx context.Context, parsed *template.Template, imports bool) (template.Values, error) {
	values := template.Values{
		Parameters: map[string]string{}, Resolved: map[string]string{}, Pseudo: pseudo(aws.ToString(e.stack.StackId), e.Region),
		Refs: map[string]string{}, Attributes: map[string]string{}, Hidden: map[string]bool{},
	}
	for _, one := range e.stack.Parameters {
		key := aws.ToString(one.ParameterKey)
		if aws.ToString(one.ParameterValue) == noEcho {
			values.Hidden[key] = true
			continue
		}
		values.Parameters[key] = aws.ToString(one.ParameterValue)
		if one.ResolvedValue != nil {
			values.Resolved[key] = *one.ResolvedValue
		}
	}
	if file := e.question.File; file != nil {
		names := parsed.Parameters()
		for key, value := range file.Parameters {
			if !slices.Contains(names, key) {
				return template.Values{}, fmt.Errorf("%s has no parameter %s; use one of %s", file.Name, key, strings.Join(names, ", "))
			}
			if values.Parameters[key] != value {
				delete(values.Resolved, key)
			}
			values.Parameters[key] = value
		}
	}
	if err := e.resources(ctx, values); err != nil {
		return template.Values{}, err
	}
	if !imports {
		return values, nil
	}
	exports, err := e.exports(ctx)
	values.Exports = exports
	return values, err
}

// resources records the IDs of the stack's resources, up to 500.
func (e evaluation) resources(ctx context.Context, values template.Values) error {
	for pages := cloudformation.NewListStackResourcesPaginator(e.CloudFormation, &cloudformation.ListStackResourcesInput{StackName: e.stack.StackId}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return &inventory.CallError{Action: "cloudformation:ListStackResources", Doing: "reading the resources of stack " + e.question.Stack, Err: err}
		}
		for _, one := range page.StackResourceSummaries {
			logicalID, physicalID := aws.ToString(one.LogicalResourceId), aws.ToString(one.PhysicalResourceId)
			if physicalID == "" {
				continue
			}
			values.Refs[logicalID] = physicalID
			if attribute := sameAsRef[aws.ToString(one.ResourceType)]; attribute != "" {
				values.Attributes[logicalID+"."+attribute] = physicalID
			}
			if aws.ToString(one.ResourceType) == "AWS::Lambda::Function" {
				e.functions[logicalID+".Arn"] = physicalID
			}
		}
	}
	return nil
}

// noEcho is CloudFormation's value of a parameter with NoEcho (user guide, "Parameters").
const noEcho = "****"

// sameAsRef has the attributes with the same value as Ref, by resource type (template reference,
// "Return values" of each type).
var sameAsRef = map[string]string{ //nolint:gochecknoglobals // a constant in all but syntax
	"AWS::EC2::SecurityGroup": "GroupId", "AWS::EC2::VPC": "VpcId", "AWS::EC2::PrefixList": "PrefixListId",
}

func (e evaluation) exports(ctx context.Context) (map[string]string, error) {
	exports := map[string]string{}
	for pages := cloudformation.NewListExportsPaginator(e.CloudFormation, &cloudformation.ListExportsInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, &inventory.CallError{Action: "cloudformation:ListExports", Doing: "listing exports", Err: err}
		}
		for _, export := range page.Exports {
			exports[aws.ToString(export.Name)] = aws.ToString(export.Value)
		}
	}
	return exports, nil
}

// pseudo returns the pseudo parameters that a stack's ARN contains:
// arn:PARTITION:cloudformation:REGION:ACCOUNT:stack/NAME/ID.
func pseudo(stackID, region string) map[string]string {
	known := map[string]string{"AWS::StackId": stackID, "AWS::Region": region, "AWS::StackName": chain.Resource{StackID: stackID}.StackName()}
	if parts := strings.SplitN(stackID, ":", 6); len(parts) == 6 {
		known["AWS::Partition"], known["AWS::Region"], known["AWS::AccountId"] = parts[1], parts[3], parts[4]
	}
	return known
}
