package sg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// maxNamedBlockers is how many blockers a failed Delete names; an answer to
// CloudFormation has little room.
const maxNamedBlockers = 6

// BlockedError is groups that cannot be deleted, and what is in the way.
type BlockedError struct {
	GroupIDs []string
	Blockers []string
	Cause    error
}

func (e *BlockedError) Error() string {
	text := "deleting security groups (" + capped(e.GroupIDs) + "): "
	switch {
	case len(e.Blockers) > maxNamedBlockers:
		text += fmt.Sprintf("used by %s and %d more", strings.Join(e.Blockers[:maxNamedBlockers], "; "), len(e.Blockers)-maxNamedBlockers)
	case len(e.Blockers) > 0:
		text += "used by " + strings.Join(e.Blockers, "; ")
	default:
		text += Cause(e.Cause)
	}
	return text
}

func (e *BlockedError) Unwrap() error { return e.Cause }

// Remedy is one sentence of what to do.
func (e *BlockedError) Remedy() string {
	if len(e.Blockers) == 0 {
		return "Look for what else uses these groups, such as an association with another VPC (aws ec2 describe-security-group-vpc-associations), remove it, then delete again."
	}
	return "Remove these uses, or wait where it says that they go by themselves, then delete again."
}

// Removal is what a run takes away.
type Removal struct {
	// Doomed picks the groups, in turns: those of one are gone before those of the next.
	Doomed func(chain.State) [][]chain.Identity
	// Back says that what an operation did is taken back: groups that it adopted lose the
	// rules that it gave them.
	Back bool
	// Owes says that who moves out of the groups still uses what they have.
	Owes bool
}

// Remove deletes the groups that are doomed, and waits while something uses them, until the
// context ends; then it says what does. It begins with the given observation. While a group
// is in use nothing is revoked: a delete that fails must not have cut anybody off. Groups
// that somebody else made are released instead, once the others of their turn are gone; one
// that is bound to what stays is waited for, too, as long as there is time.
func (e *Edge) Remove(ctx context.Context, observed Observed, removal Removal) error {
	wait := task.Backoff{Next: 2 * time.Second, Last: 10 * time.Second}
	for {
		batches := removal.Doomed(observed.State)
		all := slices.Concat(batches...)
		if len(all) == 0 {
			return nil
		}
		uses, err := e.interfaces(ctx, observed, all)
		if err != nil {
			return err
		}
		whole := turn{all: all, Removal: removal}
		held, foreign := split(observed.State, all)
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > releaseTime {
			held = append(held, whole.bound(observed.State, foreign)...)
		}
		blockers := uses.texts(observed.idsOf(held))
		if len(blockers) == 0 {
			for _, batch := range batches {
				whole.doomed = batch
				var tried []chain.Identity
				tried, err = e.removeOnce(ctx, observed, whole)
				observed = observed.without(tried)
				if err != nil {
					break
				}
			}
			if err == nil {
				return nil
			}
			if !IsDependencyViolation(err) && !errors.Is(err, errStaleView) {
				return err
			}
		}
		e.Log.Info("waiting to delete", slog.Int("groups", len(all)), slog.String("blockers", strings.Join(blockers, "; ")))
		if ended := wait.Wait(ctx); ended != nil {
			return e.blocked(context.WithoutCancel(ctx), observed, held, blockers, errors.Join(ended, err))
		}
		if observed, err = e.ObserveAgain(ctx, observed); err != nil {
			return err
		}
	}
}

