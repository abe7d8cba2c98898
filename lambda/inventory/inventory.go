// Package inventory reads an account's security groups and what their rules refer to. These are the ranges of their VPCs, the names of prefix
// lists, and the owners of other groups. It only reads.
package inventory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/sg"
)

// API lists the calls that this package makes.
type API interface {
	DescribeSecurityGroups(context.Context, *ec2.DescribeSecurityGroupsInput, ...func(*ec2.Options)) (*ec2.DescribeSecurityGroupsOutput, error)
	DescribeVpcs(context.Context, *ec2.DescribeVpcsInput, ...func(*ec2.Options)) (*ec2.DescribeVpcsOutput, error)
	DescribeManagedPrefixLists(context.Context, *ec2.DescribeManagedPrefixListsInput, ...func(*ec2.Options)) (*ec2.DescribeManagedPrefixListsOutput, error)
}

// Selection selects groups. A group must meet all the conditions that are set.
type Selection struct {
	IDs   []string
	VPCID string
	// Tag is a tag's key, or its key and value as "key=value".
	Tag string
	// Region is the groups' Region.
	Region string
	// Account is the account that reads. It is required only if EC2 shows groups of several accounts.
	Account string
}

// Group is a security group as EC2 shows it.
type Group struct {
	ID, VPCID, OwnerID, Name, Description string
	// Tags are all of its tags, AWS's own included.
	Tags map[string]string
	// Rules name other groups by their IDs.
	Rules []chain.Rule
	// Manager is the software that creates and changes the group according to a tag, or empty. CloudFormation and chains have their own tags.
	Manager string
}

// Inventory is the result of Read.
type Inventory struct {
	Groups []Group // by ID
	// Found holds what the rules refer to: ranges of VPCs, prefix lists, the owners of groups.
	Found chain.Found
}

// Rules returns the number of rules of all groups.
func (i Inventory) Rules() int {
	sum := 0
	for _, group := range i.Groups {
		sum += len(group.Rules)
	}
	return sum
}

// State returns the groups as a state for a picture, and their IDs. Its tiers have the names that the console shows. Rules name the read
// groups as members. If two groups have the same name, their IDs are added.
func (i Inventory) State() (chain.State, map[chain.Identity]string) {
	named := map[string]int{}
	for _, group := range i.Groups {
		named[group.display()]++
	}
	ids := make(map[chain.Identity]string, len(i.Groups))
	var state chain.State
	for _, group := range i.Groups {
		name := group.display()
		if named[name] > 1 {
			name += " " + group.ID
		}
		identity := chain.Identity{VPCID: group.VPCID, Tier: name, GroupName: group.Name, Description: group.Description}
		ids[identity] = group.ID
		state.Groups = append(state.Groups, chain.Group{Identity: identity, Rules: group.Rules, Tags: group.Tags})
	}
	return state.WithMembers(ids), ids
}

// display returns the group's name as the console shows it.
func (g Group) display() string { return cmp.Or(g.Tags[chain.NameTag], g.Name, g.ID) }

// SelectionError reports a selection that no group meets, or that is ambiguous.
type SelectionError struct{ Problem string }

func (e *SelectionError) Error() string { return "reading security groups: " + e.Problem }

// reader makes the calls. The other methods of [sg.API] are nil, so nothing here can write.
type reader struct {
	sg.API

	reads API
}

func (r reader) DescribeSecurityGroups(ctx context.Context, in *ec2.DescribeSecurityGroupsInput, options ...func(*ec2.Options)) (*ec2.DescribeSecurityGroupsOutput, error) {
	return r.reads.DescribeSecurityGroups(ctx, in, options...)
}

func (r reader) DescribeVpcs(ctx context.Context, in *ec2.DescribeVpcsInput, options ...func(*ec2.Options)) (*ec2.DescribeVpcsOutput, error) {
	return r.reads.DescribeVpcs(ctx, in, options...)
}

func (r reader) DescribeManagedPrefixLists(ctx context.Context, in *ec2.DescribeManagedPrefixListsInput, options ...func(*ec2.Options)) (*ec2.DescribeManagedPrefixListsOutput, error) {
	return r.reads.DescribeManagedPrefixLists(ctx, in, options...)
}

// Read reads the groups of a selection. An error of AWS is a [*CallError].
//
// It makes one call for every 1,000 groups (200 if selected by ID), and one for their VPCs. It makes one more for every 200 prefix lists, and
// for every 200 other groups that rules name.
func Read(ctx context.Context, api API, selection Selection) (Inventory, error) {
	edge := &sg.Edge{API: reader{reads: api}}
	shown, err := edge.Groups(ctx, selection.filters()...)
	if err != nil {
		return Inventory{}, &CallError{Action: "ec2:DescribeSecurityGroups", Doing: "describing security groups", Err: err}
	}
	inventory := Inventory{Found: chain.Found{Region: selection.Region, Owners: map[string]string{}}}
	for _, group := range shown {
		if one := groupOf(group); selection.meets(one) {
			inventory.Groups = append(inventory.Groups, one)
			inventory.Found.Owners[one.ID] = one.OwnerID
		}
	}
	chain.Sort(inventory.Groups, func(a, b Group) int { return strings.Compare(a.ID, b.ID) })
	if err := selection.check(inventory.Groups); err != nil {
		return Inventory{}, err
	}
	if inventory.Found.Account, err = selection.account(inventory.Found.Owners); err != nil {
		return Inventory{}, err
	}
	return inventory, complete(ctx, edge, inventory.Groups, &inventory.Found)
}

