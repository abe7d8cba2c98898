package lifecycle_test

import (
	"sync"
	"testing"
	"testing/synctest"

	"sgchain/lambda/internal/proof/lifecycle"
	"sgchain/lambda/internal/proof/world"
)

// TestOutOfBandChangeDuringMove makes out-of-band changes in the instant in which a dependent
// moves. The watch must not attribute them to the chain, whichever comes first.
func TestOutOfBandChangeDuringMove(t *testing.T) {
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
				t.Fatalf("creating the chain failed: %s", cf.StackStatus())
			}
			watch.Settle(first, false)
			var both sync.WaitGroup
			for pick := range 4 {
				both.Go(func() { watch.Change(world.OutOfBandChange{Deed: world.RemoveRule, Pick: pick}) })
				both.Go(cf.OnMove)
			}
			both.Wait()
			cf.OnMove()
			if failure := watch.Failed(); failure != nil {
				t.Errorf("an out-of-band change counts as the chain's: %v", failure)
			}
			cf.Drain()
		})
	}
}
