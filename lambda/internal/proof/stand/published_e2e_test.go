//go:build e2e

package stand_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"sgchain/lambda/internal/proof/stand"
)

// The published templates.
const (
	allInOneFile = "all-in-one.json"
	providerFile = "provider.json"
	chainFile    = "chain.json"
	parentFile   = "parent.json"
)

// publisher runs sgchain publish and the AWS CLI against one MiniStack.
type publisher struct {
	emulator *stand.MiniStack
	root     string
}

func (p publisher) aws(ctx context.Context, arguments ...string) (stdout, stderr string, err error) {
	return p.run(ctx, append([]string{p.cli()}, arguments...))
}

func (p publisher) publish(ctx context.Context, regions string) (stdout, stderr string, err error) {
	return p.run(ctx, []string{"go", "run", "./cdk/cmd/sgchain", "publish", "--bucket", "published", "--regions", regions})
}

func (p publisher) cli() string { return filepath.Join(p.root, "build", "tools", "venv", "bin", "aws") }

func (p publisher) run(ctx context.Context, arguments []string) (stdout, stderr string, err error) {
	var out, complaints bytes.Buffer
	cmd := p.emulator.Command(ctx, p.root, arguments)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err = cmd.Run()
	return out.String(), complaints.String(), err
}

// must runs the AWS CLI, which must succeed.
func (p publisher) must(ctx context.Context, t *testing.T, arguments ...string) string {
	t.Helper()
	stdout, stderr, err := p.aws(ctx, arguments...)
	if err != nil {
		t.Fatalf("aws %s: %v\n%s", strings.Join(arguments, " "), err, stderr)
	}
	return strings.TrimSpace(stdout)
}

// keys returns the keys of a bucket.
func (p publisher) keys(ctx context.Context, t *testing.T, bucket string) []string {
	t.Helper()
	return strings.Fields(p.must(ctx, t, "s3api", "list-objects-v2", "--bucket", bucket, "--query", "Contents[].Key", "--output", "text"))
}

// TestPublishedTemplates publishes the templates, and launches them by their URLs through
// CloudFormation's API, as the console does.
func TestPublishedTemplates(t *testing.T) {
	t.Parallel()
	ctx, emulator := start(t)
	p := publisher{emulator: emulator, root: repository(t)}
	p.must(ctx, t, "s3api", "create-bucket", "--bucket", "published-us-east-1")

	refusedBefore(ctx, t, p)
	said, stderr, err := p.publish(ctx, "us-east-1 eu-central-1")
	if err != nil {
		t.Fatalf("publishing: %v\n%s", err, stderr)
	}
	place := launchPad{emulator: emulator, log: t, publisher: p, said: said}
	t.Run("all in one", func(t *testing.T) { t.Parallel(); place.allInOne(ctx, t) })
	t.Run("all in one with tiers", func(t *testing.T) { t.Parallel(); place.ownTiers(ctx, t) })
	t.Run("shared provider", func(t *testing.T) { t.Parallel(); place.sharedProvider(ctx, t) })
	t.Run("published again", func(t *testing.T) { t.Parallel(); again(ctx, t, p) })
	t.Run("adoption", func(t *testing.T) { t.Parallel(); place.adoption(ctx, t) })
	t.Run("drift", func(t *testing.T) { t.Parallel(); place.drift(ctx, t) })
	t.Run("parent", func(t *testing.T) { t.Parallel(); place.parent(ctx, t) })
	t.Run("second launch", func(t *testing.T) { t.Parallel(); place.secondLaunch(ctx, t) })
	t.Run("parameter store", func(t *testing.T) { t.Parallel(); place.parameterStore(ctx, t) })
}

