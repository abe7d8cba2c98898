package main

import (
	"debug/elf"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"sgchain/cdk/bootstrap"
	"sgchain/cdk/sgchain"
)

func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

func read(context map[string]any) (settings, error) {
	return readSettings(func(key string) any { return context[key] })
}

func TestReadSettings(t *testing.T) {
	s, err := read(map[string]any{"vpcId": "vpc-0abc"})
	if err != nil || s.vpcID != "vpc-0abc" || s.architecture != "arm64" || s.tiers != nil || s.stackName != "SecurityGroupChain" {
		t.Errorf("VPC ID alone: got %+v, error %v", s, err)
	}
	for name, tiers := range map[string]any{
		"text":      `[{"Name": "Alb", "Ports": [443]}]`,
		"from file": []any{map[string]any{"Name": "Alb", "Ports": []any{443.0}}},
	} {
		s, err = read(map[string]any{"vpcId": "new", "arch": "amd64", "tiers": tiers})
		if err != nil {
			t.Errorf("tiers as %s: %v", name, err)
			continue
		}
		if s.vpcID != newVPC || s.architecture != "amd64" || len(s.tiers) != 1 || s.tiers[0].Ports[0] != sgchain.Tcp(443) {
			t.Errorf("tiers as %s: got %+v", name, s)
		}
	}
}

func TestReadSettingsRefusesInvalidContext(t *testing.T) {
	tests := map[string]struct {
		context map[string]any
		want    string
	}{
		"stack name":             {map[string]any{"vpcId": "new", "stackName": "my stack"}, `reading -c stackName: "my stack" is not a stack name. Use at most 128`},
		"no VPC":                 {nil, "reading -c vpcId: the VPC is missing. Use -c vpcId=vpc-0123456789abcdef0"},
		"empty VPC":              {map[string]any{"vpcId": ""}, `reading -c vpcId: "" is not a VPC ID`},
		"VPC name":               {map[string]any{"vpcId": "production"}, `reading -c vpcId: "production" is not a VPC ID. Use -c vpcId=vpc-0123456789abcdef0, or -c vpcId=new`},
		"number":                 {map[string]any{"vpcId": 5.0}, `reading -c vpcId: "5" is not a VPC ID`},
		"architecture":           {map[string]any{"vpcId": "new", "arch": "x86_64"}, `-c arch: architecture "x86_64" is not known: write arm64 or amd64`},
		"no list":                {map[string]any{"vpcId": "new", "tiers": "Alb"}, "-c tiers: "},
		"first of several lines": {map[string]any{"vpcId": "new", "tiers": "["}, "Write the list on one line"},
		"bad port":               {map[string]any{"vpcId": "new", "tiers": `[{"Name": "Alb", "Ports": [70000]}]`}, "Tiers[0].Ports[0]: port 70000 is out of range"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := read(test.context)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error: got %v, want one line with %q", err, test.want)
			}
		})
	}
}

// A refusal is one line, and guardrails=warn lifts it. Any other panic stays one.
func TestRefusalReturnsErrorsOfConstructs(t *testing.T) {
	context := map[string]any{"vpcId": "vpc-0abc", "tiers": `[{"Name": "Web", "Ports": [22]}]`}
	refused, err := read(context)
	if err != nil {
		t.Fatal(err)
	}
	err = refusal(func() { synth(t, refused) })
	if want := "Tiers[0]: public-admin-port: tier Web allows tcp 22 from 0.0.0.0/0"; err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one line with %q", err, want)
	}
	context["guardrails"] = "warn"
	warned, err := read(context)
	if err != nil {
		t.Fatal(err)
	}
	template, _ := synth(t, warned)
	chain, _ := template["Resources"].(map[string]any)["Chain"].(map[string]any)
	if properties, _ := chain["Properties"].(map[string]any); properties["Guardrails"] != "warn" {
		t.Errorf("the chain's properties: got %v", properties)
	}
	defer func() {
		if recover() == nil {
			t.Error("a bug was taken for a refusal")
		}
	}()
	_ = refusal(func() { panic("a bug") })
}

