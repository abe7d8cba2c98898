package sgchain

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"sgchain/lambda/chain"
)

// The priorities of tags: awscdk.Tags_Of adds at 100 and removes at 200 where nothing else is said (TagProps.Priority). The author's own
// win over what is added to a whole scope, and can be removed from one.
const authorTagPriority = 150

// newTags is the tags of a chain, to which the CDK adds those of its scopes.
func newTags(tags map[string]*string) awscdk.TagManager {
	manager := awscdk.NewTagManager(awscdk.TagType_KEY_VALUE, jsii.String(chain.ResourceType), nil, nil)
	for key, text := range tags {
		manager.SetTag(jsii.String(key), jsii.String(value(text)), jsii.Number(authorTagPriority), nil)
	}
	return manager
}

// CdkTagManager is where awscdk.Tags_Of puts its tags.
func (c *securityGroupChain) CdkTagManager() awscdk.TagManager { return c.tags }

// allTags is the tags of the chain, with those that scopes have given it until now. Those of the stack are none of them: the function reads them.
func (c *securityGroupChain) allTags() map[string]*string {
	if tags := *c.tags.TagValues(); len(tags) > 0 {
		return tags
	}
	return nil
}
