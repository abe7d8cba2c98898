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

// tagSet returns a key of what a step does to tags.
func tagSet(step plan.Step) string {
	return fmt.Sprintf("%s %s %s %#v", step.Action, step.Epoch, step.Adoption, step.Tags)
}

// retag sets the same tags on all groups, or removes some. A new ownership tag makes them
// belong to another physical ID.
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
		return a.untag(ctx, resources, keys, "untagging security groups")
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
	return a.tag(ctx, resources, tags, "tagging security groups")
}

// tag sets tags on resources.
func (a *application) tag(ctx context.Context, resources []string, tags []types.Tag, doing string) error {
	err := a.write(ctx, opCreateTags, func(ctx context.Context) error {
		_, err := a.API.CreateTags(ctx, &ec2.CreateTagsInput{Resources: resources, Tags: tags})
		return err
	})
	return a.tagged(doing, resources, err)
}

// release gives up adopted groups: it removes the ownership tags, and the rules stay. The
// groups' own tags go last, so that a run after a crash finds the groups.
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
			if err := a.untag(ctx, resources, some.keys, "releasing security groups"); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxTagged is how many resources one call of DeleteTags may name (API reference: "up to 1000
// resource IDs").
const maxTagged = 1000

// untag removes tags from resources, whatever their values (API reference, DeleteTags).
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

// tagged returns the error of a call for tags.
func (a *application) tagged(doing string, resources []string, err error) error {
	if err != nil {
		err = &CallError{Doing: doing + " (" + capped(resources) + ")", Err: err}
	}
	return a.unlessStale(err)
}
