package sg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/task"
	"sgchain/lambda/plan"
)

// candidates lists the groups that have the names which the chain may take over: one call
// where it may.
func (e *Edge) candidates(ctx context.Context, query Query) ([]types.SecurityGroup, error) {
	var vpcs, names []string
	for _, wanted := range query.Adoptable {
		vpcs, names = append(vpcs, wanted.VPCID), append(names, wanted.GroupName)
	}
	groups, err := e.describe(ctx, filter("vpc-id", vpcs...), filter("group-name", names...))
	if err != nil {
		return nil, &CallError{Doing: "describing security groups to adopt (" + capped(names) + ")", Err: err}
	}
	return groups, nil
}

// join adds to the owner's groups those that it may adopt, and refuses what stands in the
// way of that.
func (e *Edge) join(ctx context.Context, query Query, groups, named []types.SecurityGroup, members map[string]chain.Identity) ([]types.SecurityGroup, error) {
	for _, wanted := range query.Adoptable {
		isThere := func(group types.SecurityGroup) bool { return members[aws.ToString(group.GroupId)] == wanted }
		if slices.ContainsFunc(groups, isThere) {
			continue
		}
		for _, group := range named {
			id := aws.ToString(group.GroupId)
			_, known := members[id]
			if known || aws.ToString(group.VpcId) != wanted.VPCID || aws.ToString(group.GroupName) != wanted.GroupName {
				continue
			}
			if e.isFrom(group) {
				continue // what there is to be said of a chain that moved is said once it lacks its groups
			}
			if e.Owner.owns(group) {
				if identity := e.Owner.identity(group, query.Identities); identity != wanted {
					continue // another tier's: what the plan says of that is for people
				}
			} else if err := e.mayAdopt(ctx, query, group, wanted); err != nil {
				return nil, err
			}
			members[id] = wanted
			groups = append(groups, group)
		}
	}
	return groups, nil
}

// managers are the tags by which services and controllers know the groups that they made
// and go on changing, by key or by what the key begins with.
var managers = []struct{ key, whose string }{ //nolint:gochecknoglobals // a table
	{"elbv2.k8s.aws/", "the AWS Load Balancer Controller"},
	{"ingress.k8s.aws/", "the AWS Load Balancer Controller"},
	{"service.k8s.aws/", "the AWS Load Balancer Controller"},
	{"kubernetes.io/cluster/", "a Kubernetes cluster"},
	{"aws:eks:", "Amazon EKS"},
	{"eks:", "Amazon EKS"},
	{"elasticbeanstalk:", "AWS Elastic Beanstalk"},
	{"aws:", "a service of AWS"}, // only AWS can set these (EC2 user guide, "Tag restrictions")
}

// The tags by which CloudFormation marks what a stack made ("Resource tags", CloudFormation
// user guide).
const (
	ofStackPrefix = "aws:cloudformation:"
	stackTag      = ofStackPrefix + "stack-id"
	logicalTag    = ofStackPrefix + "logical-id"
)

// ManagedBy returns the tag by which somebody else than CloudFormation and chains manages a group, and who that is; both are empty where
// no tag says so.
func ManagedBy(tags map[string]string) (key, whose string) {
	for _, key := range sortedKeys(tags) {
		if strings.HasPrefix(key, ofStackPrefix) || strings.HasPrefix(key, chain.OwnershipPrefix) {
			continue
		}
		for _, manager := range managers {
			if strings.HasPrefix(key, manager.key) {
				return key, manager.whose
			}
		}
	}
	return "", ""
}

// mayAdopt is the fence around adoption.
func (e *Edge) mayAdopt(ctx context.Context, query Query, group types.SecurityGroup, wanted chain.Identity) error {
	refused := func(todo, format string, args ...any) error {
		return &AdoptionError{GroupID: aws.ToString(group.GroupId), Name: wanted.GroupName, Tier: wanted.Tier, Why: fmt.Sprintf(format, args...), Todo: todo, Wrote: e.Writes() > 0}
	}
	const another = "Choose another GroupName for the tier, or leave AdoptExisting out."
	tags := tagMap(group.Tags)
	if strings.EqualFold(wanted.GroupName, "default") {
		return refused(another, "it is the default group of its VPC, which everything without a group of its own is in")
	}
	if account := accountOf(e.Owner.Resource.StackID); account != "" && aws.ToString(group.OwnerId) != "" && aws.ToString(group.OwnerId) != account {
		return refused(another, "it belongs to account %s, which shares the VPC", aws.ToString(group.OwnerId))
	}
	if provider := tags[chain.TagProvider]; provider != "" && provider != e.Owner.Provider {
		return refused("Take it out of that chain first, or choose another GroupName for the tier.",
			"it belongs to a chain of another provider (%s)", provider)
	}
	if key, whose := ManagedBy(tags); key != "" {
		return refused("Let that go on managing it, and choose another GroupName for the tier.", "its tag %s says that %s manages it", key, whose)
	}
	for _, owner := range []struct {
		chain.Resource

		what, todo string
	}{
		{
			chain.Resource{StackID: tags[stackTag], LogicalID: tags[logicalTag]},
			"it belongs to",
			"Take it out of that stack first (with DeletionPolicy Retain it stays), and wait until that is done; or choose another GroupName for the tier.",
		},
		{
			chain.Resource{StackID: tags[chain.TagStackID]},
			"it belongs to the chain " + tags[chain.TagLogicalID] + " of",
			"Choose another GroupName for the tier, or delete that chain; where it was given up with DeletionPolicy Retain, take the tags sgchain: off the group.",
		},
	} {
		if owner.StackID == "" {
			continue
		}
		gone, err := query.IsGone(ctx, owner.Resource)
		if err != nil {
			return errors.Join(refused("Let the function's role read the status of that stack (cloudformation:DescribeStacks and DescribeStackResource, which a provider with AllowAdoption has), or choose another GroupName for the tier.",
				"whether the stack that it belongs to is gone cannot be told (%s)", owner.StackID), err)
		}
		if !gone {
			return refused(owner.todo, "%s stack %s, which is there", owner.what, owner.StackID)
		}
	}
	return nil
}

