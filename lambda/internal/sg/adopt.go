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

// candidates returns the groups with the names that the chain may adopt. It takes one call.
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

// addAdoptable adds the groups that the owner may adopt to its groups. It fails if a group with such
// a name must not be adopted.
func (e *Edge) addAdoptable(ctx context.Context, query Query, groups, named []types.SecurityGroup, members map[string]chain.Identity) ([]types.SecurityGroup, error) {
	for _, wanted := range query.Adoptable {
		isObserved := func(group types.SecurityGroup) bool { return members[aws.ToString(group.GroupId)] == wanted }
		if slices.ContainsFunc(groups, isObserved) {
			continue
		}
		for _, group := range named {
			id := aws.ToString(group.GroupId)
			_, known := members[id]
			if known || aws.ToString(group.VpcId) != wanted.VPCID || aws.ToString(group.GroupName) != wanted.GroupName {
				continue
			}
			if e.isFrom(group) {
				continue // checkNotMoved reports groups that were moved away
			}
			if e.Owner.owns(group) {
				if identity := e.Owner.identity(group, query.Identities); identity != wanted {
					continue // another tier's: the plan has a clearer error for that
				}
			} else if err := e.checkAdoptable(ctx, query, group, wanted); err != nil {
				return nil, err
			}
			members[id] = wanted
			groups = append(groups, group)
		}
	}
	return groups, nil
}

// managers lists the tag keys, or prefixes of them, with which services and controllers mark the
// groups that they created and keep changing.
var managers = []struct{ key, name string }{ //nolint:gochecknoglobals // a table
	{"elbv2.k8s.aws/", "the AWS Load Balancer Controller"},
	{"ingress.k8s.aws/", "the AWS Load Balancer Controller"},
	{"service.k8s.aws/", "the AWS Load Balancer Controller"},
	{"kubernetes.io/cluster/", "a Kubernetes cluster"},
	{"aws:eks:", "Amazon EKS"},
	{"eks:", "Amazon EKS"},
	{"elasticbeanstalk:", "AWS Elastic Beanstalk"},
	{"aws:", "a service of AWS"}, // only AWS can set these (EC2 user guide, "Tag restrictions")
}

// The tags that CloudFormation sets on the resources of a stack ("Resource tags",
// CloudFormation user guide).
const (
	ofStackPrefix = "aws:cloudformation:"
	stackTag      = ofStackPrefix + "stack-id"
	logicalTag    = ofStackPrefix + "logical-id"
)

// ManagedBy returns the tag that marks a group as managed by something other than
// CloudFormation or a chain, and the manager's name. Both are empty if no tag does.
func ManagedBy(tags map[string]string) (key, name string) {
	for _, key := range sortedKeys(tags) {
		if strings.HasPrefix(key, ofStackPrefix) || strings.HasPrefix(key, chain.OwnershipPrefix) {
			continue
		}
		for _, manager := range managers {
			if strings.HasPrefix(key, manager.key) {
				return key, manager.name
			}
		}
	}
	return "", ""
}

// checkAdoptable returns an error if a group must not be adopted.
func (e *Edge) checkAdoptable(ctx context.Context, query Query, group types.SecurityGroup, wanted chain.Identity) error {
	refused := func(todo, format string, args ...any) error {
		return &AdoptionError{GroupID: aws.ToString(group.GroupId), Name: wanted.GroupName, Tier: wanted.Tier, Why: fmt.Sprintf(format, args...), Fix: todo, Wrote: e.Writes() > 0}
	}
	const another = "Choose another GroupName for the tier, or remove AdoptExisting."
	tags := tagMap(group.Tags)
	if strings.EqualFold(wanted.GroupName, "default") {
		return refused(another, "it is the default security group of its VPC")
	}
	if account := accountOf(e.Owner.Resource.StackID); account != "" && aws.ToString(group.OwnerId) != "" && aws.ToString(group.OwnerId) != account {
		return refused(another, "it belongs to account %s, which shares the VPC", aws.ToString(group.OwnerId))
	}
	if provider := tags[chain.TagProvider]; provider != "" && provider != e.Owner.Provider {
		return refused("Remove it from that chain first, or choose another GroupName for the tier.",
			"it belongs to a chain of another provider (%s)", provider)
	}
	if key, name := ManagedBy(tags); key != "" {
		return refused("Choose another GroupName for the tier.", "%s manages it (tag %s)", name, key)
	}
	for _, owner := range []struct {
		chain.Resource

		what, todo string
	}{
		{
			chain.Resource{StackID: tags[stackTag], LogicalID: tags[logicalTag]},
			"it belongs to",
			"Set its DeletionPolicy to Retain and deploy, then remove it from that stack, or choose another GroupName for the tier.",
		},
		{
			chain.Resource{StackID: tags[chain.TagStackID]},
			"it belongs to the chain " + tags[chain.TagLogicalID] + " of",
			"Choose another GroupName for the tier, or delete that chain. If it was retained (DeletionPolicy Retain), remove the sgchain: tags from the group.",
		},
	} {
		if owner.StackID == "" {
			continue
		}
		gone, err := query.IsGone(ctx, owner.Resource)
		if err != nil {
			return errors.Join(refused("Allow the function's role to read that stack (cloudformation:DescribeStacks and DescribeStackResource, as AllowAdoption does), or choose another GroupName for the tier.",
				"the status of its stack (%s) cannot be read", owner.StackID), err)
		}
		if !gone {
			return refused(owner.todo, "%s stack %s, which exists", owner.what, owner.StackID)
		}
	}
	return nil
}

// accountOf returns the account in an ARN, empty if the text is no ARN.
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

// Two chains of one provider may adopt one group at the same time. EC2 has no call that
// sets tags only if they are missing. So a run reads the group again right before it sets its
// tags, and has adoptWithin for both. Before it answers, it waits until adoptSettle after it
// set them. By then a run that read the group earlier can no longer write. The chain whose
// tags the group has then owns it, and the other run is refused.
const (
	adoptWithin = 4 * time.Second
	adoptSettle = 5 * time.Second
)

// adoptionLapsed ends an adoption that took too long. Whether it took effect is unknown.
type adoptionLapsed struct{}

func (adoptionLapsed) Error() string { return "the group was read too long ago" }

func (adoptionLapsed) Lapsed() bool { return true }

// adoptGroup sets the ownership tags on a group of another owner, all of them in one call.
// From then on it is the chain's, and later runs find it.
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

// stillAdoptable checks a group again right before it is adopted.
func (a *application) stillAdoptable(ctx context.Context, id string, wanted chain.Identity) error {
	groups, err := a.describe(ctx, filter(groupIDFilter, id))
	if err != nil {
		return &CallError{Doing: "describing security groups (" + id + ")", Err: err}
	}
	for _, group := range groups {
		switch {
		case aws.ToString(group.GroupId) != id:
		case a.Owner.owns(group): // adopted by a call whose answer was lost
			return nil
		default:
			return a.checkAdoptable(ctx, a.query, group, wanted)
		}
	}
	return fmt.Errorf("%w: adopting security group (%s): it does not exist", errStaleView, id)
}

// settle waits until no other run can claim the groups that this run adopted or moved, then
// observes again. It reports whether there was nothing to wait for. In that case it confirms a move.
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
