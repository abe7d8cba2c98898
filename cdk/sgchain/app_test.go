package sgchain

import (
	"encoding/json"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// app is the folder of a separate module that imports this one.
var app = filepath.Join("testdata", "app")

// The app of docs/cdk.md has a load balancer, a service and their chain in under 40 formatted lines.
func TestAppIsShortAndDocumented(t *testing.T) {
	source := read(t, app, "main.go")
	if lines := strings.Count(source, "\n"); lines >= 40 {
		t.Errorf("the app has %d lines, want under 40", lines)
	}
	for line := range strings.Lines(source) {
		if len(line) > 150 {
			t.Errorf("a line has more than 150 characters: %s", line)
		}
	}
	formatted, err := format.Source([]byte(source))
	if err != nil || string(formatted) != source {
		t.Errorf("the app is not formatted: %v", err)
	}
	if docs := read(t, "..", "..", "docs", "cdk.md"); !strings.Contains(docs, source) {
		t.Error("docs/cdk.md does not have the app of testdata/app/main.go")
	}
}

// The app requires the same versions as this module, and its go.sum has no other line. To fix that, run
// "go mod tidy" in the app's folder.
func TestAppRequiresVersionsOfThisModule(t *testing.T) {
	requirement := regexp.MustCompile(`(?m)^\t(?:require )?(\S+) (v\S+)`)
	ours := map[string]string{}
	for _, match := range requirement.FindAllStringSubmatch(read(t, "..", "..", "go.mod"), -1) {
		ours[match[1]] = match[2]
	}
	theirs := requirement.FindAllStringSubmatch(read(t, app, "go.mod"), -1)
	if len(theirs) < 3 {
		t.Fatalf("the app requires %v", theirs)
	}
	for _, match := range theirs {
		if match[1] != "sgchain" && ours[match[1]] != match[2] {
			t.Errorf("the app requires %s %s, but the module %q", match[1], match[2], ours[match[1]])
		}
	}
	sums := read(t, "..", "..", "go.sum")
	for line := range strings.Lines(read(t, app, "go.sum")) {
		if !strings.Contains(sums, line) {
			t.Errorf("the app's go.sum has a line that the module's lacks: %s", line)
		}
	}
}

// The app is synthesized as its users do, without network access. The function is compiled from this
// module's sources.
func TestAppSynthesizes(t *testing.T) {
	folder := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "run", ".")
	cmd.Dir = app
	cmd.Env = append(os.Environ(), "CDK_OUTDIR="+folder, "GOPROXY=off", "GOWORK=off")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("running the app: %v\n%s", err, output)
	}
	if err := checkZip(filepath.Join(folder, "sgchain-lambda-arm64.zip"), "arm64"); err != nil {
		t.Error(err)
	}
	if text := read(t, folder, "Shop.Chain.plan.txt"); !strings.Contains(text, "internet -tcp 80-> Alb -tcp 6060-> Fargate\n") {
		t.Errorf("the plan: got\n%s", text)
	}
	var template object
	if err := json.Unmarshal([]byte(read(t, folder, "Shop.template.json")), &template); err != nil {
		t.Fatal(err)
	}
	carried := map[string]any{}
	for _, value := range dig[object](template, "Resources") {
		switch kind := dig[string](value, "Type"); {
		case kind == "AWS::ElasticLoadBalancingV2::LoadBalancer":
			carried[kind] = dig[any](value, "Properties", "SecurityGroups")
		case kind == "AWS::ECS::Service":
			carried[kind] = dig[any](value, "Properties", "NetworkConfiguration", "AwsvpcConfiguration", "SecurityGroups")
		case strings.HasPrefix(kind, "AWS::EC2::SecurityGroup"):
			carried[kind] = value
		}
	}
	equal(t, "groups by what carries them", carried, object{
		"AWS::ElasticLoadBalancingV2::LoadBalancer": []any{object{"Fn::GetAtt": []string{"Chain", "AlbSecurityGroupId"}}},
		"AWS::ECS::Service":                         []any{object{"Fn::GetAtt": []string{"Chain", "FargateSecurityGroupId"}}},
	})
}
