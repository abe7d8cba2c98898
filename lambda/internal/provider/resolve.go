package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/sg"
	"sgchain/lambda/internal/task"
	"sgchain/lambda/plan"
)

// lookedUp holds the results of a run's look-ups: what rules name and only EC2 knows.
type lookedUp struct {
	run    *run
	asked  intent
	found  chain.Found
	failed error // the look-up itself
	// unknown has an error for each peer of the new chain that does not exist.
	unknown []error
	// target is the intent's target with everything that was found. It has no rules whose peers are
	// unknown.
	target sg.Target
}

// look asks EC2 and completes the target. Problems are judged later.
func (l *lookedUp) look(ctx context.Context) error {
	l.ask(ctx)
	l.complete()
	return nil
}

// ask asks EC2. What an earlier look-up found is kept.
func (l *lookedUp) ask(ctx context.Context) {
	region, account := protocol.Place(l.run.event)
	now, was := l.asked.target.Change.New, l.asked.target.Change.Old
	wanted := chain.Wanted(region, account, now, was)
	current := chain.Wanted(region, account, now)
	wanted.GroupIDs = current.GroupIDs // those of the old chain may be gone
	wanted.FormerNames, wanted.GroupNames = wanted.GroupNames, current.GroupNames
	found, err := l.run.edge.LookUp(ctx, wanted)
	l.found, l.failed = l.found.With(found), err
	l.found.Region, l.found.Account = region, account
}

// complete adds what was found, and the names that the groups have in the console.
func (l *lookedUp) complete() {
	resource := protocol.Resource(l.run.event)
	asked := l.asked.target.Change
	now, unknown := asked.New.Resolve(l.found)
	l.unknown = unknown
	old, lost := asked.Old.Resolve(l.found)
	if len(lost) > 0 {
		l.run.log.Warn("peers of the old chain no longer exist", slog.String("problems", errors.Join(lost...).Error()))
	}
	l.target = l.asked.target
	l.target.Change.New, l.target.Change.Old = now.Named(resource), old.Named(resource)
	l.target.Quota = plan.Quota{Rules: l.asked.spec.RuleQuota, Lists: l.found.Lists}
	l.target.Ineffective = asked.New.Ineffective(l.found)
}

// problem returns why the look-ups refuse an update. If one of them failed, peers of its kind are
// unknown for that reason alone, so only the failure is returned.
func (l *lookedUp) problem() error {
	switch {
	case l.failed != nil:
		return l.failed
	case len(l.unknown) > 1:
		return severalError(l.unknown)
	default:
		return errors.Join(l.unknown...)
	}
}

// insistFor is how long a rollback repeats a look-up that failed.
const insistFor = 20 * time.Second

// insist repeats a rollback's look-ups that failed for a passing reason: each rule that is left out
// interrupts traffic. It reports whether it took time. The error is that of the context.
func (l *lookedUp) insist(ctx context.Context) (waited bool, err error) {
	wait := task.Backoff{Next: 500 * time.Millisecond, Last: 5 * time.Second}
	for began := time.Now(); sg.IsTransient(l.failed) && time.Since(began) < insistFor; waited = true {
		l.run.log.Warn("looking up peers failed during the rollback: retrying", slog.String("error", l.failed.Error()))
		if err := wait.Wait(ctx); err != nil {
			return waited, err
		}
		l.ask(ctx)
		l.complete()
	}
	return waited, nil
}

// finalTarget keeps rules whose peers are unknown: those of the old chain, and those of a chain that a
// rollback restores. Nothing outside of the stack may refuse a rollback. So an existing rule stays
// as it is, and a missing one is left out with a warning.
func (l *lookedUp) finalTarget(observed sg.Observed) (sg.Target, []string) {
	target, asked := l.target, l.asked.target.Change
	var warnings []string
	if target.Change.Rollback {
		standing, missing := asked.New.StaleRules(l.found, observed.State)
		target.Change.New = target.Change.New.With(standing).WithMembers(observed.GroupIDs)
		target.Change.New, warnings = l.without(missing, target.Change.New, observed)
	}
	standing, _ := asked.Old.StaleRules(l.found, observed.State)
	target.Change.Old = target.Change.Old.With(standing)
	return target, warnings
}

// without returns the restored chain without the missing rules, and a warning for each of them. If
// a look-up failed, or several lists have a name, the peers of such a rule are unknown. Only the
// failed update's rules on the same ports may serve them now, so those stay until the next update.
func (l *lookedUp) without(missing []chain.Group, back chain.State, observed sg.Observed) (chain.State, []string) {
	var warnings []string
	if l.failed != nil {
		warnings = append(warnings, fmt.Sprintf("looking up peers failed during the rollback, so existing rules were not changed: %v", l.failed))
	}
	var unsure []chain.Group
	for _, one := range missing {
		cause := "its peer no longer exists. Correct the peer in the next update"
		haveName := l.found.HaveName(one.VPCID, one.Rules[0].Peer)
		switch {
		case l.failed != nil:
			cause = "its peer could not be looked up. Once the look-up works, update the stack with another Revision"
		case len(haveName) > 0:
			cause = "several resources have the name of its peer (" + strings.Join(haveName, ", ") + "). Use the ID of one in the next update"
		}
		if l.failed != nil || len(haveName) > 0 {
			unsure = append(unsure, one)
		}
		warnings = append(warnings, fmt.Sprintf("tier %s lacks the rule %s: %s", one.Tier, one.Rules[0], cause))
	}
	kept := l.keep(l.target.Change.Old.RulesForTraffic(unsure, observed.State), back, observed.State)
	for _, group := range kept.Groups {
		for _, rule := range group.Rules {
			warnings = append(warnings, fmt.Sprintf("tier %s keeps the rule %s of the failed update, because traffic may depend on it. The next update removes it", group.Tier, rule))
		}
	}
	return back.With(kept), warnings
}

// keep returns the rules that fit in their groups in addition to the restored ones. EC2 would
// refuse the rest, and with it the rollback.
func (l *lookedUp) keep(kept, back, current chain.State) chain.State {
	var fitting chain.State
	for _, group := range kept.Groups {
		both, _ := back.With(chain.State{Groups: []chain.Group{group}}).Find(group.Identity)
		var all []chain.Rule
		for _, rule := range both.Rules {
			times := 1
			if rule.Peer.Kind == chain.PeerTier { // EC2 has one rule for each group of the tier
				times = len(slices.DeleteFunc(current.Identities(), func(other chain.Identity) bool { return other.Tier != rule.Peer.Tier }))
			}
			for range times {
				all = append(all, rule)
			}
		}
		group.Rules = slices.DeleteFunc(group.Rules, func(rule chain.Rule) bool { return !l.target.Quota.HasRoom(all, rule.Direction) })
		if len(group.Rules) > 0 {
			fitting.Groups = append(fitting.Groups, group)
		}
	}
	return fitting
}
