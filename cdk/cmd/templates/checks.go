package main

import "fmt"

// skip is a check of checkov that a resource fails for a reason. docs/permissions.md lists them,
// with those of cdk-nag.
type skip struct{ id, reason string }

// providerSkips returns the checks that a provider's resources fail, by logical ID.
func providerSkips() map[string][]skip {
	return map[string][]skip{
		functionID: {
			{"CKV_AWS_116", "CloudFormation reports a lost event. An event replayed from a queue would change a stack that has moved on."},
			{"CKV_AWS_117", "It calls public endpoints and accepts no connections. Inside a VPC it would need a gateway or endpoints, whose security groups it may be changing."},
			{"CKV_AWS_173", "The variables are an ID and switches, no secrets. Lambda encrypts them with its own key."},
		},
	}
}

// parentSkips returns the checks that the example's resources fail.
func parentSkips() map[string][]skip {
	return map[string][]skip{
		"Cluster":         {{"CKV_AWS_65", "Container Insights costs money and is a choice of the account, not of an example."}},
		"LoadBalancer":    {{"CKV_AWS_91", "Access logs need a bucket that outlives the example. Add yours."}},
		"ServiceLogGroup": {{"CKV_AWS_158", "CloudWatch Logs encrypts it with its own key. Set yours if your organization requires it."}},
	}
}

// skipped writes skips into the metadata of resources, where checkov looks for them.
func skipped(resources object, skips map[string][]skip) error {
	for id, some := range skips {
		resource, exists := resources[id].(object)
		if !exists {
			return fmt.Errorf("suppressing checks of resource (%s): it does not exist", id)
		}
		var entries list
		for _, one := range some {
			entries = append(entries, object{"id": one.id, "comment": one.reason})
		}
		metadata, _ := resource["Metadata"].(object)
		resource["Metadata"] = merge(metadata, object{"checkov": object{"skip": entries}})
	}
	return nil
}
