package main

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sgchain/cdk/internal/release"
)

// TestOrganizationParameters checks that each parameter changes its resource, and changes nothing
// by default.
func TestOrganizationParameters(t *testing.T) {
	t.Parallel()
	const (
		boundary = "arn:aws-cn:iam::123456789012:policy/Limits"
		key      = "arn:aws-cn:kms:cn-north-1:123456789012:key/0abc"
		none     = "<AWS::NoValue>"
	)
	type effects struct{ boundary, path, key, concurrency any }
	byDefault := effects{none, "/", none, none}
	for _, name := range []string{release.AllInOne, release.AllInOneSSM, release.Provider} {
		template, _ := read(t, name)
		for parameter, c := range map[string]struct {
			value string
			want  effects
		}{
			dashboardParameter: {"true", byDefault}, "none": {"", byDefault},
			boundaryParameter:    {boundary, effects{boundary, "/", none, none}},
			pathParameter:        {"/teams/", effects{none, "/teams/", none, none}},
			keyParameter:         {key, effects{none, "/", key, none}},
			concurrencyParameter: {"5", effects{none, "/", none, "5"}},
		} {
			l := launch{t, template, map[string]string{parameter: c.value}}
			property := func(id, property string) any {
				return l.value(dig[any](template, "Resources", id, "Properties", property))
			}
			got := effects{property(roleID, "PermissionsBoundary"), property(roleID, "Path"), property(logGroupID, "KmsKeyId"), property(functionID, "ReservedConcurrentExecutions")}
			if got != c.want {
				t.Errorf("%s, %s: got %v, want %v", name, parameter, got, c.want)
			}
			if there := l.holds(object{"Condition": dig[string](template, "Resources", dashboardID, "Condition")}); there != (parameter == dashboardParameter) {
				t.Errorf("%s, %s: a dashboard: %t", name, parameter, there)
			}
		}
	}
}

// TestLogGroupSurvivesStack checks that the log, which has the reason of a failed create, outlives
// the stack. Its generated name never conflicts with another log group.
func TestLogGroupSurvivesStack(t *testing.T) {
	t.Parallel()
	for _, name := range []string{release.AllInOne, release.AllInOneSSM, release.Provider} {
		template, _ := read(t, name)
		log := dig[object](template, "Resources", logGroupID)
		if log["DeletionPolicy"] != "Retain" || log["UpdateReplacePolicy"] != "Retain" || dig[any](log, "Properties", "LogGroupName") != nil || dig[float64](log, "Properties", "RetentionInDays") != 30 {
			t.Errorf("%s: the log group is %v", name, log)
		}
	}
}

// TestVpcFromParameterStore checks that the template for StackSets differs from the all-in-one only
// in the source of the VPC's ID.
func TestVpcFromParameterStore(t *testing.T) {
	t.Parallel()
	plain, _ := read(t, release.AllInOne)
	stored, _ := read(t, release.AllInOneSSM)
	parameter := dig[object](stored, "Parameters", vpcID)
	if parameter["Type"] != "AWS::SSM::Parameter::Value<AWS::EC2::VPC::Id>" || parameter["Default"] != nil {
		t.Errorf("VpcId is %v", parameter)
	}
	label := dig[object](stored, "Metadata", "AWS::CloudFormation::Interface", "ParameterLabels")
	dig[object](stored, "Parameters")[vpcID] = dig[object](plain, "Parameters")[vpcID]
	label[vpcID] = dig[any](plain, "Metadata", "AWS::CloudFormation::Interface", "ParameterLabels", vpcID)
	if !reflect.DeepEqual(plain, stored) {
		t.Error("the two differ in more than the parameter VpcId")
	}
}

// TestLaunchable checks that every template has a launch link and that a person can fill in each of
// its parameters.
func TestLaunchable(t *testing.T) {
	t.Parallel()
	var files []string
	for _, one := range release.Launchable() {
		files = append(files, one.File)
		if one.Caption == "" || !accepts("^[A-Za-z][A-Za-z0-9-]{0,127}$", one.Stack) {
			t.Errorf("got %+v", one)
		}
	}
	slices.Sort(files)
	if want := slices.Sorted(slices.Values(release.Templates())); !slices.Equal(files, want) {
		t.Errorf("got links for %v, want %v", files, want)
	}
}

// TestLongestInput checks that a drift guard's input has room for the longest values of a form
// (EventBridge API reference, Target: Input).
func TestLongestInput(t *testing.T) {
	t.Parallel()
	template, _ := read(t, release.AllInOne)
	padded := func(length int, text string) string { return strings.Repeat(" ", length-len(text)) + text }
	most := int(dig[float64](template, "Parameters", "Tags", "MaxLength"))
	// A parameter has at most 4,096 bytes. Ports and sources that fill one exceed the quota of a
	// group.
	l := launch{t, template, map[string]string{
		"VpcId": "vpc-0123456789abcdef0", "DriftGuard": "repair", "Tiers": padded(4096, `[{"Name": "Web"}]`), "Tags": padded(most, "{}"),
	}}
	input := dig[string](l.value(dig[any](dig[list](template, "Resources", ruleID, "Properties", "Targets")[0], "Input")))
	if len(input) < 4096+most || len(input) > 8192 || !json.Valid([]byte(input)) {
		t.Errorf("the input has %d characters, valid: %t", len(input), json.Valid([]byte(input)))
	}
}
