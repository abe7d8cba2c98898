package ask

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"

	"sgchain/lambda/chain"
)

const stackID = "arn:aws:cloudformation:eu-central-1:123456789012:stack/Shop/1f0c"

// stage is an account with one stack and one function.
type stage struct {
	outputs    map[string]string
	parameters map[string]string
	resources  map[string][2]string // type and physical ID by logical ID
	exports    map[string]string
	template   string
	refusal    error // of DescribeStacks

	answer   string // the function's
	failure  string // its FunctionError
	asked    string // what it was asked
	function string // by which name
	calls    []string
}

func (s *stage) DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error) {
	s.calls = append(s.calls, "DescribeStacks")
	if s.refusal != nil {
		return nil, s.refusal
	}
	stack := types.Stack{StackId: aws.String(stackID)}
	for key, value := range s.outputs {
		stack.Outputs = append(stack.Outputs, types.Output{OutputKey: &key, OutputValue: &value})
	}
	for key, value := range s.parameters {
		one := types.Parameter{ParameterKey: &key, ParameterValue: &value}
		if path, resolved, isSSM := strings.Cut(value, " -> "); isSSM {
			one.ParameterValue, one.ResolvedValue = &path, &resolved
		}
		stack.Parameters = append(stack.Parameters, one)
	}
	return &cloudformation.DescribeStacksOutput{Stacks: []types.Stack{stack}}, nil
}

func (s *stage) ListStackResources(context.Context, *cloudformation.ListStackResourcesInput, ...func(*cloudformation.Options)) (*cloudformation.ListStackResourcesOutput, error) {
	s.calls = append(s.calls, "ListStackResources")
	var all []types.StackResourceSummary
	for id, one := range s.resources {
		all = append(all, types.StackResourceSummary{LogicalResourceId: &id, ResourceType: aws.String(one[0]), PhysicalResourceId: aws.String(one[1])})
	}
	return &cloudformation.ListStackResourcesOutput{StackResourceSummaries: all}, nil
}

func (s *stage) GetTemplate(_ context.Context, input *cloudformation.GetTemplateInput, _ ...func(*cloudformation.Options)) (*cloudformation.GetTemplateOutput, error) {
	s.calls = append(s.calls, "GetTemplate "+string(input.TemplateStage))
	return &cloudformation.GetTemplateOutput{TemplateBody: &s.template}, nil
}

func (s *stage) ListExports(context.Context, *cloudformation.ListExportsInput, ...func(*cloudformation.Options)) (*cloudformation.ListExportsOutput, error) {
	s.calls = append(s.calls, "ListExports")
	var all []types.Export
	for name, value := range s.exports {
		all = append(all, types.Export{Name: &name, Value: &value})
	}
	return &cloudformation.ListExportsOutput{Exports: all}, nil
}

func (s *stage) Invoke(_ context.Context, input *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	s.function, s.asked = *input.FunctionName, string(input.Payload)
	answer := &lambda.InvokeOutput{Payload: []byte(s.answer)}
	if s.failure != "" {
		answer.FunctionError = &s.failure
	}
	return answer, nil
}

func (s *stage) ask(t *testing.T, question Question) (Report, error) {
	t.Helper()
	return Ask(t.Context(), Deployed{CloudFormation: s, Region: "eu-central-1"}, s, question)
}

// checkAsked compares the function's input.
func (s *stage) checkAsked(t *testing.T, want string) {
	t.Helper()
	var got, wanted any
	if err := errors.Join(json.Unmarshal([]byte(s.asked), &got), json.Unmarshal([]byte(want), &wanted)); err != nil {
		t.Fatalf("%v: %s, %s", err, s.asked, want)
	}
	if !reflect.DeepEqual(got, wanted) {
		t.Errorf("asked %s, want %s", s.asked, want)
	}
}

