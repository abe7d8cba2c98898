package world

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// specified reads the tags that a call gives to what it creates.
func specified(kind types.ResourceType, specifications []types.TagSpecification) (map[string]string, error) {
	tags := map[string]string{}
	for _, specification := range specifications {
		if specification.ResourceType != kind {
			return nil, fail("InvalidParameterValue", "'%s' is not a valid taggable resource type for this operation.", specification.ResourceType)
		}
		for _, tag := range specification.Tags {
			tags[text(tag.Key)] = text(tag.Value)
		}
	}
	return tags, checkTags(tags)
}

// checkTags checks tags against their limits (EC2 user guide, "Tag restrictions").
func checkTags(tags map[string]string) error {
	own := 0
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		switch {
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return fail("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
		case key == "" || utf8.RuneCountInString(key) > maxTagKey:
			return fail("InvalidParameterValue", "Tag key exceeds the maximum length of %d characters", maxTagKey)
		case utf8.RuneCountInString(tags[key]) > maxTagText:
			return fail("InvalidParameterValue", "Tag value exceeds the maximum length of %d characters", maxTagText)
		}
		own++
	}
	if own > maxTags {
		return fail("TagLimitExceeded", "You have reached the maximum number of tags (%d) that can be set on a resource", maxTags)
	}
	return nil
}

// listed returns tags as answers show them.
func listed(tags map[string]string) []types.Tag {
	var list []types.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
	}
	return list
}

// CreateTags sets tags on groups and rules, on all or none.
func (c *Client) CreateTags(ctx context.Context, in *ec2.CreateTagsInput, _ ...func(*ec2.Options)) (*ec2.CreateTagsOutput, error) {
	err := c.retag(ctx, "CreateTags", in, in.Resources, func(tags map[string]string) error {
		asked := map[string]string{}
		for _, tag := range in.Tags {
			asked[text(tag.Key)] = text(tag.Value)
		}
		if err := checkTags(asked); err != nil {
			return err
		}
		maps.Copy(tags, asked)
		return checkTags(othersThanAWS(tags))
	})
	return answered(&ec2.CreateTagsOutput{}, err)
}

// DeleteTags removes tags from groups and rules. A tag with a value is only removed if the value is
// the same. Without any tag, all are removed (API reference, DeleteTags).
func (c *Client) DeleteTags(ctx context.Context, in *ec2.DeleteTagsInput, _ ...func(*ec2.Options)) (*ec2.DeleteTagsOutput, error) {
	err := c.retag(ctx, "DeleteTags", in, in.Resources, func(tags map[string]string) error {
		if len(in.Tags) == 0 {
			clear(tags)
		}
		for _, tag := range in.Tags {
			if tag.Value == nil || tags[text(tag.Key)] == *tag.Value {
				delete(tags, text(tag.Key))
			}
		}
		return nil
	})
	return answered(&ec2.DeleteTagsOutput{}, err)
}

// retag performs a call that changes the tags of resources.
func (c *Client) retag(ctx context.Context, operation string, in any, resources []string, change func(map[string]string) error) error {
	w := c.world
	return c.do(ctx, request{operation: operation, write: true, input: in, objects: resources, effect: func(view) error {
		after := map[string]map[string]string{}
		for _, id := range resources {
			before, err := w.tagsOf(id)
			if err != nil {
				return err
			}
			tags := maps.Clone(before)
			if tags == nil {
				tags = map[string]string{}
			}
			if err = change(tags); err != nil {
				return err
			}
			after[id] = tags
		}
		for id, tags := range after {
			w.setTags(id, tags)
		}
		return nil
	}})
}

// tagsOf returns the tags of a group or rule that a call names.
func (w *World) tagsOf(id string) (map[string]string, error) {
	if strings.HasPrefix(id, rulePrefix) {
		g, place := w.holder(id)
		if g == nil || time.Since(g.born) < w.Newborn {
			return nil, ruleNotFound(id)
		}
		return g.now().rules[place].tags, nil
	}
	g, err := w.known(id)
	switch {
	case err != nil:
		return nil, err
	case !g.isVisible():
		return nil, groupNotFound(id)
	}
	return g.now().tags, nil
}

// setTags changes the tags of an existing group or rule.
func (w *World) setTags(id string, tags map[string]string) {
	if g, place := w.holder(id); g != nil {
		g.set(func(s *state) {
			s.rules = slices.Clone(s.rules)
			s.rules[place].tags = tags
		})
		return
	}
	w.groups[id].set(func(s *state) { s.tags = tags })
}

// RuleTags returns the tags of a group's rules, keyed by the text of the rule in String.
func (w *World) RuleTags(groupID string) map[string]map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all, names := map[string]map[string]string{}, w.names()
	if g := w.existing(groupID); g != nil {
		for _, rule := range g.now().rules {
			all[rule.text(names)] = maps.Clone(rule.tags)
		}
	}
	return all
}

// othersThanAWS omits the tags that AWS set, which do not count (EC2 user guide, "Tag
// restrictions").
func othersThanAWS(tags map[string]string) map[string]string {
	others := maps.Clone(tags)
	maps.DeleteFunc(others, func(key, _ string) bool { return strings.HasPrefix(key, "aws:") })
	return others
}

// SetTag sets or removes a group's tag, including tags that only AWS can set.
func (w *World) SetTag(groupID, key, value string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if g := w.existing(groupID); g != nil {
		w.tag(g, key, value)
	}
}
