package provider

import (
	"context"
	"errors"
	"log/slog"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/sg"
	"sgchain/lambda/plan"
)

// resolve looks up what only EC2 knows, and completes the chains with it and with the
// names that the groups have in the console.
func (r *run) resolve(ctx context.Context, ruleQuota int, want *sg.Want) error {
	resource := protocol.Resource(r.event)
	region, account := protocol.Place(r.event)
	wanted := chain.Wanted(region, account, want.Chains.New, want.Chains.Old)
	wanted.GroupIDs = chain.Wanted(region, account, want.Chains.New).GroupIDs // those of the old chain may be gone
	found, err := r.edge.LookUp(ctx, wanted)
	if err != nil {
		return err
	}
	found.Region, found.Account = region, account
	now, unknown := want.Chains.New.Resolve(found)
	if len(unknown) > 0 {
		return errors.Join(unknown...)
	}
	old, unknown := want.Chains.Old.Resolve(found)
	if len(unknown) > 0 {
		r.log.Warn("peers of the old chain are not there any more", slog.String("problems", errors.Join(unknown...).Error()))
	}
	want.Chains.New, want.Chains.Old = now.Named(resource), old.Named(resource)
	want.Quota = plan.Quota{Rules: ruleQuota, Lists: found.Lists}
	return nil
}
