package sgchain

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"sgchain/lambda/chain"
)

// DriftGuardProps says how a chain is looked at by a schedule: the function compares
// the groups and rules that EC2 has with those that the template says, while no
// operation of the stack is under way, and puts metrics (Drift and Failures, in the
// namespace SecurityGroupChain, with the dimensions Stack and Chain).
type DriftGuardProps struct {
	// Mode is what is done about a difference. Default: [DriftMode_CHECK].
	Mode DriftMode
	// Schedule is when the function looks. Default: once an hour.
	Schedule awsevents.Schedule
	// Alarm makes two alarms in CloudWatch: on a difference, and on a check that could not
	// be made. Each keeps its state until the next check. A Topic makes them as well.
	// Default: none.
	Alarm bool
	// Topic is told when an alarm goes off. Default: nobody is.
	Topic awssns.ITopic
}

// DriftMode is what a drift guard does about a difference.
type DriftMode string

// The modes.
const (
	// DriftMode_CHECK logs it and counts it.
	DriftMode_CHECK DriftMode = "check" //nolint:revive,staticcheck // the CDK's form of an enum
	// DriftMode_REPAIR puts the chain right as well. Its provider needs AllowRepair, which
	// the implicit one gets by itself: see there for what that means.
	DriftMode_REPAIR DriftMode = "repair" //nolint:revive,staticcheck // the same
)

// maxInput is how many characters a target's input may have (EventBridge API reference,
// Target: Input).
const maxInput = 8192

// check reads the mode beside the chain's own properties.
func (p *DriftGuardProps) check(facts *known) {
	if p != nil && p.Mode != "" && p.Mode != DriftMode_CHECK && p.Mode != DriftMode_REPAIR {
		facts.problem("DriftGuard.Mode", fmt.Sprintf("%q is not known; write check or repair, or leave it out for check; leave DriftGuard out for none", p.Mode))
	}
}

func (p *DriftGuardProps) repairs() bool { return p != nil && p.Mode == DriftMode_REPAIR }

// newDriftGuard makes the schedule of a chain. All of it is the chain's and not the
// provider's: it depends on the chain, which depends on the whole provider. So it begins
// after the chain and goes before it, and the chain's Delete finds its provider there.
func newDriftGuard(c *securityGroupChain, server IProvider, props *DriftGuardProps) {
	mode, schedule := props.Mode, props.Schedule
	if mode == "" {
		mode = DriftMode_CHECK
	}
	if schedule == nil {
		schedule = awsevents.Schedule_Rate(awscdk.Duration_Hours(jsii.Number(1)))
	}
	c.scheduled = c.payload(string(mode))
	if err := c.fitsSchedule(); err != nil {
		panic(fmt.Errorf("creating %s (%s): %w", chain.ResourceType, *c.Node().Path(), err))
	}
	rule := awsevents.NewCfnRule(c, jsii.String("DriftGuard"), &awsevents.CfnRuleProps{
		Description:        jsii.String("Compares a chain of security groups with its template (" + string(mode) + ")"),
		ScheduleExpression: schedule.ExpressionString(),
		State:              jsii.String("ENABLED"),
		Targets: []any{&awsevents.CfnRule_TargetProperty{
			Id: jsii.String("Provider"), Arn: server.ServiceToken(), Input: c.scheduled,
			// The input is the template's at this time: late, after an update, it would be
			// another one's. A minute is the least that EventBridge takes.
			RetryPolicy: &awsevents.CfnRule_RetryPolicyProperty{MaximumEventAgeInSeconds: jsii.Number(60), MaximumRetryAttempts: jsii.Number(1)},
		}},
	})
	rule.Node().AddDependency(c.resource)
	// Not by the function's own AddPermission: it would be a part of the provider, which the
	// chain waits for, and that of the rule.
	awslambda.NewCfnPermission(c, jsii.String("DriftGuardPermission"), &awslambda.CfnPermissionProps{
		Action: jsii.String("lambda:InvokeFunction"), FunctionName: server.ServiceToken(),
		Principal: jsii.String("events.amazonaws.com"), SourceArn: rule.AttrArn(),
	})
	if props.Alarm || props.Topic != nil {
		newAlarm(c, props.Topic, chain.MetricDrift, "A chain of security groups is not as its template says")
		newAlarm(c, props.Topic, chain.MetricFailures, "A chain of security groups could not be compared with its template")
	}
}

// newAlarm goes off on any value above zero. It says nothing about how often the function
// looks: between two checks there is no data, and it keeps its state.
func newAlarm(c *securityGroupChain, topic awssns.ITopic, metric, description string) {
	resource, _ := c.resource.Node().DefaultChild().(awscdk.CfnResource)
	props := &awscloudwatch.CfnAlarmProps{
		AlarmDescription: jsii.String(description),
		Namespace:        jsii.String(chain.MetricNamespace), MetricName: jsii.String(metric),
		Dimensions: []any{
			&awscloudwatch.CfnAlarm_DimensionProperty{Name: jsii.String(chain.DimensionStack), Value: awscdk.Aws_STACK_NAME()},
			&awscloudwatch.CfnAlarm_DimensionProperty{Name: jsii.String(chain.DimensionChain), Value: resource.LogicalId()},
		},
		Statistic: jsii.String("Maximum"), Period: jsii.Number(300), EvaluationPeriods: jsii.Number(1),
		ComparisonOperator: jsii.String("GreaterThanThreshold"), Threshold: jsii.Number(0),
		TreatMissingData: jsii.String("ignore"),
	}
	if topic != nil {
		props.AlarmActions = &[]any{topic.TopicArn()}
	}
	awscloudwatch.NewCfnAlarm(c, jsii.String(metric+"Alarm"), props)
}

// fitsSchedule refuses a chain whose properties do not fit into the input of its schedule's target, where it has one.
func (c *securityGroupChain) fitsSchedule() error {
	if c.scheduled == nil {
		return nil
	}
	if length := c.knownLength(c.scheduled); length > maxInput {
		return fmt.Errorf("DriftGuard: the chain's properties have %d characters as JSON, and the input of an EventBridge target takes %d; write fewer tiers or descriptions, or split the chain", length, maxInput)
	}
	return nil
}

// knownLength is how many characters of a text are known at synth.
func (c *securityGroupChain) knownLength(text *string) int {
	resolved := awscdk.Stack_Of(c).Resolve(text)
	if whole, isText := resolved.(string); isText {
		return len([]rune(whole))
	}
	object, _ := resolved.(map[string]any)
	join, _ := object["Fn::Join"].([]any)
	if len(join) != 2 {
		return 0
	}
	parts, _ := join[1].([]any)
	length := 0
	for _, part := range parts {
		if known, isText := part.(string); isText {
			length += len([]rune(known))
		}
	}
	return length
}
