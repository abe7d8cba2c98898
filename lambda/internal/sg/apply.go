package sg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/task"
	"sgchain/lambda/plan"
)

// freshGroupPatience is how long a group that was just created may be unknown to
// other calls ("Eventual consistency in the Amazon EC2 API", EC2 developer guide,
// which names this very example).
const freshGroupPatience = 30 * time.Second

// errStaleView says that EC2 is not as the plan took it to be: observe again and
// plan anew.
var errStaleView = errors.New("security groups changed while the plan was applied")

// application is one run's view of EC2 while it applies plans.
type application struct {
	*Edge

	mu       sync.Mutex
	groupIDs map[chain.Identity]string
	// created is the groups that this run made, likely those that it may have made, with
	// the tag that it gave them: their answers were lost.
	created []chain.Identity
	likely  map[chain.Identity]chain.Tag
	// old is the chain of before.
	old chain.State
	// adopted is the groups that this run took over, or may have.
	adopted []chain.Identity
	// vanished is the groups that EC2 did not know when they were named.
	vanished []chain.Identity
	// applied is what this run changed with success; a read that does not show
	// it lags.
	applied map[change]bool
	// isBack says that the run takes an operation back; back is what it learned on the way.
	isBack  bool
	back    wayBack
	retires func(chain.Identity) bool // whether a group leaves the chain
	// adoptedAt is when it adopted last, and confirmed that it still has what it adopted.
	adoptedAt time.Time
	confirmed bool
}

// change is one line of a plan, as a key.
type change struct {
	action plan.Action
	group  chain.Identity
	rule   chain.Rule
	tags   string
}

func changes(step plan.Step) []change {
	if len(step.Rules) == 0 {
		return []change{{action: step.Action, group: step.Group, tags: tagSet(step)}}
	}
	all := make([]change, 0, len(step.Rules))
	for _, rule := range step.Rules {
		rule.Peer.Account = "" // EC2 shows it at one time and not at another
		all = append(all, change{action: step.Action, group: step.Group, rule: rule})
	}
	return all
}

func newApplication(edge *Edge, observed Observed) *application {
	return &application{
		Edge: edge, groupIDs: observed.clone().GroupIDs, applied: map[change]bool{}, likely: map[chain.Identity]chain.Tag{},
		retires: func(chain.Identity) bool { return false },
	}
}

// apply takes the plan's steps, phase by phase, those of a phase in parallel. It
// returns errStaleView where EC2 turned out to be different.
func (a *application) apply(ctx context.Context, steps plan.Plan) error {
	for _, phase := range steps.Phases() {
		started := time.Now()
		tasks := a.tasks(ctx, phase)
		err := parallel(tasks)
		a.Log.Info("phase done", slog.String("phase", string(phase[0].Action)), slog.Int("calls", len(tasks)),
			slog.Int64("milliseconds", time.Since(started).Milliseconds()), slog.Bool("ok", err == nil))
		if err != nil {
			return err
		}
	}
	return nil
}

// tasks is the calls of a phase: one a step, but one for all groups that get or lose
// the same tags, because CreateTags and DeleteTags take a list of resources.
func (a *application) tasks(ctx context.Context, phase []plan.Step) []func() error {
	var tasks []func() error
	if phase[0].Phase != plan.Retag {
		for _, step := range phase {
			tasks = append(tasks, func() error { return a.done(a.step(ctx, step), step) })
		}
		return tasks
	}
	same := map[string][]plan.Step{}
	for _, step := range phase {
		same[tagSet(step)] = append(same[tagSet(step)], step)
	}
	for _, set := range slices.Sorted(maps.Keys(same)) {
		for some := range slices.Chunk(same[set], maxTagged) {
			tasks = append(tasks, func() error { return a.done(a.retag(ctx, some), some...) })
		}
	}
	return tasks
}

// tagSet is what a step does to tags, as a key.
func tagSet(step plan.Step) string {
	return fmt.Sprintf("%s %s %s %q", step.Action, step.Tag, step.Adoption, step.Tags)
}

func (a *application) step(ctx context.Context, step plan.Step) error {
	switch step.Action {
	case plan.CreateGroup:
		return a.createGroup(ctx, step)
	case plan.AdoptGroup:
		return a.adoptGroup(ctx, step)
	default:
		if step.Action == plan.AuthorizeRules && (a.isBack || a.retires(step.Group)) {
			return a.authorizeBack(ctx, step)
		}
		return a.rules(ctx, step)
	}
}

// done keeps in mind what has been changed.
func (a *application) done(err error, steps ...plan.Step) error {
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, step := range steps {
		for _, change := range changes(step) {
			a.applied[change] = true
		}
	}
	return nil
}

func (a *application) groupID(identity chain.Identity) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.groupIDs[identity]
}

