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

// lookedUp is what the look-ups of a run found: what rules name and only EC2 knows.
type lookedUp struct {
	run    *run
	asked  intent
	found  chain.Found
	failed error // the look-up itself
	// unknown are the peers of the new chain that are not there.
	unknown []error
	// target is what was asked for with all that was found. Rules whose peers are not known are
	// left out.
	target sg.Target
}

// look asks EC2, and completes the target. What stands against it is for later to judge.
func (l *lookedUp) look(ctx context.Context) error {
	l.ask(ctx)
	l.complete()
	return nil
}

// ask asks EC2. What an earlier look-up found stays found.
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

// complete puts into the chains what was found, and the names that the groups have in the
// console.
func (l *lookedUp) complete() {
	resource := protocol.Resource(l.run.event)
	asked := l.asked.target.Change
	now, unknown := asked.New.Resolve(l.found)
	l.unknown = unknown
	old, lost := asked.Old.Resolve(l.found)
	if len(lost) > 0 {
		l.run.log.Warn("peers of the old chain are not there any more", slog.String("problems", errors.Join(lost...).Error()))
	}
	l.target = l.asked.target
	l.target.Change.New, l.target.Change.Old = now.Named(resource), old.Named(resource)
	l.target.Quota = plan.Quota{Rules: l.asked.spec.RuleQuota, Lists: l.found.Lists}
	l.target.Unserved = asked.New.Unserved(l.found)
}

// problem is what the way forward is refused for.
func (l *lookedUp) problem() error { return errors.Join(append([]error{l.failed}, l.unknown...)...) }

// insistFor is how long a look-up that failed is repeated on the way back.
const insistFor = 20 * time.Second

// insist looks up once more on the way back what a passing error kept from being found: a
// rule that is left out for that is traffic that is cut off. It says whether it took its time.
// The error is that of the context.
func (l *lookedUp) insist(ctx context.Context) (waited bool, err error) {
	wait := task.Backoff{Next: 500 * time.Millisecond, Last: 5 * time.Second}
	for began := time.Now(); sg.IsTransient(l.failed) && time.Since(began) < insistFor; waited = true {
		l.run.log.Warn("looking up peers failed on the way back: trying again", slog.String("error", l.failed.Error()))
		if err := wait.Wait(ctx); err != nil {
			return waited, err
		}
		l.ask(ctx)
		l.complete()
	}
	return waited, nil
}

// stand lets rules stay whose peers are not known: the old chain's, and those of a chain that
// is taken back to. Nothing outside of the stack may refuse the way back, so a rule that is
// there stays as it is, and one that is not there is left out, with a warning.
func (l *lookedUp) stand(observed sg.Observed) (sg.Target, []string) {
	target, asked := l.target, l.asked.target.Change
	var warnings []string
	if target.Change.Rollback {
		standing, missing := asked.New.Standing(l.found, observed.State)
		target.Change.New = target.Change.New.With(standing).Owning(observed.GroupIDs)
		target.Change.New, warnings = l.without(missing, target.Change.New, observed)
	}
	standing, _ := asked.Old.Standing(l.found, observed.State)
	target.Change.Old = target.Change.Old.With(standing)
	return target, warnings
}

// without returns the chain that is taken back to without the rules that are missing, and says so. Where a look-up failed, or several have
// a name, nobody knows whom such a rule let in: what the failed update let in on the same ports is all that serves them now, and stays
// until the next update.
func (l *lookedUp) without(missing []chain.Group, back chain.State, observed sg.Observed) (chain.State, []string) {
	var warnings []string
	if l.failed != nil {
		warnings = append(warnings, fmt.Sprintf("looking up peers failed on the way back; rules that are there were left as they are: %v", l.failed))
	}
	var unsure []chain.Group
	for _, one := range missing {
		cause := "its peer is not there any more. Correct the peer in the next update"
		haveName := l.found.HaveName(one.VPCID, one.Rules[0].Peer)
		switch {
		case l.failed != nil:
			cause = "its peer could not be looked up. Update the stack once the look-up works, with another Revision"
		case len(haveName) > 0:
			cause = "several have the name of its peer (" + strings.Join(haveName, ", ") + "). Write the ID of the one that is meant in the next update"
		}
		if l.failed != nil || len(haveName) > 0 {
			unsure = append(unsure, one)
		}
		warnings = append(warnings, fmt.Sprintf("tier %s lacks the rule %s: %s", one.Tier, one.Rules[0], cause))
	}
	kept := l.keep(l.target.Change.Old.InPlaceOf(unsure, observed.State), back, observed.State)
	for _, group := range kept.Groups {
		for _, rule := range group.Rules {
			warnings = append(warnings, fmt.Sprintf("tier %s keeps the rule %s of the update that failed, so that nobody is cut off who may use both; that next update takes it away", group.Tier, rule))
		}
	}
	return back.With(kept), warnings
}

// keep returns those rules in the place of others for which the groups have room beside what they get back: EC2 would refuse the rest, and
// with it the way back.
func (l *lookedUp) keep(kept, back, current chain.State) chain.State {
	var fitting chain.State
	for _, group := range kept.Groups {
		both, _ := back.With(chain.State{Groups: []chain.Group{group}}).Find(group.Identity)
		var all []chain.Rule
		for _, rule := range both.Rules {
			times := 1
			if rule.Peer.Kind == chain.PeerTier { // EC2 has a rule for each of its groups
				times = len(slices.DeleteFunc(current.Identities(), func(other chain.Identity) bool { return other.Tier != rule.Peer.Tier }))
			}
			all = append(all, slices.Repeat([]chain.Rule{rule}, times)...)
		}
		group.Rules = slices.DeleteFunc(group.Rules, func(rule chain.Rule) bool { return !l.target.Quota.HasRoom(all, rule.Direction) })
		if len(group.Rules) > 0 {
			fitting.Groups = append(fitting.Groups, group)
		}
	}
	return fitting
}
