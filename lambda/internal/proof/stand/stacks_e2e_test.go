//go:build e2e

package stand_test

import (
	"strings"
	"testing"

	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// TestNestedStack deploys provider and chain in a child, as a larger template may have them.
func TestNestedStack(t *testing.T) {
	t.Parallel()
	ctx, emulator := start(t)
	upload(ctx, t, emulator)

	child := template(properties(alb(), fargate(object{"Ports": []any{object{"Ref": "Port"}}})), nil)
	child["Parameters"] = object{"Port": object{"Type": "String"}}
	if err := emulator.PutObject(ctx, bucket, "child.json", []byte(encode(t, child))); err != nil {
		t.Fatal(err)
	}
	parent := func(port string) object {
		return object{
			"Resources": object{
				"Network": object{"Type": "AWS::CloudFormation::Stack", "Properties": object{
					"TemplateURL": emulator.Endpoint() + "/" + bucket + "/child.json",
					"Parameters":  object{"Port": port},
				}},
			},
			"Outputs": object{
				"VpcId":            object{"Value": object{"Fn::GetAtt": []any{"Network", "Outputs.VpcId"}}},
				"SecurityGroupIds": object{"Value": object{"Fn::GetAtt": []any{"Network", "Outputs.SecurityGroupIds"}}},
			},
		}
	}

	s := &stack{emulator: emulator, name: "parent"}
	s.create(ctx, t, parent("6060"), cfntypes.StackStatusCreateComplete)
	text, groups := readBack(ctx, t, emulator, s.vpc)
	same(t, "after the parent's create", text, albText+fargateText)
	if len(groups) == 2 {
		if got, want := s.output(ctx, t, "SecurityGroupIds"), groups[0].ID+","+groups[1].ID; got != want {
			t.Errorf("the parent sees %s, want %s", got, want)
		}
	}

	s.update(ctx, t, parent("8080"), cfntypes.StackStatusUpdateComplete)
	text, _ = readBack(ctx, t, emulator, s.vpc)
	same(t, "after the parent's update", text, albText+strings.ReplaceAll(fargateText, "6060", "8080"))

	s.remove(ctx, t)
}

// TestCreateReportsAllProblems sends a Create with several problems. It reports each with its path
// and creates nothing, and the stack can be deleted.
func TestCreateReportsAllProblems(t *testing.T) {
	t.Parallel()
	ctx, emulator := start(t)
	upload(ctx, t, emulator)

	chain := properties(
		alb(object{"Ports": []any{80, 70000}, "Porst": []any{443}}),
		fargate(object{"Sources": []any{"Albb"}}),
		fargate(object{"GroupName": "Other-SG"}),
	)
	s := &stack{emulator: emulator, name: "refused"}
	// Unlike CloudFormation, MiniStack sends no Delete for the ID of a FAILED answer.
	s.create(ctx, t, template(chain, nil), cfntypes.StackStatusRollbackComplete)
	failures := s.failures(ctx, t)
	for _, words := range []string{
		"Tiers[0].Ports[1]: port 70000 is out of range",
		"Tiers[0].Porst: unknown property. Did you mean Ports?",
		`Tiers[1].Sources[0]: unknown peer "Albb"`,
		`Tiers[2].Name: "Fargate" is the name of another tier too`,
	} {
		if !strings.Contains(failures, words) {
			t.Errorf("the stack's events do not say %q:\n%s", words, failures)
		}
	}
	text, _ := readBack(ctx, t, emulator, "")
	same(t, "after the refused create", text, "")

	s.remove(ctx, t)
	text, _ = readBack(ctx, t, emulator, "")
	same(t, "after its delete", text, "")
}
