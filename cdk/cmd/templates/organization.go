package main

import "fmt"

// The parameters of an organization, which the resources of a provider refer to.
const (
	boundaryParameter    = "PermissionsBoundary"
	pathParameter        = "RolePath"
	keyParameter         = "LogKmsKeyArn"
	concurrencyParameter = "ReservedConcurrency"
	dashboardParameter   = "Dashboard"
)

// The conditions of these parameters.
const (
	bounded   = "Bounded"
	encrypted = "Encrypted"
	reserved  = "Reserved"
	shown     = "Shown"
)

// organizationGroup is what an organization asks of every function.
func organizationGroup() group {
	return group{"What your organization asks for", []parameter{
		{boundaryParameter, "Permissions boundary of the role", object{
			"Type": "String", "Default": "", "AllowedPattern": `^(arn:[a-z-]+:iam::([0-9]{12}|aws):policy/([!-~]{1,512}/)?[A-Za-z0-9+=,.@_-]{1,128})?$`,
			"ConstraintDescription": "must be the ARN of a policy of IAM, or empty",
			"Description":           "The ARN of a policy that is the most that the function's role may do; it has to allow what docs/permissions.md lists. Empty: none.",
		}},
		{pathParameter, "Path of the role", object{
			"Type": "String", "Default": "/", "AllowedPattern": "^/([!-~]{1,510}/)?$",
			"ConstraintDescription": "must begin and end with a slash, as in / or /teams/, and have at most 512 characters without blanks",
			"Description":           "The path of the function's role in IAM, as in /teams/. Changing it replaces the role; default: /.",
		}},
		{keyParameter, "Key of the log", object{
			"Type": "String", "Default": "", "AllowedPattern": "^(arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]{1,64})?$",
			"ConstraintDescription": "must be the ARN of a key of KMS in this Region (arn:...:key/..., no alias), or empty",
			"Description":           "The ARN of the KMS key that encrypts the function's log; the key's policy has to let CloudWatch Logs use it. Empty: CloudWatch Logs encrypts it with a key of its own.",
		}},
		{concurrencyParameter, "Reserved concurrency", object{
			"Type": "String", "Default": "", "AllowedPattern": "^([1-9][0-9]{0,5})?$",
			"ConstraintDescription": "must be a number from 1, or empty: 0 would switch the function off, and every stack operation would hang until its ServiceTimeout",
			"Description":           "How many runs of the function at once are kept for it, and no more. Empty: none, it shares those of the account.",
		}},
		yesOrNo(dashboardParameter, "Dashboard", "true: a dashboard in CloudWatch shows operations, failures, durations, drift and writes; CloudWatch charges for more than three by the month. false: none."),
	}}
}

func organizationConditions() object {
	return object{
		bounded:   not(equals(ref(boundaryParameter), "")),
		encrypted: not(equals(ref(keyParameter), "")),
		reserved:  not(equals(ref(concurrencyParameter), "")),
		shown:     equals(ref(dashboardParameter), "true"),
	}
}

// organize hangs the parameters of an organization on the resources of a provider.
func organize(resources object) error {
	for _, one := range []struct {
		id, property string
		value        any
	}{
		{roleID, "PermissionsBoundary", ifElse(bounded, ref(boundaryParameter), noValue())},
		{roleID, "Path", ref(pathParameter)},
		{logGroupID, "KmsKeyId", ifElse(encrypted, ref(keyParameter), noValue())},
		{functionID, "ReservedConcurrentExecutions", ifElse(reserved, ref(concurrencyParameter), noValue())},
	} {
		resource, _ := resources[one.id].(object)
		properties, isObject := resource["Properties"].(object)
		if _, isThere := properties[one.property]; !isObject || isThere {
			return fmt.Errorf("setting %s of %s: it has no properties, or it has this one: %v", one.property, one.id, properties)
		}
		properties[one.property] = one.value
	}
	dashboard, isThere := resources[dashboardID].(object)
	if !isThere {
		return fmt.Errorf("making the dashboard optional: there is no resource %s", dashboardID)
	}
	where(shown, dashboard)
	return skipped(resources, providerSkips())
}
