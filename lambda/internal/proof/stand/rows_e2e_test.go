//go:build e2e

package stand_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"sgchain/lambda/internal/proof/world"
)

// strict is a VPC in the tests' strict EC2, which gets the Lambda's calls.
type strict struct {
	world *world.World
	vpc   string
}

// groups returns the groups of the VPC as that EC2 prints them, without the VPC's ID.
func (s strict) groups() string {
	var kept []string
	mine := false
	for line := range strings.Lines(world.Strip(s.world.String())) {
		if !strings.HasPrefix(line, " ") {
			mine = strings.HasSuffix(strings.TrimSpace(line), " in "+s.vpc)
		}
		if mine {
			kept = append(kept, strings.ReplaceAll(line, " in "+s.vpc, ""))
		}
	}
	return generated.ReplaceAllString(strings.Join(kept, ""), "$1-*")
}

const (
	strictAlb = `
		ALB-SG "Security group for Application Load Balancer"
		egress -1 0.0.0.0/0
		ingress tcp 443-443 0.0.0.0/0 "internet to Alb: tcp 443"
		ingress tcp 80-80 0.0.0.0/0 "internet to Alb: tcp 80"
	`
	strictFargate = `
		Fargate-SG "Security group for Fargate containers"
		egress -1 0.0.0.0/0
		ingress tcp 6060-6060 ALB-SG "Alb to Fargate: tcp 6060"
	`
	strictMoved = `
		Workers-SG "Security group for Fargate containers"
		egress -1 0.0.0.0/0
		ingress tcp 6060-6060 ALB-SG "Alb to Fargate: tcp 6060"
	`
)

// TestRowsUnderMiniStack runs the rows of the lifecycle that MiniStack's engine supports. The
// Lambda's EC2 calls go to the tests' strict EC2, which has DependencyViolation, duplicates and
// canonical forms. Row 18 has its own test. The simulator of package lifecycle runs the rows that
// MiniStack gets wrong.
func TestRowsUnderMiniStack(t *testing.T) {
	t.Parallel()
	w := &world.World{}
	w.AddVPC("vpc-none")
	server := httptest.NewServer(w.Client("lambda"))
	t.Cleanup(server.Close)
	ctx, emulator := start(t, "AWS_ENDPOINT_URL_EC2="+server.URL)
	upload(ctx, t, emulator)

	moved := fargate(object{"GroupName": "Workers-SG"})
	neighbor := object{"Neighbor": custom(object{"VpcId": "not a VPC"}, "Chain")}
	kept := func(policy string) func(object) {
		return func(template object) {
			chain, _ := template["Resources"].(object)["Chain"].(object)
			chain[policy] = "Retain"
		}
	}
	gone := func(template object) {
		resources, _ := template["Resources"].(object)
		delete(resources, "Chain")
		outputs, _ := template["Outputs"].(object)
		delete(outputs, "PhysicalId")
		delete(outputs, "SecurityGroupIds")
	}
	type move struct {
		tiers   []object
		further object
		change  func(object)
		status  cfntypes.StackStatus
		want    string
	}
	for i, row := range []struct {
		name  string
		moves []move
		left  string // after the stack's delete
	}{
		{"1 and 13: create and delete", []move{{tiers: nil, want: strictAlb + strictFargate}}, ""},
		{"4 simple: another resource fails", []move{{further: neighbor, status: cfntypes.StackStatusRollbackComplete, want: ""}}, ""},
		{"5: update, same ID", []move{
			{want: strictAlb + strictFargate},
			{tiers: []object{alb(), fargate(object{"Ports": []any{8080}})}, want: strictAlb + strings.ReplaceAll(strictFargate, "6060", "8080")},
		}, ""},
		{"6: replacement", []move{
			{want: strictAlb + strictFargate},
			{tiers: []object{alb(), moved}, want: strictAlb + strictMoved},
		}, ""},
		{"7: update fails", []move{
			{want: strictAlb + strictFargate},
			{tiers: []object{alb(), fargate(object{"Description": "another"})}, status: cfntypes.StackStatusUpdateRollbackComplete, want: strictAlb + strictFargate},
		}, ""},
		{"9: update done, another resource fails", []move{
			{want: strictAlb + strictFargate},
			{tiers: []object{alb(), fargate(object{"Ports": []any{8080}})}, further: neighbor, status: cfntypes.StackStatusUpdateRollbackComplete, want: strictAlb + strictFargate},
		}, ""},
		{"12: resource removed", []move{{want: strictAlb + strictFargate}, {change: gone, want: ""}}, ""},
		{"19: DeletionPolicy Retain", []move{{change: kept("DeletionPolicy"), want: strictAlb + strictFargate}}, strictAlb + strictFargate},
		{"20: UpdateReplacePolicy Retain", []move{
			{change: kept("UpdateReplacePolicy"), want: strictAlb + strictFargate},
			{tiers: []object{alb(), moved}, change: kept("UpdateReplacePolicy"), want: strictAlb + strictFargate + strictMoved},
		}, ""},
	} {
		place := strict{world: w, vpc: fmt.Sprintf("vpc-%017x", i+1)}
		w.AddVPC(place.vpc)
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := &stack{emulator: emulator, name: fmt.Sprintf("row-%d", i+1)}
			for n, move := range row.moves {
				chain := properties(move.tiers...)
				chain["VpcId"] = place.vpc
				whole := template(chain, move.further)
				if move.change != nil {
					move.change(whole)
				}
				act, status := s.update, cfntypes.StackStatusUpdateComplete
				if n == 0 {
					act, status = s.create, cfntypes.StackStatusCreateComplete
				}
				if move.status != "" {
					status = move.status
				}
				act(ctx, t, whole, status)
				same(t, fmt.Sprintf("move %d", n+1), place.groups(), move.want)
			}
			s.remove(ctx, t)
			same(t, "after the stack's delete", place.groups(), row.left)
		})
	}
}

