package importer_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"go.yaml.in/yaml/v3"

	"sgchain/cdk/internal/importer"
	"sgchain/lambda/chain"
	"sgchain/lambda/inventory"
)

var update = flag.Bool("update", false, "write the goldens again")

// fake is an account's EC2 that answers every call with all groups.
type fake struct{ groups []types.SecurityGroup }

func (f fake) DescribeSecurityGroups(context.Context, *ec2.DescribeSecurityGroupsInput, ...func(*ec2.Options)) (*ec2.DescribeSecurityGroupsOutput, error) {
	return &ec2.DescribeSecurityGroupsOutput{SecurityGroups: f.groups}, nil
}

func (fake) DescribeVpcs(context.Context, *ec2.DescribeVpcsInput, ...func(*ec2.Options)) (*ec2.DescribeVpcsOutput, error) {
	return &ec2.DescribeVpcsOutput{Vpcs: []types.Vpc{{VpcId: aws.String(vpcID), CidrBlock: aws.String("10.1.0.0/16")}}}, nil
}

func (fake) DescribeManagedPrefixLists(context.Context, *ec2.DescribeManagedPrefixListsInput, ...func(*ec2.Options)) (*ec2.DescribeManagedPrefixListsOutput, error) {
	return &ec2.DescribeManagedPrefixListsOutput{PrefixLists: []types.ManagedPrefixList{
		{PrefixListId: aws.String("pl-3b927c52"), PrefixListName: aws.String("com.amazonaws.global.cloudfront.origin-facing"), AddressFamily: aws.String("IPv4")},
		{PrefixListId: aws.String("pl-0123456789abcdef0"), PrefixListName: aws.String("offices"), AddressFamily: aws.String("IPv4"), MaxEntries: aws.Int32(5)},
	}}, nil
}

const (
	vpcID   = "vpc-0123456789abcdef0"
	albID   = "sg-0aaaaaaaaaaaaaaaa"
	appID   = "sg-0bbbbbbbbbbbbbbbb"
	dbID    = "sg-0cccccccccccccccc"
	ownedID = "sg-0eeeeeeeeeeeeeeee"
)

func group(id, name, description string, rules ...types.IpPermission) types.SecurityGroup {
	return types.SecurityGroup{
		GroupId: &id, GroupName: &name, Description: &description, VpcId: aws.String(vpcID), OwnerId: aws.String("111122223333"), IpPermissions: rules,
		IpPermissionsEgress: []types.IpPermission{{IpProtocol: aws.String("-1"), IpRanges: []types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}}},
	}
}

func ports(protocol string, from, to int32) types.IpPermission {
	return types.IpPermission{IpProtocol: &protocol, FromPort: &from, ToPort: &to}
}

func ranges(one types.IpPermission, description string, cidrs ...string) types.IpPermission {
	for _, cidr := range cidrs {
		single := types.IpRange{CidrIp: aws.String(cidr)}
		if description != "" {
			single.Description = &description
		}
		one.IpRanges = append(one.IpRanges, single)
	}
	return one
}

func pair(one types.IpPermission, id, account string) types.IpPermission {
	one.UserIdGroupPairs = append(one.UserIdGroupPairs, types.UserIdGroupPair{GroupId: &id, UserId: &account})
	return one
}

func list(one types.IpPermission, id string) types.IpPermission {
	one.PrefixListIds = append(one.PrefixListIds, types.PrefixListId{PrefixListId: &id})
	return one
}

