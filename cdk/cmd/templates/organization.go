package main

import "fmt"

// The parameters for organizations, which the resources of a provider refer to.
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

// organizationGroup returns the settings that an organization requires of every function.
func organizationGroup() group {
	return group{"Requirements of your organization", []parameter{
		{boundaryParameter, "Permissions boundary of the role", object{
			"Type": "String", "Default": "", "AllowedPattern": `^(arn:[a-z-]+:iam::([0-9]{12}|aws):policy/([!-~]{1,512}/)?[A-Za-z0-9+=,.@_-]{1,128})?$`,
			"ConstraintDescription": "must be the ARN of an IAM policy, or empty",
			"Description":           "The ARN of the policy that limits the function's role. It has to allow what docs/permissions.md lists. Empty: no limit.",
		}},
		{pathParameter, "Path of the role", object{
			"Type": "String", "Default": "/", "AllowedPattern": "^/([!-~]{1,510}/)?$",
			"ConstraintDescription": "must begin and end with a slash, as in / or /teams/, and have at most 512 characters without blanks",
			"Description":           "The path of the function's role in IAM, such as /teams/. Changing it replaces the role. Default: /.",
		}},
		{keyParameter, "Key of the log", object{
			"Type": "String", "Default": "", "AllowedPattern": "^(arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]{1,64})?$",
			"ConstraintDescription": "must be the ARN of a KMS key in this Region (arn:...:key/..., no alias), or empty",
			"Description":           "The ARN of the KMS key that encrypts the function's log. The key's policy has to allow CloudWatch Logs to use it. Empty: CloudWatch Logs uses its own key.",
		}},
		{concurrencyParameter, "Reserved concurrency", object{
			"Type": "String", "Default": "", "AllowedPattern": "^([1-9][0-9]{0,5})?$",
			"ConstraintDescription": "must be a number from 1, or empty: 0 would disable the function, and every stack operation would wait until its ServiceTimeout",
			"Description":           "The function's reserved concurrency, which is also its limit. Empty: it shares the account's concurrency.",
		}},
		yesOrNo(dashboardParameter, "Dashboard", "true: a CloudWatch dashboard shows operations, failures, durations, drift and writes. CloudWatch charges monthly for more than three. false: no dashboard."),
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

// applyOrganization makes the resources of a provider depend on the parameters for organizations.
func applyOrganization(resources object) error {
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
		if _, exists := properties[one.property]; !isObject || exists {
			return fmt.Errorf("setting %s of %s: it has no properties, or it has this one: %v", one.property, one.id, properties)
		}
		properties[one.property] = one.value
	}
	dashboard, exists := resources[dashboardID].(object)
	if !exists {
		return fmt.Errorf("making the dashboard optional: resource %s does not exist", dashboardID)
	}
	conditional(shown, dashboard)
	return skipped(resources, providerSkips())
}
