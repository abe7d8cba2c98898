package sgchain

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

func read(t *testing.T, path ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// tiersWithTokens returns tiers with each kind of token.
func tiersWithTokens(stack awscdk.Stack) []Tier {
	other := awsec2.NewSecurityGroup(stack, jsii.String("Other"), &awsec2.SecurityGroupProps{
		Vpc: awsec2.NewVpc(stack, jsii.String("OtherVpc"), nil),
	})
	parameter := awscdk.NewCfnParameter(stack, jsii.String("List"), nil).ValueAsString()
	lateID := awscdk.Lazy_String(&lazy{}, nil)
	return []Tier{
		{Name: "Alb", GroupName: "ALB-SG", Ports: Ports(443), Tags: map[string]*string{"Team": parameter, "Stage": jsii.String("test")}},
		{Name: "App", Egress: EgressChain, Ingress: []Ingress{
			{Ports: Ports(6060), Sources: []Peer{TierNamed("Alb"), Group(other)}},
			{Ports: Ports(22), Sources: []Peer{GroupId(awscdk.Fn_ImportValue(jsii.String("Bastion"))), GroupId(lateID)}, Description: "administration"},
		}, EgressTo: []Egress{{Ports: Ports(443), Destinations: []Peer{PrefixList(parameter)}}}},
	}
}

// lazy is a value that is known only at the end of a synth.
type lazy struct{}

func (*lazy) Produce() *string { return jsii.String("sg-0late") }

const planWithTokens = `Chain Stack/Chain in VPC ${VpcId}
internet -tcp 443-> Alb -tcp 6060-> App [${Other.GroupId} -tcp 6060-> App, {"Fn::ImportValue":"Bastion"} -tcp 22-> App, sg-0late -tcp 22-> App]

internet
   |  tcp 443
   v
[Alb] ALB-SG
   --> anywhere
   |  tcp 6060
   v
[App]
   <-- {"Fn::ImportValue":"Bastion"}: tcp 22
   <-- sg-0late: tcp 22
   <-- ${Other.GroupId}: tcp 6060
   --> ${List}: tcp 443

Alb(ALB-SG) "Security group of tier Alb" Stage="test" Team="${List}"
  ingress tcp 443 from 0.0.0.0/0 "internet to Alb: tcp 443"
  egress all traffic to 0.0.0.0/0
App~LABEL "Security group of tier App"
  ingress tcp 22 from {"Fn::ImportValue":"Bastion"} "administration"
  ingress tcp 22 from sg-0late "administration"
  ingress tcp 6060 from ${Other.GroupId} "${Other.GroupId} to App: tcp 6060"
  ingress tcp 6060 from Alb(ALB-SG) "Alb to App: tcp 6060"
  egress tcp 443 to ${List} "App to ${List}: tcp 443"
` + planLegend

// The plan file refers to tokens as the template does, and is the same in each synth, whatever number
// the CDK gives a token.
func TestPlanFileWithTokens(t *testing.T) {
	for range 2 {
		stack := newStack(t)
		vpc := awscdk.NewCfnParameter(stack, jsii.String("VpcId"), nil).ValueAsString()
		props := &SecurityGroupChainProps{VpcId: vpc, Tiers: tiersWithTokens(stack)}
		c := NewSecurityGroupChain(stack, jsii.String("Chain"), props)
		var other awsec2.CfnSecurityGroup
		jsii.UnsafeCast(stack.Node().FindChild(jsii.String("Other")).Node().DefaultChild(), &other)
		other.OverrideLogicalId(jsii.String("Other")) // after the chain was created
		synth(stack)
		label := labelOf(t, read(t, *awscdk.Stage_Of(c).Outdir(), "Stack.Chain.plan.txt"), "App~")
		want := strings.ReplaceAll(planWithTokens, "App~LABEL", label)
		if got := read(t, *awscdk.Stage_Of(c).Outdir(), "Stack.Chain.plan.txt"); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		checkPage(t, read(t, *awscdk.Stage_Of(c).Outdir(), "Stack.Chain.plan.html"))
	}
}

// checkPage checks that the page has the same tokens as the text, escaped, in the drawing and in the
// tables.
func checkPage(t *testing.T, page string) {
	t.Helper()
	for word, want := range map[string]int{
		"<h1><bdi>Chain Stack/Chain</bdi></h1>": 1, "<bdi>VPC ${VpcId}</bdi>": 1,
		"<bdi>${Other.GroupId} to App: tcp 6060</bdi>": 1, ">${List}</text>": 1, "<bdi>${List}</bdi>": 1, ">sg-0late</text>": 1,
		`>{&#34;Fn::ImportValue&#34;:&#34;Bastion&#34;}</text>`: 1, `<bdi>{&#34;Fn::ImportValue&#34;:&#34;Bastion&#34;}</bdi>`: 1,
	} {
		if got := strings.Count(page, word); got != want {
			t.Errorf("%q occurs %d times, want %d, in\n%s", word, got, want, page)
		}
	}
	if strings.Contains(page, "Token[") || strings.Contains(page, "sg-token") {
		t.Errorf("a token has no name in\n%s", page)
	}
}

// mermaidWithTokens refers to tokens as the plan does. Characters with a meaning in Mermaid are escaped.
//
//nolint:dupword // names of nodes
const mermaidWithTokens = `flowchart TD
  n0["[Alb] ALB-SG"]
  n1["[App]"]
  n2(["internet"])
  n3{{"#36;#123;List#125;"}}
  n4{{"#36;#123;Other.GroupId#125;"}}
  n5{{"#123;#quot;Fn::ImportValue#quot;:#quot;Bastion#quot;#125;"}}
  n6{{"sg-0late"}}
  n7(["internet"])
  n2 -->|"tcp 443"| n0
  n0 -.->|"all traffic"| n7
  n5 -->|"tcp 22"| n1
  n6 -->|"tcp 22"| n1
  n4 -->|"tcp 6060"| n1
  n0 -->|"tcp 6060"| n1
  n1 -.->|"tcp 443"| n3
`

// The flowchart is known when the chain is created, and has no token in it.
func TestMermaidWithTokens(t *testing.T) {
	stack := newStack(t)
	c := NewSecurityGroupChain(stack, jsii.String("Chain"), &SecurityGroupChainProps{VpcId: jsii.String("vpc-1"), Tiers: tiersWithTokens(stack)})
	var other awsec2.CfnSecurityGroup
	jsii.UnsafeCast(stack.Node().FindChild(jsii.String("Other")).Node().DefaultChild(), &other)
	other.OverrideLogicalId(jsii.String("Other"))
	if got := c.Mermaid(); got != mermaidWithTokens {
		t.Errorf("got\n%swant\n%s", got, mermaidWithTokens)
	}
}

// labelOf returns the first word with a prefix.
func labelOf(t *testing.T, text, begin string) string {
	t.Helper()
	for word := range strings.FieldsSeq(text) {
		if strings.HasPrefix(word, begin) {
			return word
		}
	}
	t.Fatalf("no %s in\n%s", begin, text)
	return ""
}

// Each chain has its own plan files, beside its template.
func TestPlanFilesOfStagesAndNestedStacks(t *testing.T) {
	app := newApp(t, nil)
	add := func(scope constructs.Construct, id string) {
		NewSecurityGroupChain(scope, jsii.String(id), anyVpc(Tier{Name: "T" + id}))
	}
	stack := awscdk.NewStack(app, jsii.String("Stack"), nil)
	add(stack, "First")
	add(stack, "Second")
	add(awscdk.NewNestedStack(stack, jsii.String("Nested"), nil), "Third")
	outer := awscdk.NewStage(app, jsii.String("Outer"), nil)
	add(awscdk.NewStack(outer, jsii.String("Stack"), nil), "Fourth")
	inner := awscdk.NewStage(outer, jsii.String("Inner"), nil)
	add(awscdk.NewStack(inner, jsii.String("Stack"), nil), "Fifth")
	folder := *app.Synth(nil).Directory()
	app.Synth(&awscdk.StageSynthesisOptions{Force: jsii.Bool(true)})
	for path, tier := range map[string]string{
		"Stack.First.plan.txt": "TFirst", "Stack.Second.plan.txt": "TSecond", "Stack.Nested.Third.plan.txt": "TThird",
		"assembly-Outer/Outer.Stack.Fourth.plan.txt":                           "TFourth",
		"assembly-Outer/assembly-Outer-Inner/Outer.Inner.Stack.Fifth.plan.txt": "TFifth",
	} {
		text := read(t, folder, path)
		if !strings.Contains(text, "["+tier+"]") {
			t.Errorf("%s: lacks tier %s:\n%s", path, tier, text)
		}
		if page := read(t, folder, strings.TrimSuffix(path, ".txt")+".html"); !strings.Contains(page, "<bdi>"+tier+"</bdi>") {
			t.Errorf("%s: its page lacks tier %s", path, tier)
		}
		dir := filepath.Dir(filepath.Join(folder, path))
		if templates, err := filepath.Glob(filepath.Join(dir, "*.template.json")); err != nil || len(templates) == 0 {
			t.Errorf("%s: its folder has no template", path)
		}
	}
}

func TestPlanFileNames(t *testing.T) {
	const address = "c80123456789"
	for path, want := range map[string]string{
		"Shop/Chain": "Shop.Chain.plan", "Shop/a.b/c": "Shop.a.b.c-c8012345.plan", "Shop/a b:c": "Shop.a_b_c-c8012345.plan",
	} {
		if got := planFileName(path, address); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

// A synth must not succeed without its plan files.
func TestUnwritablePlanFileFailsSynth(t *testing.T) {
	for _, name := range []string{"Stack.Chain.plan.txt", "Stack.Chain.plan.html"} {
		t.Run(name, func(t *testing.T) {
			stack := newStack(t)
			c := NewSecurityGroupChain(stack, jsii.String("Chain"), anyVpc())
			folder := *awscdk.Stage_Of(c).Outdir()
			if err := os.Mkdir(filepath.Join(folder, name), 0o755); err != nil {
				t.Fatal(err)
			}
			defer func() {
				t.Helper()
				if output := fmt.Sprint(recover()); !strings.Contains(output, "[Stack/Chain] writing plan of chain") || !strings.Contains(output, name) {
					t.Errorf("synth: got %v, want an error about the plan", output)
				}
			}()
			synth(stack)
		})
	}
}
