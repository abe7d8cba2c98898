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
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"sgchain/lambda/chain"
)

func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// object is decoded JSON.
type object = map[string]any

// newStack makes an app with one stack, in a folder where the zip is.
func newStack(t *testing.T) awscdk.Stack {
	t.Helper()
	t.Chdir(t.TempDir())
	writeZip(t, DefaultZip, "bootstrap", elf.EM_AARCH64)
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false), Outdir: jsii.String(filepath.Join(t.TempDir(), "cdk.out"))})
	return awscdk.NewStack(app, jsii.String("Stack"), nil)
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

// dig reads a value inside decoded JSON; nil or zero where it is not there.
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

func anyVpc(tiers ...*Tier) *SecurityGroupChainProps {
	props := &SecurityGroupChainProps{VpcId: jsii.String("vpc-0abc")}
	if len(tiers) > 0 {
		props.Tiers = &tiers
	}
	return props
}

func TestDefaultChain(t *testing.T) {
	stack := newStack(t)
	c := NewSecurityGroupChain(stack, jsii.String("Chain"), anyVpc())
	outputs := map[string]*string{
		"Alb": c.SecurityGroupId("Alb"), "Fargate": c.SecurityGroupId("Fargate"), "All": c.SecurityGroupIds(),
		"Vpc": c.VpcId(), "Line": c.Summary(), "Count": c.RuleCount(), "Remarks": c.Warnings(),
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
	// All of the provider, or the Delete event may find its role or its log gone.
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
		"Vpc": "VpcId", "Line": "Summary", "Count": "RuleCount", "Remarks": "Warnings",
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

func TestFullTier(t *testing.T) {
	stack := newStack(t)
	props := anyVpc(
		&Tier{Name: jsii.String("Alb"), GroupName: jsii.String("ALB-SG"), Description: jsii.String("The door"), Ports: jsii.Strings("80", "443"), Sources: jsii.Strings("internet-v4")},
		&Tier{Name: jsii.String("Db"), Egress: jsii.String("none"), Ingress: &[]*Ingress{
			{Ports: jsii.Strings("postgres"), Sources: jsii.Strings("Alb", "self"), Description: jsii.String("queries")},
		}},
		&Tier{
			Name: jsii.String("Job"), Tags: &map[string]*string{"Team": jsii.String("ai")},
			Egress:   jsii.String("chain"),
			EgressTo: &[]*Egress{{Ports: jsii.Strings("443"), Destinations: jsii.Strings("com.amazonaws.{region}.s3")}},
		},
	)
	props.IPv6, props.RuleQuota, props.Tags = jsii.Bool(true), jsii.Number(120), &map[string]*string{"App": jsii.String("shop")}
	props.VpcId = awscdk.Fn_ImportValue(jsii.String("Vpc")) // known at deploy time only
	props.Revision = jsii.String("2")
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
			object{"Name": "Alb", "GroupName": "ALB-SG", "Description": "The door", "Ports": []string{"80", "443"}, "Sources": []string{"internet-v4"}},
			object{"Name": "Db", "Egress": "none", "Ingress": []any{
				object{"Ports": []string{"postgres"}, "Sources": []string{"Alb", "self"}, "Description": "queries"},
			}},
			object{"Name": "Job", "Tags": object{"Team": "ai"}, "Egress": []any{
				"chain", object{"Ports": []string{"443"}, "Destinations": []string{"com.amazonaws.{region}.s3"}},
			}},
		},
	})
}

