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

// removeOrphans removes groups that no chain has any more and nobody uses, as the last
// thing that an Update does, and says what is left. Nothing of it lets the Update fail.
//
// Orphans of the newest generation stay: they may be the work of another run of the
// moment. Now that this chain is the newest one, the next Update takes them. A rollback
// takes unused groups of the chain that it rolls back, too, where the recorded ID is its
// own or one that CloudFormation made up: no answer that named them was ever taken, and no
// cleanup will come.
func (r *run) removeOrphans(ctx context.Context, want sg.Want, reading fence.Reading, newest chain.Tag, observed sg.Observed) []string {
	recorded := r.event.PhysicalResourceID
	takesOwn := isBack(reading) && r.event.RequestType == cfn.RequestUpdate && (recorded == want.PhysicalID || !chain.IsPhysicalID(recorded))
	var orphans, doomed []chain.Identity
	for _, group := range observed.State.Groups {
		standing := want.Chains.Standing(group.Identity)
		if standing == plan.Orphan || (standing == plan.Retired && takesOwn) {
			orphans = append(orphans, group.Identity)
			if takesOwn || group.Tag.Generation < newest.Generation {
				doomed = append(doomed, group.Identity)
			}
		}
	}
	left, err := r.edge.RemoveUnused(ctx, observed, doomed, sg.Removal{Back: isBack(reading), Owes: true})
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
		case !slices.Contains(doomed, identity):
			warnings = append(warnings, fmt.Sprintf("security group %s (tier %s) is left over from a run that was broken off; it goes with the next update once no network interface uses it and no group of somebody else names it, or when the chain is deleted",
				observed.GroupIDs[identity], identity.Tier))
		}
	}
	return warnings
}
