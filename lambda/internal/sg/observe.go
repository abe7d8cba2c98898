package sg

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
)

// Observed is the groups of a chain as EC2 shows them, with their IDs. It includes the groups
// that the chain may adopt, if the query asked for them.
type Observed struct {
	State    chain.State
	GroupIDs map[chain.Identity]string
	// ruleIDs are the IDs of the rules that the chain created on adopted groups. They lose
	// their tags when the group is released.
	ruleIDs map[chain.Identity]map[chain.Rule]string
	at      time.Time // when the observation began
	// Outside are the groups of the query's other owner that have none of the query's identities.
	Outside []chain.Group
	names   map[chain.Identity]string
}

// Name returns the name that a group has in EC2, or will have.
func (o Observed) Name(identity chain.Identity, resource chain.Resource) string {
	if name, isShown := o.names[identity]; isShown {
		return name
	}
	return identity.EC2Name(resource)
}

// Observe reads the owner's groups and all their rules. It takes one call, and one more for
// each thing that the query asks for.
func (e *Edge) Observe(ctx context.Context, query Query) (Observed, error) {
	var groups, named []types.SecurityGroup
	began := time.Now()
	tasks := []func() error{func() (err error) {
		groups, err = e.describe(ctx, e.Owner.filters(query.From)...)
		return e.describing(err)
	}}
	if len(query.Adoptable) > 0 {
		tasks = append(tasks, func() (err error) {
			named, err = e.candidates(ctx, query)
			return err
		})
	}
	err := parallel(tasks)
	if err != nil {
		return Observed{}, err
	}
	groups, members, beside := e.known(query, groups)
	if groups, err = e.addAdoptable(ctx, query, groups, named, members); err != nil {
		return Observed{}, err
	}
	observed := Observed{GroupIDs: make(map[chain.Identity]string, len(groups)), at: began, Outside: beside, names: make(map[chain.Identity]string, len(groups))}
	for _, group := range groups {
		id := aws.ToString(group.GroupId)
		observed.GroupIDs[members[id]], observed.names[members[id]] = id, aws.ToString(group.GroupName)
		observed.State.Groups = append(observed.State.Groups, e.group(group, members, query.From))
	}
	chain.Sort(observed.State.Groups, func(a, b chain.Group) int { return chain.CompareIdentities(a.Identity, b.Identity) })
	observed.State = observed.State.Normalize()
	return e.withUnmanaged(ctx, query, observed, members)
}

func (e *Edge) describing(err error) error {
	if err == nil {
		return nil
	}
	return &CallError{Doing: "describing security groups of chain (" + e.Owner.Resource.LogicalID + ")", Err: err}
}

// group converts a group as EC2 shows it.
func (e *Edge) group(group types.SecurityGroup, members map[string]chain.Identity, from Owner) chain.Group {
	seen := chain.Group{
		Identity: members[aws.ToString(group.GroupId)], Adoption: chain.Adoptable, Rules: RulesOf(group, members), Tags: othersTags(group), Movable: from.owns(group),
	}
	if seen.Movable || e.Owner.owns(group) {
		seen.Epoch, seen.Adoption = chain.ParseEpoch(valueOf(group.Tags, chain.TagChain)), chain.Adoption(valueOf(group.Tags, chain.TagAdopted))
	}
	return seen
}

// known returns those groups that are the owner's, or are the query's other owner's and asked
// for, and their identities by ID. If a moved group and one created here have the same
// identity, the created one gets it.
func (e *Edge) known(query Query, groups []types.SecurityGroup) (known []types.SecurityGroup, members map[string]chain.Identity, beside []chain.Group) {
	members = make(map[string]chain.Identity, len(groups))
	taken := make(map[chain.Identity]bool, len(groups))
	add := func(owner Owner, isWanted func(types.SecurityGroup, chain.Identity) bool) {
		for _, group := range groups {
			if !owner.owns(group) {
				continue
			}
			identity := owner.identity(group, query.Identities)
			if !isWanted(group, identity) {
				continue
			}
			if taken[identity] {
				identity.GroupName = aws.ToString(group.GroupName)
			}
			taken[identity], members[aws.ToString(group.GroupId)], known = true, identity, append(known, group)
		}
	}
	add(e.Owner, func(group types.SecurityGroup, _ chain.Identity) bool {
		return valueOf(group.Tags, chain.TagMovedFrom) == ""
	})
	add(e.Owner, func(group types.SecurityGroup, _ chain.Identity) bool {
		return valueOf(group.Tags, chain.TagMovedFrom) != ""
	})
	if query.From != (Owner{}) {
		add(query.From, func(group types.SecurityGroup, identity chain.Identity) bool {
			if len(query.Identities) == 0 {
				return true
			}
			if !slices.Contains(query.Identities, identity) {
				beside = append(beside, chain.Group{Identity: identity, Epoch: chain.ParseEpoch(valueOf(group.Tags, chain.TagChain))})
				return false
			}
			return !taken[identity]
		})
	}
	return known, members, beside
}