// withOutputs returns a stack with the outputs of the published templates.
func withOutputs() *stage {
	return &stage{
		outputs: map[string]string{
			"PlanPayload":      `{"action":"plan","StackId":"` + stackID + `","LogicalResourceId":"Chain","ResourceProperties":{"VpcId":"vpc-0abc","RuleQuota":1.50}}`,
			"ProviderFunction": "Shop-Provider-1",
		},
		answer: `{"result": "plan", "text": "2 rules to add\nand more\n", "differences": 2, "warnings": ["give it the tags back", "two"]}`,
	}
}

func TestAskUsesStackOutputs(t *testing.T) {
	t.Parallel()
	for _, action := range []string{chain.ActionPlan, chain.ActionCheck} {
		s := withOutputs()
		report, err := s.ask(t, Question{Stack: "Shop", Action: action})
		if err != nil || report.String() != "2 rules to add\nand more\nwarning: give it the tags back\nwarning: two\n" {
			t.Errorf("%s: got %q, error %v", action, report, err)
		}
		s.checkAsked(t, `{"action":"`+action+`","StackId":"`+stackID+`","LogicalResourceId":"Chain","ResourceProperties":{"RuleQuota":1.50,"VpcId":"vpc-0abc"}}`)
		if s.function != "Shop-Provider-1" || strings.Join(s.calls, ",") != "DescribeStacks" {
			t.Errorf("%s: asked %s after %v", action, s.function, s.calls)
		}
		if !strings.Contains(s.asked, "1.50") {
			t.Errorf("%s: a number was rewritten: %s", action, s.asked)
		}
	}
}

// TestAskAboutChangedProperties checks that properties other than the stack's reach the function,
// or are refused.
func TestAskAboutChangedProperties(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		other  Changes
		action string
		want   string // the properties, or the error
	}{
		"tiers":         {Changes{Tiers: `[{"Name": "Web"}]`}, "plan", `{"RuleQuota":1.50,"Tiers":[{"Name":"Web"}],"VpcId":"vpc-0abc"}`},
		"VPC":           {Changes{VPC: "vpc-0def"}, "plan", `{"RuleQuota":1.50,"VpcId":"vpc-0def"}`},
		"guardrails":    {Changes{Guardrails: "warn"}, "plan", `{"Guardrails":"warn","RuleQuota":1.50,"VpcId":"vpc-0abc"}`},
		"no list":       {Changes{Tiers: `{"Name": "Web"}`}, "plan", "reading the tiers: "},
		"check":         {Changes{Tiers: `[]`}, "check", "remove other tiers"},
		"not even JSON": {Changes{Tiers: `Web`}, "plan", "Write a list in JSON on one line"},
	} {
		s := withOutputs()
		_, err := s.ask(t, Question{Stack: "Shop", Action: c.action, Changes: c.other})
		if strings.HasPrefix(c.want, "{") {
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			s.checkAsked(t, `{"action":"plan","StackId":"`+stackID+`","LogicalResourceId":"Chain","ResourceProperties":`+c.want+`}`)
		} else if err == nil || !strings.Contains(err.Error(), c.want) || s.asked != "" {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
}

func TestProblemsHaveRemedies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change        func(*stage)
		stack, action string
		want          string
	}{
		"no stack": {func(*stage) {}, "", "plan", "the stack is missing"},
		"repair":   {func(*stage) {}, "Shop", "repair", `unknown action "repair"; use plan`},
		"AWS refuses": {func(s *stage) {
			s.refusal = &smithy.GenericAPIError{Code: "ValidationError", Message: "Stack with id Shop does not exist"}
		}, "Shop", "plan", "reading stack Shop in eu-central-1: Stack with id Shop does not exist. For a stack in another Region, add --region"},
		"odd output": {func(s *stage) { s.outputs["PlanPayload"] = "no" }, "Shop", "plan", "reading output PlanPayload of stack Shop"},
		"function fails": {func(s *stage) {
			s.failure, s.answer = "Unhandled", `{"errorMessage": "checking chain: no", "errorType": "errorString"}`
		}, "Shop", "plan", "invoking the function of stack Shop (Shop-Provider-1): checking chain: no"},
		"it is killed": {func(s *stage) { s.failure, s.answer = "Unhandled", `oom` }, "Shop", "plan", "it failed (Unhandled): oom"},
		"no text":      {func(s *stage) { s.answer = `null` }, "Shop", "plan", "If the function is of an older release, update its provider"},
	} {
		s := withOutputs()
		c.change(s)
		got, err := s.ask(t, Question{Stack: c.stack, Action: c.action})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %q and %v, want an error with %q", name, got, err, c.want)
		}
	}
}

