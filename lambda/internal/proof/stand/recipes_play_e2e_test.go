//go:build e2e

package stand_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/internal/proof/stand"
)

// recipePlayers maps each recipe's heading to its test.
func recipePlayers() map[string]player {
	return map[string]player{
		"Deploy a change":                      playDeploy,
		"Preview a change of a stack":          playPreview,
		"Rename a tier":                        playRename,
		"Move a chain":                         playMove,
		"Release a tier":                       playRelease,
		"Keep an emergency change":             playEmergency,
		"Find who changed a rule":              playWho,
		"Turn on the drift alarm":              playAlarm,
		"Raise a quota":                        playQuota,
		"Deploy fifty stacks at once":          playConcurrency,
		"Know the costs":                       playCosts,
		"Protect chains from other principals": playLimits,
		"Upgrade or downgrade the provider":    playUpgrade,
		"Recover from a lost provider":         playLost,
		"Uninstall":                            playUninstall,
		"Tutorial":                             playTutorial,
	}
}

// tiers returns the groups of the stack's chain, by tier.
func (s launched) tiers(ctx context.Context, t *testing.T) map[string]stand.Group {
	t.Helper()
	_, groups := readBack(ctx, t, s.emulator, s.vpc)
	found := map[string]stand.Group{}
	for _, group := range groups {
		found[group.Tags["sgchain:tier"]] = group
	}
	return found
}

// resource returns the physical ID of a resource of the stack.
func (s launched) resource(ctx context.Context, t *testing.T, logical string) string {
	t.Helper()
	found, err := s.emulator.CloudFormation().DescribeStackResource(ctx, &cloudformation.DescribeStackResourceInput{StackName: &s.name, LogicalResourceId: &logical})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(found.StackResourceDetail.PhysicalResourceId)
}

// parameter returns the value of a parameter of the stack.
func (s launched) parameter(ctx context.Context, t *testing.T, name string) string {
	t.Helper()
	found, err := s.emulator.Stack(ctx, s.name)
	if err != nil || found == nil {
		t.Fatalf("stack %s: %v", s.name, err)
	}
	for _, one := range found.Parameters {
		if aws.ToString(one.ParameterKey) == name {
			return aws.ToString(one.ParameterValue)
		}
	}
	return ""
}

// opens adds a rule out of band.
func (r *recipeRun) opens(ctx context.Context, t *testing.T, group string) {
	t.Helper()
	if _, err := r.emulator.EC2().AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{
		GroupId: &group, IpProtocol: aws.String("tcp"), FromPort: aws.Int32(9443), ToPort: aws.Int32(9443), CidrIp: aws.String("203.0.113.0/24"),
	}); err != nil {
		t.Fatal(err)
	}
}