// identity returns the identity of an owned group.
func (o Owner) identity(group types.SecurityGroup, known []chain.Identity) chain.Identity {
	tier := valueOf(group.Tags, chain.TagTier)
	if valueOf(group.Tags, chain.TagAdopted) != "" {
		for _, one := range known {
			if one.Tier == tier && one.VPCID == aws.ToString(group.VpcId) && one.GroupName == aws.ToString(group.GroupName) {
				return one
			}
		}
	}
	identity := chain.ObservedIdentity(o.Resource, aws.ToString(group.VpcId), tier, aws.ToString(group.GroupName), aws.ToString(group.Description))
	if valueOf(group.Tags, chain.TagMovedFrom) != "" && chain.IsGenerated(identity.GroupName, tier) {
		identity.GroupName = "" // generated in the place where the group was created
	}
	return identity
}

// ObserveAgain observes until EC2 shows every known group. A read that lacks one most
// likely lags. A plan made from it would treat rules that name the group as another
// owner's, and a Delete would miss the group. After readPatience the group counts as gone.
func (e *Edge) ObserveAgain(ctx context.Context, query Query, known Observed) (Observed, error) {
	lag := lagging{}
	for {
		observed, err := e.Observe(ctx, query)
		if err != nil || observed.shows(known) || !lag.patient() {
			return observed, err
		}
		if err := lag.wait(ctx); err != nil {
			return Observed{}, err
		}
	}
}

// shows reports whether all known groups are shown. It compares IDs too: a lagging read may
// show an earlier group of the same name.
func (o Observed) shows(known Observed) bool {
	for identity, id := range known.GroupIDs {
		if o.GroupIDs[identity] != id {
			return false
		}
	}
	return true
}

// describe reads every page of the groups that match all filters. It returns each group once,
// and only if its ID, name and VPC match.
func (e *Edge) describe(ctx context.Context, filters ...types.Filter) ([]types.SecurityGroup, error) {
	shown, err := everyPage(ctx, filters, func(filters []types.Filter) paginator[*ec2.DescribeSecurityGroupsOutput] {
		return ec2.NewDescribeSecurityGroupsPaginator(e.API, &ec2.DescribeSecurityGroupsInput{Filters: filters, MaxResults: aws.Int32(pageSize)})
	}, func(page *ec2.DescribeSecurityGroupsOutput) []types.SecurityGroup { return page.SecurityGroups })
	seen := make(map[string]bool, len(shown))
	groups := slices.DeleteFunc(shown, func(group types.SecurityGroup) bool {
		id := aws.ToString(group.GroupId)
		twice := seen[id]
		seen[id] = true
		return twice || !wasAskedFor(group, filters)
	})
	return groups, err
}

// wasAskedFor reports whether a group's ID, name and VPC match filters. The caller checks
// tags and rules.
func wasAskedFor(group types.SecurityGroup, filters []types.Filter) bool {
	for _, filter := range filters {
		var value *string
		switch aws.ToString(filter.Name) {
		case groupIDFilter:
			value = group.GroupId
		case "group-name":
			value = group.GroupName
		case "vpc-id":
			value = group.VpcId
		default:
			continue
		}
		if !slices.Contains(filter.Values, aws.ToString(value)) {
			return false
		}
	}
	return true
}

// clone copies the map that a run changes.
func (o Observed) clone() Observed {
	o.GroupIDs = maps.Clone(o.GroupIDs)
	return o
}

// without returns the observation without some groups.
func (o Observed) without(gone []chain.Identity) Observed {
	o = o.clone()
	o.State.Groups = slices.DeleteFunc(slices.Clone(o.State.Groups), func(group chain.Group) bool { return slices.Contains(gone, group.Identity) })
	for _, identity := range gone {
		delete(o.GroupIDs, identity)
	}
	return o
}

func (o Observed) idsOf(identities []chain.Identity) []string {
	ids := make([]string, 0, len(identities))
	for _, identity := range identities {
		if id := o.GroupIDs[identity]; id != "" {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
