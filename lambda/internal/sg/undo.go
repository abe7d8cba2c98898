package sg

import (
	"context"
	"log/slog"
	"slices"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// undo removes the groups that this run created, gives back those that it adopted, and
// nothing else: a failed Update leaves the groups that were there before. Nobody lives in
// these by the chain's doing, because no answer named them.
func (a *application) undo(ctx context.Context) error {
	if len(a.created)+len(a.likely)+len(a.adopted)+len(a.moved) == 0 {
		return nil
	}
	mine := func(state chain.State) [][]chain.Identity {
		var mine []chain.Identity
		for _, group := range state.Groups {
			// One that can still be adopted was not adopted after all.
			if a.isOwn(group) || a.hasMoved(group) || (slices.Contains(a.adopted, group.Identity) && group.Adoption != chain.Adoptable) {
				mine = append(mine, group.Identity)
			}
		}
		return [][]chain.Identity{mine}
	}
	a.Log.Info("undo", slog.Int("groups", len(a.created)+len(a.likely)), slog.Int("adopted", len(a.adopted)))
	a.query.Adoptable = nil // what stands in the way of an adoption must not in the way of this
	bounded, cancel := context.WithTimeout(ctx, undoPatience)
	defer cancel()
	lag := lagging{}
	observed, err := a.observeAgain(bounded)
	for err == nil && a.hides(observed) && lag.patient() {
		if err = lag.wait(bounded); err == nil {
			observed, err = a.observeAgain(bounded)
		}
	}
	if err == nil && len(a.moved) > 0 {
		// Another run of the same request may have answered with them a moment ago.
		err = a.gate.Renew(bounded)
	}
	if err != nil {
		return err
	}
	return a.Remove(bounded, a.gate, a.query, observed, Leave{Targets: mine, Rollback: true, Returned: a.moved})
}

// hides says whether a read lacks a rule that this run gave to a group that it adopted: it
// lags, and giving the group back by it would leave the rule behind.
func (a *application) hides(observed Observed) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for change := range a.applied {
		group, found := observed.State.Find(change.group)
		isThere := func(rule chain.Rule) bool { return rule.Key() == change.rule.Key() }
		if found && change.action == plan.AuthorizeRules && slices.Contains(a.adopted, change.group) && !slices.ContainsFunc(group.Rules, isThere) {
			return true
		}
	}
	return false
}
