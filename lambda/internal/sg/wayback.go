package sg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// wayBack is what a run learned from EC2's refusals while it takes an operation back. Nothing
// outside of the stack may keep a rollback from its end: it would leave the stack between two
// states, and every further try would end the same.
type wayBack struct {
	full    []plan.Side                            // where EC2 has no room for old and new rules together
	leftOut map[chain.Identity]map[chain.Rule]bool // rules whose peers EC2 refused
	said    []string
}

// fit makes room in groups near their quota. On the way back the arithmetic refuses nothing:
// EC2 has the last word.
func (a *application) fit(ctx context.Context, target *Target, todo plan.Plan, observed, goal chain.State) (plan.Plan, []string, error) {
	fitted, made, err := todo.Fit(observed, goal, target.Quota, a.made, func() error { return context.Cause(ctx) })
	if _, isTight := errors.AsType[*plan.QuotaError](err); isTight && target.Change.Rollback {
		fitted, made, err = todo, nil, nil
	}
	if err != nil {
		return plan.Plan{}, nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	fitted = fitted.Without(func(group chain.Identity, rule chain.Rule) bool { return a.back.leftOut[group][rule.Key()] })
	return fitted.RevokeFirst(a.back.full), made, nil
}

// authorizeBack authorizes rules on the way back, and those that a group which leaves the chain had
// and lost: nobody asks for their peers any more. Where EC2 has no room for them, the next plan
// revokes first; where it refuses a peer, each rule with a foreign peer is tried alone, and
// what is refused is left out.
func (a *application) authorizeBack(ctx context.Context, step plan.Step) error {
	err := a.rules(ctx, step)
	switch {
	case hasCode(err, codeRuleLimit):
		a.noteBack(func(b *wayBack) {
			b.full = append(b.full, plan.Side{Group: step.Group, Direction: step.Direction})
			b.said = append(b.said, fmt.Sprintf("security group %s has no room for its old and its new %s rules together: on the way back old rules were revoked first, and traffic may have been interrupted", step.Group, step.Direction))
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
			a.noteBack(func(b *wayBack) { b.leaveOut(step.Group, rule, refused) })
		}
	}
	return fmt.Errorf("%w: %w", errStaleView, err) // the next plan has the rest
}

func (b *wayBack) leaveOut(group chain.Identity, rule chain.Rule, refused error) {
	if b.leftOut == nil {
		b.leftOut = map[chain.Identity]map[chain.Rule]bool{}
	}
	if b.leftOut[group] == nil {
		b.leftOut[group] = map[chain.Rule]bool{}
	}
	b.leftOut[group][rule.Key()] = true
	b.said = append(b.said, fmt.Sprintf("tier %s lacks the rule %s: EC2 refuses its peer (%s). Correct the peer in the next update", group.Tier, rule, Cause(refused)))
}

func (a *application) noteBack(note func(*wayBack)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	note(&a.back)
}

// isPeerRefused reports whether EC2 refused the other end of a rule: a group or list that is
// not there, or a VPC that is not connected. EC2 gives the last two the code of a group that it
// does not know, which may also be one of the chain's own that is too young to be known.
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
