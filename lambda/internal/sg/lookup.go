package sg

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
)

// LookUp looks up the resources that rules name, with one call for each kind, all at once. If
// some fail, it returns the error and what the others found.
func (e *Edge) LookUp(ctx context.Context, wanted chain.LookUps) (chain.Found, error) {
	found := chain.Found{VPCs: map[string][]netip.Prefix{}}
	var byID, byName []chain.PrefixList
	var tasks []func() error
	if len(wanted.VPCIDs) > 0 {
		tasks = append(tasks, func() error { return e.lookUpVPCs(ctx, wanted.VPCIDs, found.VPCs) })
	}
	lists := func(name string, values []string, into *[]chain.PrefixList) {
		if len(values) > 0 {
			tasks = append(tasks, func() (err error) {
				*into, err = e.lookUpLists(ctx, name, values)
				return err
			})
		}
	}
	if len(wanted.GroupIDs) > 0 {
		tasks = append(tasks, func() (err error) {
			found.Owners, found.Missing, err = e.lookUpGroups(ctx, wanted.GroupIDs)
			return err
		})
	}
	var owners map[string]string
	if len(wanted.GroupNames)+len(wanted.FormerNames) > 0 {
		tasks = append(tasks, func() (err error) {
			found.Named, owners, err = e.lookUpNames(ctx, wanted.GroupNames, wanted.FormerNames)
			return err
		})
	}
	lists(listIDFilter, wanted.ListIDs, &byID)
	lists(listNameFilter, wanted.ListNames, &byName)
	var isTransient atomic.Bool
	for i, do := range tasks {
		tasks[i] = func() error {
			err := do()
			if IsTransient(err) {
				isTransient.Store(true)
			}
			return err
		}
	}
	err := parallel(tasks)
	if err != nil && isTransient.Load() {
		err = &transientError{err}
	}
	found.Lists = append(byID, byName...)
	if found.Owners == nil {
		found.Owners = owners
	}
	maps.Copy(found.Owners, owners)
	return found, err
}

func (e *Edge) lookUpVPCs(ctx context.Context, ids []string, into map[string][]netip.Prefix) error {
	vpcs, err := everyPage(ctx, []types.Filter{filter("vpc-id", ids...)}, func(filters []types.Filter) paginator[*ec2.DescribeVpcsOutput] {
		return ec2.NewDescribeVpcsPaginator(e.API, &ec2.DescribeVpcsInput{Filters: filters, MaxResults: aws.Int32(pageSize)})
	}, func(page *ec2.DescribeVpcsOutput) []types.Vpc { return page.Vpcs })
	if err != nil {
		return &CallError{Doing: "describing VPCs (" + capped(ids) + ")", Err: err}
	}
	for _, vpc := range vpcs {
		if !slices.Contains(ids, aws.ToString(vpc.VpcId)) {
			continue // not asked for
		}
		ranges, err := rangesOf(vpc)
		if err != nil {
			return err
		}
		into[aws.ToString(vpc.VpcId)] = ranges
	}
	return nil
}

// lookUpGroups returns the owners of groups, and which groups do not exist. EC2 may not show
// a new group yet, so it waits before it reports a group as missing.
func (e *Edge) lookUpGroups(ctx context.Context, ids []string) (owners map[string]string, missing map[string]bool, err error) {
	lag := lagging{}
	for {
		groups, err := e.describe(ctx, filter(groupIDFilter, ids...))
		if err != nil {
			return nil, nil, &CallError{Doing: "describing security groups (" + capped(ids) + ")", Err: err}
		}
		owners, missing = map[string]string{}, map[string]bool{}
		for _, group := range groups {
			owners[aws.ToString(group.GroupId)] = aws.ToString(group.OwnerId)
		}
		for _, id := range ids {
			if _, shown := owners[id]; !shown {
				missing[id] = true
			}
		}
		if len(missing) == 0 || !lag.patient() {
			return owners, missing, nil
		}
		if err := lag.wait(ctx); err != nil {
			return nil, nil, err
		}
	}
}

