//go:build e2e

package stand_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// request is one request to IAM's policy simulator, with the expected decision.
type request struct {
	Principal string `json:"principal"`
	Action    string `json:"action"`
	Resource  string `json:"resource"`
	Context   object `json:"context"`

	allowed bool
}

const (
	providerRole = "arn:aws:iam::123456789012:role/sgchain/Provider"
	otherRole    = "arn:aws:iam::123456789012:role/Developer"
	someGroup    = "arn:aws:ec2:eu-central-1:123456789012:security-group/sg-0abc"
)

func playLimits(ctx context.Context, t *testing.T, r *recipeRun) {
	provider := r.ownProvider(ctx, t, "Limited")
	boundary := r.json(t, "boundary.json")
	r.sh(ctx, t)
	// MiniStack's CloudFormation sets no boundary on roles, so this checks the template's parameter.
	if got := provider.parameter(ctx, t, "PermissionsBoundary"); got == "" || got != r.variable(ctx, t, "BOUNDARY") {
		t.Errorf("the boundary is %q", got)
	}
	role := provider.resource(ctx, t, "ProviderRole")
	if got := r.publisher.must(ctx, t, "iam", "get-role", "--role-name", role, "--query", "Role.Path", "--output", "text"); got != "/sgchain/" {
		t.Errorf("the role's path is %q", got)
	}
	scp := r.json(t, "scp.json")
	r.sh(ctx, t)

	actions := roleActions(t, r.publisher.root)
	var requests []request
	for _, action := range actions {
		requests = append(requests, request{providerRole, action, "*", object{}, true})
	}
	requests = append(requests, request{providerRole, "ec2:RunInstances", "*", object{}, false}, request{providerRole, "iam:CreateUser", "*", object{}, false})
	holds(ctx, t, r, object{"boundary": decoded(t, boundary)}, requests)

	tagged := object{"aws:ResourceTag/sgchain:provider": "arn:aws:cloudformation:eu-central-1:123456789012:stack/Provider/1"}
	giving := object{"aws:RequestTag/sgchain:provider": "anything"}
	requests = nil
	for _, action := range []string{"AuthorizeSecurityGroupIngress", "RevokeSecurityGroupEgress", "ModifySecurityGroupRules", "UpdateSecurityGroupRuleDescriptionsIngress", "DeleteSecurityGroup", "CreateTags", "DeleteTags"} {
		requests = append(
			requests,
			request{providerRole, "ec2:" + action, someGroup, tagged, true},
			request{otherRole, "ec2:" + action, someGroup, tagged, false},
			request{otherRole, "ec2:" + action, someGroup, object{}, true},
		)
	}
	rule := strings.Replace(someGroup, "security-group/sg", "security-group-rule/sgr", 1)
	requests = append(
		requests,
		request{providerRole, "ec2:CreateSecurityGroup", someGroup, giving, true},
		request{otherRole, "ec2:CreateSecurityGroup", someGroup, giving, false},
		request{otherRole, "ec2:CreateSecurityGroup", someGroup, object{}, true},
		request{otherRole, "ec2:CreateTags", someGroup, giving, false},
		request{otherRole, "ec2:ModifySecurityGroupRules", rule, tagged, false},
		request{otherRole, "ec2:DescribeSecurityGroups", "*", object{}, true},
	)
	holds(ctx, t, r, object{"scp": decoded(t, scp)}, requests)
}

// roleActions returns every action of the provider's role, with any options.
func roleActions(t *testing.T, root string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "template", providerFile))
	if err != nil {
		t.Fatal(err)
	}
	resources, _ := decoded(t, string(text))["Resources"].(object)
	found := map[string]bool{}
	actionsIn(resources["ProviderRole"], found)
	delete(found, "sts:AssumeRole")
	if len(found) < 15 {
		t.Fatalf("the role has only %v", found)
	}
	return slices.Sorted(maps.Keys(found))
}

// actionsIn collects the values of Action, texts or lists, anywhere in a value.
func actionsIn(value any, found map[string]bool) {
	switch value := value.(type) {
	case []any:
		for _, one := range value {
			actionsIn(one, found)
		}
	case object:
		for key, one := range value {
			if key != "Action" {
				actionsIn(one, found)
				continue
			}
			names, isList := one.([]any)
			if !isList {
				names = []any{one}
			}
			for _, name := range names {
				if text, isText := name.(string); isText {
					found[text] = true
				}
			}
		}
	}
}

func decoded(t *testing.T, text string) object {
	t.Helper()
	var whole object
	if err := json.Unmarshal([]byte(text), &whole); err != nil {
		t.Fatal(err)
	}
	return whole
}

// holds checks requests with the policy simulator. The principals have full access, limited only by
// these policies.
func holds(ctx context.Context, t *testing.T, r *recipeRun, policies object, requests []request) {
	t.Helper()
	policies["identity"] = object{"Version": "2012-10-17", "Statement": []any{object{"Effect": "Allow", "Action": "*", "Resource": "*"}}}
	policies["requests"] = requests
	cmd := r.emulator.Command(ctx, r.publisher.root, []string{"node", ".ci/policies.mjs"})
	var said, complaints bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(encode(t, policies)), &said, &complaints
	if err := cmd.Run(); err != nil {
		t.Fatalf("asking the policy simulator: %v\n%s", err, complaints.String())
	}
	var answers []bool
	if err := json.Unmarshal(said.Bytes(), &answers); err != nil || len(answers) != len(requests) {
		t.Fatalf("the policy simulator says %v: %s", err, said.String())
	}
	for i, one := range requests {
		if answers[i] != one.allowed {
			t.Errorf("%s %s on %s with %v: got %v, want %v", one.Principal, one.Action, one.Resource, one.Context, answers[i], one.allowed)
		}
	}
}
