package sgchain

import (
	"debug/elf"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"sgchain/cdk/bootstrap"
	"sgchain/lambda/chain"
)

func TestMain(m *testing.M) {
	// Only the app in testdata compiles the function. Every other provider here gets a minimal zip
	// that passes the checks.
	lambdas.build = func(architecture string) ([]byte, error) {
		header := make([]byte, 64)
		copy(header, elf.ELFMAG)
		header[18] = map[string]byte{"arm64": byte(elf.EM_AARCH64), "amd64": byte(elf.EM_X86_64)}[architecture]
		return bootstrap.Pack(header)
	}
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// object is decoded JSON.
type object = map[string]any

// newStack creates an app with one stack.
func newStack(t *testing.T) awscdk.Stack {
	t.Helper()
	return awscdk.NewStack(newApp(t, nil), jsii.String("Stack"), nil)
}

func newApp(t *testing.T, context map[string]any) awscdk.App {
	t.Helper()
	return awscdk.NewApp(&awscdk.AppProps{
		AnalyticsReporting: jsii.Bool(false), Outdir: jsii.String(filepath.Join(t.TempDir(), "cdk.out")), Context: &context,
	})
}

// synth returns the resources of a stack by type and logical ID.
func synth(stack awscdk.Stack) map[string]map[string]object {
	resources := map[string]map[string]object{}
	template := *assertions.Template_FromStack(stack, nil).ToJSON()
	for id, value := range dig[object](template, "Resources") {
		resource, kind := dig[object](value), dig[string](value, "Type")
		if resources[kind] == nil {
			resources[kind] = map[string]object{}
		}
		resources[kind][id] = resource
	}
	return resources
}

// only returns the one resource of a type.
func only(t *testing.T, resources map[string]map[string]object, kind string) (id string, resource object) {
	t.Helper()
	if len(resources[kind]) != 1 {
		t.Fatalf("%s: got %d, want 1", kind, len(resources[kind]))
	}
	for id, resource = range resources[kind] {
	}
	return id, resource
}

// dig reads a value inside decoded JSON. It returns the zero value if the value does not exist.
func dig[T any](value any, path ...string) T {
	for _, key := range path {
		inner, _ := value.(object)
		value = inner[key]
	}
	found, _ := value.(T)
	return found
}

func text(t *testing.T, value any) string {
	t.Helper()
	encoded, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if got, want := text(t, got), text(t, want); got != want {
		t.Errorf("%s: got\n%s\nwant\n%s", what, got, want)
	}
}

func anyVpc(tiers ...Tier) *SecurityGroupChainProps {
	return &SecurityGroupChainProps{VpcId: jsii.String("vpc-0abc"), Tiers: tiers}
}

func TestDefaultChain(t *testing.T) {
	stack := newStack(t)
	c := NewSecurityGroupChain(stack, jsii.String("Chain"), anyVpc())
	outputs := map[string]*string{
		"Alb": c.SecurityGroupId("Alb"), "Fargate": c.SecurityGroupId("Fargate"), "All": c.SecurityGroupIds(),
		"Vpc": c.VpcId(), "Summary": c.Summary(), "Count": c.RuleCount(), "Notes": c.Warnings(),
	}
	for id, value := range outputs {
		awscdk.NewCfnOutput(stack, jsii.String(id), &awscdk.CfnOutputProps{Value: value})
	}
	if got := c.TierNames(); !slices.Equal(got, []string{"Alb", "Fargate"}) {
		t.Errorf("tiers: got %v", got)
	}
	resources := synth(stack)
	id, resource := only(t, resources, chain.ResourceType)
	if id != "Chain" {
		t.Errorf("logical ID: got %s, want Chain", id)
	}
	functionID, _ := only(t, resources, "AWS::Lambda::Function")
	equal(t, "properties", resource["Properties"], object{
		"ServiceToken": object{"Fn::GetAtt": []string{functionID, "Arn"}}, "ServiceTimeout": "1020", "VpcId": "vpc-0abc",
	})
	// The whole provider, because its role and log group must still exist when the Delete event comes.
	var needed []string
	for _, kind := range []string{"AWS::IAM::Role", "AWS::Logs::LogGroup", "AWS::Lambda::Function", "AWS::Lambda::EventInvokeConfig"} {
		id, _ := only(t, resources, kind)
		needed = append(needed, id)
	}
	var depends []string
	for _, id := range dig[[]any](resource, "DependsOn") {
		depends = append(depends, dig[string](id))
	}
	slices.Sort(needed)
	slices.Sort(depends)
	equal(t, "depends on", depends, needed)

	template := *assertions.Template_FromStack(stack, nil).ToJSON()
	for output, attribute := range map[string]string{
		"Alb": "AlbSecurityGroupId", "Fargate": "FargateSecurityGroupId", "All": "SecurityGroupIds",
		"Vpc": "VpcId", "Summary": "Summary", "Count": "RuleCount", "Notes": "Warnings",
	} {
		equal(t, "output "+output, dig[any](template, "Outputs", output, "Value"), object{"Fn::GetAtt": []string{"Chain", attribute}})
	}
	working, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{working, os.TempDir()} {
		if strings.Contains(text(t, template), folder) {
			t.Errorf("the template names a folder of this machine (%s)", folder)
		}
	}
}

func TestPropertiesOfTiers(t *testing.T) {
	stack := newStack(t)
	props := anyVpc(
		Tier{Name: "Alb", GroupName: "ALB-SG", Description: "Front end", Ports: Ports(80, 443), Sources: []Peer{InternetV4()}},
		Tier{Name: "Db", Egress: EgressNone, Ingress: []Ingress{
			{Ports: []Port{Postgres()}, Sources: []Peer{TierNamed("Alb"), Self()}, Description: "queries"},
		}},
		Tier{
			Name: "Job", Tags: map[string]*string{"Team": jsii.String("ai")},
			Egress:   EgressChain,
			EgressTo: []Egress{{Ports: Ports(443), Destinations: []Peer{PrefixListNamed("com.amazonaws.{region}.s3")}}},
		},
	)
	props.IPv6, props.RuleQuota, props.Tags = true, 120, map[string]*string{"App": jsii.String("shop")}
	props.VpcId = awscdk.Fn_ImportValue(jsii.String("Vpc")) // a token
	props.Revision = "2"
	NewSecurityGroupChain(stack, jsii.String("Chain"), props)
	_, resource := only(t, synth(stack), chain.ResourceType)
	properties := dig[object](resource, "Properties")
	delete(properties, "ServiceToken")
	equal(t, "properties", properties, object{
		"ServiceTimeout": "1020",
		"VpcId":          object{"Fn::ImportValue": "Vpc"},
		"Revision":       "2",
		"IpFamilies":     []string{"ipv4", "ipv6"},
		"RuleQuota":      "120",
		"Tags":           object{"App": "shop"},
		"Tiers": []any{
			object{"Name": "Alb", "GroupName": "ALB-SG", "Description": "Front end", "Ports": []string{"80", "443"}, "Sources": []string{"internet-v4"}},
			object{"Name": "Db", "Egress": "none", "Ingress": []any{
				object{"Ports": []string{"postgres"}, "Sources": []string{"Alb", "self"}, "Description": "queries"},
			}},
			object{"Name": "Job", "Tags": object{"Team": "ai"}, "Egress": []any{
				"chain", object{"Ports": []string{"443"}, "Destinations": []string{"com.amazonaws.{region}.s3"}},
			}},
		},
	})
}

// A token can be a peer or the value of a tag, because groups of other constructs have no ID at synth.
func TestTokensInPeersAndTags(t *testing.T) {
	stack := newStack(t)
	other := awscdk.NewCfnParameter(stack, jsii.String("Other"), nil).ValueAsString()
	NewSecurityGroupChain(stack, jsii.String("Chain"), anyVpc(Tier{
		Name: "Web", Tags: map[string]*string{"Stack": stack.StackName(), "Of": other},
		Ingress: []Ingress{
			{Ports: Ports(443), Sources: []Peer{GroupId(other)}, Description: "one"},
			{Ports: Ports(443), Sources: []Peer{GroupId(awscdk.Fn_ImportValue(jsii.String("Bastion")))}, Description: "another"},
		},
		EgressTo: []Egress{{Ports: Ports(443), Destinations: []Peer{Cidr(*other)}}},
	}))
	_, resource := only(t, synth(stack), chain.ResourceType)
	web := dig[object](dig[[]any](resource, "Properties", "Tiers")[0])
	equal(t, "tags", web["Tags"], object{"Stack": "Stack", "Of": object{"Ref": "Other"}})
	equal(t, "sources", dig[any](dig[[]any](web, "Ingress")[1], "Sources"), []any{object{"Fn::ImportValue": "Bastion"}})
}

// A long chain must not exhaust the resource quota of a stack.
func TestResourceCountIsIndependentOfTiers(t *testing.T) {
	counts := map[int]int{}
	for _, length := range []int{1, 30} {
		stack := newStack(t)
		var tiers []Tier
		for i := range length {
			tiers = append(tiers, Tier{Name: "T" + strings.Repeat("x", i), Ports: Ports(443)})
		}
		NewSecurityGroupChain(stack, jsii.String("Chain"), anyVpc(tiers...))
		counts[length] = countOf(synth(stack))
	}
	if counts[1] != 5 || counts[30] != 5 {
		t.Errorf("resources by tiers: got %v, want 5 each", counts)
	}
}

func TestChainsOfAStackShareTheirProvider(t *testing.T) {
	stack := newStack(t)
	first := NewSecurityGroupChain(stack, jsii.String("First"), anyVpc())
	second := NewSecurityGroupChain(stack, jsii.String("Second"), anyVpc(Tier{Name: "Only"}))
	// A chain can depend on another one, as any construct can.
	second.Node().AddDependency(first)
	resources := synth(stack)
	functionID, _ := only(t, resources, "AWS::Lambda::Function")
	for _, id := range []string{"First", "Second"} {
		resource := resources[chain.ResourceType][id]
		equal(t, id+": service token", dig[any](resource, "Properties", "ServiceToken"), object{"Fn::GetAtt": []string{functionID, "Arn"}})
	}
	if depends := text(t, resources[chain.ResourceType]["Second"]["DependsOn"]); !strings.Contains(depends, `"First"`) {
		t.Errorf("the second chain depends on %s, want the first among it", depends)
	}
}

// Synth annotates the chain with its summary, the findings of guardrails and every rule that is open
// to the internet. Each annotation has an ID that can be acknowledged.
func TestAnnotations(t *testing.T) {
	stack := newStack(t)
	token := awscdk.Fn_ImportValue(jsii.String("Bastion"))
	props := anyVpc(
		Tier{Name: "Alb", Egress: EgressChain, Ingress: []Ingress{
			{Ports: []Port{Http(), Udp(53)}, Sources: []Peer{Internet()}},
			{Ports: Ports(22), Sources: []Peer{GroupId(token), Cidr("10.0.0.0/8")}},
		}},
		Tier{Name: "Api", Ports: Ports(8443), Sources: []Peer{Cidr("0.0.0.0/0")}, AllowPublic: true},
	)
	props.IPv6 = true
	c := NewSecurityGroupChain(stack, jsii.String("Chain"), props)
	awscdk.Annotations_Of(c).AcknowledgeWarning(jsii.String("sgchain:open:Alb:udp-53:::/0"), jsii.String("a resolver for the world"))
	found := assertions.Annotations_FromStack(stack)
	textsOf := func(entries any) []string {
		var messages []any
		if err := json.Unmarshal([]byte(text(t, entries)), &messages); err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, message := range messages {
			list = append(list, dig[string](message, "entry", "data"))
		}
		return list
	}
	anything := assertions.Match_AnyValue()
	equal(t, "warnings", textsOf(found.FindWarning(jsii.String("/Stack/Chain"), anything)), []string{
		"http-without-https: tier Alb allows tcp 80 from the internet but not tcp 443, so it cannot serve HTTPS [ack: sgchain:http-without-https:Alb]",
		"no-egress: tier Alb has no outbound rule: its Egress is chain, and no tier allows traffic from it [ack: sgchain:no-egress:Alb]",
		"public-tier: tier Api is open to the internet, as its AllowPublic permits: tcp 8443 from 0.0.0.0/0 [ack: sgchain:public-tier:Api:tcp-8443-from-0.0.0.0/0]",
		"tier Alb is open to the internet: tcp 80 from 0.0.0.0/0 [ack: sgchain:open:Alb:tcp-80:0.0.0.0/0]",
		"tier Alb is open to the internet: tcp 80 from ::/0 [ack: sgchain:open:Alb:tcp-80:::/0]",
		"tier Alb is open to the internet: udp 53 from 0.0.0.0/0 [ack: sgchain:open:Alb:udp-53:0.0.0.0/0]",
		"tier Api is open to the internet: tcp 8443 from 0.0.0.0/0 [ack: sgchain:open:Api:tcp-8443:0.0.0.0/0]",
	})
	equal(t, "summary", textsOf(found.FindInfo(jsii.String("/Stack/Chain"), anything)), []string{
		"internet -tcp 80, udp 53-> Alb | Api [(known at deployment) -tcp 22-> Alb, 10.0.0.0/8 -tcp 22-> Alb, internet -tcp 8443-> Api] [ack: sgchain:summary]",
	})
}

// panics returns the error that a call panics with.
func panics(t *testing.T, act func()) (err error) {
	t.Helper()
	defer func() {
		t.Helper()
		var isError bool
		if err, isError = recover().(error); !isError {
			t.Fatal("no panic with an error")
		}
	}()
	act()
	return nil
}

func TestInvalidChainIsRefused(t *testing.T) {
	stack := newStack(t)
	alb := func(change func(*Tier)) *SecurityGroupChainProps {
		tier := Tier{Name: "Alb", Ports: Ports(443)}
		change(&tier)
		return anyVpc(tier)
	}
	from := func(sources ...Peer) *SecurityGroupChainProps {
		return alb(func(tier *Tier) { tier.Sources = sources })
	}
	token := awscdk.Fn_ImportValue(jsii.String("Something"))
	vpc := awsec2.Vpc_FromVpcAttributes(stack, jsii.String("Vpc"), &awsec2.VpcAttributes{
		VpcId: jsii.String("vpc-0def"), AvailabilityZones: jsii.Strings("us-east-1a"),
	})
	tests := map[string]struct {
		props *SecurityGroupChainProps
		want  []string
	}{
		"nothing":     {nil, []string{"VpcId: is missing"}},
		"another VPC": {&SecurityGroupChainProps{VpcId: jsii.String("default")}, []string{`VpcId: "default" is not a VPC ID`}},
		"two VPCs":    {&SecurityGroupChainProps{VpcId: jsii.String("vpc-0abc"), Vpc: vpc}, []string{"VpcId: cannot be combined with Vpc"}},
		"no tiers":    {&SecurityGroupChainProps{Vpc: vpc, Tiers: []Tier{}}, []string{"Tiers: is an empty list"}},
		"empty tier":  {anyVpc(Tier{}), []string{"Tiers[0].Name: is missing"}},
		"empty rule": {alb(func(tier *Tier) { tier.Ports, tier.Ingress = nil, []Ingress{{}} }), []string{
			"Tiers[0].Ingress[0].Ports: is missing", "Tiers[0].Ingress[0].Sources: is missing",
		}},
		"all at once": {alb(func(tier *Tier) {
			tier.Ports, tier.Sources, tier.Egress = Ports(70000), []Peer{TierNamed("Albb")}, "some"
		}), []string{"Tiers[0].Ports[0]: port 70000 is out of range", `Tiers[0].Sources[0]: TierNamed: the chain has no tier "Albb". Use one of its tiers: Alb.`, "Tiers[0].Egress: "}},
		"ports": {alb(func(tier *Tier) {
			tier.Ports = []Port{Tcp(-1), TcpRange(90, 80), Udp(65536), IcmpType(256), Protocol(6), {}}
		}), []string{
			"Tiers[0].Ports[0]: ", "Tiers[0].Ports[1]: port range 90-80 runs backwards", "Tiers[0].Ports[2]: port 65536 is out of range",
			"Tiers[0].Ports[3]: ", "Tiers[0].Ports[4]: protocol 6 has a form of its own", "Tiers[0].Ports[5]: ",
		}},
		"outbound rule": {alb(func(tier *Tier) {
			tier.Egress, tier.EgressTo = EgressNone, []Egress{{Ports: Ports(443), Destinations: []Peer{Cidr("10.1.2.3")}}}
		}), []string{`Tiers[0].Egress[1].Destinations[0]: "10.1.2.3" is an address without a prefix length`, "Tiers[0].Egress: combines none with other entries"}},
		// A word in the constructor of another kind must not mean what it means in a template.
		"kinds": {from(TierNamed("internet"), Cidr("internet"), GroupId(jsii.String("internet")), PrefixList(jsii.String("vpc")), PrefixListNamed("Alb"), Peer{}, GroupNamed(""), ListNamed("")), []string{
			`Tiers[0].Sources[0]: TierNamed: the chain has no tier "internet"`, `Tiers[0].Sources[1]: Cidr: "internet" is not`,
			`Tiers[0].Sources[2]: GroupId: "internet" is not`, `Tiers[0].Sources[3]: PrefixList: "vpc" is not`,
			`Tiers[0].Sources[4]: PrefixListNamed: "Alb" is not`, "Tiers[0].Sources[5]: is an empty Peer",
			`Tiers[0].Sources[6]: "group/" lacks the name of a security group`, `Tiers[0].Sources[7]: "list/" lacks the name of a prefix list`,
		}},
		"nil IDs": {from(Group(nil), GroupId(nil), PrefixList(nil)), []string{
			`Tiers[0].Sources[0]: GroupId: "" is not`, `Tiers[0].Sources[1]: GroupId: "" is not`, `Tiers[0].Sources[2]: PrefixList: "" is not`,
		}},
		"released tier that still exists": {&SecurityGroupChainProps{VpcId: jsii.String("vpc-0abc"), ReleaseTiers: []string{"Fargate"}}, []string{`ReleaseTiers[0]: "Fargate" is in Tiers`}},
		"unknown words": {&SecurityGroupChainProps{
			VpcId: jsii.String("vpc-0abc"), UnmanagedRules: "drop", DriftGuard: &DriftGuardProps{Mode: "watch"},
		}, []string{`UnmanagedRules: unknown value "drop"`, `DriftGuard.Mode: unknown mode "watch". Use sgchain.DriftMode_CHECK`}},
		"tokens": {alb(func(tier *Tier) { tier.Name, tier.GroupName = *token, *token }), []string{
			"Tiers[0].GroupName: is known only at deployment", "Tiers[0].Name: is known only at deployment",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			id := strings.ReplaceAll(name, " ", "")
			err := panics(t, func() { NewSecurityGroupChain(stack, jsii.String(id), test.props) })
			for _, want := range append(test.want, "Custom::SecurityGroupChain (Stack/"+id+")") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error: got %q, want one with %q", err, want)
				}
			}
			if problems, ok := errors.AsType[chain.Problems](err); !ok || len(problems) != len(test.want) {
				t.Errorf("problems: got %v, want %d", problems, len(test.want))
			}
			if lines := strings.Count(err.Error(), "\n  "); len(test.want) > 1 && lines != len(test.want) {
				t.Errorf("problems: got %d lines, want %d", lines, len(test.want))
			}
		})
	}
}