// refusedBefore publishes with a second bucket that is missing, then with one in another Region.
// Nothing is uploaded to the first one either.
func refusedBefore(ctx context.Context, t *testing.T, p publisher) {
	t.Helper()
	refused := func(words string) {
		t.Helper()
		if _, stderr, err := p.publish(ctx, "us-east-1 eu-central-1"); err == nil || !strings.Contains(stderr, words) {
			t.Errorf("publishing: got %v and %s, want an error that says %q", err, stderr, words)
		}
		if keys := p.keys(ctx, t, "published-us-east-1"); !slices.Equal(keys, []string{"None"}) {
			t.Errorf("%v was uploaded anyway", keys)
		}
	}
	refused("checking bucket (published-eu-central-1): it does not exist. Create it in eu-central-1 first")
	p.must(ctx, t, "s3api", "create-bucket", "--bucket", "published-eu-central-1")
	refused(`checking bucket (published-eu-central-1): it is in Region "us-east-1", but Lambda reads the function's code only from eu-central-1`)
	p.must(ctx, t, "s3api", "delete-bucket", "--bucket", "published-eu-central-1")
	p.must(ctx, t, "s3api", "create-bucket", "--bucket", "published-eu-central-1", "--region", "eu-central-1",
		"--create-bucket-configuration", "LocationConstraint=eu-central-1")
}

// again publishes the same to the second Region, which uploads nothing. Then it publishes over
// different bytes, which is refused and repairs nothing.
func again(ctx context.Context, t *testing.T, p publisher) {
	if said, stderr, err := p.publish(ctx, "eu-central-1"); err != nil || !strings.Contains(said, "all files were uploaded before") {
		t.Errorf("publishing again: got %v and %s%s", err, said, stderr)
	}
	bucket := "published-eu-central-1"
	keys := p.keys(ctx, t, bucket)
	if len(keys) != 8 {
		t.Fatalf("%s has %v, want 8 keys", bucket, keys)
	}
	version := strings.Split(keys[0], "/")[1]
	gone, other := "sgchain/"+version+"/"+chainFile, "sgchain/"+version+"/"+providerFile
	p.must(ctx, t, "s3api", "delete-object", "--bucket", bucket, "--key", gone, "--region", "eu-central-1")
	p.must(ctx, t, "s3api", "put-object", "--bucket", bucket, "--key", other, "--region", "eu-central-1",
		"--body", filepath.Join(p.root, "go.mod"), "--checksum-algorithm", "SHA256")
	_, stderr, err := p.publish(ctx, "eu-central-1")
	if words := "s3://" + bucket + "/" + other + ": it exists with other bytes"; err == nil || !strings.Contains(stderr, words) {
		t.Errorf("publishing over other bytes: got %v and %s, want an error that says %q", err, stderr, words)
	}
	if keys := p.keys(ctx, t, bucket); len(keys) != 7 {
		t.Errorf("%s has %v, want 7 keys", bucket, keys)
	}
}

// launchPad is a MiniStack in which published templates are launched.
type launchPad struct {
	emulator  *stand.MiniStack
	publisher publisher
	log       *testing.T // the test that searches the functions' log
	said      string     // the output of publish
}

// published starts an emulator, and publishes everything to its bucket.
func published(t *testing.T) (context.Context, launchPad) {
	t.Helper()
	ctx, emulator := start(t)
	p := publisher{emulator: emulator, root: repository(t)}
	p.must(ctx, t, "s3api", "create-bucket", "--bucket", "published-us-east-1")
	said, stderr, err := p.publish(ctx, "us-east-1")
	if err != nil {
		t.Fatalf("publishing: %v\n%s", err, stderr)
	}
	return ctx, launchPad{emulator: emulator, log: t, publisher: p, said: said}
}

var link = regexp.MustCompile(`https://us-east-1\.console\.aws\.amazon\.com/cloudformation/home\?region=us-east-1#/stacks/create/review\?(\S+)`)

// linked returns the template URL in a launch link.
func (l launchPad) linked(t *testing.T, file string) string {
	t.Helper()
	for _, found := range link.FindAllStringSubmatch(l.said, -1) {
		query, err := url.ParseQuery(found[1])
		if err != nil {
			t.Fatal(err)
		}
		if address := query.Get("templateURL"); strings.HasSuffix(address, "/"+file) && query.Get("stackName") != "" {
			return address
		}
	}
	t.Fatalf("no launch link of %s in %s", file, l.said)
	return ""
}

