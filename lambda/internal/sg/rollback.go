package sg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// rollback is what a run learned from EC2's refusals during a rollback. Nothing outside of the
// stack may make a rollback fail: that would leave the stack between two states, and every
// retry would fail too.
type rollback struct {
	full     []plan.Side                            // groups without room for old and new rules together
	leftOut  map[chain.Identity]map[chain.Rule]bool // rules whose peers EC2 refused
	warnings []string
}

// fit orders the steps for groups near their quota. In a rollback it refuses nothing: EC2
// decides.
func (a *application) fit(ctx context.Context, target *Target, todo plan.Plan, observed, goal chain.State) (plan.Plan, []string, error) {
	fitted, warnings, err := todo.Fit(observed, goal, target.Quota, a.hasCreated, func() error { return context.Cause(ctx) })
	if _, isTight := errors.AsType[*plan.QuotaError](err); isTight && target.Change.Rollback {
		fitted, warnings, err = todo, nil, nil
	}
	if err != nil {
		return plan.Plan{}, nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	fitted = fitted.Without(func(group chain.Identity, rule chain.Rule) bool { return a.rollback.leftOut[group][rule.Key()] })
	return fitted.RevokeFirst(a.rollback.full), warnings, nil
}

// authorizeLeniently authorizes rules in a rollback, and rules that a retired group has lost: their
// peers are no longer in the properties. If EC2 has no room for them, the next plan revokes
// first. If EC2 refuses a peer, it tries each rule with a peer outside of the chain alone, and
// leaves out those that are refused.
func (a *application) authorizeLeniently(ctx context.Context, step plan.Step) error {
	err := a.rules(ctx, step)
	switch {
	case hasCode(err, codeRuleLimit):
		a.noteRefusal(func(b *rollback) {
			b.full = append(b.full, plan.Side{Group: step.Group, Direction: step.Direction})
			b.warnings = append(b.warnings, fmt.Sprintf("security group %s has no room for its old and new %s rules together: the rollback revoked old rules first, which may have interrupted traffic", step.Group, step.Direction))
		})
		return fmt.Errorf("%w: %w", errStaleView, err)
	case !a.isPeerRefused(err):
		return err
	}
	for _, rule := range step.Rules {
		if rule.Peer.Kind != chain.PeerGroup && rule.Peer.Kind != chain.PeerPrefixList {
			continue
		}
		one := step
		one.Rules = []chain.Rule{rule}
		if refused := a.rules(ctx, one); a.isPeerRefused(refused) {
			a.noteRefusal(func(b *rollback) { b.leaveOut(step.Group, rule, refused) })
		}
	}
	return fmt.Errorf("%w: %w", errStaleView, err) // the next plan authorizes the rest
}

func (b *rollback) leaveOut(group chain.Identity, rule chain.Rule, refused error) {
	if b.leftOut == nil {
		b.leftOut = map[chain.Identity]map[chain.Rule]bool{}
	}
	if b.leftOut[group] == nil {
		b.leftOut[group] = map[chain.Rule]bool{}
	}
	b.leftOut[group][rule.Key()] = true
	b.warnings = append(b.warnings, fmt.Sprintf("tier %s lacks the rule %s: EC2 refuses its peer (%s). Correct the peer in the next update", group.Tier, rule, Cause(refused)))
}

func (a *application) noteRefusal(note func(*rollback)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	note(&a.rollback)
}

// isPeerRefused reports whether EC2 refused the peer of a rule. The group or prefix list does not
// exist, or the group's VPC is not connected. In both cases EC2 returns the code of an unknown
// group for groups, which may also mean a new group of the chain.
func (a *application) isPeerRefused(err error) bool {
	if hasCode(err, "InvalidPrefixListID.NotFound", "InvalidPrefixListId.NotFound") {
		return true
	}
	if !IsGroupNotFound(err) {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range a.groupIDs {
		if strings.Contains(err.Error(), "'"+id+"'") {
			return false
		}
	}
	return true
}