// createGroup makes a group with its ownership tags in one call, so that no
// group of ours is ever without them. CreateSecurityGroup has no client token:
// when an answer is lost and the SDK asks again, EC2 calls our own group a
// duplicate. So a duplicate is looked up, and taken if it bears exactly our tags.
func (a *application) createGroup(ctx context.Context, step plan.Step) error {
	name := step.Group.EC2Name(a.Owner.Resource)
	var id string
	counted, tries := withAttempts(ctx)
	err := a.write(counted, opCreateSecurityGroup, func(ctx context.Context) error {
		output, err := a.API.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{
			GroupName: aws.String(name), Description: aws.String(step.Group.Description), VpcId: aws.String(step.Group.VPCID),
			TagSpecifications: specification(types.ResourceTypeSecurityGroup, a.Owner.groupTags(step)),
		})
		if err == nil {
			id = aws.ToString(output.GroupId)
		}
		return err
	})
	isSure, isLikely := err == nil, mayHaveEffect(err)
	if hasCode(err, codeGroupDuplicate) {
		isLikely = tries.lost.Load()
		id, err = a.findDuplicate(ctx, step, name)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.noteCreated(step.Group, step.Tag, isSure, isLikely)
	if err != nil {
		_, isTaken := errors.AsType[*NameTakenError](err)
		if _, hasLost := errors.AsType[*LostTagsError](err); isTaken || hasLost {
			return err
		}
		err = &CallError{Doing: "creating security group (" + name + ")", Err: err}
		if isLapsed(err) {
			return fmt.Errorf("%w: %w", errStaleView, err)
		}
		return err
	}
	a.groupIDs[step.Group] = id
	return nil
}

// findDuplicate looks up who holds a name that EC2 says is taken.
func (a *application) findDuplicate(ctx context.Context, step plan.Step, name string) (string, error) {
	wanted := step.Group
	wait := task.Backoff{Next: 300 * time.Millisecond, Last: 5 * time.Second}
	patience, cancel := context.WithTimeoutCause(ctx, freshGroupPatience, &NameTakenError{Name: name, VPCID: wanted.VPCID})
	defer cancel()
	for {
		holders, err := a.describe(ctx, filter("vpc-id", wanted.VPCID), filter("group-name", name))
		if err == nil && len(holders) == 0 { // filters tell letter cases apart, and names do not
			holders, err = a.describe(ctx, filter("vpc-id", wanted.VPCID))
		}
		if err != nil {
			return "", err
		}
		for _, holder := range holders {
			if aws.ToString(holder.VpcId) != wanted.VPCID || !strings.EqualFold(aws.ToString(holder.GroupName), name) {
				continue
			}
			if a.Owner.owns(holder) && tagMap(holder.Tags)[tagTier] == wanted.Tier &&
				aws.ToString(holder.GroupName) == name && aws.ToString(holder.Description) == wanted.Description {
				return aws.ToString(holder.GroupId), nil
			}
			return "", a.inTheWay(holder, wanted, step.Tag)
		}
		// EC2 knows the name and does not show the group yet.
		if err := wait.Wait(patience); err != nil {
			return "", err
		}
	}
}

// retag gives groups new tags, all of them the same, or takes some away. A new ownership
// tag is the moment from which they belong to another physical ID.
func (a *application) retag(ctx context.Context, steps []plan.Step) error {
	resources := make([]string, 0, len(steps))
	for _, step := range steps {
		resources = append(resources, a.groupID(step.Group))
	}
	doing, operation := "tagging", opCreateTags
	var tags []types.Tag
	if steps[0].Tag != (chain.Tag{}) {
		tags = append(tags, tag(tagChain, steps[0].Tag.String()))
	}
	if steps[0].Adoption.IsForeign() {
		tags = append(tags, tag(tagAdopted, string(steps[0].Adoption)))
	}
	for _, one := range steps[0].Tags {
		tags = append(tags, tag(one.Key, one.Value))
	}
	call := func(ctx context.Context) error {
		_, err := a.API.CreateTags(ctx, &ec2.CreateTagsInput{Resources: resources, Tags: tags})
		return err
	}
	if steps[0].Action == plan.UntagGroup {
		doing, operation = "untagging", opDeleteTags
		for i := range tags {
			tags[i].Value = nil // whatever the value is (API reference, DeleteTags)
		}
		call = func(ctx context.Context) error {
			_, err := a.API.DeleteTags(ctx, &ec2.DeleteTagsInput{Resources: resources, Tags: tags})
			return err
		}
	}
	err := a.write(ctx, operation, call)
	if err != nil {
		err = &CallError{Doing: doing + " security groups (" + capped(resources) + ")", Err: err}
	}
	return a.unlessStale(err)
}

// maxPermissions is how many rules one call takes (aws-controllers-k8s/community issue
// 2186: "up to 1000 rules per call"). A group can have more of both families together.
const maxPermissions = 1000