// listed returns one of the URLs that publish lists.
func (l launchPad) listed(t *testing.T, file string) string {
	t.Helper()
	for line := range strings.FieldsSeq(l.said) {
		if strings.HasPrefix(line, "https://s3.us-east-1.") && strings.HasSuffix(line, "/"+file) {
			return line
		}
	}
	t.Fatalf("no address of %s in %s", file, l.said)
	return ""
}

// launched is a stack of a published template.
type launched struct {
	*stack
	address string
}

func (l launchPad) stack(name, address, vpc string) launched {
	return launched{&stack{emulator: l.emulator, name: name, vpc: vpc}, address}
}

func (l launchPad) vpc(ctx context.Context, t *testing.T) string {
	t.Helper()
	made, err := l.emulator.EC2().CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.8.0.0/16")})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(made.Vpc.VpcId)
}

// fields returns the form's fields. They set Architecture, because MiniStack runs functions on this
// machine.
func fields(more map[string]string) []cfntypes.Parameter {
	parameters := []cfntypes.Parameter{{
		ParameterKey: aws.String("Architecture"), ParameterValue: aws.String(map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]),
	}}
	if _, isServed := more["ServiceToken"]; isServed {
		parameters = nil
	}
	for key, value := range more {
		parameters = append(parameters, cfntypes.Parameter{ParameterKey: aws.String(key), ParameterValue: aws.String(value)})
	}
	return parameters
}

func (s launched) launch(ctx context.Context, t *testing.T, values map[string]string, want cfntypes.StackStatus) {
	t.Helper()
	s.begun = time.Now()
	_, err := s.emulator.CloudFormation().CreateStack(ctx, &cloudformation.CreateStackInput{
		StackName: &s.name, TemplateURL: &s.address, Parameters: fields(values), Capabilities: capabilities,
	}, once)
	begun(t, err)
	s.settle(ctx, t, want)
}

func (s launched) change(ctx context.Context, t *testing.T, values map[string]string, want cfntypes.StackStatus) {
	t.Helper()
	s.changeTo(ctx, t, "", values, want)
}

// changeTo updates the stack, to another template than the published one unless that is empty.
func (s launched) changeTo(ctx context.Context, t *testing.T, template string, values map[string]string, want cfntypes.StackStatus) {
	t.Helper()
	s.begun = time.Now()
	input := &cloudformation.UpdateStackInput{StackName: &s.name, TemplateURL: &s.address, Parameters: fields(values), Capabilities: capabilities}
	if template != "" {
		input.TemplateURL, input.TemplateBody = nil, &template
	}
	_, err := s.emulator.CloudFormation().UpdateStack(ctx, input, once)
	begun(t, err)
	s.settle(ctx, t, want)
}

// has compares the groups of the stack's VPC with the expected ones.
func (s launched) has(ctx context.Context, t *testing.T, when, want string) stand.Groups {
	t.Helper()
	text, groups := readBack(ctx, t, s.emulator, s.vpc)
	same(t, s.name+" "+when, text, want)
	return groups
}

// says compares some of the stack's outputs.
func (s launched) says(ctx context.Context, t *testing.T, want map[string]string) {
	t.Helper()
	for key, value := range want {
		if got := s.output(ctx, t, key); got != value {
			t.Errorf("%s: output %s is %q, want %q", s.name, key, got, value)
		}
	}
}

// group returns the ID of the group with a name.
func group(t *testing.T, groups stand.Groups, name string) string {
	t.Helper()
	for _, one := range groups {
		if one.Name == name {
			return one.ID
		}
	}
	t.Fatalf("no group %s", name)
	return ""
}

// end searches the stack's log, and deletes the stack.
func (l launchPad) end(ctx context.Context, t *testing.T, s launched) {
	t.Helper()
	searchLog(ctx, l.log, l.emulator)
	s.remove(ctx, t)
}

