//go:build e2e

package stand_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// TestImportedGroups creates groups with the AWS CLI, imports them with the command, deploys the
// printed properties, and checks that the rules are still the same. MiniStack derives rule IDs
// from the content, so a tag on each rule shows whether the rule is still the same.
func TestImportedGroups(t *testing.T) {
	t.Parallel()
	ctx, place := published(t)
	emulator, p := place.emulator, place.publisher
	provider := place.stack("provider", place.listed(t, providerFile), "")
	provider.launch(ctx, t, map[string]string{"AllowAdoption": "true"}, cfntypes.StackStatusCreateComplete)
	vpc := place.vpc(ctx, t)
	hand := byHand{p, vpc}
	hand.shop(ctx, t)
	before, _ := readBack(ctx, t, emulator, vpc)

	template, notes, err := p.run(ctx, []string{"go", "run", "./cdk/cmd/sgchain", "import", "--vpc", vpc})
	if err != nil {
		t.Fatalf("importing: %v\n%s", err, notes)
	}
	keepText(t, "imported.yaml", template)
	for _, want := range []string{"The chain describes 3 groups and 10 rules exactly.", "Not a tier: sg-", "it is the default group of its VPC", "4 rules have no description. The first update after the adoption sets the chain's."} {
		if !strings.Contains(notes, want) {
			t.Errorf("the command says %s, want %q", notes, want)
		}
	}
	adopted := place.stack("adopted", "", vpc)
	if _, err := emulator.CloudFormation().CreateStack(ctx, &cloudformation.CreateStackInput{StackName: &adopted.name, TemplateBody: &template}, once); err != nil {
		t.Fatal(err)
	}
	adopted.settle(ctx, t, cfntypes.StackStatusCreateComplete)
	after, groups := readBack(ctx, t, emulator, vpc)
	same(t, "after the groups were adopted", after, before)
	if got, want := hand.marks(ctx, t), len(groups[0].Rules)+len(groups[1].Rules)+len(groups[2].Rules); got != want || got != 10 {
		t.Errorf("%d of %d rules are still those of the AWS CLI", got, want)
	}
	lines, err := emulator.Log(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if log := strings.Join(lines, "\n"); !strings.Contains(log, `"Operation":"Create"`) || !strings.Contains(log, `"Writes":3}`) {
		t.Errorf("the provider did not write three times, a call for the tags of each group:\n%s", log)
	}

	adopted.dismiss(ctx, t)
	after, _ = readBack(ctx, t, emulator, vpc)
	same(t, "after the stack was deleted", after, before)
	if got := hand.marks(ctx, t); got != 10 {
		t.Errorf("after the stack was deleted, %d rules are those of the AWS CLI", got)
	}
	place.end(ctx, t, provider)
}

// keepText writes a file to the test's folder.
func keepText(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder(t), name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// byHand creates groups in a VPC with the AWS CLI.
type byHand struct {
	publisher

	vpc string
}

func (b byHand) group(ctx context.Context, t *testing.T, name string) string {
	t.Helper()
	return b.must(ctx, t, "ec2", "create-security-group", "--group-name", name, "--description", "made by hand", "--vpc-id", b.vpc, "--query", "GroupId", "--output", "text")
}

func (b byHand) lets(ctx context.Context, t *testing.T, id, permissions string) {
	t.Helper()
	b.must(ctx, t, "ec2", "authorize-security-group-ingress", "--group-id", id, "--ip-permissions", permissions)
}

// shop creates groups for a load balancer, an app with a rule for itself, and a database. It tags
// all their rules.
func (b byHand) shop(ctx context.Context, t *testing.T) {
	t.Helper()
	alb, app, db := b.group(ctx, t, "shop-alb-sg"), b.group(ctx, t, "shop-app-sg"), b.group(ctx, t, "shop-db-sg")
	b.lets(ctx, t, alb, `[{"IpProtocol":"tcp","FromPort":443,"ToPort":443,"IpRanges":[{"CidrIp":"0.0.0.0/0"}]}]`)
	b.lets(ctx, t, alb, `[{"IpProtocol":"tcp","FromPort":8443,"ToPort":8443,"IpRanges":[{"CidrIp":"203.0.113.0/24","Description":"the office"}]}]`)
	b.lets(ctx, t, app, `[{"IpProtocol":"tcp","FromPort":6060,"ToPort":6060,"UserIdGroupPairs":[{"GroupId":"`+alb+`"}]}]`)
	b.lets(ctx, t, app, `[{"IpProtocol":"-1","UserIdGroupPairs":[{"GroupId":"`+app+`","Description":"gossip"}]}]`)
	b.lets(ctx, t, db, `[{"IpProtocol":"tcp","FromPort":5432,"ToPort":5433,"UserIdGroupPairs":[{"GroupId":"`+app+`"}]}]`)
	b.lets(ctx, t, db, `[{"IpProtocol":"icmp","FromPort":8,"ToPort":-1,"IpRanges":[{"CidrIp":"10.8.0.0/16"}]}]`)
	b.must(ctx, t, "ec2", "revoke-security-group-egress", "--group-id", db, "--ip-permissions", `[{"IpProtocol":"-1","IpRanges":[{"CidrIp":"0.0.0.0/0"}]}]`)
	b.must(ctx, t, "ec2", "authorize-security-group-egress", "--group-id", db, "--ip-permissions", `[{"IpProtocol":"udp","FromPort":53,"ToPort":53,"IpRanges":[{"CidrIp":"10.8.0.2/32","Description":"names"}]}]`)
	b.must(ctx, t, "ec2", "authorize-security-group-egress", "--group-id", db, "--ip-permissions", `[{"IpProtocol":"tcp","FromPort":443,"ToPort":443,"IpRanges":[{"CidrIp":"0.0.0.0/0","Description":"updates"}]}]`)
	rules := strings.Fields(b.must(ctx, t, "ec2", "describe-security-group-rules", "--filters", "Name=group-id,Values="+alb+","+app+","+db, "--query", "SecurityGroupRules[].SecurityGroupRuleId", "--output", "text"))
	b.must(ctx, t, append([]string{"ec2", "create-tags", "--tags", "Key=test:mark,Value=by-hand", "--resources"}, rules...)...)
}

// marks counts the rules that shop created.
func (b byHand) marks(ctx context.Context, t *testing.T) int {
	t.Helper()
	return strings.Count(b.must(ctx, t, "ec2", "describe-security-group-rules", "--query", "SecurityGroupRules[].Tags[].Key", "--output", "text"), "test:mark")
}