// lookUpNames returns the groups with some names, and their owners. EC2 may not show a new group
// yet, so it waits before it reports that no group has a name. It does not wait for former names.
func (e *Edge) lookUpNames(ctx context.Context, names, former []chain.GroupName) (found map[chain.GroupName][]string, owners map[string]string, err error) {
	var vpcs, texts []string
	for _, one := range slices.Concat(names, former) {
		vpcs, texts = append(vpcs, one.VPCID), append(texts, one.Name)
	}
	lag := lagging{}
	for {
		groups, err := e.describe(ctx, filter("vpc-id", vpcs...), filter("group-name", texts...))
		if err != nil {
			return nil, nil, &CallError{Doing: "describing security groups by name (" + capped(texts) + ")", Err: err}
		}
		found, owners = map[chain.GroupName][]string{}, map[string]string{}
		for _, one := range slices.Concat(names, former) {
			found[one] = nil
		}
		for _, group := range groups {
			name := chain.GroupName{VPCID: aws.ToString(group.VpcId), Name: aws.ToString(group.GroupName)}
			if _, wasAskedFor := found[name]; wasAskedFor {
				found[name] = append(found[name], aws.ToString(group.GroupId))
				slices.Sort(found[name])
				owners[aws.ToString(group.GroupId)] = aws.ToString(group.OwnerId)
			}
		}
		isMissing := func(one chain.GroupName) bool { return len(found[one]) == 0 }
		if !slices.ContainsFunc(names, isMissing) || !lag.patient() {
			return found, owners, nil
		}
		if err := lag.wait(ctx); err != nil {
			return nil, nil, err
		}
	}
}

// rangesOf returns the current ranges of a VPC, without those being disassociated.
func rangesOf(vpc types.Vpc) ([]netip.Prefix, error) {
	var texts []string
	for _, one := range vpc.CidrBlockAssociationSet {
		if one.CidrBlockState != nil && one.CidrBlockState.State == types.VpcCidrBlockStateCodeAssociated {
			texts = append(texts, aws.ToString(one.CidrBlock))
		}
	}
	if len(texts) == 0 && vpc.CidrBlock != nil { // some emulators only show the first range
		texts = append(texts, *vpc.CidrBlock)
	}
	for _, one := range vpc.Ipv6CidrBlockAssociationSet {
		if one.Ipv6CidrBlockState != nil && one.Ipv6CidrBlockState.State == types.VpcCidrBlockStateCodeAssociated {
			texts = append(texts, aws.ToString(one.Ipv6CidrBlock))
		}
	}
	ranges := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("describing VPCs (%s): reading its range: %w", aws.ToString(vpc.VpcId), err)
		}
		ranges = append(ranges, prefix.Masked())
	}
	return ranges, nil
}

func (e *Edge) lookUpLists(ctx context.Context, name string, values []string) ([]chain.PrefixList, error) {
	shown, err := everyPage(ctx, []types.Filter{filter(name, values...)}, func(filters []types.Filter) paginator[*ec2.DescribeManagedPrefixListsOutput] {
		return ec2.NewDescribeManagedPrefixListsPaginator(e.API, &ec2.DescribeManagedPrefixListsInput{Filters: filters, MaxResults: aws.Int32(maxListPage)})
	}, func(page *ec2.DescribeManagedPrefixListsOutput) []types.ManagedPrefixList { return page.PrefixLists })
	if err != nil {
		return nil, &CallError{Doing: "describing managed prefix lists (" + capped(values) + ")", Err: err}
	}
	var lists []chain.PrefixList
	for _, list := range shown {
		asked := aws.ToString(list.PrefixListId)
		if name == listNameFilter {
			asked = aws.ToString(list.PrefixListName)
		}
		if !slices.Contains(values, asked) {
			continue
		}
		weight := int(aws.ToInt32(list.MaxEntries))
		if weight == 0 {
			weight = managedWeight(aws.ToString(list.PrefixListName))
		}
		lists = append(lists, chain.PrefixList{
			ID: aws.ToString(list.PrefixListId), Name: aws.ToString(list.PrefixListName),
			IPv6: strings.EqualFold(aws.ToString(list.AddressFamily), "ipv6"), Weight: weight,
		})
	}
	return lists, nil
}

// The filters of DescribeManagedPrefixLists.
const (
	listIDFilter   = "prefix-list-id"
	listNameFilter = "prefix-list-name"
)

// maxListPage is the maximum page size of DescribeManagedPrefixLists (API reference:
// 1 to 100).
const maxListPage = 100

// managedWeight returns how many rules an AWS-managed prefix list counts as. EC2 shows no number
// of entries for those (VPC user guide, "AWS-managed prefix lists", "AWS-managed prefix
// list weight"). A list that is not in that table counts as one, and EC2 decides.
func managedWeight(name string) int {
	for suffix, weight := range map[string]int{
		".cloudfront.origin-facing": 55, ".dynamodb": 1, ".ec2-instance-connect": 2, ".groundstation": 5,
		".route53-healthchecks": 25, ".s3": 1, ".s3express": 6, ".vpc-lattice": 10,
	} {
		if strings.HasSuffix(name, suffix) {
			return weight
		}
	}
	return 1
}