// shop returns groups that use most of the properties.
func shop() fake {
	const own = "111122223333"
	alb := group(albID, "shop-alb-sg", "made by hand & mended", ranges(ports("tcp", 80, 80), "", "0.0.0.0/0"), ranges(ports("tcp", 443, 443), "", "0.0.0.0/0"))
	app := group(appID, "2048: app #1", "on", pair(ports("tcp", 6060, 6060), albID, own), pair(ports("tcp", 0, 65535), appID, own), pair(ports("tcp", 9000, 9010), "sg-0fffffffffffffff1", "222233334444"),
		list(ports("tcp", 8443, 8443), "pl-3b927c52"), list(ports("udp", 123, 123), "pl-0123456789abcdef0"))
	app.Tags = []types.Tag{{Key: aws.String("Name"), Value: aws.String("app")}, {Key: aws.String("Team"), Value: aws.String("shop")}}
	db := group(dbID, "db", "Security group of tier Db", pair(ports("tcp", 5432, 5432), appID, own), ranges(ports("tcp", 22, 22), "office, on call", "203.0.113.0/24", "198.51.100.7/32"),
		ranges(ports("icmp", 8, -1), "", "10.1.0.0/16"), ranges(ports("icmp", 3, 4), "", "10.1.0.0/16"), ranges(ports("icmp", -1, -1), "", "10.9.0.0/16"), ranges(types.IpPermission{IpProtocol: aws.String("50")}, "", "10.9.0.0/16"))
	db.IpPermissionsEgress = []types.IpPermission{pair(ports("tcp", 0, 65535), appID, own), ranges(ports("udp", 53, 53), "names: 1", "10.1.0.2/32")}
	owned := group(ownedID, "stacked", "by a stack")
	owned.Tags = []types.Tag{
		{Key: aws.String("aws:cloudformation:stack-id"), Value: aws.String("arn:aws:cloudformation:eu-central-1:111122223333:stack/Net/1")},
		{Key: aws.String("aws:cloudformation:logical-id"), Value: aws.String("Web")},
	}
	return fake{[]types.SecurityGroup{alb, app, db, group("sg-0dddddddddddddddd", "default", "default VPC security group"), owned}}
}

func imported(t *testing.T, api inventory.API, options importer.Options) importer.Result {
	t.Helper()
	options.Selection.Region = "eu-central-1"
	result, err := importer.Import(t.Context(), api, options)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func ofVPC() importer.Options {
	return importer.Options{Selection: inventory.Selection{VPCID: vpcID}}
}

// TestGoldens compares every format with testdata.
func TestGoldens(t *testing.T) {
	t.Parallel()
	result := imported(t, shop(), ofVPC())
	for name, format := range map[string]func(importer.Result) (string, error){"shop.yaml": importer.Result.YAML, "shop.json": importer.Result.JSON, "shop.go.txt": importer.Result.Go} {
		got, err := format(result)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
		}
	}
}

// TestTemplatesHaveTheProperties reads both forms of the template: their properties are the proven
// ones.
func TestTemplatesHaveTheProperties(t *testing.T) {
	t.Parallel()
	result := imported(t, shop(), ofVPC())
	for name, format := range map[string]func(importer.Result) (string, error){"yaml": importer.Result.YAML, "json": importer.Result.JSON} {
		text, err := format(result)
		if err != nil {
			t.Fatal(err)
		}
		var template struct {
			Resources map[string]struct {
				Type       string         `yaml:"Type"`
				Properties map[string]any `yaml:"Properties"`
			} `yaml:"Resources"`
		}
		if err := yaml.Unmarshal([]byte(text), &template); err != nil { // JSON is YAML
			t.Fatal(err)
		}
		resource := template.Resources["Chain"]
		got := maps.Clone(resource.Properties)
		token, timeout := got["ServiceToken"], got["ServiceTimeout"]
		delete(got, "ServiceToken")
		delete(got, "ServiceTimeout")
		want := result.Chains[0].Properties()
		if !reflect.DeepEqual(got, want) || resource.Type != chain.ResourceType || timeout != chain.ServiceTimeout {
			t.Errorf("%s has %v, want %v", name, resource, want)
		}
		if name == "json" && !reflect.DeepEqual(token, map[string]any{"Fn::ImportValue": importer.ProviderExport}) {
			t.Errorf("the token is %v", token)
		}
		if name == "yaml" && !strings.Contains(text, "ServiceToken: !ImportValue SecurityGroupChainProvider # of a provider with AllowAdoption\n") {
			t.Errorf("the token is not imported:\n%s", text)
		}
	}
}

// TestYAMLQuotesTextsOfYAML11 checks texts that are no texts in YAML 1.1, which CloudFormation
// reads.
func TestYAMLQuotesTextsOfYAML11(t *testing.T) {
	t.Parallel()
	text, err := imported(t, shop(), ofVPC()).YAML()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`GroupName: "2048: app #1"`, `Description: "on"`, `Sources: ["222233334444/sg-0fffffffffffffff1"]`, `Ports: ["9000-9010"]`, `Description: "office, on call"`, "Type: Custom::SecurityGroupChain\n", "VpcId: " + vpcID + "\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %s:\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if len(strings.TrimRight(line, "\n")) > 100 {
			t.Errorf("a line of %d columns: %s", len(line), line)
		}
	}
}