const ownTemplate = `
Parameters:
  Range: {Type: String, Default: 10.0.0.0/8}
  VpcId: {Type: "AWS::SSM::Parameter::Value<AWS::EC2::VPC::Id>"}
Resources:
  Office: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: x}}
  Chain:
    Type: Custom::SecurityGroupChain
    Properties:
      ServiceToken: !ImportValue SecurityGroupChainProvider
      VpcId: !Ref VpcId
      Tags: {Stack: !Ref AWS::StackName}
      Tiers:
        - {Name: Web, Ports: [443], Sources: [!Ref Range, !GetAtt Office.GroupId]}
`

// withoutOutputs returns a stack of a handwritten template, without those outputs.
func withoutOutputs() *stage {
	s := withOutputs()
	s.outputs, s.template = nil, ownTemplate
	s.parameters = map[string]string{"Range": "10.1.0.0/16", "VpcId": "/network/vpc -> vpc-0abc"}
	s.resources = map[string][2]string{"Office": {"AWS::EC2::SecurityGroup", "sg-0abc"}, "Chain": {"Custom::SecurityGroupChain", "sgchain-1"}}
	s.exports = map[string]string{"SecurityGroupChainProvider": "arn:aws:lambda:eu-central-1:123456789012:function:Provider"}
	return s
}

func asked(tiers string) string {
	return `{"action":"plan","StackId":"` + stackID + `","LogicalResourceId":"Chain","ResourceProperties":{"VpcId":"vpc-0abc","Tags":{"Stack":"Shop"},"Tiers":` + tiers + `}}`
}

func TestAskEvaluatesStackTemplate(t *testing.T) {
	t.Parallel()
	s := withoutOutputs()
	if _, err := s.ask(t, Question{Stack: "Shop", Action: "plan"}); err != nil {
		t.Fatal(err)
	}
	s.checkAsked(t, asked(`[{"Name":"Web","Ports":[443],"Sources":["10.1.0.0/16","sg-0abc"]}]`))
	if want := "arn:aws:lambda:eu-central-1:123456789012:function:Provider"; s.function != want {
		t.Errorf("asked %s, want %s", s.function, want)
	}
	if want := "DescribeStacks,GetTemplate Processed,ListStackResources,ListExports"; strings.Join(s.calls, ",") != want {
		t.Errorf("got the calls %v, want %s", s.calls, want)
	}
}