// synth synthesizes the app in a temporary folder, with a minimal zip that the provider accepts.
func synth(t *testing.T, s settings) (template map[string]any, manifest string) {
	t.Helper()
	app := newApp(filepath.Join(t.TempDir(), "cdk.out"))
	stack := newStack(app, s, sgchain.CodeFromZip(writeZip(t, s.architecture)))
	assembly := app.Synth(nil)
	content, err := os.ReadFile(filepath.Join(*assembly.Directory(), "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	return *assertions.Template_FromStack(stack, nil).ToJSON(), string(content)
}

func writeZip(t *testing.T, architecture string) string {
	t.Helper()
	header := make([]byte, 64)
	copy(header, elf.ELFMAG)
	header[18] = map[string]byte{"arm64": byte(elf.EM_AARCH64), "amd64": byte(elf.EM_X86_64)}[architecture]
	path := filepath.Join(t.TempDir(), "lambda.zip")
	packed, err := bootstrap.Pack(header)
	if err == nil {
		err = os.WriteFile(path, packed, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func typesOf(template map[string]any) map[string]int {
	types := map[string]int{}
	resources, _ := template["Resources"].(map[string]any)
	for _, value := range resources {
		resource, _ := value.(map[string]any)
		kind, _ := resource["Type"].(string)
		types[kind]++
	}
	return types
}

func outputsOf(template map[string]any) []string {
	outputs, _ := template["Outputs"].(map[string]any)
	return slices.Sorted(maps.Keys(outputs))
}

// provider is the resources of every stack of the app without those of its VPC.
var provider = map[string]int{
	"AWS::IAM::Role": 1, "AWS::Lambda::Function": 1, "AWS::Lambda::EventInvokeConfig": 1,
	"AWS::Logs::LogGroup": 1, "Custom::SecurityGroupChain": 1,
}

func TestStackInExistingVPC(t *testing.T) {
	template, manifest := synth(t, settings{stackName: "Shop", vpcID: "vpc-0abc", architecture: "arm64"})
	if types := typesOf(template); !maps.Equal(types, provider) {
		t.Errorf("resources: got %v, want %v", types, provider)
	}
	if got, want := outputsOf(template), []string{"AlbSecurityGroupId", "FargateSecurityGroupId", "PlanPayload", "ProviderFunction", "SecurityGroupIds", "Summary"}; !slices.Equal(got, want) {
		t.Errorf("outputs: got %v, want %v", got, want)
	}
	chain, _ := template["Resources"].(map[string]any)["Chain"].(map[string]any)
	if properties, _ := chain["Properties"].(map[string]any); properties["VpcId"] != "vpc-0abc" {
		t.Errorf("the chain's properties: got %v", properties)
	}
	outputs, _ := template["Outputs"].(map[string]any)
	for name, want := range map[string]string{"PlanPayload": `\"action\":\"plan\"`, "ProviderFunction": `{"Ref":"Provider`} {
		output, _ := outputs[name].(map[string]any)
		if got, err := json.Marshal(output["Value"]); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("output %s: got %s, error %v, want %s in it", name, got, err, want)
		}
	}
	if strings.Contains(manifest, `"missing"`) {
		t.Error("synth looks something up, which needs credentials")
	}
}

func TestStackWithNewVPC(t *testing.T) {
	tiers, err := sgchain.TiersFromJSON(`[{"Name": "Web", "Ports": [443]}, {"Name": "App", "Ports": [8080]}, {"Name": "Db", "Ports": [5432]}]`)
	if err != nil {
		t.Fatal(err)
	}
	template, manifest := synth(t, settings{stackName: "Shop", vpcID: newVPC, architecture: "amd64", tiers: tiers})
	want := maps.Clone(provider)
	maps.Copy(want, map[string]int{
		"AWS::EC2::VPC": 1, "AWS::EC2::Subnet": 2, "AWS::EC2::RouteTable": 2, "AWS::EC2::SubnetRouteTableAssociation": 2,
	})
	if types := typesOf(template); !maps.Equal(types, want) {
		t.Errorf("resources: got %v, want %v", types, want)
	}
	if got, want := outputsOf(template), []string{"AppSecurityGroupId", "DbSecurityGroupId", "PlanPayload", "ProviderFunction", "SecurityGroupIds", "Summary", "WebSecurityGroupId"}; !slices.Equal(got, want) {
		t.Errorf("outputs: got %v, want %v", got, want)
	}
	if strings.Contains(manifest, `"missing"`) {
		t.Error("synth looks something up, which needs credentials")
	}
}
