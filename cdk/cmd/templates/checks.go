package main

import "fmt"

// skip is a check of checkov that a resource breaks for a reason. docs/permissions.md lists them, with
// those of cdk-nag.
type skip struct{ id, reason string }

// providerSkips are the checks that a provider's resources break, by logical ID.
func providerSkips() map[string][]skip {
	return map[string][]skip{
		functionID: {
			{"CKV_AWS_116", "CloudFormation reports an event that is lost. One that is kept in a queue and replayed later would act on a stack that has moved on."},
			{"CKV_AWS_117", "It calls public endpoints and listens to nobody. Inside a VPC it would need a gateway or endpoints, whose security groups it may be changing."},
			{"CKV_AWS_173", "The variables are an ID and switches, no secret; Lambda encrypts them with a key of its own."},
		},
	}
}

// parentSkips are those of the example.
func parentSkips() map[string][]skip {
	return map[string][]skip{
		"Cluster":         {{"CKV_AWS_65", "Container Insights costs money and is a choice of the account, not of an example."}},
		"LoadBalancer":    {{"CKV_AWS_91", "Access logs need a bucket that outlives the example; add yours."}},
		"ServiceLogGroup": {{"CKV_AWS_158", "CloudWatch Logs encrypts it with a key of its own; give it one of yours where that is asked for."}},
	}
}

// skipped writes skips into the metadata of resources, where checkov looks for them.
func skipped(resources object, skips map[string][]skip) error {
	for id, some := range skips {
		resource, isThere := resources[id].(object)
		if !isThere {
			return fmt.Errorf("explaining a resource (%s): there is none", id)
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
