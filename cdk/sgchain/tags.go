package sgchain

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"sgchain/lambda/chain"
)

// authorTagPriority is the priority of the Tags of a chain. awscdk.Tags_Of adds tags with priority 100 and removes them with 200 by
// default (TagProps.Priority). So Tags override what is added to a scope, and Tags_Of(scope).Remove still removes them.
const authorTagPriority = 150

// newTags returns the tag manager of a chain, to which the CDK adds the tags of its scopes.
func newTags(tags map[string]*string) awscdk.TagManager {
	manager := awscdk.NewTagManager(awscdk.TagType_KEY_VALUE, jsii.String(chain.ResourceType), nil, nil)
	for key, text := range tags {
		manager.SetTag(jsii.String(key), jsii.String(value(text)), jsii.Number(authorTagPriority), nil)
	}
	return manager
}

// CdkTagManager returns the manager to which awscdk.Tags_Of adds its tags.
func (c *securityGroupChain) CdkTagManager() awscdk.TagManager { return c.tags }

// allTags returns the tags of the chain and those that its scopes have added until now. The tags of the stack are not among them,
// because the function reads them itself.
func (c *securityGroupChain) allTags() map[string]*string {
	if tags := *c.tags.TagValues(); len(tags) > 0 {
		return tags
	}
	return nil
}
