package sg

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// tagSet is what a step does to tags, as a key.
func tagSet(step plan.Step) string {
	return fmt.Sprintf("%s %s %s %#v", step.Action, step.Epoch, step.Adoption, step.Tags)
}

// retag gives groups new tags, all of them the same, or takes some away. A new ownership
// tag is the moment from which they belong to another physical ID.
func (a *application) retag(ctx context.Context, steps []plan.Step) error {
	resources := make([]string, 0, len(steps))
	for _, step := range steps {
		resources = append(resources, a.groupID(step.Group))
	}
	if steps[0].Action == plan.UntagGroup {
		var keys []string
		for _, one := range steps[0].Tags {
			keys = append(keys, one.Key)
		}
		return a.untag(ctx, resources, keys, "untagging")
	}
	var tags []types.Tag
	if steps[0].Action == plan.MoveGroup {
		tags = a.Owner.ruleTags()
	}
	if steps[0].Epoch != (chain.Epoch{}) {
		tags = append(tags, tag(chain.TagChain, steps[0].Epoch.String()))
	}
	if steps[0].Adoption.IsForeign() {
		tags = append(tags, tag(chain.TagAdopted, string(steps[0].Adoption)))
	}
	for _, one := range steps[0].Tags {
		tags = append(tags, tag(one.Key, one.Value))
	}
	return a.tag(ctx, resources, tags, "tagging")
}

// tag gives resources tags, all the same.
func (a *application) tag(ctx context.Context, resources []string, tags []types.Tag, doing string) error {
	err := a.write(ctx, opCreateTags, func(ctx context.Context) error {
		_, err := a.API.CreateTags(ctx, &ec2.CreateTagsInput{Resources: resources, Tags: tags})
		return err
	})
	return a.tagged(doing, resources, err)
}

// release gives up groups that somebody else made: their rules stay, and the ownership tags
// go, those of the groups last, so that a run after a crash finds them.
func (a *application) release(ctx context.Context, steps []plan.Step) error {
	var ids, rules []string
	a.mu.Lock()
	for _, step := range steps {
		ids = append(ids, a.groupIDs[step.Group])
		rules = slices.AppendSeq(rules, maps.Values(a.ruleIDs[step.Group]))
	}
	a.mu.Unlock()
	slices.Sort(ids)
	slices.Sort(rules)
	a.Log.Info("release", slog.String("groups", strings.Join(ids, ", ")))
	keys := make([]string, 0, len(ownership()))
	for _, tag := range a.Owner.ruleTags() {
		keys = append(keys, aws.ToString(tag.Key))
	}
	for _, some := range []struct{ resources, keys []string }{{rules, keys}, {ids, append(ownership(), chain.Marks()...)}} {
		for resources := range slices.Chunk(some.resources, maxTagged) {
			if err := a.untag(ctx, resources, some.keys, "releasing"); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxTagged is how many resources one call of DeleteTags takes (API reference: "up to 1000
// resource IDs").
const maxTagged = 1000

// untag takes tags off resources, whatever their values are (API reference, DeleteTags).
func (a *application) untag(ctx context.Context, resources, keys []string, doing string) error {
	tags := make([]types.Tag, 0, len(keys))
	for _, key := range keys {
		tags = append(tags, types.Tag{Key: aws.String(key)})
	}
	err := a.write(ctx, opDeleteTags, func(ctx context.Context) error {
		_, err := a.API.DeleteTags(ctx, &ec2.DeleteTagsInput{Resources: resources, Tags: tags})
		return err
	})
	return a.tagged(doing, resources, err)
}

// tagged is what came of a call for tags.
func (a *application) tagged(doing string, resources []string, err error) error {
	if err != nil {
		err = &CallError{Doing: doing + " security groups (" + capped(resources) + ")", Err: err}
	}
	return a.unlessStale(err)
}
