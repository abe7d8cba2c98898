package lifecycle_test

import (
	"sync"
	"testing"
	"testing/synctest"

	"sgchain/lambda/internal/proof/lifecycle"
	"sgchain/lambda/internal/proof/world"
)

// A stranger who acts in the instant in which a dependent moves: what he changes is never
// taken for the chain's fault, whoever of them was first.
func TestHandBesideMove(t *testing.T) {
	t.Parallel()
	pace := lifecycle.Virtual()
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			ec2World := &world.World{Latency: pace.Latency}
			ec2World.AddVPC(lifecycle.VPC)
			cf := lifecycle.New(lifecycle.CloudFormation{World: ec2World, Function: inProcess(), Limit: pace.Limit, Patience: pace.Patience, Moves: pace.Moves, Waits: pace.Waits})
			watch := lifecycle.NewWatch(cf)
			watch.Begin(first, true)
			if !cf.Create(lifecycle.Operation{Properties: first.Properties(lifecycle.VPC)}) {
				t.Fatalf("the chain was not made: %s", cf.StackStatus())
			}
			watch.Settle(first, false)
			var both sync.WaitGroup
			for pick := range 4 {
				both.Go(func() { watch.Hand(world.Hand{Deed: world.RemoveRule, Pick: pick}) })
				both.Go(cf.OnMove)
			}
			both.Wait()
			cf.OnMove()
			if failure := watch.Failed(); failure != nil {
				t.Errorf("the chain is blamed: %v", failure)
			}
			cf.Drain()
		})
	}
}
