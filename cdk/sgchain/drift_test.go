package sgchain

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"sgchain/lambda/chain"
)

// deployed resolves a value as CloudFormation would. Each intrinsic function becomes the ID of a group
// or VPC, always the same one.
func deployed(value any) any {
	switch value := value.(type) {
	case []any:
		list := make([]any, len(value))
		for i, entry := range value {
			list[i] = deployed(entry)
		}
		return list
	case object:
		if join, isJoin := value["Fn::Join"].([]any); isJoin {
			var all strings.Builder
			for _, part := range dig[[]any](join[1]) {
				all.WriteString(fmt.Sprint(deployed(part)))
			}
			return all.String()
		}
		for key, inner := range value {
			if name := fmt.Sprint(inner); key == "Ref" || strings.HasPrefix(key, "Fn::") {
				if strings.Contains(strings.ToLower(name), "vpc") {
					return "vpc-0def"
				}
				return "sg-0" + strings.ToLower(strings.Map(func(r rune) rune {
					if strings.ContainsRune("abcdef0123456789", r) {
						return r
					}
					return -1
				}, name))
			}
		}
		all := object{}
		for key, inner := range value {
			all[key] = deployed(inner)
		}
		return all
	default:
		return value
	}
}

// checkPayload checks that a payload has an action and the properties of a resource.
func checkPayload(t *testing.T, payload any, action string, resource object) {
	t.Helper()
	var decoded struct {
		Action             string `json:"action"`
		StackID            string `json:"StackId"`
		LogicalResourceID  string `json:"LogicalResourceId"`
		ResourceProperties object
	}
	input, _ := deployed(payload).(string)
	if err := json.Unmarshal([]byte(input), &decoded); err != nil {
		t.Fatalf("the payload %s: %v", input, err)
	}
	equal(t, "payload", []string{decoded.Action, decoded.StackID, decoded.LogicalResourceID}, []any{action, deployed(object{"Ref": "AWS::StackId"}), "Chain"})
	got, err := chain.Parse(decoded.ResourceProperties, chain.DefaultAnswerBytes)
	if err != nil {
		t.Fatal(err)
	}
	want, err := chain.Parse(dig[object](deployed(resource["Properties"])), chain.DefaultAnswerBytes)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the payload means %+v, the resource %+v", got, want)
	}
}

// full returns props with every property of a chain, some with tokens.
func full(stack awscdk.Stack) *SecurityGroupChainProps {
	vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), &awsec2.VpcProps{NatGateways: jsii.Number(0), RestrictDefaultSecurityGroup: jsii.Bool(false)})
	bastion := awsec2.NewSecurityGroup(stack, jsii.String("Bastion"), &awsec2.SecurityGroupProps{Vpc: vpc})
	return &SecurityGroupChainProps{
		Vpc: vpc, IPv6: true, RuleQuota: 120, Revision: "2", UnmanagedRules: UnmanagedRules_KEEP, AdoptExisting: true, ReleaseTiers: []string{"Cache"},
		Tags: map[string]*string{"Said": jsii.String(`"quoted" \ text`), "Bastion": bastion.SecurityGroupId()},
		Tiers: []Tier{
			{Name: "Alb", GroupName: "ALB-SG", Ports: Ports(80, 443), Sources: []Peer{Internet(), Group(bastion)}},
			{Name: "Db", Egress: EgressNone, Ports: []Port{Postgres()}},
		},
	}
}

// The payload names the chain's own stack, even if another stack has it as an output.
func TestPlanPayloadOfNestedStack(t *testing.T) {
	parent := newStack(t)
	child := awscdk.NewNestedStack(parent, jsii.String("Child"), nil)
	c := NewSecurityGroupChain(child, jsii.String("Chain"), anyVpc())
	awscdk.NewCfnOutput(parent, jsii.String("Plan"), &awscdk.CfnOutputProps{Value: c.PlanPayload()})
	awscdk.NewCfnOutput(parent, jsii.String("Function"), &awscdk.CfnOutputProps{Value: c.Provider().ServiceToken()})
	resources := synth(parent)
	nested, _ := only(t, resources, "AWS::CloudFormation::Stack")
	output := text(t, dig[any](*assertions.Template_FromStack(parent, nil).ToJSON(), "Outputs", "Plan", "Value"))
	if !strings.Contains(output, `"Ref":"`+nested+`"`) && !strings.Contains(output, `"Ref": "`+nested+`"`) || strings.Contains(output, "AWS::StackId") {
		t.Errorf("the payload is %s, want the ID of the nested stack %s in it", output, nested)
	}
}

