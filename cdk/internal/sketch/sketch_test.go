package sketch

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/cdk/internal/ask"
	"sgchain/cdk/internal/template"
	"sgchain/lambda/chain"
	"sgchain/lambda/inventory"
)

const shop = `
Parameters: {Port: {Type: Number}, Vpc: {Type: "AWS::EC2::VPC::Id"}}
Resources:
  Office: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: x}}
  Chain:
    Type: Custom::SecurityGroupChain
    Properties:
      ServiceToken: !ImportValue SecurityGroupChainProvider
      VpcId: !Ref Vpc
      IpFamilies: [ipv4]
      Tiers:
        - {Name: Web, Ports: [443], Sources: [!GetAtt Office.GroupId, internet]}
        - {Name: App, Ports: [!Ref Port]}
`

func version(t *testing.T, name, text string, parameters map[string]string) *Version {
	t.Helper()
	read, err := template.Read(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return &Version{Template: read, Values: template.Values{Parameters: parameters}}
}

// has checks that a format contains some words and lacks others.
func has(t *testing.T, s Sketch, format string, words ...string) {
	t.Helper()
	text, err := s.As(format)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range words {
		word, isAbsent := strings.CutPrefix(word, "not:")
		if strings.Contains(text, word) == isAbsent {
			t.Errorf("%s: got\n%s\nwant %q in it: %t", format, text, word, !isAbsent)
		}
	}
}

// TestOfTemplateKeepsTemplateWords checks that every format has the template's words for what is
// known only at deployment.
func TestOfTemplateKeepsTemplateWords(t *testing.T) {
	t.Parallel()
	s, err := OfTemplate(*version(t, "shop.yaml", shop, nil), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	has(t, s, "text", "shop.yaml\nVPC !Ref Vpc\n", "   <-- !GetAtt Office.GroupId: tcp 443\n", "   |  tcp !Ref Port\n", "not:unknown", "not:64001")
	for _, format := range Formats() {
		has(t, s, format, "GetAtt Office.GroupId", "not:sg-unknown", "not:64001", "not:vpc-0123456789abcdef0")
	}
	s, err = OfTemplate(*version(t, "shop.yaml", shop, map[string]string{"Port": "8080", "Vpc": "vpc-0abc"}), nil, "Chain")
	if err != nil {
		t.Fatal(err)
	}
	has(t, s, "text", "VPC vpc-0abc\n", "   |  tcp 8080\n")
	if _, err := s.As("gif"); err == nil || !strings.Contains(err.Error(), "use text, mermaid, dot, svg, html") {
		t.Errorf("gif: got %v", err)
	}
}

func TestOfTemplateComparesVersions(t *testing.T) {
	t.Parallel()
	after := strings.ReplaceAll(strings.ReplaceAll(shop, "443", "8443"), ", internet", "")
	s, err := OfTemplate(*version(t, "new.yaml", after, nil), version(t, "old.yaml", shop, nil), "")
	if err != nil {
		t.Fatal(err)
	}
	has(t, s, "text", "old.yaml to new.yaml\n", "   |  - tcp 443\n", "   <-- + !GetAtt Office.GroupId: tcp 8443\n", "   <-- - !GetAtt Office.GroupId: tcp 443\n")
	has(t, s, "html", "What changes")
}

func TestOfTemplateErrors(t *testing.T) {
	t.Parallel()
	for want, text := range map[string]string{
		"chain Chain: Tiers[0].Ports[0]: port 70000 is out of range": strings.ReplaceAll(shop, "443", "70000"),
		"has no resource of type":                                    strings.ReplaceAll(shop, "Custom::SecurityGroupChain", "Custom::Other"),
		"has no chain Chian; use one of Chain":                       shop,
	} {
		id := ""
		if strings.Contains(want, "Chian") {
			id = "Chian"
		}
		if _, err := OfTemplate(*version(t, "shop.yaml", text, nil), nil, id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

const stackID = "arn:aws:cloudformation:eu-central-1:123456789012:stack/Shop/1f0c"

// account is an account with a stack that has a chain, and a group of another owner.
type account struct {
	ask.CloudFormation

	more []types.SecurityGroup
}

func (account) DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error) {
	return &cloudformation.DescribeStacksOutput{Stacks: []cfntypes.Stack{{StackId: aws.String(stackID), Parameters: []cfntypes.Parameter{
		{ParameterKey: aws.String("Port"), ParameterValue: aws.String("6060")}, {ParameterKey: aws.String("Vpc"), ParameterValue: aws.String("vpc-0abc")},
	}}}}, nil
}

func (account) ListStackResources(context.Context, *cloudformation.ListStackResourcesInput, ...func(*cloudformation.Options)) (*cloudformation.ListStackResourcesOutput, error) {
	return &cloudformation.ListStackResourcesOutput{StackResourceSummaries: []cfntypes.StackResourceSummary{
		{LogicalResourceId: aws.String("Office"), ResourceType: aws.String("AWS::EC2::SecurityGroup"), PhysicalResourceId: aws.String("sg-0ff")},
	}}, nil
}

func (account) GetTemplate(context.Context, *cloudformation.GetTemplateInput, ...func(*cloudformation.Options)) (*cloudformation.GetTemplateOutput, error) {
	return &cloudformation.GetTemplateOutput{TemplateBody: aws.String(shop)}, nil
}

func (account) ListExports(context.Context, *cloudformation.ListExportsInput, ...func(*cloudformation.Options)) (*cloudformation.ListExportsOutput, error) {
	return &cloudformation.ListExportsOutput{Exports: []cfntypes.Export{{Name: aws.String("SecurityGroupChainProvider"), Value: aws.String("arn:aws:lambda:::function:p")}}}, nil
}

func groupOf(tier, id string, permissions ...types.IpPermission) types.SecurityGroup {
	identity := chain.Identity{VPCID: "vpc-0abc", Tier: tier, Description: "Security group of tier " + tier}
	group := types.SecurityGroup{
		GroupId: &id, GroupName: aws.String(identity.EC2Name(chain.Resource{StackID: stackID, LogicalID: "Chain"})), Description: &identity.Description, VpcId: aws.String("vpc-0abc"), OwnerId: aws.String("123456789012"), IpPermissions: permissions,
	}
	for key, value := range map[string]string{"sgchain:stack-id": stackID, "sgchain:logical-id": "Chain", "sgchain:tier": tier} {
		group.Tags = append(group.Tags, types.Tag{Key: &key, Value: &value})
	}
	return group
}

func tcp(port int32, pair string) types.IpPermission {
	one := types.IpPermission{IpProtocol: aws.String("tcp"), FromPort: &port, ToPort: &port}
	if strings.HasPrefix(pair, "sg-") {
		one.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: &pair}}
	} else {
		one.IpRanges = []types.IpRange{{CidrIp: &pair}}
	}
	return one
}

func (a account) DescribeSecurityGroups(_ context.Context, input *ec2.DescribeSecurityGroupsInput, _ ...func(*ec2.Options)) (*ec2.DescribeSecurityGroupsOutput, error) {
	office := types.SecurityGroup{GroupId: aws.String("sg-0ff"), GroupName: aws.String("office"), Description: aws.String("x"), VpcId: aws.String("vpc-0abc"), OwnerId: aws.String("123456789012")}
	all := []types.SecurityGroup{groupOf("App", "sg-0a", tcp(6060, "sg-0b")), groupOf("Web", "sg-0b", tcp(443, "0.0.0.0/0"), tcp(443, "sg-0ff")), office}
	for _, filter := range input.Filters {
		if aws.ToString(filter.Name) == "tag:sgchain:stack-id" {
			all = all[:2]
		}
	}
	all = append(all, a.more...)
	return &ec2.DescribeSecurityGroupsOutput{SecurityGroups: all}, nil
}

func (account) DescribeVpcs(context.Context, *ec2.DescribeVpcsInput, ...func(*ec2.Options)) (*ec2.DescribeVpcsOutput, error) {
	return &ec2.DescribeVpcsOutput{Vpcs: []types.Vpc{{VpcId: aws.String("vpc-0abc"), CidrBlock: aws.String("10.0.0.0/16")}}}, nil
}

func (account) DescribeManagedPrefixLists(context.Context, *ec2.DescribeManagedPrefixListsInput, ...func(*ec2.Options)) (*ec2.DescribeManagedPrefixListsOutput, error) {
	return nil, errors.New("no rule names a prefix list")
}

func deployed() ask.Deployed { return ask.Deployed{CloudFormation: account{}, Region: "eu-central-1"} }

func TestOfStackDrawsGroupsInEC2(t *testing.T) {
	t.Parallel()
	s, err := OfStack(t.Context(), deployed(), account{}, ask.Question{Stack: "Shop"})
	if err != nil {
		t.Fatal(err)
	}
	has(t, s, "text", "Shop\nVPC vpc-0abc\n", "sg-0b", "   <-- sg-0ff: tcp 443\n", "   |  tcp 6060\n", "not:office", "not: + ", "not: - ")
}

// TestOfStackComparesFileWithEC2 checks that the change is that between the groups and the file,
// whatever the deployed template.
func TestOfStackComparesFileWithEC2(t *testing.T) {
	t.Parallel()
	file := &ask.File{Name: "new.yaml", Text: []byte(strings.ReplaceAll(strings.ReplaceAll(shop, "443", "8443"), ", internet", ", vpc"))}
	s, err := OfStack(t.Context(), deployed(), account{}, ask.Question{Stack: "Shop", File: file})
	if err != nil {
		t.Fatal(err)
	}
	has(t, s, "text", "and what new.yaml changes\n", "+ 10.0.0.0/16: tcp 8443", "- tcp 443", "- sg-0ff: tcp 443", "+ sg-0ff: tcp 8443", "not:6060 (", "not:+ tcp 6060", "not:- tcp 6060")
}

func TestOfVPCShowsOwners(t *testing.T) {
	t.Parallel()
	s, err := OfVPC(t.Context(), account{}, inventory.Selection{VPCID: "vpc-0abc", Region: "eu-central-1"})
	if err != nil {
		t.Fatal(err)
	}
	has(t, s, "text", "VPC vpc-0abc\nRegion eu-central-1\n", "[office]", "(chain Chain of stack Shop)", "   |  tcp 443\n")
}

// TestOfStackDrawsAdoption checks that a group that is adopted, or would be, is the tier's,
// whatever its description. One that leaves is retired, not deleted.
func TestOfStackDrawsAdoption(t *testing.T) {
	t.Parallel()
	legacy, waiting := groupOf("Legacy", "sg-0d", tcp(22, "10.0.0.0/8")), groupOf("Waiting", "sg-0e", tcp(80, "10.0.0.0/8"))
	legacy.GroupName, legacy.Description, legacy.Tags = aws.String("legacy"), aws.String("made by hand"), append(legacy.Tags, types.Tag{Key: aws.String("sgchain:adopted"), Value: aws.String("settled")})
	waiting.GroupName, waiting.Tags = aws.String("waiting"), nil
	file := &ask.File{Name: "new.yaml", Text: []byte(strings.ReplaceAll(shop, "      Tiers:\n", "      AdoptExisting: true\n      UnmanagedRules: keep\n      Tiers:\n"+
		"        - {Name: Legacy, GroupName: legacy, Ports: [22], Sources: [10.0.0.0/8]}\n        - {Name: Waiting, GroupName: waiting, Ports: [81], Sources: [10.0.0.0/8]}\n"))}
	file.Text = []byte(strings.Replace(string(file.Text), "        - {Name: App, Ports: [!Ref Port]}\n", "", 1))
	s, err := OfStack(t.Context(), deployed(), account{more: []types.SecurityGroup{legacy, waiting}}, ask.Question{Stack: "Shop", File: file})
	if err != nil {
		t.Fatal(err)
	}
	has(t, s, "text", "\n[Legacy] legacy sg-0d\n   <-- 10.0.0.0/8: tcp 22\n", "\n[Waiting] waiting sg-0e (address-for-tier)\n   <-- 10.0.0.0/8: tcp 80 (unmanaged)\n   <-- + 10.0.0.0/8: tcp 81\n", "warning: UnmanagedRules is keep", "- [App] ")
	has(t, s, "html", "retired")
}