// attach creates a network interface in a group, and returns its ID.
func (r *recipeRun) attach(ctx context.Context, t *testing.T, group string) string {
	t.Helper()
	subnet, err := r.emulator.EC2().CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: &r.vpc, CidrBlock: aws.String("10.8.1.0/24")})
	if err != nil {
		t.Fatal(err)
	}
	made, err := r.emulator.EC2().CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{
		SubnetId: subnet.Subnet.SubnetId, Groups: []string{group}, Description: aws.String("somebody's"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(made.NetworkInterface.NetworkInterfaceId)
}

// console launches a published template, as the console does, and sets STACK to its name.
func (r *recipeRun) console(ctx context.Context, t *testing.T, name string, values map[string]string) launched {
	t.Helper()
	s := r.stack(name, r.linked(t, allInOneFile), r.vpc)
	values["VpcId"] = r.vpc
	s.launch(ctx, t, values, cfntypes.StackStatusCreateComplete)
	r.at(t, s)
	return s
}

// ownProvider launches a provider for one recipe, with its own export.
func (r *recipeRun) ownProvider(ctx context.Context, t *testing.T, name string) launched {
	t.Helper()
	s := r.stack(name, r.listed(t, providerFile), "")
	s.launch(ctx, t, map[string]string{"ExportName": name}, cfntypes.StackStatusCreateComplete)
	r.names(t, map[string]string{"PROVIDER": name})
	r.examples = append(r.examples, "SecurityGroupChainProvider", name)
	return s
}

func playDeploy(ctx context.Context, t *testing.T, r *recipeRun) {
	r.sh(ctx, t) // sets the page's names, which the test's own replace
	r.names(t, map[string]string{"STACK": "Deploy-a-change", "CHAIN": "Chain", "PROVIDER": "SecurityGroupChainProvider", "PUBLISHED": "published-us-east-1", "VERSION": r.version(t)})
	// The stack first has another port, so that there is something to deploy.
	examples := r.examples
	r.examples = append([]string{"[8080]", "[8081]"}, examples...)
	s := r.served(ctx, t)
	r.examples = examples
	r.yaml(t)
	r.sh(ctx, t)
	if rules := s.tiers(ctx, t)["App"].Rules; len(rules) != 2 || rules[0].Ports != "8080" {
		t.Errorf("the tier App has %v", rules)
	}

	s = r.console(ctx, t, "Deploy-a-form", map[string]string{})
	r.sh(ctx, t)
	if got := s.output(ctx, t, "Summary"); got != "internet -tcp 443-> Web -tcp 8080-> App" {
		t.Errorf("the chain is %q", got)
	}
}

func playPreview(ctx context.Context, t *testing.T, r *recipeRun) {
	s := r.console(ctx, t, "Preview", map[string]string{"Tiers": `[{"Name": "Web", "Ports": [443]}]`})
	before, _ := readBack(ctx, t, r.emulator, r.vpc)
	r.sh(ctx, t)
	r.sh(ctx, t)
	s.has(ctx, t, "after the previews", before)
}

func playRename(ctx context.Context, t *testing.T, r *recipeRun) {
	s := r.served(ctx, t)
	before := s.tiers(ctx, t)
	r.yaml(t)
	r.sh(ctx, t)
	r.deploy(ctx, t)
	after := s.tiers(ctx, t)
	if listed := r.sh(ctx, t); len(after) != 3 || after["Api"].ID == "" || strings.Contains(listed, before["App"].ID) || !strings.Contains(listed, after["Api"].ID+"\tApi") {
		t.Errorf("after the rename there are %v, and the page's command lists\n%s", after, listed)
	}
	if after["Web"].ID != before["Web"].ID || after["Db"].ID != before["Db"].ID {
		t.Errorf("other tiers have other groups: %v, before %v", after, before)
	}

	eni := r.attach(ctx, t, after["Api"].ID)
	r.examples = append(r.examples, "sg-0123456789abcdef0", after["Api"].ID)
	if users := r.sh(ctx, t); users != eni+"\tsomebody's\n" {
		t.Errorf("the group is used by %q, want %s", users, eni)
	}
	// Another stack, whose group keeps its ID under another name.
	r.at(t, r.stack("Keep-the-group", "", r.launchPad.vpc(ctx, t)))
	s = r.served(ctx, t)
	before = s.tiers(ctx, t)
	r.yaml(t)
	r.sh(ctx, t)
	r.deploy(ctx, t)
	if after := s.tiers(ctx, t)["App"]; after.ID != before["App"].ID || after.Tags["Name"] != "shop-api" {
		t.Errorf("the group is %+v, and was %s", after, before["App"].ID)
	}
}

func playRelease(ctx context.Context, t *testing.T, r *recipeRun) {
	s := r.served(ctx, t)
	db := s.tiers(ctx, t)["Db"]
	r.yaml(t)
	r.sh(ctx, t)
	if listed := r.sh(ctx, t); strings.Contains(listed, db.ID) {
		t.Errorf("no chain has\n%s", listed)
	}
	r.next--
	r.deploy(ctx, t)
	if listed := r.sh(ctx, t); !strings.Contains(listed, db.ID+"\t"+db.Name) {
		t.Errorf("after the release no chain has\n%s", listed)
	}
	released := s.tiers(ctx, t)[""]
	if text := stand.Groups([]stand.Group{released}).Text(); released.ID != db.ID || strings.Contains(text, "ingress") {
		t.Errorf("the group that was released is %s\n%s", released.ID, text)
	}
}

func playEmergency(ctx context.Context, t *testing.T, r *recipeRun) {
	s := r.served(ctx, t)
	r.sh(ctx, t)
	office := func() stand.Rule {
		for _, rule := range s.tiers(ctx, t)["Web"].Rules {
			if rule.Ports == "8443" {
				return rule
			}
		}
		return stand.Rule{}
	}
	// MiniStack derives rule IDs from the content, so a tag shows whether the rule is still the same.
	mark := ec2types.Tag{Key: aws.String("test:mark"), Value: aws.String("by-hand")}
	if _, err := r.emulator.EC2().CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{office().ID}, Tags: []ec2types.Tag{mark}}); err != nil {
		t.Fatal(err)
	}
	r.yaml(t)
	r.deploy(ctx, t)
	marked, err := r.emulator.EC2().DescribeSecurityGroupRules(ctx, &ec2.DescribeSecurityGroupRulesInput{SecurityGroupRuleIds: []string{office().ID}})
	if err != nil || office().Description != "the office" || !strings.Contains(encode(t, object{"rules": marked.SecurityGroupRules}), "test:mark") {
		t.Errorf("the rule is %+v, %v", marked, err)
	}
	r.sh(ctx, t)

	// With UnmanagedRules: keep, out-of-band rules stay without any change to the template.
	r.yaml(t)
	web := s.tiers(ctx, t)["Web"].ID
	r.opens(ctx, t, web)
	r.deploy(ctx, t)
	if text := stand.Groups([]stand.Group{s.tiers(ctx, t)["Web"]}).Text(); !strings.Contains(text, "tcp 9443 from 203.0.113.0/24") || !strings.Contains(text, "8443") {
		t.Errorf("with UnmanagedRules: keep the group has\n%s", text)
	}
	if output, err := r.script(ctx, t, `sgchain check "$STACK" --detailed-exitcode`); err != nil {
		t.Errorf("a check reports the rules of others: %v\n%s", err, output)
	}
}