// TestNestedRowUnderMiniStack runs row 18: provider and chain are in a child, whose chain is
// created, changed, replaced and deleted with its parent.
func TestNestedRowUnderMiniStack(t *testing.T) {
	t.Parallel()
	w := &world.World{}
	place := strict{world: w, vpc: "vpc-0123456789abcdef0"}
	w.AddVPC(place.vpc)
	server := httptest.NewServer(w.Client("lambda"))
	t.Cleanup(server.Close)
	ctx, emulator := start(t, "AWS_ENDPOINT_URL_EC2="+server.URL)
	upload(ctx, t, emulator)
	chain := properties(alb(), fargate(object{"GroupName": object{"Ref": "Name"}, "Ports": []any{object{"Ref": "Port"}}}))
	chain["VpcId"] = place.vpc
	child := template(chain, nil)
	child["Parameters"] = object{"Port": object{"Type": "String"}, "Name": object{"Type": "String"}}
	if err := emulator.PutObject(ctx, bucket, "child.json", []byte(encode(t, child))); err != nil {
		t.Fatal(err)
	}
	parent := func(name, port string) object {
		return object{"Resources": object{
			"Network": object{"Type": "AWS::CloudFormation::Stack", "Properties": object{
				"TemplateURL": emulator.Endpoint() + "/" + bucket + "/child.json", "Parameters": object{"Port": port, "Name": name},
			}},
		}}
	}
	s := &stack{emulator: emulator, name: "parent-of-row"}
	s.create(ctx, t, parent("Fargate-SG", "6060"), cfntypes.StackStatusCreateComplete)
	same(t, "after the parent's create", place.groups(), strictAlb+strictFargate)
	s.update(ctx, t, parent("Fargate-SG", "8080"), cfntypes.StackStatusUpdateComplete)
	same(t, "after a change", place.groups(), strictAlb+strings.ReplaceAll(strictFargate, "6060", "8080"))
	s.update(ctx, t, parent("Workers-SG", "6060"), cfntypes.StackStatusUpdateComplete)
	// MiniStack sends a child's chain no Delete of the replaced ID, so the old group stays until the end.
	same(t, "after a replacement", place.groups(), strictAlb+strings.ReplaceAll(strictFargate, "6060", "8080")+strictMoved)
	s.remove(ctx, t)
	same(t, "after the delete", place.groups(), "")
}

// TestDeleteWaitsUnderMiniStack deletes a stack whose group is in use. The Lambda waits, revokes
// nothing meanwhile, and continues when the interface is gone.
func TestDeleteWaitsUnderMiniStack(t *testing.T) {
	t.Parallel()
	w := &world.World{}
	place := strict{world: w, vpc: "vpc-0123456789abcdef0"}
	w.AddVPC(place.vpc)
	server := httptest.NewServer(w.Client("lambda"))
	t.Cleanup(server.Close)
	ctx, emulator := start(t, "AWS_ENDPOINT_URL_EC2="+server.URL)
	upload(ctx, t, emulator)
	s := &stack{emulator: emulator, name: "in-use"}
	chain := properties()
	chain["VpcId"] = place.vpc
	s.create(ctx, t, template(chain, nil), cfntypes.StackStatusCreateComplete)
	same(t, "after the create", place.groups(), strictAlb+strictFargate)
	if err := w.Attach("eni-1", "ELB app/shop/1", w.GroupID("ALB-SG")); err != nil {
		t.Fatal(err)
	}
	w.Forget()
	freed := make(chan error, 1)
	go func() { freed <- free(ctx, w) }()
	s.remove(ctx, t)
	if err := <-freed; err != nil {
		t.Error(err)
	}
	same(t, "after the delete", place.groups(), "")
}

// free removes the interface once the Lambda has read the interfaces twice, which shows that it
// waits. Until then it must not have written anything.
func free(ctx context.Context, w *world.World) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for looks := 0; looks < 2; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		looks = 0
		for _, call := range w.Calls() {
			if call.Operation == "DescribeNetworkInterfaces" {
				looks++
			}
		}
	}
	if writes := w.Writes(); writes > 0 {
		return fmt.Errorf("%d writes while a group was in use", writes)
	}
	return w.Attach("eni-1", "")
}
