//go:build e2e

package stand_test

import (
	"context"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"sgchain/lambda/internal/proof/stand"
)

// deployApp deploys the app in a folder of a module that imports this one.
func deployApp(t *testing.T, folderOfApp string) (ctx context.Context, emulator *stand.MiniStack, cdk stand.CDK, must func(error)) {
	t.Helper()
	ctx, emulator = start(t)
	cdk = stand.CDK{
		Root: repository(t), App: filepath.Join(repository(t), "cdk", "sgchain", "testdata", "app", folderOfApp), Stack: "Shop",
		Dir: folder(t), Environment: emulator.Environment(), Context: []string{"sgchain:arch=" + runtime.GOARCH},
	}
	must = func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%v\nlog: %s", err, cdk.LogFile())
		}
	}
	must(cdk.Bootstrap(ctx))
	must(cdk.Deploy(ctx))
	return ctx, emulator, cdk, must
}

// TestImportingApp deploys the app of another module. The load balancer and the service have
// the chain's groups, as their own services report, and the chain is deleted after them.
func TestImportingApp(t *testing.T) {
	t.Parallel()
	ctx, emulator, cdk, must := deployApp(t, "")
	text, groups := readBack(ctx, t, emulator, "")
	same(t, "after cdk deploy", text, `
		sgchain-Shop-Alb-* "Security group of tier Alb"
		sgchain-Shop-Alb-* ingress tcp 80 from 0.0.0.0/0 "internet to Alb: tcp 80"
		sgchain-Shop-Alb-* egress all traffic to 0.0.0.0/0
		sgchain-Shop-Fargate-* "Security group of tier Fargate"
		sgchain-Shop-Fargate-* ingress tcp 6060 from sgchain-Shop-Alb-* "Alb to Fargate: tcp 6060"
		sgchain-Shop-Fargate-* egress all traffic to 0.0.0.0/0
	`)
	if t.Failed() {
		return
	}
	carries := func(what string, read func(context.Context) (map[string][]string, error), want ...string) {
		t.Helper()
		found, err := read(ctx)
		must(err)
		var got []string
		for arn := range maps.Keys(found) {
			got = append(got, found[arn]...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got the groups %v of %v, want %v", what, got, slices.Collect(maps.Keys(found)), want)
		}
	}
	carries("the load balancer", emulator.LoadBalancerGroups, groups[0].ID)
	carries("the service", emulator.ServiceGroups, groups[1].ID)
	// The CLI wrote the plan to the documented path.
	if plans, err := filepath.Glob(filepath.Join(cdk.Assembly(), "*.plan.txt")); err != nil || len(plans) != 1 || filepath.Base(plans[0]) != "Shop.Chain.plan.txt" {
		t.Errorf("plans after cdk deploy: got %v, error %v", plans, err)
	}

	searchLog(ctx, t, emulator)
	must(cdk.Destroy(ctx))
	carries("the load balancer after cdk destroy", emulator.LoadBalancerGroups)
	carries("the service after cdk destroy", emulator.ServiceGroups)
	text, _ = readBack(ctx, t, emulator, "")
	same(t, "after cdk destroy", text, "")
	if left, err := emulator.Stack(ctx, cdk.Stack); err != nil || left != nil {
		t.Errorf("after cdk destroy: stack %v, error %v", left, err)
	}
}

// TestAppWithConnections deploys an app with a load balancer, a service and a database that states
// each port once. The function builds the rules that their connections ask for.
func TestAppWithConnections(t *testing.T) {
	t.Parallel()
	ctx, emulator, cdk, must := deployApp(t, "folding")
	text, _ := readBack(ctx, t, emulator, "")
	same(t, "after cdk deploy", text, `
		sgchain-Shop-Alb-* "Security group of tier Alb"
		sgchain-Shop-Alb-* ingress tcp 8080 from 0.0.0.0/0 "Allow from anyone on port 8080"
		sgchain-Shop-Alb-* egress all traffic to 0.0.0.0/0
		sgchain-Shop-App-* "Security group of tier App"
		sgchain-Shop-App-* ingress tcp 80 from sgchain-Shop-Alb-* "Load balancer to target"
		sgchain-Shop-App-* egress tcp 5432 to sgchain-Shop-Db-* "orders of the shop"
		sgchain-Shop-Db-* "Security group of tier Db"
		sgchain-Shop-Db-* ingress tcp 5432 from sgchain-Shop-App-* "orders of the shop"
	`)
	searchLog(ctx, t, emulator)
	must(cdk.Destroy(ctx))
	text, _ = readBack(ctx, t, emulator, "")
	same(t, "after cdk destroy", text, "")
}
