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

// maxPermissions is how many rules one call may have (aws-controllers-k8s/community issue
// 2186: "up to 1000 rules per call"). A group can have more, of both families together.
const maxPermissions = 1000

// rules makes one call for the rules of one group and direction, or several in sequence
// if they are more than one call may have.
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
		return "updating descriptions of"
	}
}

// ruleCall returns the operation for an action and a direction, and its call.
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

// revoked handles the two ways in which EC2 reports that a rule does not exist. Most VPCs
// return an error, and the default VPC returns success with a list (API reference,
// RevokeSecurityGroupIngress).
func revoked(unknown bool, err error) error {
	if err == nil && unknown {
		return errUnknownPermissions
	}
	return err
}

// permissionsError replaces that list by the error that other VPCs return.
type permissionsError struct{}

var errUnknownPermissions error = permissionsError{}

func (permissionsError) Error() string { return "the rules to revoke do not exist" }

func (permissionsError) ErrorCode() string { return codePermissionNotFound }

// peerPatience is how long a group that a rule names may be unknown to EC2: it may have been
// created just before this request. EC2 returns the same code for a new group of the chain,
// which has [freshGroupPatience].
const peerPatience = 3 * time.Second

// refusedPeers returns the peers that made EC2 refuse to authorize rules. These are groups
// outside the chain that it does not know, or that are in a VPC without a connection. It
// returns nil if the refusal has another reason.
func refusedPeers(failed *CallError, rules []chain.Rule, holderID string) *PeerError {
	if !IsGroupNotFound(failed.Err) || strings.Contains(Cause(failed.Err), "'"+holderID+"'") {
		return nil
	}
	var peers []string
	for _, rule := range rules {
		isNamed := isOtherNetworks(failed.Err) || strings.Contains(Cause(failed.Err), rule.Peer.ID)
		if rule.Peer.Kind == chain.PeerGroup && isNamed && !slices.Contains(peers, rule.Peer.String()) {
			peers = append(peers, rule.Peer.String())
		}
	}
	if len(peers) == 0 {
		return nil
	}
	return &PeerError{CallError: failed, Peers: peers}
}
