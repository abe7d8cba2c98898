package provider_test

import (
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/proof/world"
	"sgchain/lambda/internal/sg"
	"sgchain/lambda/plan"
)

// An adopted group keeps its own description. After a release that EC2 refused once, the query
// finds the group again and the next Delete releases it.
func TestReleaseRetriedForGroupWithAnotherDescription(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(t)
		if _, err := e.world.Client("other").CreateSecurityGroup(t.Context(), &ec2.CreateSecurityGroupInput{
			GroupName: aws.String("app"), Description: aws.String("by hand"), VpcId: aws.String(vpcID),
		}); err != nil {
			t.Fatal(err)
		}
		identity := chain.Identity{VPCID: vpcID, Tier: "App", GroupName: "app", Description: "Security group of tier App"}
		query := sg.Query{Adoptable: []chain.Identity{identity}, Identities: []chain.Identity{identity}}
		target := sg.Target{
			Change:     plan.Change{New: chain.State{Groups: []chain.Group{{Identity: identity}}}, AdoptedBy: chain.AdoptedBy("request-1", "2026-01-01T00:00:00.000Z"), Creating: true},
			PhysicalID: "sgchain-x", Quota: plan.Quota{Rules: 60},
		}
		observed, err := e.edge.Observe(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		result, err := e.edge.Converge(t.Context(), open{}, query, target, observed)
		if err != nil {
			t.Fatal(err)
		}
		id := result.Observed.GroupIDs[identity]
		if e.world.Tag(id, "sgchain:tier") != "App" {
			t.Fatalf("the group is not adopted:\n%s", e.world)
		}
		refused := e.world.Client("refused once")
		e.edge.API = refused
		refused.FailAt(2, world.Fault{Err: world.Unauthorized("DeleteTags")}) // after its interfaces were looked up
		left, err := e.edge.RemoveUnused(t.Context(), open{}, query, result.Observed, sg.RemoveOptions{
			Targets: func(chain.State) [][]chain.Identity { return [][]chain.Identity{{identity}} }, MembersMoving: true,
		})
		if err != nil || len(left) > 0 || e.world.Tag(id, "sgchain:tier") != "" {
			t.Errorf("left are %v, and the error is %v:\n%s", left, err, e.world)
		}
	})
}
