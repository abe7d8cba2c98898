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

// The operations that change something, as the limiter and the gate know them.
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

// MaxConnections bounds the calls in flight, and with it the connections to EC2.
const MaxConnections = 10

// Gate admits the calls that change something: it runs the call while the
// request that wants it is known to be still wanted, and ends the call's context
// when that is not known any more. See package fence.
type Gate interface {
	Write(ctx context.Context, call func(context.Context) error) error
	// Renew looks whether the gate is shut now, and says why it is.
	Renew(ctx context.Context) error
}

// Edge is EC2 as seen from one chain.
type Edge struct {
	API     API
	Owner   Owner
	Limiter *Limiter
	Log     *slog.Logger

	writes atomic.Int64
}

// Query is what an observation has to find out beside the owner's groups; of the zero Query,
// nothing.
type Query struct {
	// Unmanaged asks which rules the chain never made.
	Unmanaged bool
	// Adoptable are the groups that the chain takes over where somebody else made them, by
	// their explicit names.
	Adoptable []chain.Identity
	// Identities are the chain's, its new ones before its old ones: an adopted group, whose
	// description is its own, is the first of them that has its tier, name and VPC.
	Identities []chain.Identity
	// Built are those that the chain had until now.
	Built []chain.Identity
	// IsGone says whether a stack is there no more, or the resource in it that made a group;
	// without a logical ID it is about the stack alone.
	IsGone func(ctx context.Context, resource chain.Resource) (bool, error)
	// From is the owner whose groups are observed, too: those of the Identities, or all of them where there are none. The zero Owner
	// is nobody.
	From Owner
	// MayBeMoved asks, where groups are missing that the chain had, whether another chain took them over.
	MayBeMoved bool
}

// Writes is how many calls that change something were sent.
func (e *Edge) Writes() int64 { return e.writes.Load() }

// parallel runs every task, at most MaxConnections at a time, and waits for all
// of them even when one fails: a call that is cut off leaves EC2 in a state that
// nobody knows. The last one needs no goroutine of its own.
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

// firstCause prefers an error that stands for itself to one that only says that
// the view is stale.
func firstCause(errs []error) error {
	var first error
	for _, err := range errs {
		if err != nil && (first == nil || errors.Is(first, errStaleView)) {
			first = err
		}
	}
	return first
}