func playWho(ctx context.Context, t *testing.T, r *recipeRun) {
	s := r.served(ctx, t)
	web := s.tiers(ctx, t)["Web"].ID
	function := r.stack("SecurityGroupChainProvider", "", "").resource(ctx, t, "Provider")
	r.opens(ctx, t, web)
	service := trail(t, web, function)
	r.environment = append(r.environment, "AWS_ENDPOINT_URL_CLOUDTRAIL="+service.URL)
	r.examples = append(r.examples, "sg-0123456789abcdef0", web)

	r.sh(ctx, t)
	service.was(t, "LookupEvents", object{"LookupAttributes": []any{object{"AttributeKey": "ResourceName", "AttributeValue": web}}})
	r.sh(ctx, t)
	service.was(t, "LookupEvents", object{"LookupAttributes": []any{object{"AttributeKey": "EventId", "AttributeValue": "00000000-0000-0000-0000-000000000000"}}})
	if said := r.sh(ctx, t); !strings.Contains(said, "sgchain:tier\tWeb") || !strings.Contains(said, "\t9443\t203.0.113.0/24") || strings.Contains(said, "\t443\t0.0.0.0/0") {
		t.Errorf("the tags and the rules without tags are\n%s", said)
	}
}

func playAlarm(ctx context.Context, t *testing.T, r *recipeRun) {
	r.console(ctx, t, "Alarmed", map[string]string{})
	r.sh(ctx, t)
	r.sh(ctx, t)
	if state := r.publisher.must(ctx, t, "cloudwatch", "describe-alarms", "--state-value", "ALARM", "--query", "MetricAlarms[].AlarmName", "--output", "text"); state != r.variable(ctx, t, "ALARM") || state == "" {
		t.Errorf("in alarm are %q", state)
	}
	r.sh(ctx, t)
	r.sh(ctx, t)
	if output, err := r.script(ctx, t, `sgchain check "$STACK" --detailed-exitcode`); err != nil {
		t.Errorf("after the rule was revoked: %v\n%s", err, output)
	}
}