// RemoveUnused deletes those of some groups that no network interface uses, without
// waiting for the others, and revokes the rules that name them. It returns what is in the way
// of those that are left.
func (e *Edge) RemoveUnused(ctx context.Context, observed Observed, doomed []chain.Identity, removal Removal) (left map[chain.Identity]string, err error) {
	left = map[chain.Identity]string{}
	if len(doomed) == 0 {
		return left, nil
	}
	keep := func(identities []chain.Identity, why func(chain.Identity) string) {
		for _, identity := range identities {
			left[identity] = why(identity)
		}
	}
	uses, err := e.interfaces(ctx, observed, doomed)
	if err != nil {
		keep(doomed, func(chain.Identity) string { return "what uses it could not be read: " + Cause(err) })
		return left, err
	}
	made, foreign := split(observed.State, doomed)
	used := uses.among(observed, append(made, turn{all: doomed, Removal: removal}.bound(observed.State, foreign)...))
	keep(used, func(identity chain.Identity) string {
		return "it is used by " + capped(uses.texts([]string{observed.GroupIDs[identity]}))
	})
	unused := slices.DeleteFunc(slices.Clone(doomed), func(identity chain.Identity) bool { return slices.Contains(used, identity) })
	if len(unused) == 0 {
		return left, nil
	}
	// One that cannot go must not keep the others.
	gone, err := e.removeOnce(ctx, observed, turn{doomed: unused, all: unused, each: true, Removal: removal})
	rest := slices.DeleteFunc(unused, func(identity chain.Identity) bool { return slices.Contains(gone, identity) })
	why := "the run ended before it was deleted"
	switch {
	case IsDependencyViolation(err):
		why = "a rule of a security group that is not the chain's names it, or a VPC is associated with it (" + Cause(err) + ")"
	case err != nil:
		why = "EC2 did not delete it: " + Cause(err)
	}
	keep(rest, func(chain.Identity) string { return why })
	return left, err
}

// without is the observation once groups are gone.
func (o Observed) without(gone []chain.Identity) Observed {
	o = o.clone()
	o.State.Groups = slices.DeleteFunc(slices.Clone(o.State.Groups), func(group chain.Group) bool { return slices.Contains(gone, group.Identity) })
	for _, identity := range gone {
		delete(o.GroupIDs, identity)
	}
	return o
}

// turn is a part of a removal.
type turn struct {
	Removal

	doomed, all []chain.Identity // of this turn, and of all of them
	each        bool             // each group is for itself
}

// removeOnce deletes and releases groups. The role lets nobody touch what another run has
// released, nor what a call did whose answer was lost and which the SDK makes again: where
// it refuses a turn that releases, what is still to do is looked up anew. It returns the
// groups that are gone or released.
func (e *Edge) removeOnce(ctx context.Context, observed Observed, turn turn) ([]chain.Identity, error) {
	var gone []chain.Identity
	for lag := (lagging{}); ; {
		now, err := e.tryToRemove(ctx, observed, turn)
		gone = append(gone, now...)
		_, foreign := split(observed.State, turn.doomed)
		if len(foreign) == 0 || !hasCode(err, codeUnauthorized) || !lag.patient() {
			return gone, err
		}
		e.Log.Info("observing again", slog.String("because", Cause(err)))
		fresh, failed := Observed{}, lag.wait(ctx)
		if failed == nil {
			fresh, failed = e.ObserveAgain(ctx, observed.without(now))
		}
		if failed != nil {
			return gone, errors.Join(failed, err)
		}
		var rest []chain.Identity
		for _, identity := range turn.doomed {
			switch {
			case slices.Contains(gone, identity):
			case fresh.State.Has(identity):
				rest = append(rest, identity)
			default:
				gone = append(gone, identity)
			}
		}
		observed, turn.doomed = fresh, rest
	}
}

// tryToRemove deletes groups in two waves, the tiers by the parity of their place
// from the end, so that nearly half of the rules between them go with their
// group. A rule that names a group is revoked first where its own group is not
// gone by then; where each group is for itself, always, and then one that cannot go does
// not keep the others. EC2 lets a group go that is named only by itself. It returns the
// groups that were deleted or released, or that EC2 did not know.
func (e *Edge) tryToRemove(ctx context.Context, observed Observed, turn turn) ([]chain.Identity, error) {
	run := newApplication(e, observed)
	doomed, foreign := split(observed.State, turn.doomed)
	wave := waves(doomed, plan.TierOrder(observed.State))
	revoke := turn.revocations(observed.State, wave, foreign)
	e.Log.Info("delete", slog.Int("groups", len(doomed)), slog.Int("releases", len(foreign)), slog.Any("plan", Logged(revoke.String, plan.LogBytes)))
	if err := run.apply(ctx, revoke); err != nil {
		return nil, err
	}
	tried := make([]bool, len(doomed))
	gone := func() []chain.Identity {
		var all []chain.Identity
		for i, identity := range doomed {
			if tried[i] {
				all = append(all, identity)
			}
		}
		return all
	}
	var failed error
	for _, now := range []int{0, 1} {
		var tasks []func() error
		for i, identity := range doomed {
			if wave[identity] == now {
				tasks = append(tasks, func() error {
					err := e.deleteGroup(ctx, observed.GroupIDs[identity])
					tried[i] = err == nil || IsGroupNotFound(err)
					return err
				})
			}
		}
		if err := parallel(tasks); err != nil {
			failed = errors.Join(failed, err)
			if !turn.each || !IsDependencyViolation(err) {
				break
			}
		}
	}
	if failed != nil && !turn.each {
		return gone(), failed
	}
	released, err := run.release(ctx, observed, foreign, revoke)
	return append(gone(), released...), errors.Join(failed, err)
}

