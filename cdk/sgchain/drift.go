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

// DriftGuardProps are the settings of a drift guard: on a schedule, the function compares the groups
// and rules in EC2 with the template. It skips a check during a stack operation. It writes the
// metrics Drift and Failures, in the namespace SecurityGroupChain with the dimensions Stack and
// Chain.
type DriftGuardProps struct {
	// Mode is what the function does about a difference. Default: [DriftMode_CHECK].
	Mode DriftMode
	// Schedule is when the function checks. Default: once an hour.
	Schedule awsevents.Schedule
	// Alarm adds two CloudWatch alarms: for a difference, and for a failed check. Each keeps its
	// state until the next check. A Topic adds them too. Default: false.
	Alarm bool
	// Topic gets a notification when an alarm goes off. Default: none.
	Topic awssns.ITopic
}

// DriftMode is what a drift guard does about a difference between EC2 and the template.
type DriftMode string

// The values of DriftMode.
const (
	// DriftMode_CHECK logs the difference and counts it in the metric Drift.
	DriftMode_CHECK DriftMode = "check" //nolint:revive,staticcheck // the CDK's form of an enum
	// DriftMode_REPAIR also repairs the chain. The provider needs AllowRepair, which the default
	// provider gets by itself. See [ProviderProps] for what AllowRepair means for security.
	DriftMode_REPAIR DriftMode = "repair" //nolint:revive,staticcheck // as above
)

// maxInput is the maximum length of a target's input, in characters (EventBridge API reference,
// Target: Input).
const maxInput = 8192

// check refuses an unknown mode.
func (p *DriftGuardProps) check(facts *known) {
	if p != nil && p.Mode != "" && p.Mode != DriftMode_CHECK && p.Mode != DriftMode_REPAIR {
		facts.problem("DriftGuard.Mode", fmt.Sprintf("unknown mode %q. Use sgchain.DriftMode_CHECK (the default) or sgchain.DriftMode_REPAIR.", p.Mode))
	}
}

func (p *DriftGuardProps) repairs() bool { return p != nil && p.Mode == DriftMode_REPAIR }

// newDriftGuard creates the schedule of a chain. Its resources belong to the chain and not to the
// provider. They depend on the chain, which depends on the whole provider. So they are created after
// the chain and deleted before it, and the provider still exists when the chain is deleted.
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
			// The input has the properties of the current template. After an update a late event
			// would have old ones. A minute is EventBridge's minimum.
			RetryPolicy: &awsevents.CfnRule_RetryPolicyProperty{MaximumEventAgeInSeconds: jsii.Number(60), MaximumRetryAttempts: jsii.Number(1)},
		}},
	})
	rule.Node().AddDependency(c.resource)
	// Not the function's own AddPermission: the permission would be part of the provider, which the
	// chain depends on. But it depends on the rule, which depends on the chain.
	awslambda.NewCfnPermission(c, jsii.String("DriftGuardPermission"), &awslambda.CfnPermissionProps{
		Action: jsii.String("lambda:InvokeFunction"), FunctionName: server.ServiceToken(),
		Principal: jsii.String("events.amazonaws.com"), SourceArn: rule.AttrArn(),
	})
	if props.Alarm || props.Topic != nil {
		newAlarm(c, props.Topic, chain.MetricDrift, "A chain of security groups differs from its template")
		newAlarm(c, props.Topic, chain.MetricFailures, "A chain of security groups could not be compared with its template")
	}
}

// newAlarm creates an alarm that goes off on a value above zero. It does not depend on the schedule:
// between two checks there is no data, and the alarm keeps its state.
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

// fitsSchedule returns an error if the chain has a schedule and its properties are too long for the input of the target.
func (c *securityGroupChain) fitsSchedule() error {
	if c.scheduled == nil {
		return nil
	}
	if length := c.knownLength(c.scheduled); length > maxInput {
		return fmt.Errorf("DriftGuard: the chain's properties have %d characters as JSON, but the input of an EventBridge target takes %d. Use fewer tiers or descriptions, or split the chain.", length, maxInput)
	}
	return nil
}

// knownLength returns the number of characters of a text that are known at synth.
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
