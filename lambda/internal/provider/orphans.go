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

// leftOvers is what is to be known of groups that no chain has any more.
type leftOvers struct {
	change plan.Change
	query  sg.Query    // by which adopted groups are known
	newest chain.Epoch // before the run
	// takesOwn says that unused groups of the old chain go, too.
	takesOwn, rollback bool
}

// takesOwn says whether a rollback takes unused groups of the chain that it rolls back: where
// the recorded ID is its own or one that CloudFormation made up, no answer that named them was
// ever taken, and no cleanup will come.
func (r *run) takesOwn(reading fence.Reading, physicalID string) bool {
	recorded := r.event.PhysicalResourceID
	return isBack(reading) && r.event.RequestType == cfn.RequestUpdate && (recorded == physicalID || !chain.IsPhysicalID(recorded))
}

// removeOrphans removes groups that no chain has any more and nobody uses, as the last
// thing that an Update does, and says what is left. Nothing of it lets the Update fail.
func (r *run) removeOrphans(ctx context.Context, gate sg.Gate, of leftOvers, observed sg.Observed) []string {
	orphans, targets := plan.LeftOvers(of.change, observed.State, of.newest, of.takesOwn)
	left, err := r.edge.RemoveUnused(ctx, gate, of.query, observed, sg.Leave{
		Targets:  func(chain.State) [][]chain.Identity { return [][]chain.Identity{targets} },
		Rollback: of.rollback, MembersMoving: true,
	})
	if err != nil {
		r.log.Warn("removing groups that were left over failed", slog.String("error", err.Error()))
	}
	var warnings []string
	for _, identity := range orphans {
		cause, isLeft := left[identity]
		switch {
		case isLeft:
			warnings = append(warnings, fmt.Sprintf("security group %s (tier %s) is left over: %s. Remove what uses or names it; the next update then deletes the group, and so does a delete of the chain",
				observed.GroupIDs[identity], identity.Tier, cause))
		case !slices.Contains(targets, identity):
			warnings = append(warnings, fmt.Sprintf("security group %s (tier %s) is left over from a run that was broken off; it goes with the next update once no network interface uses it and no group of somebody else names it, or when the chain is deleted",
				observed.GroupIDs[identity], identity.Tier))
		}
	}
	return warnings
}
