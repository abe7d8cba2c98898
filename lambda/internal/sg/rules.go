package sg

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

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

func (permissionsError) Error() string { return "rules to revoke are not there" }

func (permissionsError) ErrorCode() string { return codePermissionNotFound }

// peerPatience is how long a group that a rule names may be unknown to EC2: it may have been
// made just before this request. EC2 gives the same code for a group of the chain that is
// too young, which has [freshGroupPatience].
const peerPatience = 3 * time.Second

// refusedPeers finds the peers because of which EC2 refused to authorize rules: those of
// groups outside the chain that it does not know, or that are in a VPC that is not connected;
// nil where the refusal is about something else.
func refusedPeers(failed *CallError, rules []chain.Rule, holderID string) *PeerError {
	if !IsGroupNotFound(failed.Err) || strings.Contains(Cause(failed.Err), "'"+holderID+"'") {
		return nil
	}
	var peers []string
	for _, rule := range rules {
		isMeant := isOtherNetworks(failed.Err) || strings.Contains(Cause(failed.Err), rule.Peer.ID)
		if rule.Peer.Kind == chain.PeerGroup && isMeant && !slices.Contains(peers, rule.Peer.String()) {
			peers = append(peers, rule.Peer.String())
		}
	}
	if len(peers) == 0 {
		return nil
	}
	return &PeerError{CallError: failed, Peers: peers}
}