func (l launchPad) allInOne(ctx context.Context, t *testing.T) {
	vpc := l.vpc(ctx, t)
	s := l.stack("all-in-one", l.linked(t, allInOneFile), vpc)

	// The form itself refuses these values.
	_, err := l.emulator.CloudFormation().CreateStack(ctx, &cloudformation.CreateStackInput{
		StackName: &s.name, TemplateURL: &s.address, Parameters: fields(map[string]string{"VpcId": vpc, "AlbGroupName": "sg-alb"}), Capabilities: capabilities,
	})
	if err == nil || !strings.Contains(err.Error(), "not begin with sg-") {
		t.Errorf("a bad name: got %v, want an error that says what is wrong", err)
	}

	// A user only has to choose the VPC.
	s.launch(ctx, t, map[string]string{"VpcId": vpc}, cfntypes.StackStatusCreateComplete)
	groups := s.has(ctx, t, "as launched", albText+fargateText)
	alb, fargate := group(t, groups, "ALB-SG"), group(t, groups, "Fargate-SG")
	s.says(ctx, t, map[string]string{
		"AlbSecurityGroupId": alb, "FargateSecurityGroupId": fargate, "SecurityGroupIds": alb + "," + fargate,
		"Summary": "internet -tcp 80,443-> Alb -tcp 6060-> Fargate", "Warnings": "",
	})

	s.change(ctx, t, map[string]string{"VpcId": vpc, "ContainerPort": "8080", "AlbPorts": "443", "AlbSources": "203.0.113.0/24, 198.51.100.7/32"}, cfntypes.StackStatusUpdateComplete)
	s.has(ctx, t, "with other fields", `
		ALB-SG "Security group for Application Load Balancer"
		ALB-SG ingress tcp 443 from 198.51.100.7/32 "198.51.100.7/32 to Alb: tcp 443"
		ALB-SG ingress tcp 443 from 203.0.113.0/24 "203.0.113.0/24 to Alb: tcp 443"
		ALB-SG egress all traffic to 0.0.0.0/0
	`+strings.ReplaceAll(fargateText, "6060", "8080"))
	s.says(ctx, t, map[string]string{"AlbSecurityGroupId": alb, "FargateSecurityGroupId": fargate})
	l.end(ctx, t, s)
}

const webTiers = `[{"Name": "Web", "GroupName": "Web", "Ports": [443]}, {"Name": "App", "GroupName": "App", "Ports": [8080], "Egress": "chain"}, {"Name": "Db", "GroupName": "Db", "Ports": ["postgres"]}]`

const webText = `
	App "Security group of tier App"
	App ingress tcp 8080 from Web "Web to App: tcp 8080"
	App egress tcp 5432 to Db "App to Db: tcp 5432"
	Db "Security group of tier Db"
	Db ingress tcp 5432 from App "App to Db: tcp 5432"
	Db egress all traffic to 0.0.0.0/0
	Web "Security group of tier Web"
	Web ingress tcp 443 from 0.0.0.0/0 "internet to Web: tcp 443"
	Web egress all traffic to 0.0.0.0/0
`

func (l launchPad) ownTiers(ctx context.Context, t *testing.T) {
	vpc := l.vpc(ctx, t)
	s := l.stack("own-tiers", l.linked(t, allInOneFile), vpc)
	s.launch(ctx, t, map[string]string{"VpcId": vpc, "Tiers": webTiers}, cfntypes.StackStatusCreateComplete)
	groups := s.has(ctx, t, "as launched", webText)
	s.says(ctx, t, map[string]string{
		"Summary":            "internet -tcp 443-> Web -tcp 8080-> App -tcp 5432-> Db",
		"SecurityGroupIds":   group(t, groups, "Web") + "," + group(t, groups, "App") + "," + group(t, groups, "Db"),
		"AlbSecurityGroupId": "", // no such tier
	})
	s.change(ctx, t, map[string]string{"VpcId": vpc, "Tiers": strings.ReplaceAll(webTiers, "8080", "9090")}, cfntypes.StackStatusUpdateComplete)
	s.has(ctx, t, "with another port", strings.ReplaceAll(webText, "8080", "9090"))
	// The fields are used again, and there are other groups.
	s.change(ctx, t, map[string]string{"VpcId": vpc}, cfntypes.StackStatusUpdateComplete)
	s.has(ctx, t, "without tiers", albText+fargateText)
	l.end(ctx, t, s)
}