// TestPeersAndTagsKnownLater: groups of other constructs have no ID at synth.
func TestPeersAndTagsKnownLater(t *testing.T) {
	stack := newStack(t)
	other := awscdk.NewCfnParameter(stack, jsii.String("Other"), nil).ValueAsString()
	NewSecurityGroupChain(stack, jsii.String("Chain"), anyVpc(&Tier{
		Name: jsii.String("Web"), Tags: &map[string]*string{"Stack": stack.StackName(), "Of": other},
		Ingress: &[]*Ingress{
			{Ports: jsii.Strings("443"), Sources: &[]*string{other}, Description: jsii.String("one")},
			{Ports: jsii.Strings("443"), Sources: &[]*string{awscdk.Fn_ImportValue(jsii.String("Bastion"))}, Description: jsii.String("another")},
		},
		EgressTo: &[]*Egress{{Ports: jsii.Strings("443"), Destinations: &[]*string{other}}},
	}))
	_, resource := only(t, synth(stack), chain.ResourceType)
	web := dig[object](dig[[]any](resource, "Properties", "Tiers")[0])
	equal(t, "tags", web["Tags"], object{"Stack": "Stack", "Of": object{"Ref": "Other"}})
	equal(t, "sources", dig[any](dig[[]any](web, "Ingress")[1], "Sources"), []any{object{"Fn::ImportValue": "Bastion"}})
}