// accountOf is the account in an ARN.
func accountOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}

func sortedKeys(tags map[string]string) []string {
	keys := make([]string, 0, len(tags))
	for key := range tags {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// Two chains of one provider may adopt one group at the same time, and EC2 has no call that sets
// tags only where they are missing. So a run looks at the group again right before it sets its
// tags, and has adoptWithin for both. Before it answers, a run waits until adoptSettle after it set
// its own: whoever looked before that cannot write any more, and whose tags are there then has
// the group. The other run is refused.
const (
	adoptWithin = 4 * time.Second
	adoptSettle = 5 * time.Second
)

// adoptionLapsed ends an adoption that took too long: whether it took effect is not known.
type adoptionLapsed struct{}

func (adoptionLapsed) Error() string { return "the group was looked at too long ago" }

func (adoptionLapsed) Lapsed() bool { return true }

// adoptGroup gives a group that somebody else made the ownership tags, all of them in one
// call: from then on it is the chain's, and what follows finds it.
func (a *application) adoptGroup(ctx context.Context, step plan.Step) error {
	id := a.groupID(step.Group)
	ctx, cancel := context.WithTimeoutCause(ctx, adoptWithin, adoptionLapsed{})
	defer cancel()
	if err := a.stillAdoptable(ctx, id, step.Group); err != nil {
		return err
	}
	a.mu.Lock()
	a.adopted = append(a.adopted, step.Group)
	a.mu.Unlock()
	err := a.write(ctx, opCreateTags, func(ctx context.Context) error {
		_, err := a.API.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{id}, Tags: a.Owner.groupTags(step)})
		return err
	})
	if err != nil && context.Cause(ctx) != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	switch failed := (&CallError{Doing: "adopting security group (" + id + ", " + step.Group.GroupName + ")", Err: err}); {
	case err == nil:
		a.mu.Lock()
		defer a.mu.Unlock()
		a.adoptedAt, a.confirmed = time.Now(), false
		return nil
	case hasCode(err, codeUnauthorized):
		return &adoptionDeniedError{failed}
	default:
		return a.unlessStale(failed)
	}
}

// stillAdoptable looks at a group right before it is adopted.
func (a *application) stillAdoptable(ctx context.Context, id string, wanted chain.Identity) error {
	groups, err := a.describe(ctx, filter(groupIDFilter, id))
	if err != nil {
		return &CallError{Doing: "describing security groups (" + id + ")", Err: err}
	}
	for _, group := range groups {
		switch {
		case aws.ToString(group.GroupId) != id:
		case a.Owner.owns(group): // an answer was lost
			return nil
		default:
			return a.mayAdopt(ctx, a.query, group, wanted)
		}
	}
	return fmt.Errorf("%w: adopting security group (%s): it is not there", errStaleView, id)
}

// settle waits until no other run can take away any more what this one adopted or moved, and
// looks again. It reports whether there was nothing to wait for; then a move has to be confirmed.
func (a *application) settle(ctx context.Context, target Target, observed Observed) (isSettled bool, now Observed, err error) {
	a.mu.Lock()
	isSettled = len(a.adopted)+len(a.moved) == 0 || a.confirmed
	wait := time.Until(a.adoptedAt.Add(adoptSettle))
	a.confirmed = true
	a.mu.Unlock()
	if isSettled {
		if target.Confirm != nil && len(a.moved) > 0 {
			err = target.Confirm(ctx)
		}
		return true, observed, err
	}
	if err = task.Sleep(ctx, wait); err != nil {
		return false, observed, err
	}
	now, err = a.observeAgain(ctx)
	return false, now, err
}
