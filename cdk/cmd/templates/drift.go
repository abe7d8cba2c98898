package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"sgchain/lambda/chain"
)

const (
	// driftGuardMode names a parameter, ruleID and permissionID name resources.
	driftGuardMode = "DriftGuard"
	ruleID         = "DriftRule"
	permissionID   = "DriftPermission"
	// hasDriftGuard and notified are the conditions on the drift guard's parameters.
	hasDriftGuard = "Guarded"
	notified      = "Notified"
)

func driftGroup() group {
	return group{driftLabel, []parameter{
		{driftGuardMode, "Mode", object{
			"Type": "String", "Default": "off", "AllowedValues": list{"off", "check", "repair"},
			"Description": "check: a schedule compares groups and rules with the template, and an alarm reports drift. repair: it also repairs drift. A shared provider needs AllowRepair for that.",
		}},
		{"DriftSchedule", "How often", object{
			"Type": "String", "Default": "rate(1 hour)", "AllowedPattern": schedulePattern(),
			"ConstraintDescription": "must be an EventBridge schedule such as rate(1 hour), rate(15 minutes) or cron(0 6 * * ? *), with ? as the day of the month or of the week",
			"Description":           "How often the drift guard runs: an EventBridge schedule such as rate(1 hour), rate(15 minutes), cron(0 6 * * ? *). Without a drift guard it has no effect.",
		}},
		{"DriftTopicArn", "Topic for alarms", object{
			"Type": "String", "Default": "", "AllowedPattern": "^(arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+)?$",
			"ConstraintDescription": "must be the ARN of an SNS topic in this Region, or empty",
			"Description":           "The ARN of an SNS topic that the drift guard's alarms notify. Empty: they only show in CloudWatch.",
		}},
	}}
}

// driftGuard returns the same resources as the construct. The schedule depends on the chain, so it
// is created after the chain and deleted before it. Only this schedule is allowed to invoke the
// function.
func driftGuard(serviceToken any) object {
	return object{
		ruleID: conditional(hasDriftGuard, resource("AWS::Events::Rule", object{
			"Description":        "Compares a chain of security groups with its template",
			"ScheduleExpression": ref("DriftSchedule"),
			"State":              "ENABLED",
			"Targets": list{object{
				"Id": "Provider", "Arn": serviceToken, "Input": payload(ref(driftGuardMode)),
				// After an update, a late input would describe the previous template.
				"RetryPolicy": object{"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 1},
			}},
		}, after(chainID))),
		permissionID: conditional(hasDriftGuard, resource("AWS::Lambda::Permission", object{
			"Action": "lambda:InvokeFunction", "FunctionName": serviceToken,
			"Principal": "events.amazonaws.com", "SourceArn": getAtt(ruleID, "Arn"),
		})),
		"DriftAlarm":    alarm(chain.MetricDrift, "A chain of security groups differs from its template"),
		"FailuresAlarm": alarm(chain.MetricFailures, "A chain of security groups could not be compared with its template"),
	}
}

// alarm returns an alarm that keeps its state between two checks, when there is no data.
func alarm(metric, description string) object {
	return conditional(hasDriftGuard, resource("AWS::CloudWatch::Alarm", object{
		"AlarmDescription": description,
		"AlarmActions":     ifElse(notified, list{ref("DriftTopicArn")}, noValue()),
		"Namespace":        chain.MetricNamespace,
		"MetricName":       metric,
		"Dimensions": list{
			object{"Name": chain.DimensionStack, "Value": ref("AWS::StackName")},
			object{"Name": chain.DimensionChain, "Value": chainID},
		},
		"Statistic": "Maximum", "Period": 300, "EvaluationPeriods": 1,
		"ComparisonOperator": "GreaterThanThreshold", "Threshold": 0, "TreatMissingData": "ignore",
	}))
}

// payload returns the function's input for an action on the chain, as JSON that CloudFormation
// assembles. Revision is left out: it has no meaning here, and only its text may contain a quote.
func payload(action any) object {
	properties := chainProperties()
	if action != chain.ActionPlan {
		delete(properties, "ReleaseTiers") // a check releases no tier, and the input of a rule has a limit
	}
	return join("", jsonParts(object{
		"action": action, "StackId": ref("AWS::StackId"), "LogicalResourceId": chainID, "ResourceProperties": properties,
	}, listParameters()))
}

// listParameters returns the names of the parameters that are lists.
func listParameters() []string {
	var names []string
	for _, group := range chainGroups(vpcOfForm()) {
		for _, one := range group.parameters {
			if one.definition["Type"] == "CommaDelimitedList" {
				names = append(names, one.name)
			}
		}
	}
	return names
}

// jsonParts returns a value of a template as the parts of a JSON text. The patterns of all
// parameters exclude quotes and backslashes, so that a parameter can stand between quotes.
func jsonParts(value any, lists []string) list {
	switch value := value.(type) {
	case list:
		parts := list{"["}
		for i, one := range value {
			if i > 0 {
				parts = append(parts, ",")
			}
			parts = append(parts, jsonParts(one, lists)...)
		}
		return joinTexts(append(parts, "]"))
	case object:
		if name, isRef := value["Ref"].(string); isRef {
			switch {
			case name == "Tiers", name == "Tags":
				return list{value} // raw JSON
			case slices.Contains(lists, name):
				return list{`["`, join(`","`, value), `"]`}
			default:
				return list{`"`, value, `"`}
			}
		}
		if value["Fn::Join"] != nil {
			return list{`"`, value, `"`}
		}
		if choice, isIf := value["Fn::If"].(list); isIf {
			return list{object{"Fn::If": list{choice[0], joined(jsonParts(choice[1], lists)), joined(jsonParts(choice[2], lists))}}}
		}
		parts := list{"{"}
		for i, key := range slices.Sorted(maps.Keys(value)) {
			if i > 0 {
				parts = append(parts, ",")
			}
			parts = append(append(parts, encoded(key), ":"), jsonParts(value[key], lists)...)
		}
		return joinTexts(append(parts, "}"))
	default:
		return list{encoded(value)}
	}
}

// joined returns parts as one value.
func joined(parts list) any {
	if len(parts) == 1 {
		return parts[0]
	}
	return join("", parts)
}

// joinTexts joins adjacent texts.
func joinTexts(parts list) list {
	var all list
	for _, part := range parts {
		text, isText := part.(string)
		if before, both := last(all); isText && both {
			all[len(all)-1] = before + text
			continue
		}
		all = append(all, part)
	}
	return all
}

func last(parts list) (text string, isText bool) {
	if len(parts) == 0 {
		return "", false
	}
	text, isText = parts[len(parts)-1].(string)
	return text, isText
}

func encoded(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Errorf("writing a value of a template: %w", err)) // texts and numbers always encode
	}
	return string(text)
}
