package inventory_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/proof/world"
	"sgchain/lambda/inventory"
	"sgchain/lambda/plan"
)

// create creates a group as another owner.
func (a *account) create(vpc, name string, tags ...string) string {
	var list []types.Tag
	for _, one := range tags {
		key, value, _ := strings.Cut(one, "=")
		list = append(list, types.Tag{Key: &key, Value: &value})
	}
	in := &ec2.CreateSecurityGroupInput{GroupName: &name, Description: aws.String("by hand"), VpcId: &vpc}
	if len(list) > 0 {
		in.TagSpecifications = []types.TagSpecification{{ResourceType: types.ResourceTypeSecurityGroup, Tags: list}}
	}
	created, err := a.world.Client("somebody").CreateSecurityGroup(a.t.Context(), in)
	if err != nil {
		a.t.Fatal(err)
	}
	return *created.GroupId
}

func (a *account) allow(id string, permissions ...types.IpPermission) {
	if _, err := a.world.Client("somebody").AuthorizeSecurityGroupIngress(a.t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: permissions}); err != nil {
		a.t.Fatal(err)
	}
}

func tcpFrom(port int, one types.IpPermission) types.IpPermission {
	one.IpProtocol, one.FromPort, one.ToPort = aws.String("tcp"), aws.Int32(int32(port)), aws.Int32(int32(port))
	return one
}

func fromGroup(id string) types.IpPermission {
	return types.IpPermission{UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: &id}}}
}

func fromList(id string) types.IpPermission {
	return types.IpPermission{PrefixListIds: []types.PrefixListId{{PrefixListId: &id}}}
}

func (a *account) choose(selection inventory.Selection) (inventory.Inventory, error) {
	selection.Region = region
	return inventory.Read(a.t.Context(), a.world.Client("reader"), selection)
}

func idsOf(read inventory.Inventory) []string {
	var ids []string
	for _, group := range read.Groups {
		ids = append(ids, group.ID)
	}
	return ids
}

// TestReadingALargeVPCTakesFewCalls counts the calls for 300 groups with 4,000 rules that name other groups and prefix lists.
func TestReadingALargeVPCTakesFewCalls(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.addLists()
	var elsewhere []string
	for i := range 250 {
		elsewhere = append(elsewhere, a.create(peerVPC, fmt.Sprint("peer-", i)))
	}
	for i := range 299 { // and the default group
		id := a.create(vpcID, fmt.Sprint("group-", i))
		var permissions []types.IpPermission
		for port := range 12 {
			permissions = append(permissions, tcpFrom(1000+port, types.IpPermission{IpRanges: []types.IpRange{{CidrIp: aws.String("10.0.0.0/8")}}}))
		}
		a.allow(id, append(permissions, tcpFrom(443, fromList(edgeList)), tcpFrom(80, fromGroup(elsewhere[i%len(elsewhere)])))...)
	}
	a.world.Forget()
	read, err := a.choose(inventory.Selection{VPCID: vpcID})
	if err != nil || len(read.Groups) != 300 || read.Rules() < 4000 {
		t.Fatalf("got %d groups, %d rules: %v", len(read.Groups), read.Rules(), err)
	}
	counts := map[string]int{}
	for _, call := range a.world.Calls() {
		counts[call.Operation]++
	}
	// A page of groups, 250 other groups in batches of 200, the VPC, the lists.
	if want := map[string]int{"DescribeSecurityGroups": 3, "DescribeVpcs": 1, "DescribeManagedPrefixLists": 1}; fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("got the calls %v, want %v", counts, want)
	}
	if len(read.Found.Missing) > 0 || len(read.Found.Owners) != 550 || len(read.Found.Lists) != 1 || len(read.Found.VPCs[vpcID]) == 0 {
		t.Errorf("found %d owners, %d lists, %v, and is missing %v", len(read.Found.Owners), len(read.Found.Lists), read.Found.VPCs, read.Found.Missing)
	}
}