func TestDriftGuardDefaults(t *testing.T) {
	stack := newStack(t)
	props := full(stack)
	props.DriftGuard = &DriftGuardProps{}
	c := NewSecurityGroupChain(stack, jsii.String("Chain"), props)
	awscdk.NewCfnOutput(stack, jsii.String("Plan"), &awscdk.CfnOutputProps{Value: c.PlanPayload()})
	resources := synth(stack)
	_, resource := only(t, resources, chain.ResourceType)
	functionID, function := only(t, resources, "AWS::Lambda::Function")
	token := object{"Fn::GetAtt": []string{functionID, "Arn"}}
	equal(t, "the new properties", []any{dig[any](resource, "Properties", "UnmanagedRules"), dig[any](resource, "Properties", "AdoptExisting"), dig[any](resource, "Properties", "ReleaseTiers")}, []any{"keep", "true", []any{"Cache"}})

	ruleID, rule := only(t, resources, "AWS::Events::Rule")
	target := dig[object](dig[[]any](rule, "Properties", "Targets")[0])
	checkPayload(t, target["Input"], "check", resource)
	checkPayload(t, dig[any](*assertions.Template_FromStack(stack, nil).ToJSON(), "Outputs", "Plan", "Value"), "plan", resource)
	delete(target, "Input")
	equal(t, "rule", rule, object{
		"Type": "AWS::Events::Rule", "DependsOn": []string{"Chain"}, "Properties": object{
			"Description": "Compares a chain of security groups with its template (check)", "ScheduleExpression": "rate(1 hour)", "State": "ENABLED",
			"Targets": []any{object{"Arn": token, "Id": "Provider", "RetryPolicy": object{"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 1}}},
		},
	})
	_, permission := only(t, resources, "AWS::Lambda::Permission")
	equal(t, "permission", permission["Properties"], object{
		"Action": "lambda:InvokeFunction", "FunctionName": token, "Principal": "events.amazonaws.com",
		"SourceArn": object{"Fn::GetAtt": []string{ruleID, "Arn"}},
	})
	if depends := text(t, resource["DependsOn"]); strings.Contains(depends, "DriftGuard") {
		t.Errorf("the chain depends on %s, which depends on it", depends)
	}
	if len(resources["AWS::CloudWatch::Alarm"]) > 0 {
		t.Error("the template has alarms without Alarm or Topic")
	}
	if repair := dig[any](function, "Properties", "Environment", "Variables", "SGCHAIN_REPAIR"); repair != nil {
		t.Errorf("the function may repair (%v), although the mode is check", repair)
	}
}

func TestDriftGuardProps(t *testing.T) {
	stack := newStack(t)
	props := anyVpc()
	props.DriftGuard = &DriftGuardProps{
		Mode: DriftMode_REPAIR, Schedule: awsevents.Schedule_Expression(jsii.String("cron(0 6 * * ? *)")),
		Topic: awssns.Topic_FromTopicArn(stack, jsii.String("Topic"), jsii.String("arn:aws:sns:eu-central-1:123456789012:ops")),
	}
	NewSecurityGroupChain(stack, jsii.String("Chain"), props)
	resources := synth(stack)
	_, resource := only(t, resources, chain.ResourceType)
	_, rule := only(t, resources, "AWS::Events::Rule")
	equal(t, "schedule", dig[any](rule, "Properties", "ScheduleExpression"), "cron(0 6 * * ? *)")
	checkPayload(t, dig[any](dig[[]any](rule, "Properties", "Targets")[0], "Input"), "repair", resource)
	var watched []string
	for _, alarm := range resources["AWS::CloudWatch::Alarm"] {
		properties := dig[object](alarm, "Properties")
		watched = append(watched, dig[string](properties, "MetricName"))
		delete(properties, "MetricName")
		delete(properties, "AlarmDescription")
		equal(t, "alarm", properties, object{
			"AlarmActions": []string{"arn:aws:sns:eu-central-1:123456789012:ops"}, "Namespace": "SecurityGroupChain",
			"Dimensions": []any{object{"Name": "Stack", "Value": object{"Ref": "AWS::StackName"}}, object{"Name": "Chain", "Value": "Chain"}},
			"Statistic":  "Maximum", "Period": 300, "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 0,
			"TreatMissingData": "ignore",
		})
	}
	slices.Sort(watched)
	equal(t, "alarms", watched, []string{"Drift", "Failures"})
}

func TestDriftGuardAlarmWithoutTopic(t *testing.T) {
	stack := newStack(t)
	props := anyVpc()
	props.DriftGuard = &DriftGuardProps{Alarm: true}
	NewSecurityGroupChain(stack, jsii.String("Chain"), props)
	alarms := synth(stack)["AWS::CloudWatch::Alarm"]
	if len(alarms) != 2 {
		t.Fatalf("got %d alarms, want 2", len(alarms))
	}
	for id, alarm := range alarms {
		if actions := dig[any](alarm, "Properties", "AlarmActions"); actions != nil {
			t.Errorf("%s has actions %v without a topic", id, actions)
		}
	}
}

// The default provider gets the rights that its chains need, even after an earlier chain created it.
func TestDefaultProviderGetsRightsOfItsChains(t *testing.T) {
	stack := newStack(t)
	NewSecurityGroupChain(stack, jsii.String("First"), anyVpc())
	for _, id := range []string{"Chain", "Third"} {
		props := anyVpc()
		props.VpcId = jsii.String("vpc-" + strings.ToLower(id))
		props.AdoptExisting, props.DriftGuard = true, &DriftGuardProps{Mode: DriftMode_REPAIR}
		props.MovedFrom = &MovedFrom{LogicalID: "Old" + id, Stack: "Shop", Provider: formerProviderID}
		NewSecurityGroupChain(stack, jsii.String(id), props)
	}
	resources := synth(stack)
	_, function := only(t, resources, "AWS::Lambda::Function")
	equal(t, "SGCHAIN_REPAIR", dig[any](function, "Properties", "Environment", "Variables", "SGCHAIN_REPAIR"), "allow")
	equal(t, "SGCHAIN_MOVES", dig[any](function, "Properties", "Environment", "Variables", "SGCHAIN_MOVES"), "allow")
	_, role := only(t, resources, "AWS::IAM::Role")
	var sids []string
	for _, statement := range dig[[]any](dig[[]any](role, "Properties", "Policies")[0], "PolicyDocument", "Statement") {
		if sid := dig[string](statement, "Sid"); regexp.MustCompile("Adopt.*Group|Move|Former|Other").MatchString(sid) {
			sids = append(sids, sid)
		}
	}
	equal(t, "rights", sids, []string{"AdoptGroup", "AdoptOwnGroup", "ReadOtherStacks", "MoveOwnGroup", "TakeFromFormer", "GiveBackToFormer"})
}

// A provider of the same app must have the rights that a chain needs. Those of an imported provider are
// not known.
func TestProviderWithoutRightsIsRefused(t *testing.T) {
	refused := map[string]*SecurityGroupChainProps{
		"may not adopt security groups, but AdoptExisting is set. Set AllowAdoption": {AdoptExisting: true},
		"may not repair chains, but DriftGuard.Mode is repair. Set AllowRepair":      {DriftGuard: &DriftGuardProps{Mode: DriftMode_REPAIR}},
		"may not move chains, but MovedFrom is set. Set AllowMoves":                  {MovedFrom: &MovedFrom{LogicalID: "Old"}},
	}
	stack := newStack(t)
	can := NewProvider(stack, jsii.String("Can"), &ProviderProps{AllowAdoption: true, AllowMoves: true, AllowRepair: true})
	cannot := NewProvider(stack, jsii.String("CanNot"), nil)
	imported := Provider_FromServiceToken(stack, jsii.String("Imported"), awscdk.Fn_ImportValue(jsii.String("Token")))
	for i, want := range slices.Sorted(maps.Keys(refused)) {
		props := refused[want]
		props.VpcId = jsii.String("vpc-0abc")
		for name, server := range map[string]IProvider{"Own": can, "Imported": imported} {
			props.Provider = server
			NewSecurityGroupChain(stack, jsii.String(fmt.Sprint(name, i)), props)
		}
		props.Provider = cannot
		err := panics(t, func() { NewSecurityGroupChain(stack, jsii.String(fmt.Sprint("Refused", i)), props) })
		if !strings.Contains(err.Error(), "provider Stack/CanNot "+want) {
			t.Errorf("error: got %q, want one with %q", err, want)
		}
	}
}

// The permission is in the chain's stack, like the schedule, and allows only that schedule.
func TestDriftGuardWithProviderOfAnotherStack(t *testing.T) {
	stack := newStack(t)
	var app awscdk.App
	jsii.UnsafeCast(stack.Node().Root(), &app)
	neighbor := awscdk.NewStack(app, jsii.String("Neighbor"), nil)
	props := full(stack) // the VPC also belongs to the provider's stack
	props.Provider = NewProvider(stack, jsii.String("Provider"), &ProviderProps{Shared: true, AllowAdoption: true})
	props.DriftGuard = &DriftGuardProps{}
	NewSecurityGroupChain(neighbor, jsii.String("Chain"), props)
	importer := awscdk.NewStack(app, jsii.String("Importer"), nil)
	props.Vpc, props.VpcId = nil, jsii.String("vpc-0def") // not the VPC of the other chain, because the tiers have group names
	props.Provider = Provider_FromServiceToken(importer, jsii.String("Provider"), awscdk.Fn_ImportValue(jsii.String("Token")))
	NewSecurityGroupChain(importer, jsii.String("Chain"), props)
	if resources := synth(stack); len(resources["AWS::Lambda::Permission"])+len(resources["AWS::Events::Rule"]) > 0 {
		t.Error("the provider's stack has the schedule of another stack's chain")
	}
	for _, other := range []awscdk.Stack{neighbor, importer} {
		resources := synth(other)
		_, resource := only(t, resources, chain.ResourceType)
		ruleID, rule := only(t, resources, "AWS::Events::Rule")
		_, permission := only(t, resources, "AWS::Lambda::Permission")
		target := dig[[]any](rule, "Properties", "Targets")[0]
		token := dig[any](resource, "Properties", "ServiceToken")
		equal(t, "target and permission", []any{
			dig[any](target, "Arn"), dig[any](permission, "Properties", "FunctionName"), dig[any](permission, "Properties", "SourceArn"),
		}, []any{token, token, object{"Fn::GetAtt": []string{ruleID, "Arn"}}})
		checkPayload(t, dig[any](target, "Input"), "check", resource)
	}
}

// A chain whose properties are too long for EventBridge is refused at synth.
func TestDriftGuardInputIsLimited(t *testing.T) {
	stack := newStack(t)
	tiers := func(count int) []Tier {
		var all []Tier
		for i := range count {
			all = append(all, Tier{Name: fmt.Sprintf("T%d", i), Description: strings.Repeat("x", 230), Ports: Ports(443)})
		}
		return all
	}
	props := anyVpc(tiers(29)...)
	props.VpcId = awscdk.Fn_ImportValue(jsii.String("Vpc"))
	props.DriftGuard = &DriftGuardProps{}
	NewSecurityGroupChain(stack, jsii.String("Chain"), props)
	_, rule := only(t, synth(stack), "AWS::Events::Rule")
	input, _ := deployed(dig[any](dig[[]any](rule, "Properties", "Targets")[0], "Input")).(string)
	if len(input) > maxInput || len(input) < maxInput-300 {
		t.Errorf("29 tiers have %d characters, want just below %d", len(input), maxInput)
	}
	props.Tiers = tiers(30)
	err := panics(t, func() { NewSecurityGroupChain(stack, jsii.String("Long"), props) })
	if want := "characters as JSON, but the input of an EventBridge target takes 8192"; !strings.Contains(err.Error(), want) {
		t.Errorf("error: got %q, want one with %q", err, want)
	}
}