func TestPlanOfAFile(t *testing.T) {
	t.Parallel()
	s := withoutOutputs()
	file := &File{Name: "new.yaml", Text: []byte(strings.ReplaceAll(ownTemplate, "443", "8443")), Parameters: map[string]string{"Range": "10.2.0.0/16"}}
	if _, err := s.ask(t, Question{Stack: "Shop", Action: "plan", File: file}); err != nil {
		t.Fatal(err)
	}
	s.checkAsked(t, asked(`[{"Name":"Web","Ports":[8443],"Sources":["10.2.0.0/16","sg-0abc"]}]`))
	for name, c := range map[string]struct {
		old, new string
		question Question
		want     string
	}{
		"unknown parameter": {"", "", Question{File: &File{Parameters: map[string]string{"Rnge": "x"}}}, "new.yaml has no parameter Rnge; use one of Range, VpcId"},
		"new resource":      {"!GetAtt Office.GroupId", "!GetAtt Lab.GroupId", Question{File: &File{}}, "new.yaml:14:"},
		"no chain":          {"Custom::SecurityGroupChain", "Custom::Other", Question{File: &File{}}, "new.yaml has no resource of type Custom::SecurityGroupChain"},
		"another chain":     {"", "", Question{File: &File{}, Chain: "Chian"}, "new.yaml has no chain Chian; use one of Chain"},
		"no function":       {"!ImportValue SecurityGroupChainProvider", "!GetAtt New.Arn", Question{File: &File{}}, "finding the function of chain Chain"},
		"no template":       {ownTemplate, "services: {}", Question{File: &File{}}, "new.yaml"},
		"changes":           {"", "", Question{File: &File{}, Changes: Changes{VPC: "vpc-1"}}, "remove --tiers, --vpc and --guardrails"},
	} {
		text := ownTemplate
		if c.old != "" {
			text = strings.ReplaceAll(text, c.old, c.new)
		}
		s := withoutOutputs()
		question := c.question
		question.Stack, question.Action, question.File.Name, question.File.Text = "Shop", "plan", "new.yaml", []byte(text)
		if _, err := s.ask(t, question); err == nil || !strings.Contains(err.Error(), c.want) || s.asked != "" {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
}

// TestChainsUnderConditions checks stacks with conditions. Of two chains under exclusive
// conditions, the question is about the one that exists in the stack. One that the file leaves out
// is refused. The value of a parameter with NoEcho is unknown, and its Default is no substitute.
func TestChainsUnderConditions(t *testing.T) {
	t.Parallel()
	conditional := strings.Replace(ownTemplate, "Resources:\n", "  Env: {Type: String, Default: prod}\nConditions:\n  IsProd: !Equals [!Ref Env, prod]\n  IsDev: !Equals [!Ref Env, dev]\nResources:\n"+
		"  Dev:\n    Type: Custom::SecurityGroupChain\n    Condition: IsDev\n    Properties: {ServiceToken: !ImportValue SecurityGroupChainProvider, VpcId: !Ref VpcId}\n", 1)
	conditional = strings.Replace(conditional, "    Type: Custom::SecurityGroupChain\n    Properties:\n", "    Type: Custom::SecurityGroupChain\n    Condition: IsProd\n    Properties:\n", 1)
	for env, c := range map[string]struct{ chain, want, refusal string }{
		"dev":  {"", "Dev", ""},
		"prod": {"", "Chain", ""},
		"****": {"", "", "add --chain with one of Dev, Chain"},
		"test": {"Chain", "", "excludes chain Chain: its condition IsProd is false. Deploying it would delete the chain"},
	} {
		s := withoutOutputs()
		s.parameters["Env"] = env
		report, err := s.ask(t, Question{Stack: "Shop", Action: "plan", Chain: c.chain, File: &File{Name: "new.yaml", Text: []byte(conditional)}})
		if report.Chain != c.want || (err == nil) != (c.refusal == "") || (err != nil && !strings.Contains(err.Error(), c.refusal)) {
			t.Errorf("%s: got %s and %v, want %s and %q", env, report.Chain, err, c.want, c.refusal)
		}
	}
}

func TestReportChanges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer           string
		changes, decided bool
	}{
		{`{"result": "plan", "text": "", "differences": 0}`, false, true},
		{`{"result": "plan", "text": "", "differences": 1}`, true, true},
		{`{"result": "plan", "text": "", "cleanup": [{"action": "delete group"}]}`, true, true},
		{`{"result": "refused", "text": ""}`, false, false},
		{`{"result": "in sync", "text": ""}`, false, true},
		{`{"result": "drift", "text": "", "differences": 3}`, true, true},
		{`{"result": "stood back", "text": ""}`, false, false},
		{`{"result": "unchecked", "text": ""}`, false, false},
	} {
		report, err := readReport(Question{}, []byte(c.answer))
		if err != nil || report.Changes() != c.changes || report.Decided() != c.decided {
			t.Errorf("%s: got changes %t, decided %t, error %v", c.answer, report.Changes(), report.Decided(), err)
		}
	}
}