func playQuota(ctx context.Context, t *testing.T, r *recipeRun) {
	s := r.served(ctx, t)
	service := quotas(t)
	r.environment = append(r.environment, "AWS_ENDPOINT_URL_SERVICE_QUOTAS="+service.URL)
	asked := func(more object) object {
		more["ServiceCode"], more["QuotaCode"] = "vpc", "L-0EA8095F"
		return more
	}
	r.sh(ctx, t)
	service.was(t, "GetServiceQuota", asked(object{}))
	service.was(t, "RequestServiceQuotaIncrease", asked(object{"DesiredValue": 120.0}))
	r.sh(ctx, t)
	service.was(t, "ListRequestedServiceQuotaChangeHistoryByQuota", asked(object{}))

	// The chain has 61 rules in one group, one more than the previous quota.
	var ports []string
	for port := range 61 {
		ports = append(ports, strconv.Itoa(10000+2*port))
	}
	r.examples = append(r.examples, "[443]", "["+strings.Join(ports, ", ")+"]")
	r.write(t, "template.yaml", r.base(t))
	if output, err := r.script(ctx, t, `sgchain plan "$STACK" -f template.yaml`); err == nil || !strings.Contains(output, "the quota is 60") {
		t.Errorf("61 rules without the property: %v\n%s", err, output)
	}
	r.yaml(t)
	r.deploy(ctx, t)
	if rules := len(s.tiers(ctx, t)["Web"].Rules); rules != 62 {
		t.Errorf("the group has %d rules, want 61 and EC2's own", rules)
	}
}

// playConcurrency uses Lambda's answers from its API reference (GetAccountSettings,
// GetFunctionConcurrency), because MiniStack's CloudFormation reserves no concurrency.
func playConcurrency(ctx context.Context, t *testing.T, r *recipeRun) {
	provider := r.ownProvider(ctx, t, "Crowded")
	service := record(t, map[string]any{
		"account-settings": object{"AccountLimit": object{"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 900}},
		"concurrency":      object{"ReservedConcurrentExecutions": 25},
	})
	r.environment = append(r.environment, "AWS_ENDPOINT_URL_LAMBDA="+service.URL)
	r.sh(ctx, t)
	if got := provider.parameter(ctx, t, "ReservedConcurrency"); got != "25" {
		t.Errorf("reserved are %q", got)
	}
}

// playCosts checks the products in the page's table, and compares its memory with the template's.
func playCosts(ctx context.Context, t *testing.T, r *recipeRun) {
	r.served(ctx, t)
	rows := regexp.MustCompile(`(?m)^\| (.*) \| ([0-9.,]+)(?: [a-zA-Z-]+)? \| \$([0-9.]+) \| \$([0-9.]+) \|$`).FindAllStringSubmatch(r.prose, -1)
	if len(rows) != 8 {
		t.Errorf("the table has %d rows", len(rows))
	}
	for _, row := range rows {
		quantity, _ := strconv.ParseFloat(strings.ReplaceAll(row[2], ",", ""), 64)
		price, _ := strconv.ParseFloat(row[3], 64)
		if got := strconv.FormatFloat(quantity*price, 'f', 2, 64); got != row[4] {
			t.Errorf("%s: %s times $%s is $%s, and the page has $%s", row[1], row[2], row[3], got, row[4])
		}
	}
	r.sh(ctx, t)
}

// playUpgrade adds a later version to the published one: the same files with another number.
func playUpgrade(ctx context.Context, t *testing.T, r *recipeRun) {
	provider := r.ownProvider(ctx, t, "Upgraded")
	s := r.served(ctx, t)
	p := r.publisher
	published := r.version(t)
	zip := "lambda-" + map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH] + ".zip"
	p.must(ctx, t, "s3", "cp", "s3://published-us-east-1/sgchain/"+published+"/"+zip, "s3://published-us-east-1/sgchain/1.2.3/"+zip)
	p.must(ctx, t, "s3", "cp", "s3://published-us-east-1/sgchain/"+published+"/provider.json", filepath.Join(r.dir, "earlier.json"))
	text, err := os.ReadFile(filepath.Join(r.dir, "earlier.json"))
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, "later.json", strings.ReplaceAll(string(text), published, "1.2.3"))
	p.must(ctx, t, "s3", "cp", filepath.Join(r.dir, "later.json"), "s3://published-us-east-1/sgchain/1.2.3/provider.json")

	r.sh(ctx, t)
	code := func() string {
		found, err := r.emulator.CloudFormation().GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: &provider.name})
		if err != nil {
			t.Fatal(err)
		}
		return aws.ToString(found.TemplateBody)
	}
	if got := code(); !strings.Contains(got, "sgchain/1.2.3/lambda-") {
		t.Errorf("the upgraded function's template is %s", got)
	}
	r.yaml(t)
	r.deploy(ctx, t)
	if output, err := r.script(ctx, t, `sgchain check "$STACK" --detailed-exitcode`); err != nil || len(s.tiers(ctx, t)) != 3 {
		t.Errorf("after the upgrade: %v\n%s", err, output)
	}

	// And back, with the same commands and the earlier version.
	r.examples = append(r.examples, "VERSION=1.2.3", "VERSION="+published)
	commands := r.blocks[0].text
	if output, err := r.script(ctx, t, commands); err != nil || !strings.Contains(code(), "sgchain/"+published+"/lambda-") {
		t.Errorf("the downgrade: %v\n%s", err, output)
	}
	if output, err := r.script(ctx, t, `sgchain check "$STACK" --detailed-exitcode`); err != nil {
		t.Errorf("after the downgrade: %v\n%s", err, output)
	}
}

