package provider

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/fence"
	"sgchain/lambda/internal/sg"
	"sgchain/lambda/plan"
)

// orphanScope selects the groups that belong to neither the old nor the new chain.
type orphanScope struct {
	change plan.Change
	query  sg.Query    // by which adopted groups are found
	newest chain.Epoch // before the run
	// takesOwn also selects unused groups of the old chain.
	takesOwn, rollback bool
}

// takesOwn reports whether a rollback removes unused groups of the chain that it rolls back. If the
// recorded ID is its own, or one that CloudFormation invented, no answer with them was ever
// accepted. No cleanup will follow.
func (r *run) takesOwn(reading fence.Reading, physicalID string) bool {
	recorded := r.event.PhysicalResourceID
	return isRollback(reading) && r.event.RequestType == cfn.RequestUpdate && (recorded == physicalID || !chain.IsPhysicalID(recorded))
}

// removeOrphans removes unused groups of neither chain as the last step of an Update, and returns a
// warning for each one that remains. A failure here does not fail the Update.
func (r *run) removeOrphans(ctx context.Context, gate sg.Gate, of orphanScope, observed sg.Observed) []string {
	orphans, targets := plan.OrphanedGroups(of.change, observed.State, of.newest, of.takesOwn)
	left, err := r.edge.RemoveUnused(ctx, gate, of.query, observed, sg.RemoveOptions{
		Targets:  func(chain.State) [][]chain.Identity { return [][]chain.Identity{targets} },
		Rollback: of.rollback, MembersMoving: true,
	})
	if err != nil {
		r.log.Warn("removing orphaned groups failed", slog.String("error", err.Error()))
	}
	var warnings []string
	for _, identity := range orphans {
		cause, isLeft := left[identity]
		switch {
		case isLeft:
			warnings = append(warnings, fmt.Sprintf("security group %s (tier %s) is orphaned: %s. Remove what uses or names it. The next update or deleting the chain then deletes the group",
				observed.GroupIDs[identity], identity.Tier, cause))
		case !slices.Contains(targets, identity):
			warnings = append(warnings, fmt.Sprintf("security group %s (tier %s) is orphaned by an interrupted run. The next update deletes it if no network interface and no other owner's rule uses it. Deleting the chain deletes it too",
				observed.GroupIDs[identity], identity.Tier))
		}
	}
	return warnings
}
