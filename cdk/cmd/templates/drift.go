package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"sgchain/lambda/chain"
)

const (
	// modeOfGuard is a parameter, ruleID and permissionID are resources.
	modeOfGuard  = "DriftGuard"
	ruleID       = "DriftRule"
	permissionID = "DriftPermission"
	// guarded and notified are the conditions of the drift guard's parameters.
	guarded  = "Guarded"
	notified = "Notified"
)

func driftGroup() group {
	return group{driftLabel, []parameter{
		{modeOfGuard, "Look after the chain", object{
			"Type": "String", "Default": "off", "AllowedValues": list{"off", "check", "repair"},
			"Description": "check: a schedule compares groups and rules with the template, and an alarm goes off where they differ. repair: it also puts them right, for which a shared provider needs AllowRepair.",
		}},
		{"DriftSchedule", "How often", object{
			"Type": "String", "Default": "rate(1 hour)", "AllowedPattern": schedulePattern(),
			"ConstraintDescription": "must be a schedule of EventBridge such as rate(1 hour), rate(15 minutes) or cron(0 6 * * ? *); of the days of the month and of the week one is ?",
			"Description":           "How often a drift guard looks: a schedule of EventBridge, as rate(1 hour), rate(15 minutes), cron(0 6 * * ? *). Without a drift guard it has no effect.",
		}},
		{"DriftTopicArn", "Topic to tell", object{
			"Type": "String", "Default": "", "AllowedPattern": "^(arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+)?$",
			"ConstraintDescription": "must be the ARN of a topic of SNS in this Region, or empty",
			"Description":           "The ARN of a topic of SNS that the alarms of a drift guard tell. Empty: they tell nobody, and are seen in CloudWatch.",
		}},
	}}
}

// driftGuard is as the construct has it: the schedule depends on the chain, so it begins
// after the chain and goes before it, and the function lets in nobody but this schedule.
func driftGuard(serviceToken any) object {
	return object{
		ruleID: where(guarded, resource("AWS::Events::Rule", object{
			"Description":        "Compares a chain of security groups with its template",
			"ScheduleExpression": ref("DriftSchedule"),
			"State":              "ENABLED",
			"Targets": list{object{
				"Id": "Provider", "Arn": serviceToken, "Input": payload(ref(modeOfGuard)),
				// Late, after an update, the input would be another template's.
				"RetryPolicy": object{"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 1},
			}},
		}, after(chainID))),
		permissionID: where(guarded, resource("AWS::Lambda::Permission", object{
			"Action": "lambda:InvokeFunction", "FunctionName": serviceToken,
			"Principal": "events.amazonaws.com", "SourceArn": getAtt(ruleID, "Arn"),
		})),
		"DriftAlarm":    alarm(chain.MetricDrift, "A chain of security groups is not as its template says"),
		"FailuresAlarm": alarm(chain.MetricFailures, "A chain of security groups could not be compared with its template"),
	}
}

// alarm keeps its state between two checks, when there is no data.
func alarm(metric, description string) object {
	return where(guarded, resource("AWS::CloudWatch::Alarm", object{
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

// payload asks the function about the chain, as JSON that CloudFormation puts together.
// Revision is left out: it means nothing, and is the one text in which a quote can stand.
func payload(action any) object {
	properties := chainProperties()
	if action != chain.ActionPlan {
		delete(properties, "ReleaseTiers") // no tier leaves in a check, and the input of a rule has a limit
	}
	return join("", written(object{
		"action": action, "StackId": ref("AWS::StackId"), "LogicalResourceId": chainID, "ResourceProperties": properties,
	}, listParameters()))
}

// listParameters names the parameters that are lists.
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

// written is a value of a template as the parts of a text in JSON. The patterns of all
// parameters keep quotes and backslashes out of what is put between quotes.
func written(value any, lists []string) list {
	switch value := value.(type) {
	case list:
		parts := list{"["}
		for i, one := range value {
			if i > 0 {
				parts = append(parts, ",")
			}
			parts = append(parts, written(one, lists)...)
		}
		return together(append(parts, "]"))
	case object:
		if name, isRef := value["Ref"].(string); isRef {
			switch {
			case name == "Tiers", name == "Tags":
				return list{value} // JSON itself
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
			return list{object{"Fn::If": list{choice[0], whole(written(choice[1], lists)), whole(written(choice[2], lists))}}}
		}
		parts := list{"{"}
		for i, key := range slices.Sorted(maps.Keys(value)) {
			if i > 0 {
				parts = append(parts, ",")
			}
			parts = append(append(parts, encoded(key), ":"), written(value[key], lists)...)
		}
		return together(append(parts, "}"))
	default:
		return list{encoded(value)}
	}
}

// whole is parts as one value.
func whole(parts list) any {
	if len(parts) == 1 {
		return parts[0]
	}
	return join("", parts)
}

// together makes one text of those that stand beside one another.
func together(parts list) list {
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
