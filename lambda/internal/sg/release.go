package sg

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
)

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

// namesReleased says whether a rule of a group that stays the chain's names one that is
// released. While an interface uses that one the rule stays: it must not cut anybody off,
// and a group that somebody else made may be in use for ever. The next Update revokes it.
func (t turn) namesReleased(group chain.Group, rule chain.Rule, foreign []chain.Identity) bool {
	return rule.Peer.Kind == chain.PeerMember && slices.Contains(foreign, rule.Peer.Member) && !slices.Contains(t.all, group.Identity) &&
		(t.Back || !slices.Contains(t.used, rule.Peer.Member))
}

// takenBack says whether the chain gave a rule to a group that it adopted in what is taken
// back now.
func (t turn) takenBack(group chain.Group, rule chain.Rule, foreign []chain.Identity) bool {
	return t.Back && group.Adoption.IsFresh() && slices.Contains(foreign, group.Identity) &&
		!slices.ContainsFunc(group.Unmanaged, func(other chain.Rule) bool { return other.Key() == rule.Key() })
}

// release gives up groups that somebody else made: their rules stay, and the ownership tags
// go, those of the groups last, so that a run after a crash finds them. It returns the
// groups that are free.
func (a *application) release(ctx context.Context, observed Observed, foreign []chain.Identity, back bool) ([]chain.Identity, error) {
	if len(foreign) == 0 {
		return nil, nil
	}
	ids := observed.idsOf(foreign)
	a.Log.Info("release", slog.String("groups", strings.Join(ids, ", ")), slog.Bool("back", back))
	var rules []string
	for _, identity := range foreign {
		if group, _ := observed.State.Find(identity); !back || !group.Adoption.IsFresh() { // else they were revoked
			rules = append(rules, observed.ruleIDs[identity]...)
		}
	}
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
		err = &CallError{Doing: "releasing security groups (" + strings.Join(resources, ", ") + ")", Err: err}
	}
	return a.unlessStale(err)
}