// sharedProvider launches two stacks with the same explicit names in two VPCs. One more imports the
// provider as in the README's smallest template, and another has a name conflict in the first VPC.
func (l launchPad) sharedProvider(ctx context.Context, t *testing.T) {
	provider := l.stack("provider", l.listed(t, providerFile), "")
	provider.launch(ctx, t, nil, cfntypes.StackStatusCreateComplete)
	token := provider.output(ctx, t, "ServiceToken")

	var served []launched
	for _, name := range []string{"first", "second"} {
		s := l.stack(name, l.listed(t, chainFile), l.vpc(ctx, t))
		s.launch(ctx, t, map[string]string{"ServiceToken": token, "VpcId": s.vpc}, cfntypes.StackStatusCreateComplete)
		served = append(served, s)
	}
	for _, s := range served {
		s.has(ctx, t, "as launched", albText+fargateText)
	}

	imported := l.stack("imported", "", l.vpc(ctx, t))
	vpc := imported.vpc
	template := object{
		"Resources": object{"Chain": object{"Type": "Custom::SecurityGroupChain", "Properties": object{
			"ServiceToken": object{"Fn::ImportValue": "SecurityGroupChainProvider"}, "ServiceTimeout": 1020, "VpcId": vpc,
		}}},
		"Outputs": object{"VpcId": object{"Value": object{"Fn::GetAtt": []any{"Chain", "VpcId"}}}},
	}
	imported.create(ctx, t, template, cfntypes.StackStatusCreateComplete)
	imported.has(ctx, t, "as created", albText+fargateText)
	l.asks(ctx, t, imported, template)

	same := l.stack("same-names", l.listed(t, chainFile), served[0].vpc)
	same.launch(ctx, t, map[string]string{"ServiceToken": token, "VpcId": same.vpc}, cfntypes.StackStatusRollbackComplete)
	if said, words := same.failures(ctx, t), "creating security group (ALB-SG): the name is taken in VPC "+same.vpc; !strings.Contains(said, words) {
		t.Errorf("the same names in one VPC: got %s, want a reason that says %q", said, words)
	}
	served[0].has(ctx, t, "beside one that was refused", albText+fargateText)
	same.vpc = "" // the VPC has the first stack's groups
	same.remove(ctx, t)
	served[0].has(ctx, t, "after that one's delete", albText+fargateText)

	served[0].change(ctx, t, map[string]string{"ServiceToken": token, "VpcId": served[0].vpc, "ContainerPort": "8080"}, cfntypes.StackStatusUpdateComplete)
	served[0].has(ctx, t, "with another port", albText+strings.ReplaceAll(fargateText, "6060", "8080"))
	served[1].has(ctx, t, "while the other changed", albText+fargateText)
	for _, s := range append(served, imported) {
		s.remove(ctx, t)
	}
	l.end(ctx, t, provider)
}