// TestResourcesDoNotGrow: a stack has room for a chain, however long it is.
func TestResourcesDoNotGrow(t *testing.T) {
	counts := map[int]int{}
	for _, length := range []int{1, 30} {
		stack := newStack(t)
		var tiers []*Tier
		for i := range length {
			tiers = append(tiers, &Tier{Name: jsii.String("T" + strings.Repeat("x", i)), Ports: jsii.Strings("443")})
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
	second := NewSecurityGroupChain(stack, jsii.String("Second"), anyVpc(&Tier{Name: jsii.String("Only")}))
	// A chain is a construct as any other.
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

func TestWarnings(t *testing.T) {
	stack := newStack(t)
	NewSecurityGroupChain(stack, jsii.String("Chain"), anyVpc(
		&Tier{Name: jsii.String("Alb"), Ports: jsii.Strings("443"), Egress: jsii.String("chain")},
	))
	found := assertions.Annotations_FromStack(stack).FindWarning(jsii.String("/Stack/Chain"),
		assertions.Match_StringLikeRegexp(jsii.String("tier Alb can call nobody")))
	if len(*found) != 1 {
		t.Errorf("warnings: got %d, want 1", len(*found))
	}
}

// panics returns what a construct refuses its input with.
func panics(t *testing.T, act func()) (err error) {
	t.Helper()
	defer func() {
		t.Helper()
		var isError bool
		if err, isError = recover().(error); !isError {
			t.Fatal("no error was raised")
		}
	}()
	act()
	return nil
}

func TestRefusals(t *testing.T) {
	stack := newStack(t)
	alb := func(change func(*Tier)) *SecurityGroupChainProps {
		tier := &Tier{Name: jsii.String("Alb"), Ports: jsii.Strings("443")}
		change(tier)
		return anyVpc(tier)
	}
	token := awscdk.Fn_ImportValue(jsii.String("Something"))
	tests := map[string]struct {
		props *SecurityGroupChainProps
		want  []string
	}{
		"nothing":     {nil, []string{"VpcId: is missing"}},
		"another VPC": {&SecurityGroupChainProps{VpcId: jsii.String("default")}, []string{`VpcId: "default" is not a VPC ID`}},
		"no tiers":    {&SecurityGroupChainProps{VpcId: jsii.String("vpc-0abc"), Tiers: &[]*Tier{}}, []string{"Tiers: is an empty list"}},
		"nil tier":    {anyVpc(nil), []string{"Tiers[0]: "}},
		"nil door":    {alb(func(tier *Tier) { tier.Ports, tier.Ingress = nil, &[]*Ingress{nil} }), []string{"Tiers[0].Ingress[0]: "}},
		"all at once": {alb(func(tier *Tier) {
			tier.Ports, tier.Sources, tier.Egress = jsii.Strings("70000"), jsii.Strings("Albb"), jsii.String("some")
		}), []string{"Tiers[0].Ports[0]: ", "Tiers[0].Sources[0]: ", "Tiers[0].Egress: "}},
		"tokens": {alb(func(tier *Tier) { tier.GroupName, tier.Ports = token, &[]*string{token} }), []string{
			"Tiers[0].GroupName: is known only when the stack is deployed", "Tiers[0].Ports[0]: is known only when the stack is deployed",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			id := strings.ReplaceAll(name, " ", "")
			err := panics(t, func() { NewSecurityGroupChain(stack, jsii.String(id), test.props) })
			for _, want := range append(test.want, "Custom::SecurityGroupChain (Stack/"+id+")") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error: got %q, want one that says %q", err, want)
				}
			}
			if problems, ok := errors.AsType[chain.Problems](err); !ok || len(problems) != len(test.want) {
				t.Errorf("problems: got %v, want %d", problems, len(test.want))
			}
		})
	}
}

func TestUnknownTier(t *testing.T) {
	c := NewSecurityGroupChain(newStack(t), jsii.String("Chain"), anyVpc())
	err := panics(t, func() { c.SecurityGroupId("Albb") })
	if want := `the chain Stack/Chain has no tier "Albb"; it has Alb, Fargate`; !strings.Contains(err.Error(), want) {
		t.Errorf("error: got %q, want one that says %q", err, want)
	}
}

func TestProviderOfAnotherStack(t *testing.T) {
	stack := newStack(t)
	var app awscdk.App
	jsii.UnsafeCast(stack.Node().Root(), &app)
	other := awscdk.NewStack(app, jsii.String("Other"), nil)
	props := anyVpc()
	props.Provider = NewProvider(other, jsii.String("Provider"), nil)
	err := panics(t, func() { NewSecurityGroupChain(stack, jsii.String("Chain"), props) })
	if want := "its provider is of another stack (Other/Provider)"; !strings.Contains(err.Error(), want) {
		t.Errorf("error: got %q, want one that says %q", err, want)
	}
}

// TestSharedProvider: a stack of the same app, and one that names the provider by
// its token.
func TestSharedProvider(t *testing.T) {
	stack := newStack(t)
	var app awscdk.App
	jsii.UnsafeCast(stack.Node().Root(), &app)
	server := NewProvider(stack, jsii.String("Provider"), &ProviderProps{Shared: jsii.Bool(true)})
	neighbor := awscdk.NewStack(app, jsii.String("Neighbor"), nil)
	props := anyVpc()
	props.Provider = server
	NewSecurityGroupChain(neighbor, jsii.String("Chain"), props)
	stranger := awscdk.NewStack(app, jsii.String("Stranger"), nil)
	props.Provider = Provider_FromServiceToken(stranger, jsii.String("Provider"), awscdk.Fn_ImportValue(jsii.String("Token")))
	NewSecurityGroupChain(stranger, jsii.String("Chain"), props)

	functionID, _ := only(t, synth(stack), "AWS::Lambda::Function")
	resources := synth(neighbor)
	_, resource := only(t, resources, chain.ResourceType)
	if token := text(t, dig[any](resource, "Properties", "ServiceToken")); countOf(resources) != 1 || !strings.Contains(token, "ExportsOutputFnGetAtt"+functionID+"Arn") {
		t.Errorf("the neighbor: got %d resources and the token %s, want the chain alone and the export of %s", countOf(resources), token, functionID)
	}
	if depends := *neighbor.Dependencies(); len(depends) != 1 || *depends[0].StackName() != "Stack" {
		t.Errorf("the neighbor depends on %d stacks, want the provider's", len(depends))
	}
	_, resource = only(t, synth(stranger), chain.ResourceType)
	equal(t, "the stranger's token", dig[any](resource, "Properties", "ServiceToken"), object{"Fn::ImportValue": "Token"})
	err := panics(t, func() {
		Provider_FromServiceToken(awscdk.NewStack(nil, jsii.String("Stranger"), nil), jsii.String("Empty"), jsii.String(""))
	})
	if want := "Stranger/Empty): serviceToken is missing"; !strings.Contains(err.Error(), want) {
		t.Errorf("error: got %q, want one that says %q", err, want)
	}
}

func TestForeignSingleton(t *testing.T) {
	stack := newStack(t)
	constructs.NewConstruct(stack, jsii.String(singletonID))
	err := panics(t, func() { NewSecurityGroupChain(stack, jsii.String("Chain"), anyVpc()) })
	if want := "(Stack/" + singletonID + "): there is another construct of that ID"; !strings.Contains(err.Error(), want) {
		t.Errorf("error: got %q, want one that says %q", err, want)
	}
}