// filters returns the selection as filters of EC2.
func (s Selection) filters() []types.Filter {
	var filters []types.Filter
	add := func(name string, values ...string) {
		filters = append(filters, types.Filter{Name: aws.String(name), Values: values})
	}
	if len(s.IDs) > 0 {
		add("group-id", s.IDs...)
	}
	if s.VPCID != "" {
		add("vpc-id", s.VPCID)
	}
	switch key, value, hasValue := strings.Cut(s.Tag, "="); {
	case hasValue:
		add("tag:"+key, value)
	case key != "":
		add("tag-key", key)
	}
	return filters
}

// meets checks a group against the selection. EC2 treats filter values as patterns, and emulators ignore filters that they do not know.
func (s Selection) meets(group Group) bool {
	key, value, hasValue := strings.Cut(s.Tag, "=")
	tag, hasTag := group.Tags[key]
	return (len(s.IDs) == 0 || slices.Contains(s.IDs, group.ID)) && (s.VPCID == "" || s.VPCID == group.VPCID) &&
		(s.Tag == "" || (hasTag && (!hasValue || tag == value)))
}

// check refuses a selection if EC2 does not show all of it.
func (s Selection) check(groups []Group) error {
	var missing []string
	for _, id := range s.IDs {
		if !slices.ContainsFunc(groups, func(group Group) bool { return group.ID == id }) {
			missing = append(missing, id)
		}
	}
	var where []string
	for _, one := range [][2]string{{"VPC", s.VPCID}, {"tag", s.Tag}} {
		if one[1] != "" {
			where = append(where, one[0]+" "+one[1])
		}
	}
	place := "this account and Region"
	if s.Region != "" {
		place += " (" + s.Region + ")"
	}
	switch {
	case len(missing) > 0:
		return &SelectionError{fmt.Sprintf("%s: %s have no such security group. Correct the ID, the Region or the profile", strings.Join(missing, ", "), place)}
	case len(groups) == 0:
		return &SelectionError{fmt.Sprintf("%s have none with %s. Correct that, the Region or the profile", place, strings.Join(where, " and "))}
	default:
		return nil
	}
}

// account returns the account that reads.
func (s Selection) account(owners map[string]string) (string, error) {
	accounts := slices.Compact(slices.Sorted(maps.Values(owners)))
	if s.Account != "" {
		return s.Account, nil
	}
	if len(accounts) > 1 {
		return "", &SelectionError{fmt.Sprintf("they belong to several accounts (%s). Name yours with --account", strings.Join(accounts, ", "))}
	}
	return accounts[0], nil
}

// LookUp looks up what properties name: ranges of VPCs, and prefix lists by ID and by name. It does not look up other groups.
func LookUp(ctx context.Context, api API, wanted chain.LookUps) (chain.Found, error) {
	return lookUp(ctx, &sg.Edge{API: reader{reads: api}}, wanted)
}

func lookUp(ctx context.Context, edge *sg.Edge, wanted chain.LookUps) (chain.Found, error) {
	vpcs, err := edge.LookUp(ctx, chain.LookUps{VPCIDs: wanted.VPCIDs})
	if err != nil {
		return chain.Found{}, &CallError{Action: "ec2:DescribeVpcs", Doing: "describing VPCs", Err: err}
	}
	found, err := edge.LookUp(ctx, chain.LookUps{ListIDs: wanted.ListIDs, ListNames: wanted.ListNames})
	if err != nil {
		return chain.Found{}, &CallError{Action: "ec2:DescribeManagedPrefixLists", Doing: "describing managed prefix lists", Err: err}
	}
	found.VPCs = vpcs.VPCs
	return found, nil
}

// complete looks up what the rules of groups name, and adds it to found.
func complete(ctx context.Context, edge *sg.Edge, read []Group, found *chain.Found) error {
	vpcs, lists, groups := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, group := range read {
		vpcs[group.VPCID] = true
		for _, rule := range group.Rules {
			_, isKnown := found.Owners[rule.Peer.ID]
			switch {
			case rule.Peer.Kind == chain.PeerPrefixList:
				lists[rule.Peer.ID] = true
			case rule.Peer.Kind == chain.PeerGroup && rule.Peer.Account == "" && !isKnown:
				groups[rule.Peer.ID] = true
			}
		}
	}
	named, err := lookUp(ctx, edge, chain.LookUps{VPCIDs: slices.Sorted(maps.Keys(vpcs)), ListIDs: slices.Sorted(maps.Keys(lists))})
	if err != nil {
		return err
	}
	found.VPCs, found.Lists, found.Missing = named.VPCs, named.Lists, groups
	if len(groups) == 0 {
		return nil
	}
	shown, err := edge.Groups(ctx, types.Filter{Name: aws.String("group-id"), Values: slices.Sorted(maps.Keys(groups))})
	if err != nil {
		return &CallError{Action: "ec2:DescribeSecurityGroups", Doing: "describing security groups that rules name", Err: err}
	}
	for _, group := range shown {
		id := aws.ToString(group.GroupId)
		found.Owners[id] = aws.ToString(group.OwnerId)
		delete(groups, id)
	}
	return nil
}

// groupOf converts a group.
func groupOf(group types.SecurityGroup) Group {
	one := Group{
		ID: aws.ToString(group.GroupId), VPCID: aws.ToString(group.VpcId), OwnerID: aws.ToString(group.OwnerId), Name: aws.ToString(group.GroupName),
		Description: aws.ToString(group.Description), Tags: map[string]string{}, Rules: sg.RulesOf(group, nil),
	}
	for _, tag := range group.Tags {
		one.Tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	if key, whose := sg.ManagedBy(one.Tags); key != "" {
		one.Manager = fmt.Sprintf("%s (tag %s)", whose, key)
	}
	return one
}
