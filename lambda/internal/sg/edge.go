package sg

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/task"
)

// The mutating operations, as the limiter and the gate name them.
const (
	opCreateSecurityGroup = "CreateSecurityGroup"
	opCreateTags          = "CreateTags"
	opDeleteTags          = "DeleteTags"
	opAuthorizeIngress    = "AuthorizeSecurityGroupIngress"
	opAuthorizeEgress     = "AuthorizeSecurityGroupEgress"
	opRevokeIngress       = "RevokeSecurityGroupIngress"
	opRevokeEgress        = "RevokeSecurityGroupEgress"
	opDescribeIngress     = "UpdateSecurityGroupRuleDescriptionsIngress"
	opDescribeEgress      = "UpdateSecurityGroupRuleDescriptionsEgress"
	opDeleteSecurityGroup = "DeleteSecurityGroup"
)

// MaxConnections limits the calls in flight, and so the connections to EC2.
const MaxConnections = 10

// Gate admits mutating calls. It runs a call only while the request behind it is known
// to be current, and ends the call's context once that is unknown. See package fence.
type Gate interface {
	Write(ctx context.Context, call func(context.Context) error) error
	// Renew checks the request again, and returns the reason if the gate is shut.
	Renew(ctx context.Context) error
}

// Edge accesses EC2 for one chain.
type Edge struct {
	API     API
	Owner   Owner
	Limiter *Limiter
	Log     *slog.Logger

	writes atomic.Int64
}

// Query lists what an observation finds out besides the owner's groups. The zero Query adds
// nothing.
type Query struct {
	// Unmanaged asks for the rules that the chain did not create.
	Unmanaged bool
	// Adoptable are the groups that the chain adopts if another owner has them, by their
	// explicit names.
	Adoptable []chain.Identity
	// Identities are the chain's, new ones before old ones. An adopted group keeps its own
	// description, so it is the first of them with its tier, name and VPC.
	Identities []chain.Identity
	// Built are the identities that the chain has had.
	Built []chain.Identity
	// IsGone reports whether a stack, or the resource of it that created a group, no longer
	// exists. Without a logical ID it only checks the stack.
	IsGone func(ctx context.Context, resource chain.Resource) (bool, error)
	// From is another owner whose groups are observed too: those with one of the Identities,
	// or all of them if Identities is empty. The zero Owner has no groups.
	From Owner
	// MayBeMoved asks whether another chain took over groups that the chain had and lacks.
	MayBeMoved bool
}

// Writes returns the number of mutating calls sent.
func (e *Edge) Writes() int64 { return e.writes.Load() }

// parallel runs every task, at most MaxConnections at a time. It waits for all of them
// even if one fails, because an aborted call leaves EC2 in an unknown state. The last
// task needs no goroutine of its own.
func parallel(tasks []func() error) error {
	if len(tasks) == 0 {
		return nil
	}
	errs := make([]error, len(tasks))
	slots := make(chan struct{}, MaxConnections)
	run := func(i int) {
		slots <- struct{}{}
		defer func() { <-slots }()
		errs[i] = task.Run(tasks[i])
	}
	var group sync.WaitGroup
	last := len(tasks) - 1
	for i := range last {
		group.Go(func() { run(i) })
	}
	run(last)
	group.Wait()
	return firstCause(errs)
}

// firstCause returns the first error that is not errStaleView. If all are, it returns one
// of them.
func firstCause(errs []error) error {
	var first error
	for _, err := range errs {
		if err != nil && (first == nil || errors.Is(first, errStaleView)) {
			first = err
		}
	}
	return first
}