// TestSelections selects groups in each way, from an EC2 that respects filters and from one that ignores them.
func TestSelections(t *testing.T) {
	t.Parallel()
	for _, ignores := range []bool{false, true} {
		a := newAccount(t)
		a.world.IgnoreFilters = ignores
		web, app := a.create(vpcID, "web", "Team=shop", "Stage=a=b"), a.create(vpcID, "app", "Team=shops")
		other := a.create(peerVPC, "other", "Team=shop")
		for want, selection := range map[string]inventory.Selection{
			web:                           {IDs: []string{web}},
			web + " " + app:               {IDs: []string{app, web}},
			web + " " + other:             {Tag: "Team=shop"},
			web + " " + app + " " + other: {Tag: "Team"},
			"=" + web:                     {Tag: "Stage=a=b"},
			"=" + web + "  ":              {Tag: "Team=shop", VPCID: vpcID},
			app + " " + web + " " + a.defaultOf(vpcID): {VPCID: vpcID},
		} {
			read, err := a.choose(selection)
			ids := strings.Fields(strings.TrimPrefix(want, "="))
			if slices.Sort(ids); err != nil || !slices.Equal(idsOf(read), ids) {
				t.Errorf("%+v: got %v, %v, want %v", selection, idsOf(read), err, ids)
			}
		}
		for want, selection := range map[string]inventory.Selection{
			"sg-0, sg-1: this account and Region (us-east-1) have no such security group": {IDs: []string{web, "sg-0", "sg-1"}},
			"this account and Region (us-east-1) have none with VPC vpc-9 and tag Team":   {VPCID: "vpc-9", Tag: "Team"},
			"have none with tag Team=sho*": {Tag: "Team=sho*"}, // a pattern for EC2
		} {
			_, err := a.choose(selection)
			if selectionError, is := errors.AsType[*inventory.SelectionError](err); !is || !strings.Contains(selectionError.Error(), want) {
				t.Errorf("%+v: got %v, want %q", selection, err, want)
			}
		}
	}
}

// defaultOf returns the default group of a VPC.
func (a *account) defaultOf(vpc string) string {
	out, err := a.world.Client("somebody").DescribeSecurityGroups(a.t.Context(), &ec2.DescribeSecurityGroupsInput{})
	if err != nil {
		a.t.Fatal(err)
	}
	for _, group := range out.SecurityGroups {
		if aws.ToString(group.VpcId) == vpc && aws.ToString(group.GroupName) == "default" {
			return *group.GroupId
		}
	}
	a.t.Fatal("there is none")
	return ""
}

// TestReadFindsPeersAndManagers reads deleted peers, peers of other accounts, and the manager of a group.
func TestReadFindsPeersAndManagers(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.addLists()
	web := a.create(vpcID, "web", "kubernetes.io/cluster/shop=owned")
	gone, near := a.create(peerVPC, "gone"), a.create(peerVPC, "near")
	foreign := a.world.AddOtherAccountGroup(world.OtherAccount, "foreign", peerVPC, false)
	a.allow(web, tcpFrom(1, fromGroup(gone)), tcpFrom(2, fromGroup(near)), tcpFrom(3, fromGroup(foreign)), tcpFrom(4, fromList(officeList)))
	if _, err := a.world.Client("somebody").DeleteSecurityGroup(t.Context(), &ec2.DeleteSecurityGroupInput{GroupId: &gone}); err != nil {
		t.Fatal(err)
	}
	read, err := a.choose(inventory.Selection{IDs: []string{web}})
	if err != nil {
		t.Fatal(err)
	}
	if !read.Found.Missing[gone] || len(read.Found.Missing) != 1 || read.Found.Owners[near] != world.Account || read.Found.Account != world.Account {
		t.Errorf("found %+v", read.Found)
	}
	if list, known := read.Found.List(officeList); !known || list.Name != "offices" || list.Weight != 3 {
		t.Errorf("the list is %+v", list)
	}
	if got := read.Groups[0].Manager; got != "a Kubernetes cluster (tag kubernetes.io/cluster/shop)" {
		t.Errorf("the manager is %q", got)
	}
	if !slices.ContainsFunc(read.Groups[0].Rules, func(rule chain.Rule) bool { return rule.Peer.Account == world.OtherAccount && rule.Peer.ID == foreign }) {
		t.Errorf("the foreign group's account is lost: %v", read.Groups[0].Rules)
	}
	shared := a.world.AddOtherAccountGroup(world.OtherAccount, "shared", vpcID, true)
	if _, err := a.choose(inventory.Selection{VPCID: vpcID}); err == nil || !strings.Contains(err.Error(), "they belong to several accounts (123456789012, 210987654321). Name yours with --account") {
		t.Errorf("two accounts (%s): %v", shared, err)
	}
	if read, err := a.choose(inventory.Selection{VPCID: vpcID, Account: world.OtherAccount}); err != nil || read.Found.Account != world.OtherAccount {
		t.Errorf("with an account: %v, %v", read.Found.Account, err)
	}
}

