package sg

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// ownership returns the keys of the ownership tags. Marks are not among them.
func ownership() []string {
	return []string{chain.TagProvider, chain.TagStackID, chain.TagLogicalID, chain.TagTier, chain.TagChain, chain.TagAdopted}
}

// Owner is the provider and the resource that groups belong to.
type Owner struct {
	Provider string
	Resource chain.Resource
}

func (o Owner) ruleTags() []types.Tag {
	return []types.Tag{tag(chain.TagProvider, o.Provider), tag(chain.TagStackID, o.Resource.StackID), tag(chain.TagLogicalID, o.Resource.LogicalID)}
}

// groupTags returns the tags of a group that a step creates or adopts: the ownership tags and
// those of the properties.
func (o Owner) groupTags(step plan.Step) []types.Tag {
	tags := append(o.ruleTags(), tag(chain.TagTier, step.Group.Tier), tag(chain.TagChain, step.Epoch.String()))
	if step.Adoption.IsForeign() {
		tags = append(tags, tag(chain.TagAdopted, string(step.Adoption)))
	}
	for _, one := range step.Tags {
		tags = append(tags, tag(one.Key, one.Value))
	}
	return tags
}

// TagTexts returns the ownership tags of a group in the syntax of the AWS CLI. A group with an
// explicit name may have been adopted. So they include sgchain:adopted, and the group is
// never deleted.
func (o Owner) TagTexts(identity chain.Identity, chainTag chain.Epoch) []string {
	step := plan.Step{Group: identity, Epoch: chainTag}
	if identity.GroupName != "" {
		step.Adoption = chain.Settled
	}
	var texts []string
	for _, tag := range o.groupTags(step) {
		texts = append(texts, fmt.Sprintf("Key=%s,Value=%s", aws.ToString(tag.Key), aws.ToString(tag.Value)))
	}
	return texts
}

// othersTags returns the tags of a group that are neither ownership tags nor AWS's: those of
// users, and the chain's marks.
func othersTags(group types.SecurityGroup) map[string]string {
	tags := map[string]string{}
	for _, tag := range group.Tags {
		if key := aws.ToString(tag.Key); chain.IsMark(key) || (!strings.HasPrefix(key, chain.OwnershipPrefix) && !strings.HasPrefix(key, "aws:")) {
			tags[key] = aws.ToString(tag.Value)
		}
	}
	return tags
}

// filters returns the filters for the groups of the owner, and of another one unless that is
// zero. The caller must check the answer with owns: emulators ignore filters they do not know.
func (o Owner) filters(other Owner) []types.Filter {
	filters := make([]types.Filter, 0, len(o.ruleTags()))
	for i, tag := range o.ruleTags() {
		one := filter("tag:"+aws.ToString(tag.Key), aws.ToString(tag.Value))
		if other != (Owner{}) {
			one.Values = append(one.Values, aws.ToString(other.ruleTags()[i].Value))
		}
		filters = append(filters, one)
	}
	return filters
}

func (o Owner) owns(group types.SecurityGroup) bool {
	return valueOf(group.Tags, chain.TagStackID) == o.Resource.StackID && valueOf(group.Tags, chain.TagLogicalID) == o.Resource.LogicalID &&
		valueOf(group.Tags, chain.TagProvider) == o.Provider && valueOf(group.Tags, chain.TagTier) != ""
}

// valueOf returns the value of a tag, without building a map.
func valueOf(tags []types.Tag, key string) string {
	for _, tag := range tags {
		if aws.ToString(tag.Key) == key {
			return aws.ToString(tag.Value)
		}
	}
	return ""
}

func tag(key, value string) types.Tag {
	return types.Tag{Key: aws.String(key), Value: aws.String(value)}
}

func tagMap(tags []types.Tag) map[string]string {
	values := make(map[string]string, len(tags))
	for _, tag := range tags {
		values[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return values
}

func specification(resource types.ResourceType, tags []types.Tag) []types.TagSpecification {
	return []types.TagSpecification{{ResourceType: resource, Tags: tags}}
}
