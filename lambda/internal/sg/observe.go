package sg

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
)

// pageSize is the most that one page of DescribeSecurityGroups may have, so that
// one call reads a chain however many tiers it has.
const pageSize = 1000

// Observed is the groups of a chain as EC2 shows them, with their IDs.
type Observed struct {
	State    chain.State
	GroupIDs map[chain.Identity]string
}

// Observe reads the owner's groups and all their rules: one call.
func (e *Edge) Observe(ctx context.Context) (Observed, error) {
	groups, err := e.describe(ctx, e.Owner.filters()...)
	if err != nil {
		return Observed{}, &CallError{Doing: "describing security groups of chain (" + e.Owner.Resource.LogicalID + ")", Err: err}
	}
	groups = slices.DeleteFunc(groups, func(group types.SecurityGroup) bool { return !e.Owner.owns(group) })
	members := make(map[string]chain.Identity, len(groups))
	for _, group := range groups {
		members[aws.ToString(group.GroupId)] = chain.ObservedIdentity(e.Owner.Resource, aws.ToString(group.VpcId),
			tagMap(group.Tags)[tagTier], aws.ToString(group.GroupName), aws.ToString(group.Description))
	}
	observed := Observed{GroupIDs: make(map[chain.Identity]string, len(groups))}
	for _, group := range groups {
		id := aws.ToString(group.GroupId)
		observed.GroupIDs[members[id]] = id
		observed.State.Groups = append(observed.State.Groups, chain.Group{
			Identity: members[id], Tag: chain.ParseTag(tagMap(group.Tags)[tagChain]), Rules: rulesOf(group, members),
			Tags: othersTags(group),
		})
	}
	slices.SortFunc(observed.State.Groups, func(a, b chain.Group) int { return chain.CompareIdentities(a.Identity, b.Identity) })
	observed.State = observed.State.Normalize()
	return observed, nil
}

// ObserveAgain reads until every known group is shown. A read that lacks one most
// likely lags, and must not be believed: a plan would take rules that name the group
// for a stranger's, and a Delete would leave it behind. After some patience the group
// counts as gone.
func (e *Edge) ObserveAgain(ctx context.Context, known Observed) (Observed, error) {
	lag := lagging{}
	for {
		observed, err := e.Observe(ctx)
		if err != nil || observed.shows(known) || !lag.patient() {
			return observed, err
		}
		if err := lag.wait(ctx); err != nil {
			return Observed{}, err
		}
	}
}

// shows compares IDs too: a group of the same name may have been there before, and a
// read that lags shows that one.
func (o Observed) shows(known Observed) bool {
	for identity, id := range known.GroupIDs {
		if o.GroupIDs[identity] != id {
			return false
		}
	}
	return true
}

// describe reads every page of the groups that match all filters.
func (e *Edge) describe(ctx context.Context, filters ...types.Filter) ([]types.SecurityGroup, error) {
	var groups []types.SecurityGroup
	pages := ec2.NewDescribeSecurityGroupsPaginator(e.API, &ec2.DescribeSecurityGroupsInput{
		Filters: filters, MaxResults: aws.Int32(pageSize),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		groups = append(groups, page.SecurityGroups...)
	}
	return groups, nil
}

// clone keeps a run's own map apart from the observation it came from.
func (o Observed) clone() Observed {
	o.GroupIDs = maps.Clone(o.GroupIDs)
	return o
}
