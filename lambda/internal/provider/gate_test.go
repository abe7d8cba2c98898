package provider_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"sgchain/lambda/internal/proof/world"
	"sgchain/lambda/internal/sg"
)

// longestTerm is longer than any lease that is not renewed, and shorter than anything else that
// ends a call.
const longestTerm = 30 * time.Second

// gated is the API of EC2. It lets one write hang while the stack's status cannot be read. A write
// that passed the gate ends with its lease; any other one hangs on.
type gated struct {
	sg.API

	stack *stack
	hangs int // which write does, counted from 1

	mu     sync.Mutex
	writes int
	seen   map[string]bool
	past   []string // the writes that no lease ended
}

var errHung = errors.New("the call hung")

// passes counts a write and reports whether it may take effect.
func (g *gated) passes(ctx context.Context, operation string) bool {
	g.mu.Lock()
	g.writes++
	hangs := g.writes == g.hangs
	g.seen[operation] = true
	g.mu.Unlock()
	if !hangs {
		return true
	}
	g.readable(errHung)
	defer g.readable(nil)
	select {
	case <-ctx.Done():
	case <-time.After(longestTerm):
		g.mu.Lock()
		g.past = append(g.past, operation)
		g.mu.Unlock()
	}
	return false
}

func (g *gated) readable(err error) {
	g.stack.mu.Lock()
	defer g.stack.mu.Unlock()
	g.stack.err = err
}

func write[In, Out any](ctx context.Context, g *gated, in *In, call func(context.Context, *In, ...func(*ec2.Options)) (*Out, error)) (*Out, error) {
	if !g.passes(ctx, strings.TrimSuffix(reflect.TypeFor[In]().Name(), "Input")) {
		return nil, errHung
	}
	return call(ctx, in)
}

func (g *gated) CreateSecurityGroup(ctx context.Context, in *ec2.CreateSecurityGroupInput, _ ...func(*ec2.Options)) (*ec2.CreateSecurityGroupOutput, error) {
	return write(ctx, g, in, g.API.CreateSecurityGroup)
}

func (g *gated) DeleteSecurityGroup(ctx context.Context, in *ec2.DeleteSecurityGroupInput, _ ...func(*ec2.Options)) (*ec2.DeleteSecurityGroupOutput, error) {
	return write(ctx, g, in, g.API.DeleteSecurityGroup)
}

func (g *gated) CreateTags(ctx context.Context, in *ec2.CreateTagsInput, _ ...func(*ec2.Options)) (*ec2.CreateTagsOutput, error) {
	return write(ctx, g, in, g.API.CreateTags)
}

func (g *gated) DeleteTags(ctx context.Context, in *ec2.DeleteTagsInput, _ ...func(*ec2.Options)) (*ec2.DeleteTagsOutput, error) {
	return write(ctx, g, in, g.API.DeleteTags)
}

func (g *gated) AuthorizeSecurityGroupIngress(ctx context.Context, in *ec2.AuthorizeSecurityGroupIngressInput, _ ...func(*ec2.Options)) (*ec2.AuthorizeSecurityGroupIngressOutput, error) {
	return write(ctx, g, in, g.API.AuthorizeSecurityGroupIngress)
}

func (g *gated) AuthorizeSecurityGroupEgress(ctx context.Context, in *ec2.AuthorizeSecurityGroupEgressInput, _ ...func(*ec2.Options)) (*ec2.AuthorizeSecurityGroupEgressOutput, error) {
	return write(ctx, g, in, g.API.AuthorizeSecurityGroupEgress)
}

func (g *gated) RevokeSecurityGroupIngress(ctx context.Context, in *ec2.RevokeSecurityGroupIngressInput, _ ...func(*ec2.Options)) (*ec2.RevokeSecurityGroupIngressOutput, error) {
	return write(ctx, g, in, g.API.RevokeSecurityGroupIngress)
}

func (g *gated) RevokeSecurityGroupEgress(ctx context.Context, in *ec2.RevokeSecurityGroupEgressInput, _ ...func(*ec2.Options)) (*ec2.RevokeSecurityGroupEgressOutput, error) {
	return write(ctx, g, in, g.API.RevokeSecurityGroupEgress)
}

func (g *gated) UpdateSecurityGroupRuleDescriptionsIngress(ctx context.Context, in *ec2.UpdateSecurityGroupRuleDescriptionsIngressInput, _ ...func(*ec2.Options)) (*ec2.UpdateSecurityGroupRuleDescriptionsIngressOutput, error) {
	return write(ctx, g, in, g.API.UpdateSecurityGroupRuleDescriptionsIngress)
}

