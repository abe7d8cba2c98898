//go:build e2e

package stand_test

import (
	"encoding/json"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/internal/proof/stand"
)

// tutorial is the default chain: names, descriptions, rules, and nothing else.
const tutorial = `
	ALB-SG "Security group for Application Load Balancer"
	ALB-SG ingress tcp 80 from 0.0.0.0/0 "internet to Alb: tcp 80"
	ALB-SG ingress tcp 443 from 0.0.0.0/0 "internet to Alb: tcp 443"
	ALB-SG egress all traffic to 0.0.0.0/0
	Fargate-SG "Security group for Fargate containers"
	Fargate-SG ingress tcp 6060 from ALB-SG "Alb to Fargate: tcp 6060"
	Fargate-SG egress all traffic to 0.0.0.0/0
`

// TestCDKLifecycle deploys, changes and deletes the CDK app with the real CDK CLI.
func TestCDKLifecycle(t *testing.T) {
	t.Parallel()
	ctx, emulator := start(t)
	cdk := stand.CDK{
		Root: repository(t), Dir: folder(t), Environment: emulator.Environment(),
		Context: []string{"vpcId=new", "arch=" + runtime.GOARCH},
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%v\nlog: %s", err, cdk.LogFile())
		}
	}

	must(cdk.Bootstrap(ctx))
	must(cdk.Deploy(ctx))
	text, groups := readBack(ctx, t, emulator, "")
	same(t, "after cdk deploy", text, tutorial)
	if t.Failed() {
		return
	}
	front, back := groups[0], groups[1]
	checkOutputs(t, emulator, map[string]string{
		"AlbSecurityGroupId":     front.ID,
		"FargateSecurityGroupId": back.ID,
		"SecurityGroupIds":       front.ID + "," + back.ID,
		"Summary":                "internet -tcp 80,443-> Alb -tcp 6060-> Fargate",
	})

	// Alb gets another source, and Fargate's inbound rule stays. MiniStack derives a rule's ID from
	// its content, so a new rule has the same ID. But it lacks the old rule's tag.
	rule := back.Rules[0]
	_, err := emulator.EC2().CreateTags(ctx, &ec2.CreateTagsInput{
		Resources: []string{rule.ID},
		Tags:      []ec2types.Tag{{Key: aws.String("test:mark"), Value: aws.String("here before the update")}},
	})
	must(err)
	tiers, err := json.Marshal([]object{alb(object{"Sources": []any{"198.51.100.0/24"}}), fargate()})
	must(err)
	must(cdk.Deploy(ctx, "tiers="+string(tiers)))
	text, groups = readBack(ctx, t, emulator, "")
	same(t, "after Alb's sources changed", text, `
		ALB-SG "Security group for Application Load Balancer"
		ALB-SG ingress tcp 80 from 198.51.100.0/24 "198.51.100.0/24 to Alb: tcp 80"
		ALB-SG ingress tcp 443 from 198.51.100.0/24 "198.51.100.0/24 to Alb: tcp 443"
		ALB-SG egress all traffic to 0.0.0.0/0
		Fargate-SG "Security group for Fargate containers"
		Fargate-SG ingress tcp 6060 from ALB-SG "Alb to Fargate: tcp 6060"
		Fargate-SG egress all traffic to 0.0.0.0/0
	`)
	if t.Failed() {
		return
	}
	if groups[0].ID != front.ID || groups[1].ID != back.ID {
		t.Errorf("groups were replaced: %s, %s became %s, %s", front.ID, back.ID, groups[0].ID, groups[1].ID)
	}
	rules, err := emulator.EC2().DescribeSecurityGroupRules(ctx, &ec2.DescribeSecurityGroupRulesInput{
		SecurityGroupRuleIds: []string{rule.ID},
	})
	must(err)
	if len(rules.SecurityGroupRules) != 1 || !slices.ContainsFunc(rules.SecurityGroupRules[0].Tags, func(tag ec2types.Tag) bool {
		return aws.ToString(tag.Key) == "test:mark"
	}) {
		t.Errorf("Fargate's rule for 6060 (%s) did not stay: %+v", rule.ID, rules.SecurityGroupRules)
	}

	searchLog(ctx, t, emulator)
	must(cdk.Destroy(ctx))
	text, _ = readBack(ctx, t, emulator, "")
	same(t, "after cdk destroy", text, "")
	if stack, err := emulator.Stack(ctx, stand.StackName); err != nil || stack != nil {
		t.Errorf("after cdk destroy: stack %v, error %v", stack, err)
	}
}

func checkOutputs(t *testing.T, emulator *stand.MiniStack, want map[string]string) {
	t.Helper()
	outputs, err := emulator.Outputs(t.Context(), stand.StackName)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	var keys []string
	for _, output := range outputs {
		got[output.Key] = output.Value
		keys = append(keys, output.Key)
	}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("output %s: got %q, want %q (outputs: %s)", key, got[key], value, strings.Join(keys, ", "))
		}
	}
}