func TestSecurityGroupOfUnknownTierPanics(t *testing.T) {
	c := NewSecurityGroupChain(newStack(t), jsii.String("Chain"), anyVpc())
	for what, act := range map[string]func(){
		"ID": func() { c.SecurityGroupId("Albb") }, "group": func() { c.SecurityGroup("Albb") },
	} {
		err := panics(t, act)
		if want := "reading security group of tier (Albb): chain Stack/Chain has no such tier. Use one of its tiers: Alb, Fargate"; !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %q, want an error with %q", what, err, want)
		}
	}
}

func TestUnsharedProviderOfAnotherStackIsRefused(t *testing.T) {
	stack := newStack(t)
	var app awscdk.App
	jsii.UnsafeCast(stack.Node().Root(), &app)
	other := awscdk.NewStack(app, jsii.String("Other"), nil)
	props := anyVpc()
	props.Provider = NewProvider(other, jsii.String("Provider"), nil)
	err := panics(t, func() { NewSecurityGroupChain(stack, jsii.String("Chain"), props) })
	if want := "provider Other/Provider belongs to another stack"; !strings.Contains(err.Error(), want) {
		t.Errorf("error: got %q, want one with %q", err, want)
	}
}

// A shared provider serves another stack of its app, and a stack that imports it by its token.
func TestSharedProvider(t *testing.T) {
	stack := newStack(t)
	var app awscdk.App
	jsii.UnsafeCast(stack.Node().Root(), &app)
	server := NewProvider(stack, jsii.String("Provider"), &ProviderProps{Shared: true})
	neighbor := awscdk.NewStack(app, jsii.String("Neighbor"), nil)
	props := anyVpc()
	props.Provider = server
	NewSecurityGroupChain(neighbor, jsii.String("Chain"), props)
	importer := awscdk.NewStack(app, jsii.String("Importer"), nil)
	props.VpcId = jsii.String("vpc-0def") // not the VPC of the other chain, because the default chain has fixed group names
	props.Provider = Provider_FromServiceToken(importer, jsii.String("Provider"), awscdk.Fn_ImportValue(jsii.String("Token")))
	NewSecurityGroupChain(importer, jsii.String("Chain"), props)

	functionID, _ := only(t, synth(stack), "AWS::Lambda::Function")
	resources := synth(neighbor)
	_, resource := only(t, resources, chain.ResourceType)
	if token := text(t, dig[any](resource, "Properties", "ServiceToken")); countOf(resources) != 1 || !strings.Contains(token, "ExportsOutputFnGetAtt"+functionID+"Arn") {
		t.Errorf("the neighbor: got %d resources and the token %s, want the chain alone and the export of %s", countOf(resources), token, functionID)
	}
	if depends := *neighbor.Dependencies(); len(depends) != 1 || *depends[0].StackName() != "Stack" {
		t.Errorf("the neighbor depends on %d stacks, want the provider's", len(depends))
	}
	_, resource = only(t, synth(importer), chain.ResourceType)
	equal(t, "the token of the importing stack", dig[any](resource, "Properties", "ServiceToken"), object{"Fn::ImportValue": "Token"})
	err := panics(t, func() {
		Provider_FromServiceToken(awscdk.NewStack(nil, jsii.String("Importer"), nil), jsii.String("Empty"), jsii.String(""))
	})
	if want := "Importer/Empty): serviceToken is missing"; !strings.Contains(err.Error(), want) {
		t.Errorf("error: got %q, want one with %q", err, want)
	}
}

func TestDefaultProviderIDOfAnotherConstruct(t *testing.T) {
	stack := newStack(t)
	constructs.NewConstruct(stack, jsii.String(singletonID))
	err := panics(t, func() { NewSecurityGroupChain(stack, jsii.String("Chain"), anyVpc()) })
	if want := "(Stack/" + singletonID + "): another construct has this ID"; !strings.Contains(err.Error(), want) {
		t.Errorf("error: got %q, want one with %q", err, want)
	}
}
