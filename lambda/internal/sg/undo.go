package sg

import (
	"context"
	"log/slog"
	"slices"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// undo deletes the groups that this run created, and releases or returns those that it adopted
// or moved. A failed Update leaves the earlier groups alone. Nothing in the stack uses the
// run's groups, because no answer named them.
func (a *application) undo(ctx context.Context) error {
	if len(a.created)+len(a.likely)+len(a.adopted)+len(a.moved) == 0 {
		return nil
	}
	mine := func(state chain.State) [][]chain.Identity {
		var mine []chain.Identity
		for _, group := range state.Groups {
			// A group that is still adoptable was not adopted after all.
			if a.isOwn(group) || a.hasMoved(group) || (slices.Contains(a.adopted, group.Identity) && group.Adoption != chain.Adoptable) {
				mine = append(mine, group.Identity)
			}
		}
		return [][]chain.Identity{mine}
	}
	a.Log.Info("undo", slog.Int("groups", len(a.created)+len(a.likely)), slog.Int("adopted", len(a.adopted)))
	a.query.Adoptable = nil // what refuses an adoption must not refuse to undo it
	bounded, cancel := context.WithTimeout(ctx, undoPatience)
	defer cancel()
	lag := lagging{}
	observed, err := a.observeAgain(bounded)
	for err == nil && a.lags(observed) && lag.patient() {
		if err = lag.wait(bounded); err == nil {
			observed, err = a.observeAgain(bounded)
		}
	}
	if err == nil && len(a.moved) > 0 {
		// Another run of the same request may just have answered with them.
		err = a.gate.Renew(bounded)
	}
	if err != nil {
		return err
	}
	return a.Remove(bounded, a.gate, a.query, observed, RemoveOptions{Targets: mine, Rollback: true, Returned: a.moved})
}

// lags reports whether an observation lacks a rule that this run authorized on an adopted
// group. The observation lags then, and a release based on it would leave the rule behind.
func (a *application) lags(observed Observed) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for change := range a.applied {
		group, found := observed.State.Find(change.group)
		isShown := func(rule chain.Rule) bool { return rule.Key() == change.rule.Key() }
		if found && change.action == plan.AuthorizeRules && slices.Contains(a.adopted, change.group) && !slices.ContainsFunc(group.Rules, isShown) {
			return true
		}
	}
	return false
}