// TestStateIsDrawn draws the groups.
func TestStateIsDrawn(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	web, app := a.create(vpcID, "web-sg", "Name=front"), a.create(vpcID, "app-sg", "Name=front")
	db := a.create(vpcID, "db-sg")
	a.allow(app, tcpFrom(80, fromGroup(web)))
	a.allow(db, tcpFrom(5432, fromGroup(app)), tcpFrom(1, fromGroup(db)))
	read, err := a.choose(inventory.Selection{IDs: []string{web, app, db}})
	if err != nil {
		t.Fatal(err)
	}
	state, ids := read.State()
	drawn := strings.NewReplacer(web, "sg-W", app, "sg-A", db, "sg-D").Replace(plan.Drawing{Before: state, After: state, IDs: ids}.String())
	// They are sorted by their IDs, which the world derives from the names.
	if want := `[front sg-A] app-sg sg-A
   <-- front sg-W: tcp 80
   --> anywhere
   |  tcp 5432
   v
[db-sg] db-sg sg-D
   <-- itself: tcp 1
   --> anywhere

[front sg-W] web-sg sg-W
   --> anywhere
`; drawn != want {
		t.Errorf("got\n%s\nwant\n%s", drawn, want)
	}
	if len(ids) != 3 {
		t.Errorf("got the IDs %v", ids)
	}
}

// TestErrorsSayWhatToDo makes every call fail.
func TestErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for operation, want := range map[string]string{
		"DescribeSecurityGroups":     "describing security groups: UnauthorizedOperation: You are not authorized to perform this operation. Allow your user or role the action ec2:DescribeSecurityGroups.",
		"DescribeVpcs":               "describing VPCs: UnauthorizedOperation: You are not authorized to perform this operation. Allow your user or role the action ec2:DescribeVpcs.",
		"DescribeManagedPrefixLists": "describing managed prefix lists: UnauthorizedOperation: You are not authorized to perform this operation. Allow your user or role the action ec2:DescribeManagedPrefixLists.",
	} {
		a := newAccount(t)
		a.addLists()
		web := a.create(vpcID, "web")
		a.allow(web, tcpFrom(1, fromList(officeList)))
		client := a.world.Client("reader")
		client.FailOperation(operation, world.Fault{Err: world.NewError("UnauthorizedOperation", "You are not authorized to perform this operation."), Lasting: true})
		_, err := inventory.Read(t.Context(), client, inventory.Selection{IDs: []string{web}})
		if call, is := errors.AsType[*inventory.CallError](err); !is || call.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for code, want := range map[string]string{"ExpiredToken": "Sign in again", "AuthFailure": "AWS does not accept your credentials", "OptInRequired": "Enable the Region", "InternalError": "InternalError: why"} {
		if got := (&inventory.CallError{Action: "ec2:DescribeVpcs", Doing: "describing VPCs", Err: world.NewError(code, "why")}).Error(); !strings.Contains(got, want) {
			t.Errorf("%s: %s", code, got)
		}
	}
	if got := (&inventory.CallError{Doing: "describing VPCs", Err: errors.New("get identity: get credentials: none")}).Error(); !strings.Contains(got, "aws sso login") {
		t.Error(got)
	}
}