// TestGoCompiles runs go vet on the written file, to check its types.
func TestGoCompiles(t *testing.T) {
	t.Parallel()
	result := imported(t, shop(), ofVPC())
	result.Chains[0].WarnOnly, result.Chains[0].IPv6, result.Chains[0].RuleQuota = true, true, 100
	result.Chains[0].Tiers[0].Egress = []string{"all", "chain"}
	result.Chains[0].Tiers[1].AllowPublic = true
	text, err := result.Go()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "imported.go")
	if err := os.WriteFile(path, []byte(text+"\nfunc main() { addImported(nil) }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	vet := exec.CommandContext(t.Context(), "go", "vet", path)
	if output, err := vet.CombinedOutput(); err != nil {
		t.Errorf("go vet: %v\n%s\n%s", err, output, text)
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	result := imported(t, shop(), ofVPC())
	if got, want := result.Proof(), "The chain describes 3 groups and 18 rules exactly."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	notes := strings.Join(result.Notes(), "\n")
	for _, want := range []string{
		"Not a tier: sg-0dddddddddddddddd (default): it is the default group of its VPC", "Not a tier: " + ownedID + " (stacked): it belongs to the CloudFormation stack Net (resource Web)",
		"rules have no description. The first update after the adoption sets the chain's.",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes lack %q:\n%s", want, notes)
		}
	}
	retained := ofVPC()
	retained.Retained, retained.Exclude = true, []string{dbID}
	result = imported(t, shop(), retained)
	var names []string
	for _, tier := range result.Chains[0].Tiers {
		names = append(names, tier.GroupName)
	}
	if slices.Sort(names); !slices.Equal(names, []string{"2048: app #1", "shop-alb-sg", "stacked"}) {
		t.Errorf("with what stacks let go of and without one: %v", names)
	}
}

// TestImportRefusesInexactChains checks that a group that is named has to become a tier.
func TestImportRefusesInexactChains(t *testing.T) {
	t.Parallel()
	odd := shop()
	odd.groups[0].IpPermissions = append(odd.groups[0].IpPermissions, ranges(types.IpPermission{IpProtocol: aws.String("tcp")}, "", "10.0.0.0/8"))
	own := importer.Options{Selection: inventory.Selection{IDs: []string{albID, ownedID}}}
	onlyDefault := shop()
	onlyDefault.groups = onlyDefault.groups[3:]
	for want, test := range map[string]struct {
		api     fake
		options importer.Options
	}{
		ownedID + " (stacked): it belongs to the CloudFormation stack Net":                                           {shop(), own},
		albID + " (shop-alb-sg): ingress tcp all from 10.0.0.0/8: a chain cannot express these ports or this peer\n": {odd, ofVPC()},
		"no group can become a tier\n  sg-0dddddddddddddddd (default)":                                               {onlyDefault, ofVPC()},
	} {
		_, err := importer.Import(t.Context(), test.api, test.options)
		if inexact, is := errors.AsType[*importer.NotExactError](err); !is || !strings.Contains(inexact.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	own.Exclude = []string{ownedID}
	if result := imported(t, shop(), own); result.Groups != 1 {
		t.Errorf("what is excluded counts: %+v", result)
	}
}

// TestJSONIsOrdered checks that JSON has the keys in the order of the documentation.
func TestJSONIsOrdered(t *testing.T) {
	t.Parallel()
	text, err := imported(t, shop(), ofVPC()).JSON()
	if err != nil || !json.Valid([]byte(text)) || !strings.Contains(text, "made by hand & mended") {
		t.Fatal(err, text)
	}
	last := -1
	for _, key := range []string{`"Type"`, `"ServiceToken"`, `"VpcId"`, `"AdoptExisting"`, `"Tiers"`, `"Name"`, `"GroupName"`} {
		place := strings.Index(text, key)
		if place < last {
			t.Errorf("%s is out of order:\n%s", key, text)
		}
		last = place
	}
}
