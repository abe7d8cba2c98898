package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/sg"
	"sgchain/lambda/plan"
)

// lookedUp is what the look-ups of a run found.
type lookedUp struct {
	run    *run
	found  chain.Found
	failed error // the look-up itself
	// unknown are the peers of the new chain that are not there, wanted and was the chains as
	// their authors wrote them.
	unknown     []error
	wanted, was chain.State
}

// lookUp asks for what only EC2 knows.
func (r *run) lookUp(ctx context.Context, want sg.Want) lookedUp {
	region, account := protocol.Place(r.event)
	wanted := chain.Wanted(region, account, want.Chains.New, want.Chains.Old)
	wanted.GroupIDs = chain.Wanted(region, account, want.Chains.New).GroupIDs // those of the old chain may be gone
	found, err := r.edge.LookUp(ctx, wanted)
	found.Region, found.Account = region, account
	return lookedUp{run: r, found: found, failed: err, wanted: want.Chains.New, was: want.Chains.Old}
}

// complete puts into the chains what was found, and the names that the groups have in the
// console. Rules whose peers are not known are left out.
func (l *lookedUp) complete(ruleQuota int, want sg.Want) sg.Want {
	resource := protocol.Resource(l.run.event)
	now, unknown := l.wanted.Resolve(l.found)
	l.unknown = unknown
	old, lost := l.was.Resolve(l.found)
	if len(lost) > 0 {
		l.run.log.Warn("peers of the old chain are not there any more", slog.String("problems", errors.Join(lost...).Error()))
	}
	want.Chains.New, want.Chains.Old = now.Named(resource), old.Named(resource)
	want.Quota = plan.Quota{Rules: ruleQuota, Lists: l.found.Lists}
	want.Unserved = l.wanted.Unserved(l.found)
	return want
}

// problem is what the way forward is refused for.
func (l *lookedUp) problem() error { return errors.Join(append([]error{l.failed}, l.unknown...)...) }

// stand lets rules stay whose peers are not known: the old chain's, and those of a chain that
// is taken back to. Nothing outside of the stack may refuse the way back, so a rule that is
// there stays as it is, and one that is not there is left out, with a warning.
func (l *lookedUp) stand(want sg.Want, observed sg.Observed) (sg.Want, []string) {
	var warnings []string
	if want.Chains.Back {
		standing, missing := l.wanted.Standing(l.found, observed.State)
		want.Chains.New = want.Chains.New.With(standing).Owning(observed.GroupIDs)
		if l.failed != nil {
			warnings = append(warnings, fmt.Sprintf("looking up peers failed on the way back; rules that are there were left as they are: %v", l.failed))
		}
		for _, one := range missing {
			warnings = append(warnings, fmt.Sprintf("tier %s lacks the rule %s: its peer is not there any more. Correct the peer in the next update", one.Tier, one.Rules[0]))
		}
	}
	standing, _ := l.was.Standing(l.found, observed.State)
	want.Chains.Old = want.Chains.Old.With(standing)
	return want, warnings
}

// resolve looks up what only EC2 knows, and completes the chains with it. The error is for
// peers that are not there.
func (r *run) resolve(ctx context.Context, ruleQuota int, want *sg.Want) error {
	looked := r.lookUp(ctx, *want)
	if looked.failed != nil {
		return looked.failed
	}
	*want = looked.complete(ruleQuota, *want)
	return looked.problem()
}
