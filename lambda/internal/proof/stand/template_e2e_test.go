//go:build e2e

package stand_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"

	"sgchain/lambda/internal/proof/stand"
)

type object = map[string]any

const (
	bucket = "e2e"
	key    = "lambda.zip"
)

// upload uploads the Lambda to where the templates below expect it.
func upload(ctx context.Context, t *testing.T, emulator *stand.MiniStack) {
	t.Helper()
	zip, err := os.ReadFile(lambdaZip(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := emulator.PutObject(ctx, bucket, key, zip); err != nil {
		t.Fatal(err)
	}
}

// properties returns those of a chain in the stack's own VPC, with these tiers. Without tiers, it is
// the default chain.
func properties(tiers ...object) object {
	chain := object{"VpcId": object{"Ref": "Vpc"}}
	if len(tiers) > 0 {
		chain["Tiers"] = tiers
	}
	return chain
}

// template returns a stack without the CDK: a VPC, the provider, the chain, and further resources. A
// chain among these has the same provider. It spells ARNs out: when MiniStack updates a nested
// stack, it forgets the attribute Arn of roles and functions.
func template(chain object, further object) object {
	architecture := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
	resources := object{
		"Vpc": object{"Type": "AWS::EC2::VPC", "Properties": object{"CidrBlock": "10.0.0.0/16"}},
		"Role": object{"Type": "AWS::IAM::Role", "Properties": object{
			"AssumeRolePolicyDocument": object{"Version": "2012-10-17", "Statement": []any{object{
				"Effect": "Allow", "Principal": object{"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole",
			}}},
		}},
		"Provider": object{"Type": "AWS::Lambda::Function", "Properties": object{
			"Runtime": "provided.al2023", "Handler": "bootstrap", "Architectures": []any{architecture},
			"Timeout": 600, "MemorySize": 256,
			"Role":        object{"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${Role}"},
			"Code":        object{"S3Bucket": bucket, "S3Key": key},
			"Environment": object{"Variables": object{"SGCHAIN_PROVIDER": object{"Ref": "AWS::StackId"}}},
		}},
		"Delivery": object{"Type": "AWS::Lambda::EventInvokeConfig", "Properties": object{
			"FunctionName": object{"Ref": "Provider"}, "Qualifier": "$LATEST",
			"MaximumEventAgeInSeconds": 360, "MaximumRetryAttempts": 2,
		}},
		"Chain": custom(chain, "Delivery"),
	}
	maps.Copy(resources, further)
	return object{
		"Resources": resources,
		"Outputs": object{
			"VpcId":            object{"Value": object{"Ref": "Vpc"}},
			"PhysicalId":       object{"Value": object{"Ref": "Chain"}},
			"SecurityGroupIds": object{"Value": object{"Fn::GetAtt": []any{"Chain", "SecurityGroupIds"}}},
		},
	}
}

// custom returns a custom resource for a chain.
func custom(chain object, after string) object {
	all := object{
		"ServiceToken":   object{"Fn::Sub": "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${Provider}"},
		"ServiceTimeout": 1020,
	}
	maps.Copy(all, chain)
	return object{"Type": "Custom::SecurityGroupChain", "DependsOn": after, "Properties": all}
}

func encode(t *testing.T, template object) string {
	t.Helper()
	text, err := json.Marshal(template)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// stack is one stack that a test creates, changes and deletes through CloudFormation's API.
type stack struct {
	emulator *stand.MiniStack
	name     string
	vpc      string
	begun    time.Time // of the last operation
}

var capabilities = []cfntypes.Capability{cfntypes.CapabilityCapabilityIam, cfntypes.CapabilityCapabilityAutoExpand}

// once sends a call without retries. MiniStack creates and updates stacks while it answers, and
// sometimes resets the connection meanwhile. It would refuse a retry, since the operation has begun.
func once(options *cloudformation.Options) { options.RetryMaxAttempts = 1 }

// begun checks the result of such a call. A refused operation has not begun.
func begun(t *testing.T, err error) {
	t.Helper()
	if _, refused := errors.AsType[smithy.APIError](err); refused {
		t.Fatal(err)
	}
	if err != nil {
		t.Logf("the answer was lost, and the stack tells what became of the operation: %v", err)
	}
}

func (s *stack) create(ctx context.Context, t *testing.T, template object, want cfntypes.StackStatus) {
	t.Helper()
	s.begun = time.Now()
	_, err := s.emulator.CloudFormation().CreateStack(ctx, &cloudformation.CreateStackInput{
		StackName: &s.name, TemplateBody: aws.String(encode(t, template)), Capabilities: capabilities,
	}, once)
	begun(t, err)
	s.settle(ctx, t, want)
	s.vpc = s.output(ctx, t, "VpcId")
}

func (s *stack) update(ctx context.Context, t *testing.T, template object, want cfntypes.StackStatus) {
	t.Helper()
	s.begun = time.Now()
	_, err := s.emulator.CloudFormation().UpdateStack(ctx, &cloudformation.UpdateStackInput{
		StackName: &s.name, TemplateBody: aws.String(encode(t, template)), Capabilities: capabilities,
	}, once)
	begun(t, err)
	s.settle(ctx, t, want)
}

// remove deletes the stack. Nothing of it may be left, in its VPC or elsewhere.
func (s *stack) remove(ctx context.Context, t *testing.T) {
	t.Helper()
	s.dismiss(ctx, t)
	if s.vpc != "" {
		text, _ := readBack(ctx, t, s.emulator, s.vpc)
		same(t, "after the stack's delete", text, "")
	}
}

// dismiss deletes the stack, and may leave groups in its VPC.
func (s *stack) dismiss(ctx context.Context, t *testing.T) {
	t.Helper()
	s.begun = time.Now()
	_, err := s.emulator.CloudFormation().DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &s.name})
	if err != nil {
		t.Fatal(err)
	}
	left, err := s.emulator.Settle(ctx, s.name)
	if err != nil {
		t.Fatal(err)
	}
	if left != nil {
		t.Errorf("after the stack's delete: stack %s is %s\n%s", s.name, left.StackStatus, s.failures(ctx, t))
	}
}

func (s *stack) settle(ctx context.Context, t *testing.T, want cfntypes.StackStatus) {
	t.Helper()
	found, err := s.emulator.Settle(ctx, s.name)
	if err != nil {
		t.Fatal(err)
	}
	if found == nil || found.StackStatus != want {
		t.Fatalf("stack %s: got %+v, want %s\n%s", s.name, found, want, s.failures(ctx, t))
	}
}

// failures returns the failures in the events of the last operation.
func (s *stack) failures(ctx context.Context, t *testing.T) string {
	t.Helper()
	// MiniStack has the same clock, but truncates its events' times to milliseconds.
	list, err := s.emulator.Failures(ctx, s.name, s.begun.Truncate(time.Millisecond))
	if err != nil {
		return "" // the stack and its events no longer exist
	}
	return strings.Join(list, "\n")
}

func (s *stack) output(ctx context.Context, t *testing.T, key string) string {
	t.Helper()
	outputs, err := s.emulator.Outputs(ctx, s.name)
	if err != nil {
		t.Fatal(err)
	}
	for _, output := range outputs {
		if output.Key == key {
			return output.Value
		}
	}
	return ""
}