// revocations is the plan of what is revoked first.
func (t turn) revocations(state chain.State, wave map[chain.Identity]int, foreign []chain.Identity) plan.Plan {
	var revoke plan.Plan
	for _, group := range state.Groups {
		for _, direction := range []chain.Direction{chain.Ingress, chain.Egress} {
			rules := slices.DeleteFunc(slices.Clone(group.Rules), func(rule chain.Rule) bool {
				return rule.Direction != direction || !(t.isInTheWay(group, rule, wave) || t.severs(state, group, rule, foreign) || t.takenBack(group, rule, foreign))
			})
			if len(rules) > 0 {
				revoke.Steps = append(revoke.Steps, plan.Step{Phase: plan.Revoke, Action: plan.RevokeRules, Group: group.Identity, Direction: direction, Rules: rules})
			}
		}
	}
	return revoke
}

// isInTheWay says whether a rule names a group to delete and is not gone before it.
func (t turn) isInTheWay(group chain.Group, rule chain.Rule, wave map[chain.Identity]int) bool {
	target, isDoomed := wave[rule.Peer.Member]
	holder, goes := wave[group.Identity]
	inTime := goes && holder < target && !t.each
	return rule.Peer.Kind == chain.PeerMember && isDoomed && rule.Peer.Member != group.Identity && !inTime
}

// waves says for each group to delete whether it goes first (0) or second (1).
func waves(doomed []chain.Identity, tierOrder []string) map[chain.Identity]int {
	sorted := slices.SortedFunc(slices.Values(doomed), func(a, b chain.Identity) int {
		return cmp.Or(cmp.Compare(place(tierOrder, b), place(tierOrder, a)), chain.CompareIdentities(b, a))
	})
	wave := make(map[chain.Identity]int, len(sorted))
	turn := 1
	for i, identity := range sorted {
		if i == 0 || sorted[i-1].Tier != identity.Tier {
			turn = 1 - turn
		}
		wave[identity] = turn
	}
	return wave
}

func place(tierOrder []string, identity chain.Identity) int {
	return slices.Index(tierOrder, identity.Tier)
}

func (e *Edge) deleteGroup(ctx context.Context, id string) error {
	err := e.write(ctx, opDeleteSecurityGroup, func(ctx context.Context) error {
		_, err := e.API.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: aws.String(id)})
		return err
	})
	if err == nil {
		return nil
	}
	err = &CallError{Doing: "deleting security group (" + id + ")", Err: err}
	// A group that EC2 does not know is gone, or too young: observing tells.
	if isLapsed(err) || IsGroupNotFound(err) {
		return fmt.Errorf("%w: %w", errStaleView, err)
	}
	return err
}

// use is a network interface that uses a group.
type use struct{ groupID, text string }

type uses []use

// texts names those of some groups' interfaces.
func (u uses) texts(groupIDs []string) []string {
	var texts []string
	for _, one := range u {
		if slices.Contains(groupIDs, one.groupID) {
			texts = append(texts, one.text)
		}
	}
	return texts
}

// among lists those groups that are in use.
func (u uses) among(observed Observed, identities []chain.Identity) []chain.Identity {
	return slices.DeleteFunc(slices.Clone(identities), func(identity chain.Identity) bool {
		return !slices.ContainsFunc(u, func(one use) bool { return one.groupID == observed.GroupIDs[identity] })
	})
}

