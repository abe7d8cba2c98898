//go:build e2e

package stand_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/provider"
)

// invoke invokes a stack's function with the AWS CLI, as in docs/asking.md, and returns its
// report.
func (l launchPad) invoke(ctx context.Context, t *testing.T, function, payload string) provider.Report {
	t.Helper()
	answer := filepath.Join(t.TempDir(), "answer.json")
	event := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(event, []byte(payload), 0o600); err != nil {
		t.Fatal(err)
	}
	said := l.publisher.must(ctx, t, "lambda", "invoke", "--function-name", function, "--payload", "fileb://"+event, answer)
	text, err := os.ReadFile(answer)
	if err != nil {
		t.Fatal(err)
	}
	var report provider.Report
	if err := json.Unmarshal(text, &report); err != nil || strings.Contains(said, "FunctionError") {
		t.Fatalf("invoking with %s: %v\n%s\n%s", payload, err, said, text)
	}
	return report
}

// adoption creates the tutorial's groups with the AWS CLI. A chain adopts them, and its delete
// releases them. MiniStack derives rule IDs from the content, so a tag on each rule shows whether
// the rule is still the same.
func (l launchPad) adoption(ctx context.Context, t *testing.T) {
	p := l.publisher
	adopted := l.stack("Adopted", l.linked(t, allInOneFile), l.vpc(ctx, t))
	alb := p.must(ctx, t, "ec2", "create-security-group", "--group-name", "ALB-SG", "--description", "made by hand", "--vpc-id", adopted.vpc, "--query", "GroupId", "--output", "text")
	for _, port := range []string{"80", "443"} {
		p.must(ctx, t, "ec2", "authorize-security-group-ingress", "--group-id", alb, "--protocol", "tcp", "--port", port, "--cidr", "0.0.0.0/0")
	}
	fargate := p.must(ctx, t, "ec2", "create-security-group", "--group-name", "Fargate-SG", "--description", "made by hand", "--vpc-id", adopted.vpc, "--query", "GroupId", "--output", "text")
	p.must(ctx, t, "ec2", "authorize-security-group-ingress", "--group-id", fargate, "--protocol", "tcp", "--port", "6060", "--source-group", alb)
	marks := func(query string) string {
		return p.must(ctx, t, "ec2", "describe-security-group-rules", "--filters", "Name=group-id,Values="+alb+","+fargate, "--query", query, "--output", "text")
	}
	rules := strings.Fields(marks("SecurityGroupRules[].SecurityGroupRuleId"))
	p.must(ctx, t, append([]string{"ec2", "create-tags", "--tags", "Key=test:mark,Value=by-hand", "--resources"}, rules...)...)
	subnet := p.must(ctx, t, "ec2", "create-subnet", "--vpc-id", adopted.vpc, "--cidr-block", "10.8.1.0/24", "--query", "Subnet.SubnetId", "--output", "text")
	for _, id := range []string{alb, fargate} {
		p.must(ctx, t, "ec2", "create-network-interface", "--subnet-id", subnet, "--groups", id)
	}
	attached := func() string {
		return p.must(ctx, t, "ec2", "describe-network-interfaces", "--filters", "Name=subnet-id,Values="+subnet, "--query", "sort(NetworkInterfaces[].Groups[].GroupId)", "--output", "text")
	}
	interfaces := attached()
	if !strings.Contains(interfaces, alb) || !strings.Contains(interfaces, fargate) {
		t.Fatalf("the interfaces are in %q", interfaces)
	}
	byHand := `
		ALB-SG "made by hand"
		ALB-SG ingress tcp 80 from 0.0.0.0/0
		ALB-SG ingress tcp 443 from 0.0.0.0/0
		ALB-SG egress all traffic to 0.0.0.0/0
		Fargate-SG "made by hand"
		Fargate-SG ingress tcp 6060 from ALB-SG
		Fargate-SG egress all traffic to 0.0.0.0/0
	`
	adopted.has(ctx, t, "by hand", byHand)

	refused := l.stack("NotAdopted", l.linked(t, allInOneFile), adopted.vpc)
	refused.launch(ctx, t, map[string]string{"VpcId": adopted.vpc}, cfntypes.StackStatusRollbackComplete)
	if said := refused.failures(ctx, t); !strings.Contains(said, "the name is taken in VPC "+adopted.vpc+" by "+alb) {
		t.Errorf("without AdoptExisting the stack says %s", said)
	}
	refused.dismiss(ctx, t)
	adopted.has(ctx, t, "after a stack that did not adopt them", byHand)

	adopted.launch(ctx, t, map[string]string{"VpcId": adopted.vpc, "AdoptExisting": "true"}, cfntypes.StackStatusCreateComplete)
	if got := adopted.output(ctx, t, "SecurityGroupIds"); got != alb+","+fargate {
		t.Errorf("the stack's groups are %s, want %s,%s", got, alb, fargate)
	}
	if said := adopted.output(ctx, t, "Warnings"); !strings.Contains(said, "security group "+alb+" (tier Alb) was adopted: it is released, not deleted, when it leaves the chain") {
		t.Errorf("the warnings are %q", said)
	}
	adopted.has(ctx, t, "after they were adopted", byHand)
	untouched := func(when string) {
		t.Helper()
		if got := strings.Count(marks("SecurityGroupRules[].Tags[].Key"), "test:mark"); got != len(rules) || attached() != interfaces {
			t.Errorf("%s, %d of %d rules are still the same, and the interfaces are in %s", when, got, len(rules), attached())
		}
	}
	untouched("after they were adopted")
	owned := func() string {
		return p.must(ctx, t, "ec2", "describe-security-groups", "--group-ids", alb, fargate, "--query", "SecurityGroups[].Tags[].Key", "--output", "text")
	}
	if got := strings.Count(owned(), "sgchain:adopted"); got != 2 {
		t.Errorf("%d groups have the tag of an adoption: %s", got, owned())
	}
	report := l.invoke(ctx, t, adopted.output(ctx, t, "ProviderFunction"), adopted.output(ctx, t, "PlanPayload"))
	if report.Result != chain.ResultPlan || !strings.Contains(report.Text, "re-tag Alb(ALB-SG) (settled)") {
		t.Errorf("a plan says %+v", report)
	}

	adopted.dismiss(ctx, t)
	adopted.has(ctx, t, "after the stack was deleted", byHand)
	untouched("after the stack was deleted")
	if strings.Contains(owned(), "sgchain:") {
		t.Errorf("the groups were not released: %s", owned())
	}
}