// parent creates, changes and deletes the larger example.
func (l launchPad) parent(ctx context.Context, t *testing.T) {
	s := l.stack("parent", l.linked(t, parentFile), "")
	s.launch(ctx, t, nil, cfntypes.StackStatusCreateComplete)
	s.vpc = s.output(ctx, t, "VpcId")
	groups := s.has(ctx, t, "as launched", albText+fargateText)
	s.says(ctx, t, map[string]string{"Summary": "internet -tcp 80,443-> Alb -tcp 6060-> Fargate"})
	l.uses(ctx, t, group(t, groups, "ALB-SG"), group(t, groups, "Fargate-SG"))

	// Replace the containers' group. Their service moves to the new one.
	moved := strings.ReplaceAll(fargateText, "Fargate-SG", "Web-SG")
	s.change(ctx, t, map[string]string{"FargateGroupName": "Web-SG"}, cfntypes.StackStatusUpdateComplete)
	// Unlike CloudFormation, MiniStack sends a child's chain no Delete of the replaced ID. So the old
	// group stays until the next update.
	after := albText + fargateText + moved
	groups = s.has(ctx, t, "after a replacement", after)
	l.uses(ctx, t, group(t, groups, "ALB-SG"), group(t, groups, "Web-SG"))

	// A resource after the service fails, once the chain and the service have changed.
	s.changeTo(ctx, t, l.withNeighbor(ctx, t), map[string]string{"FargateGroupName": "Web-SG", "ContainerPort": "8080"}, cfntypes.StackStatusUpdateRollbackComplete)
	if said, words := s.failures(ctx, t), "VpcId: \"not a VPC\" is not a VPC ID"; !strings.Contains(said, words) {
		t.Errorf("a neighbor that fails: got %s, want a reason that says %q", said, words)
	}
	// By now the chain has removed the group that no cleanup removed.
	after = albText + moved
	groups = s.has(ctx, t, "after an update that was rolled back", after)
	l.uses(ctx, t, group(t, groups, "ALB-SG"), group(t, groups, "Web-SG"))

	// The chain refuses what no rule of its template can: EC2 ignores the letter case of names.
	// MiniStack then fails the child's rollback, because it forgets the attributes of a child's
	// custom resource. CloudFormation would end in UPDATE_ROLLBACK_COMPLETE.
	s.change(ctx, t, map[string]string{"FargateGroupName": "alb-sg"}, cfntypes.StackStatusUpdateRollbackFailed)
	if said, words := s.failures(ctx, t), "is the name of tier Alb's group too"; !strings.Contains(said, words) {
		t.Errorf("two groups of one name: got %s, want a reason that says %q", said, words)
	}
	groups = s.has(ctx, t, "after an update that was refused", after)
	l.uses(ctx, t, group(t, groups, "ALB-SG"), group(t, groups, "Web-SG"))

	l.end(ctx, t, s)
	vpcs, err := l.emulator.EC2().DescribeVpcs(ctx, &ec2.DescribeVpcsInput{VpcIds: []string{s.vpc}})
	if err == nil && len(vpcs.Vpcs) > 0 {
		t.Errorf("the VPC %s is left", s.vpc)
	}
}

// withNeighbor returns the published parent with one more chain, which cannot be created.
func (l launchPad) withNeighbor(ctx context.Context, t *testing.T) string {
	t.Helper()
	_, key, _ := strings.Cut(strings.TrimPrefix(l.listed(t, parentFile), "https://"), "/published-us-east-1/")
	copied := filepath.Join(t.TempDir(), parentFile)
	l.publisher.must(ctx, t, "s3api", "get-object", "--bucket", "published-us-east-1", "--key", key, copied)
	text, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	var whole object
	if err := json.Unmarshal(text, &whole); err != nil {
		t.Fatal(err)
	}
	resources, _ := whole["Resources"].(object)
	resources["Neighbor"] = object{"Type": "Custom::SecurityGroupChain", "DependsOn": "Service", "Properties": object{
		"ServiceToken": object{"Fn::GetAtt": []any{"Provider", "Outputs.ServiceToken"}}, "ServiceTimeout": 1020, "VpcId": "not a VPC",
	}}
	return encode(t, whole)
}

// uses checks which groups the load balancer and the service have.
func (l launchPad) uses(ctx context.Context, t *testing.T, alb, fargate string) {
	t.Helper()
	if got := l.publisher.must(ctx, t, "elbv2", "describe-load-balancers", "--query", "LoadBalancers[].SecurityGroups[]", "--output", "text"); got != alb {
		t.Errorf("the load balancer has %s, want %s", got, alb)
	}
	clusters := l.publisher.must(ctx, t, "ecs", "list-clusters", "--query", "clusterArns[]", "--output", "text")
	services := l.publisher.must(ctx, t, "ecs", "list-services", "--cluster", clusters, "--query", "serviceArns[]", "--output", "text")
	said := l.publisher.must(ctx, t, "ecs", "describe-services", "--cluster", clusters, "--services", services,
		"--query", "services[].networkConfiguration.awsvpcConfiguration.securityGroups[]", "--output", "json")
	var got []string
	if err := json.Unmarshal([]byte(said), &got); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, []string{fargate}) {
		t.Errorf("the service has %v, want %s", got, fargate)
	}
}