// interfaces lists the network interfaces that use groups.
func (e *Edge) interfaces(ctx context.Context, observed Observed, identities []chain.Identity) (uses, error) {
	ids := observed.idsOf(identities)
	interfaces, err := inCalls([]types.Filter{filter(groupIDFilter, ids...)}, func(filters []types.Filter) ([]types.NetworkInterface, error) {
		var interfaces []types.NetworkInterface
		pages := ec2.NewDescribeNetworkInterfacesPaginator(e.API, &ec2.DescribeNetworkInterfacesInput{Filters: filters, MaxResults: aws.Int32(pageSize)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			interfaces = append(interfaces, page.NetworkInterfaces...)
		}
		return interfaces, nil
	})
	if err != nil {
		return nil, &CallError{Doing: "describing network interfaces of security groups (" + capped(ids) + ")", Err: err}
	}
	var found uses
	for _, one := range interfaces {
		for _, group := range one.Groups {
			if id := aws.ToString(group.GroupId); slices.Contains(ids, id) {
				found = append(found, use{groupID: id, text: interfaceText(one) + " on " + id})
			}
		}
	}
	slices.SortFunc(found, func(a, b use) int { return strings.Compare(a.text, b.text) })
	return slices.Compact(found), nil // one on groups of two calls comes twice
}

// interfaceText names an interface, whose it is and what becomes of it.
func interfaceText(one types.NetworkInterface) string {
	text := "network interface " + aws.ToString(one.NetworkInterfaceId) + " (" + string(one.InterfaceType)
	if description := aws.ToString(one.Description); description != "" {
		text += ", " + description
	}
	instance := ""
	if one.Attachment != nil {
		instance = aws.ToString(one.Attachment.InstanceId)
	}
	if instance != "" {
		text += ", instance " + instance
	}
	return text + "; " + ending(one, instance) + ")"
}

// ending says how an interface goes away. Lambda removes its own some time after the
// function is gone ("up to 20 minutes", Lambda developer guide, "Giving Lambda functions
// access to resources in an Amazon VPC"; Terraform's documentation of aws_lambda_function
// has 45); the others go with what they belong to.
func ending(one types.NetworkInterface, instance string) string {
	description := aws.ToString(one.Description)
	switch {
	case one.InterfaceType == types.NetworkInterfaceTypeLambda || strings.HasPrefix(description, "AWS Lambda VPC ENI"):
		return "goes by itself up to 45 minutes after its functions are gone"
	case strings.HasPrefix(description, "ELB "):
		return "goes by itself some minutes after the load balancer is deleted"
	case strings.HasPrefix(description, "arn:aws") && strings.Contains(description, ":ecs:"):
		return "goes by itself when the task has stopped"
	case one.InterfaceType == types.NetworkInterfaceTypeVpcEndpoint:
		return "goes with its VPC endpoint"
	case strings.HasPrefix(description, "RDSNetworkInterface"):
		return "goes with its database"
	case aws.ToBool(one.RequesterManaged):
		return "goes with the service that made it"
	case instance != "":
		return "stays until the instance is terminated or has other groups"
	case one.Status == types.NetworkInterfaceStatusAvailable:
		return "is not attached and stays until somebody deletes it"
	default:
		return "stays until somebody removes it or gives it other groups"
	}
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

// blocked gathers what is in the way of a delete whose time is over. The context
// is not that time's any more; it is bounded here.
func (e *Edge) blocked(ctx context.Context, observed Observed, doomed []chain.Identity, blockers []string, cause error) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	ids := observed.idsOf(doomed)
	failed := &BlockedError{GroupIDs: ids, Blockers: blockers, Cause: cause}
	for _, name := range []string{"ip-permission.group-id", "egress.ip-permission.group-id"} {
		groups, err := e.describe(ctx, filter(name, ids...))
		if err != nil {
			e.Log.Warn("looking for groups that name the ones to delete failed", slog.String("error", Cause(err)))
			continue
		}
		for _, group := range groups {
			id := aws.ToString(group.GroupId)
			for _, rule := range rulesOf(group, nil) {
				text := fmt.Sprintf("security group %s (%s), rule %s", id, aws.ToString(group.GroupName), rule)
				if rule.Peer.Kind == chain.PeerGroup && slices.Contains(ids, rule.Peer.ID) && !slices.Contains(ids, id) && !slices.Contains(failed.Blockers, text) {
					failed.Blockers = append(failed.Blockers, text)
				}
			}
		}
	}
	return failed
}