// drift makes out-of-band changes to a chain. A check reports them, and the schedule's event
// repairs them.
func (l launchPad) drift(ctx context.Context, t *testing.T) {
	p := l.publisher
	guarded := l.stack("Guarded", l.linked(t, allInOneFile), l.vpc(ctx, t))
	guarded.launch(ctx, t, map[string]string{"VpcId": guarded.vpc, "DriftGuard": "repair", "DriftSchedule": "rate(1 day)"}, cfntypes.StackStatusCreateComplete)
	groups := guarded.has(ctx, t, "after the launch", tutorial)
	function := guarded.output(ctx, t, "ProviderFunction")
	payload := guarded.output(ctx, t, "PlanPayload")
	check := strings.Replace(payload, `"action":"plan"`, `"action":"check"`, 1)
	if report := l.invoke(ctx, t, function, payload); report.Text != "An update to these properties would change nothing.\n" {
		t.Errorf("a plan says %+v", report)
	}
	if report := l.invoke(ctx, t, function, check); report.Result != chain.ResultInSync || !strings.Contains(report.Picture, "[Fargate] Fargate-SG "+groups[1].ID) {
		t.Errorf("a check says %+v", report)
	}

	p.must(ctx, t, "ec2", "authorize-security-group-ingress", "--group-id", groups[1].ID, "--protocol", "tcp", "--port", "22", "--cidr", "0.0.0.0/0")
	p.must(ctx, t, "ec2", "revoke-security-group-ingress", "--group-id", groups[0].ID, "--protocol", "tcp", "--port", "443", "--cidr", "0.0.0.0/0")
	drifted, _ := readBack(ctx, t, l.emulator, guarded.vpc)
	report := l.invoke(ctx, t, function, check)
	for _, want := range []string{"authorize Alb(ALB-SG)\n  ingress tcp 443 from 0.0.0.0/0", "revoke Fargate(Fargate-SG)\n  ingress tcp 22 from 0.0.0.0/0"} {
		if report.Result != chain.ResultDrift || report.Differences != 2 || !strings.Contains(report.Text, want) {
			t.Errorf("a check says %+v, want %q", report, want)
		}
	}
	guarded.has(ctx, t, "after the check", drifted)

	rule := p.must(ctx, t, "events", "list-rules", "--query", "Rules[?starts_with(Name, 'Guarded-')].Name", "--output", "text")
	event := p.must(ctx, t, "events", "list-targets-by-rule", "--rule", rule, "--query", "Targets[0].Input", "--output", "text")
	if !strings.Contains(event, `"action":"repair"`) {
		t.Fatalf("the schedule's event is %s", event)
	}
	if report := l.invoke(ctx, t, function, event); report.Result != chain.ResultRepaired {
		t.Errorf("the schedule's event returned %+v", report)
	}
	guarded.has(ctx, t, "after the schedule's event", tutorial)

	// Edit a rule, remove a tag, delete a group.
	p.must(ctx, t, "ec2", "revoke-security-group-ingress", "--group-id", groups[0].ID, "--protocol", "tcp", "--port", "80", "--cidr", "0.0.0.0/0")
	p.must(ctx, t, "ec2", "authorize-security-group-ingress", "--group-id", groups[0].ID, "--protocol", "tcp", "--port", "81", "--cidr", "0.0.0.0/0")
	p.must(ctx, t, "ec2", "delete-tags", "--resources", groups[0].ID, "--tags", "Key=Name")
	p.must(ctx, t, "ec2", "delete-security-group", "--group-id", groups[1].ID)
	report = l.invoke(ctx, t, function, check)
	for _, want := range []string{"create group Fargate(Fargate-SG)", "authorize Alb(ALB-SG)\n  ingress tcp 80 from 0.0.0.0/0", `re-tag Alb(ALB-SG) Name="ALB-SG"`, "revoke Alb(ALB-SG)\n  ingress tcp 81 from 0.0.0.0/0"} {
		if report.Result != chain.ResultDrift || !strings.Contains(report.Text, want) {
			t.Errorf("a check says %+v, want %q", report, want)
		}
	}
	if report := l.invoke(ctx, t, function, event); report.Result != chain.ResultRepaired || !strings.Contains(strings.Join(report.Warnings, "\n"), "(tier Fargate) was created again") {
		t.Errorf("the schedule's event returned %+v", report)
	}
	guarded.has(ctx, t, "after the schedule's second event", tutorial)
	if name := p.must(ctx, t, "ec2", "describe-tags", "--filters", "Name=resource-id,Values="+groups[0].ID, "Name=key,Values=Name", "--query", "Tags[].Value", "--output", "text"); name != "ALB-SG" {
		t.Errorf("the tag Name is %q", name)
	}
	lines, err := l.emulator.Log(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if metric := regexp.MustCompile(`"Drift":2.*"Stack":"Guarded","Chain":"Chain"`); !metric.MatchString(strings.Join(lines, "\n")) {
		t.Error("the log has no metric of the drift")
	}
	guarded.remove(ctx, t)
}