func playLost(ctx context.Context, t *testing.T, r *recipeRun) {
	provider := r.ownProvider(ctx, t, "Lost")
	s := r.served(ctx, t)
	r.at(t, r.stack("Abandoned", "", r.launchPad.vpc(ctx, t)))
	abandoned := r.served(ctx, t)
	r.at(t, s)
	function := provider.resource(ctx, t, "Provider")
	lose := func() { r.publisher.must(ctx, t, "lambda", "delete-function", "--function-name", function) }
	architecture := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
	r.examples = append(r.examples, "lambda-arm64", "lambda-"+architecture, "--architectures arm64", "--architectures "+architecture,
		"ExportName=NewProvider", "ExportName=NewProvider Architecture="+architecture)
	lose()
	r.fails(ctx, t)
	r.sh(ctx, t)

	lose()
	r.former(ctx, t, s, provider)

	r.at(t, abandoned)
	r.sh(ctx, t)
	if left, err := r.emulator.Stack(ctx, abandoned.name); err != nil || left != nil {
		t.Errorf("the stack is still there: %+v, %v", left, err)
	}
	if groups := abandoned.tiers(ctx, t); len(groups) != 3 {
		t.Errorf("the groups are %v", groups)
	}
	r.sh(ctx, t)
	abandoned.has(ctx, t, "after they were deleted by hand", "")
}

func playUninstall(ctx context.Context, t *testing.T, r *recipeRun) {
	provider := r.ownProvider(ctx, t, "Uninstalled")
	s := r.served(ctx, t)
	// A bucket of its own, because the other recipes still launch from theirs.
	p := r.publisher
	if err := r.emulator.PutObject(ctx, "uninstalled-us-east-1", "sgchain/0.1.0/provider.json", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	r.names(t, map[string]string{"PUBLISHED": "uninstalled-us-east-1"})
	r.examples = append([]string{"EXPORT=SecurityGroupChainProvider", "EXPORT=Uninstalled", "Shop", s.name}, r.examples...)

	first := r.sh(ctx, t)
	if !strings.Contains(first, s.name) {
		t.Errorf("the stacks with chains are\n%s", first)
	}
	if _, err := r.emulator.CloudFormation().DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &provider.name}); err == nil {
		t.Error("the provider was deleted under a chain that imports it")
	}
	r.sh(ctx, t)
	s.has(ctx, t, "after the stack's delete", "")
	if left := r.sh(ctx, t); left != "\n" && left != "" {
		t.Errorf("left are %q", left)
	}
	logs, err := r.emulator.LogGroups(ctx)
	if err != nil || strings.Contains(strings.Join(logs, "\n"), provider.name) {
		t.Errorf("the log groups are %v, %v", logs, err)
	}
	r.sh(ctx, t)
	if keys := p.keys(ctx, t, "uninstalled-us-east-1"); keys[0] != "None" {
		t.Errorf("the bucket has %v", keys)
	}
}