func (g *gated) UpdateSecurityGroupRuleDescriptionsEgress(ctx context.Context, in *ec2.UpdateSecurityGroupRuleDescriptionsEgressInput, _ ...func(*ec2.Options)) (*ec2.UpdateSecurityGroupRuleDescriptionsEgressOutput, error) {
	return write(ctx, g, in, g.API.UpdateSecurityGroupRuleDescriptionsEgress)
}

// wordy returns a chain whose rules have descriptions of their own.
func wordy(description, words, word string, tags map[string]any) properties {
	return having(props(
		tier("Alb", "Ports", 443, "Tags", tags),
		tier("Fargate", "Description", description,
			"Ingress", []any{map[string]any{"Ports": []any{6060}, "Sources": []any{"Alb"}, "Description": words}, map[string]any{"Ports": []any{word}, "Sources": []any{"Alb"}}},
			"Egress", []any{map[string]any{"Ports": []any{443}, "Destinations": []any{"203.0.113.0/24"}, "Description": words}, map[string]any{"Ports": []any{word}, "Destinations": []any{"203.0.113.0/24"}}}),
	), "Guardrails", "warn")
}

// writers are the operations in which the product writes.
var writers = map[string]func(r *rig){
	"create, update, cleanup, delete": func(r *rig) {
		was, now := wordy("first", "one", "tcp/80", map[string]any{"Team": "a"}), wordy("first", "two", "tcp/81", map[string]any{"Owner": "b"})
		next := wordy("second", "two", "tcp/81", nil)
		id := r.create(was).PhysicalResourceID
		_ = r.update(id, now, was)
		newer := r.update(id, next, now).PhysicalResourceID
		_ = r.cleanup("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", id, newer, now)
		_ = r.destroy(newer, next)
	},
	"adopt and release": func(r *rig) {
		r.authorizeOutOfBand(r.existingGroup("ALB-SG", "by hand"), tcpFrom(8080, "192.0.2.0/24"))
		r.existingGroup("Fargate-SG", "by hand")
		id := r.create(adopting()).PhysicalResourceID
		_ = r.destroy(id, adopting())
	},
	"undo": func(r *rig) {
		was, next := wordy("first", "one", "tcp/80", nil), wordy("second", "one", "tcp/80", map[string]any{"Team": "a"})
		id := r.create(was).PhysicalResourceID
		r.ec2.FailOperation("CreateTags", world.Fault{Err: world.TagPolicyViolation("Team")})
		_ = r.update(id, next, was)
	},
	"orphans": func(r *rig) {
		was, next := wordy("first", "one", "tcp/80", nil), wordy("second", "one", "tcp/80", nil)
		id := r.create(was).PhysicalResourceID
		r.ec2.FailOperation("DeleteSecurityGroup", world.Fault{Err: world.InvalidValue()})
		newer := r.update(id, next, was).PhysicalResourceID
		_ = r.cleanup("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", id, newer, was)
		r.ec2.Forget()
		_ = r.update(newer, wordy("second", "two", "tcp/80", nil), next)
	},
	"repair": func(r *rig) {
		r.handler.Repairs = true
		now := wordy("first", "one", "tcp/80", map[string]any{"Team": "a"})
		_ = r.create(now)
		for pick := range 8 {
			r.world.Apply(world.OutOfBandChange{Deed: world.RemoveRule, Pick: pick})
			r.world.Apply(world.OutOfBandChange{Deed: world.EditDescription, Pick: pick})
		}
		_, _ = r.invoke("repair", now)
	},
}

// Every write is made under a lease: if the stack's status cannot be read while the call hangs, the
// lease ends it.
func TestEveryWriteHasALease(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for name, live := range writers {
		for hangs, writes := 0, 1; hangs <= writes; hangs++ {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				g := &gated{API: r.ec2, stack: r.stack, hangs: hangs, seen: seen}
				r.handler.EC2 = g
				live(r)
				if hangs == 0 {
					writes = g.writes
				}
				for _, operation := range g.past {
					t.Errorf("%s: write %d, %s, has no lease", name, hangs, operation)
				}
			})
		}
	}
	for method := range reflect.TypeFor[sg.API]().Methods() {
		if !seen[method.Name] && !strings.HasPrefix(method.Name, "Describe") {
			t.Errorf("nothing here makes a call of %s", method.Name)
		}
	}
}