// rules makes one call for the rules of one group and direction, or one after the other
// where these are more than a call takes.
func (a *application) rules(ctx context.Context, step plan.Step) error {
	for some := range slices.Chunk(step.Rules, maxPermissions) {
		step.Rules = some
		if err := a.someRules(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

func (a *application) someRules(ctx context.Context, step plan.Step) error {
	id := a.groupID(step.Group)
	a.mu.Lock()
	permissions := permissionsOf(step.Rules, a.groupIDs)
	a.mu.Unlock()
	operation, call := a.ruleCall(step, id, permissions)
	err := a.write(ctx, operation, call)
	if err != nil {
		failed := &CallError{Doing: ruleVerb(step.Action) + " " + string(step.Direction) + " rules of security group (" + id + ")", Err: err}
		if err = failed; step.Action == plan.AuthorizeRules {
			if refused := refusedPeers(failed, step.Rules, id); refused != nil {
				err = refused
			}
		}
	}
	return a.unlessStale(err)
}

// unlessStale turns the errors of a write that only say that EC2 is not as the plan
// took it to be: a rule that is there already or not there, a group that is gone or too
// young to be known to all of EC2, a call of which nobody knows whether it took effect.
// What EC2 names as unknown was shown by an observation that lagged behind its removal,
// and the next one need not show it, unless it is this run's own.
func (a *application) unlessStale(err error) error {
	if err == nil || !isStaleView(err) {
		return err
	}
	if IsGroupNotFound(err) {
		a.mu.Lock()
		defer a.mu.Unlock()
		for identity, id := range a.groupIDs {
			if _, likely := a.likely[identity]; strings.Contains(err.Error(), "'"+id+"'") && !slices.Contains(a.created, identity) && !likely {
				a.vanished = append(a.vanished, identity)
			}
		}
	}
	return fmt.Errorf("%w: %w", errStaleView, err)
}

func ruleVerb(action plan.Action) string {
	switch action {
	case plan.AuthorizeRules:
		return "authorizing"
	case plan.RevokeRules:
		return "revoking"
	default:
		return "describing"
	}
}

// ruleCall picks the operation for an action and a direction.
func (a *application) ruleCall(step plan.Step, id string, permissions []types.IpPermission) (string, func(context.Context) error) {
	group := aws.String(id)
	tags := specification(types.ResourceTypeSecurityGroupRule, a.Owner.ruleTags())
	ingress := step.Direction == chain.Ingress
	switch {
	case step.Action == plan.AuthorizeRules && ingress:
		return opAuthorizeIngress, func(ctx context.Context) error {
			_, err := a.API.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: group, IpPermissions: permissions, TagSpecifications: tags})
			return err
		}
	case step.Action == plan.AuthorizeRules:
		return opAuthorizeEgress, func(ctx context.Context) error {
			_, err := a.API.AuthorizeSecurityGroupEgress(ctx, &ec2.AuthorizeSecurityGroupEgressInput{GroupId: group, IpPermissions: permissions, TagSpecifications: tags})
			return err
		}
	case step.Action == plan.RevokeRules && ingress:
		return opRevokeIngress, func(ctx context.Context) error {
			output, err := a.API.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{GroupId: group, IpPermissions: permissions})
			return revoked(output != nil && len(output.UnknownIpPermissions) > 0, err)
		}
	case step.Action == plan.RevokeRules:
		return opRevokeEgress, func(ctx context.Context) error {
			output, err := a.API.RevokeSecurityGroupEgress(ctx, &ec2.RevokeSecurityGroupEgressInput{GroupId: group, IpPermissions: permissions})
			return revoked(output != nil && len(output.UnknownIpPermissions) > 0, err)
		}
	case ingress:
		return opDescribeIngress, func(ctx context.Context) error {
			_, err := a.API.UpdateSecurityGroupRuleDescriptionsIngress(ctx, &ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{GroupId: group, IpPermissions: permissions})
			return err
		}
	default:
		return opDescribeEgress, func(ctx context.Context) error {
			_, err := a.API.UpdateSecurityGroupRuleDescriptionsEgress(ctx, &ec2.UpdateSecurityGroupRuleDescriptionsEgressInput{GroupId: group, IpPermissions: permissions})
			return err
		}
	}
}

// revoked reads the two ways in which EC2 says that a rule is not there: an
// error in most VPCs, and a list beside success in the default VPC (API
// reference, RevokeSecurityGroupIngress).
func revoked(unknown bool, err error) error {
	if err == nil && unknown {
		return errUnknownPermissions
	}
	return err
}

// permissionsError is that list, as the error that other VPCs give.
type permissionsError struct{}

var errUnknownPermissions error = permissionsError{}

func (permissionsError) Error() string     { return "rules to revoke are not there" }
func (permissionsError) ErrorCode() string { return codePermissionNotFound }
