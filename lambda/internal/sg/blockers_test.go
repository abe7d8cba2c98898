package sg

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// TestUsersOfGroups: a message names each network interface once, and the groups if they are several.
func TestUsersOfGroups(t *testing.T) {
	t.Parallel()
	found := uses{{"eni-1 (late)", "sg-1"}, {"eni-1 (late)", "sg-2"}, {"eni-2 (late)", "sg-2"}}
	for want, groups := range map[string][]string{
		"":                               {"sg-3"},
		"network interface eni-1 (late)": {"sg-1"},
		"2 network interfaces: eni-1 (late), eni-2 (late)":                          {"sg-2"},
		"network interface eni-1 (late) on sg-1":                                    {"sg-1", "sg-3"},
		"2 network interfaces: eni-1 (late) on sg-1 and sg-2, eni-2 (late) on sg-2": {"sg-1", "sg-2"},
	} {
		if got := found.of(groups); got != want {
			t.Errorf("%v: got %q, want %q", groups, got, want)
		}
	}
	var many uses
	for i := range 8 {
		many = append(many, use{fmt.Sprintf("eni-%d (late)", i), "sg-1"})
	}
	if got := many.of([]string{"sg-1"}); !strings.HasPrefix(got, "8 network interfaces: eni-0 (late), ") || !strings.HasSuffix(got, ", eni-5 (late) and 2 more") {
		t.Errorf("got %q", got)
	}
}

func TestInterfaceText(t *testing.T) {
	t.Parallel()
	for want, one := range map[string]types.NetworkInterface{
		"eni-1 (stays until you delete it or give it other security groups)": {InterfaceType: types.NetworkInterfaceTypeInterface},
		"eni-1 (lambda, AWS Lambda VPC ENI-f, deleted up to 45 minutes after its functions)": {
			InterfaceType: types.NetworkInterfaceTypeLambda, Description: aws.String("AWS Lambda VPC ENI-f"),
		},
		"eni-1 (web, instance i-1, stays until the instance is terminated or gets other security groups)": {
			InterfaceType: types.NetworkInterfaceTypeInterface, Description: aws.String("web"), Attachment: &types.NetworkInterfaceAttachment{InstanceId: aws.String("i-1")},
		},
	} {
		one.NetworkInterfaceId = aws.String("eni-1")
		if got := interfaceText(one); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestPlanOnOneLine(t *testing.T) {
	t.Parallel()
	identity := chain.Identity{VPCID: "vpc-1", Tier: "Web", GroupName: "web"}
	rule := chain.Rule{Direction: chain.Egress, Protocol: chain.All, Ports: chain.AllPorts, Peer: chain.GroupPeer("sg-1")}
	todo := plan.Plan{Steps: []plan.Step{
		{Phase: plan.Revoke, Action: plan.RevokeRules, Group: identity, Rules: []chain.Rule{rule, rule}}, {Phase: plan.Delete, Action: plan.DeleteGroup, Group: identity},
	}}
	const line = "egress all traffic to sg-1"
	if got, want := oneLine(todo), "revoke Web(web), "+line+", "+line+"; delete group Web(web)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
