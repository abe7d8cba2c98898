//go:build e2e

package stand_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

const storedFile = "all-in-one-ssm.json"

// secondLaunch launches a second chain with the form's defaults in the first one's VPC. Without a
// prefix it is refused, with a remedy. With a prefix, both chains exist. All logs are kept.
func (l launchPad) secondLaunch(ctx context.Context, t *testing.T) {
	vpc := l.vpc(ctx, t)
	first := l.stack("launch-one", l.linked(t, allInOneFile), vpc)
	first.launch(ctx, t, map[string]string{"VpcId": vpc}, cfntypes.StackStatusCreateComplete)

	refused := l.stack("launch-refused", first.address, vpc)
	refused.launch(ctx, t, map[string]string{"VpcId": vpc}, cfntypes.StackStatusRollbackComplete)
	reasons := refused.failures(ctx, t)
	if !strings.Contains(reasons, "creating security group (ALB-SG): the name is taken in VPC "+vpc) || !strings.Contains(reasons, "Choose another GroupName") {
		t.Errorf("a second launch: got %s", reasons)
	}
	// The log in the reason exists after the rollback.
	lines, err := l.emulator.Log(ctx, l.kept(ctx, t, "launch-refused"))
	if err != nil || !slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, "the name is taken") }) {
		t.Errorf("the log of the launch that was refused: error %v, %d lines", err, len(lines))
	}
	refused.dismiss(ctx, t)

	second := l.stack("launch-two", first.address, vpc)
	second.launch(ctx, t, map[string]string{
		"VpcId": vpc, "NamePrefix": "shop-", "Tags": `{"Team": "shop \"1\"", "Empty": ""}`, "RolePath": "/teams/",
		"ReservedConcurrency": "5", "Dashboard": "true", "DriftGuard": "check",
	}, cfntypes.StackStatusCreateComplete)
	groups := second.has(ctx, t, "beside the first", albText+fargateText+strings.NewReplacer("ALB-SG", "shop-ALB-SG", "Fargate-SG", "shop-Fargate-SG").Replace(albText+fargateText))
	for _, one := range groups {
		want := map[bool]string{true: `shop "1"`}[strings.HasPrefix(one.Name, "shop-")]
		if got := one.Tags["Team"]; got != want {
			t.Errorf("%s: tag Team is %q, want %q", one.Name, got, want)
		}
	}
	l.organized(ctx, t, second)

	searchLog(ctx, l.log, l.emulator)
	for _, one := range []launched{second, first} {
		one.dismiss(ctx, t)
		name := l.kept(ctx, t, one.name)
		if err := l.emulator.DeleteLogGroup(ctx, name); err != nil {
			t.Errorf("log group %s: %v", name, err)
		}
	}
	text, _ := readBack(ctx, t, l.emulator, vpc)
	same(t, "after all deletes", text, "")
}

// kept returns the log group of a stack, which may be deleted.
func (l launchPad) kept(ctx context.Context, t *testing.T, name string) string {
	t.Helper()
	groups, err := l.emulator.LogGroups(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range groups {
		if strings.Contains(group, name) {
			return group
		}
	}
	t.Fatalf("no log group of %s among %v", name, groups)
	return ""
}

// organized checks what the form's fields for an organization created, and runs the dashboard's
// query on the log.
func (l launchPad) organized(ctx context.Context, t *testing.T, s launched) {
	t.Helper()
	resources := map[string]string{}
	found, err := l.emulator.CloudFormation().DescribeStackResources(ctx, &cloudformation.DescribeStackResourcesInput{StackName: &s.name})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range found.StackResources {
		resources[aws.ToString(one.LogicalResourceId)] = aws.ToString(one.PhysicalResourceId)
	}
	if path := l.publisher.must(ctx, t, "iam", "get-role", "--role-name", resources["ProviderRole"], "--query", "Role.Path", "--output", "text"); path != "/teams/" {
		t.Errorf("the role's path is %s", path)
	}
	body := l.publisher.must(ctx, t, "cloudwatch", "get-dashboard", "--dashboard-name", resources["ProviderDashboard"], "--query", "DashboardBody", "--output", "text")
	var dashboard struct {
		Widgets []struct {
			Properties struct{ Query string }
		}
	}
	if err := json.Unmarshal([]byte(body), &dashboard); err != nil || len(dashboard.Widgets) != 6 {
		t.Fatalf("the dashboard: error %v: %s", err, body)
	}
	query := dashboard.Widgets[5].Properties.Query
	if want := "SOURCE '" + resources["ProviderLogGroup"] + "' | filter ispresent(Writes)"; !strings.HasPrefix(query, want) {
		t.Errorf("the query is %s, want %s...", query, want)
	}
}

// parameterStore launches the template that reads the VPC from Parameter Store.
func (l launchPad) parameterStore(ctx context.Context, t *testing.T) {
	vpc := l.vpc(ctx, t)
	l.publisher.must(ctx, t, "ssm", "put-parameter", "--name", "/network/vpc-id", "--type", "String", "--value", vpc)
	s := l.stack("stored", l.listed(t, storedFile), vpc)
	s.launch(ctx, t, map[string]string{"VpcId": "/network/vpc-id"}, cfntypes.StackStatusCreateComplete)
	s.has(ctx, t, "as launched", albText+fargateText)
	l.end(ctx, t, s)
}
