package sg

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// releaseTime is what is kept of the time of a Delete to release groups that are still in
// use then: that can go on for ever.
const releaseTime = 30 * time.Second

// split tells the groups that the chain made from those that it adopted.
func split(state chain.State, identities []chain.Identity) (made, foreign []chain.Identity) {
	for _, identity := range identities {
		if group, _ := state.Find(identity); group.Adoption.IsForeign() {
			foreign = append(foreign, identity)
		} else {
			made = append(made, identity)
		}
	}
	return made, foreign
}

// bound lists those of some groups that somebody else made to whose members something is
// owed: rules are revoked when the group is released, and must not cut off who moves out of
// it.
func (t turn) bound(state chain.State, foreign []chain.Identity) []chain.Identity {
	return slices.DeleteFunc(slices.Clone(foreign), func(identity chain.Identity) bool {
		return !t.Owes || !slices.ContainsFunc(state.Groups, func(group chain.Group) bool {
			return slices.ContainsFunc(group.Rules, func(rule chain.Rule) bool {
				concerns := group.Identity == identity || rule.Peer.Member == identity
				return concerns && (t.severs(state, group, rule, foreign) || t.takenBack(group, rule, foreign))
			})
		})
	})
}

// severs says whether a rule is between a group that is released and another one of the
// chain: a group that stays names it, but for rules that the chain never made, unless they
// were there before the chain and are what it wants (which a Delete cannot tell); or it names
// a group that the chain made, which could not be deleted any more.
func (t turn) severs(state chain.State, group chain.Group, rule chain.Rule, foreign []chain.Identity) bool {
	named, known := state.Find(rule.Peer.Member)
	if rule.Peer.Kind != chain.PeerMember || !known {
		return false
	}
	return (slices.Contains(foreign, named.Identity) && t.stays(group.Identity) && (group.Adoption == chain.Settled || !isUnmanaged(group, rule))) ||
		(slices.Contains(foreign, group.Identity) && !named.Adoption.IsForeign() && !(t.stays(named.Identity) && isUnmanaged(group, rule)))
}

// stays says whether a group is none of those that go.
func (t turn) stays(identity chain.Identity) bool { return !slices.Contains(t.all, identity) }

func isUnmanaged(group chain.Group, rule chain.Rule) bool {
	return slices.ContainsFunc(group.Unmanaged, func(other chain.Rule) bool { return other.Key() == rule.Key() })
}

// takenBack says whether the chain gave a rule to a group that it adopted in what is taken
// back now.
func (t turn) takenBack(group chain.Group, rule chain.Rule, foreign []chain.Identity) bool {
	return t.Back && group.Adoption.IsFresh() && slices.Contains(foreign, group.Identity) && !isUnmanaged(group, rule)
}

// release gives up groups that somebody else made: their rules stay, and the ownership tags
// go, those of the groups last, so that a run after a crash finds them. Revoked is what was
// revoked just now. It returns the groups that are free.
func (a *application) release(ctx context.Context, observed Observed, foreign []chain.Identity, revoked plan.Plan) ([]chain.Identity, error) {
	if len(foreign) == 0 {
		return nil, nil
	}
	ids := observed.idsOf(foreign)
	a.Log.Info("release", slog.String("groups", strings.Join(ids, ", ")))
	for _, step := range revoked.Steps {
		for _, rule := range step.Rules {
			delete(observed.ruleIDs[step.Group], rule.Key())
		}
	}
	var rules []string
	for _, identity := range foreign {
		rules = slices.AppendSeq(rules, maps.Values(observed.ruleIDs[identity]))
	}
	slices.Sort(rules)
	keys := make([]string, 0, len(ownership()))
	for _, tag := range a.Owner.ruleTags() {
		keys = append(keys, aws.ToString(tag.Key))
	}
	for _, some := range []struct{ resources, keys []string }{{rules, keys}, {ids, ownership()}} {
		for resources := range slices.Chunk(some.resources, maxTagged) {
			if err := a.untag(ctx, resources, some.keys); err != nil {
				return nil, err
			}
		}
	}
	return foreign, nil
}

// maxTagged is how many resources one call of DeleteTags takes (API reference: "up to 1000
// resource IDs").
const maxTagged = 1000

func (a *application) untag(ctx context.Context, resources, keys []string) error {
	tags := make([]types.Tag, 0, len(keys))
	for _, key := range keys {
		tags = append(tags, types.Tag{Key: aws.String(key)})
	}
	err := a.write(ctx, opDeleteTags, func(ctx context.Context) error {
		_, err := a.API.DeleteTags(ctx, &ec2.DeleteTagsInput{Resources: resources, Tags: tags})
		return err
	})
	if err != nil {
		err = &CallError{Doing: "releasing security groups (" + capped(resources) + ")", Err: err}
	}
	return a.unlessStale(err)
}
