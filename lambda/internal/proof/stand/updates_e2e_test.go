//go:build e2e

package stand_test

import (
	"strings"
	"testing"

	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// step is one template for CloudFormation, and the expected groups when the operation has ended.
type step struct {
	what    string
	chain   object
	further object               // resources besides the chain
	status  cfntypes.StackStatus // "" for the usual one
	// says are texts that must be in the reasons of failed resources.
	says []string
	want string
	// replaced is set if the step must change the physical ID.
	replaced bool
}

func alb(changes ...object) object {
	return with(object{"Name": "Alb", "GroupName": "ALB-SG", "Description": "Security group for Application Load Balancer", "Ports": []any{80, 443}}, changes)
}

func fargate(changes ...object) object {
	return with(object{"Name": "Fargate", "GroupName": "Fargate-SG", "Description": "Security group for Fargate containers", "Ports": []any{6060}}, changes)
}

func database(changes ...object) object {
	return with(object{"Name": "Db", "GroupName": "Db-SG", "Description": "Security group for the database", "Ports": []any{5432}}, changes)
}

// with changes a tier. A nil value removes the key.
func with(tier object, changes []object) object {
	for _, change := range changes {
		for key, value := range change {
			if value == nil {
				delete(tier, key)
				continue
			}
			tier[key] = value
		}
	}
	return tier
}

const (
	albText = `
		ALB-SG "Security group for Application Load Balancer"
		ALB-SG ingress tcp 80 from 0.0.0.0/0 "internet to Alb: tcp 80"
		ALB-SG ingress tcp 443 from 0.0.0.0/0 "internet to Alb: tcp 443"
		ALB-SG egress all traffic to 0.0.0.0/0
	`
	fargateText = `
		Fargate-SG "Security group for Fargate containers"
		Fargate-SG ingress tcp 6060 from ALB-SG "Alb to Fargate: tcp 6060"
		Fargate-SG egress all traffic to 0.0.0.0/0
	`
	databaseText = `
		Db-SG "Security group for the database"
		Db-SG ingress tcp 5432 from Fargate-SG "Fargate to Db: tcp 5432"
		Db-SG egress all traffic to 0.0.0.0/0
	`
)

// The first step of a case creates the stack, the others update it, and the end deletes it. Rules
// that stay keep their descriptions here, because MiniStack has no
// UpdateSecurityGroupRuleDescriptionsIngress (InvalidAction).
var updates = map[string][]step{
	"rule added": {
		{what: "the default chain", chain: properties(), want: albText + fargateText},
		{
			what: "one address more",
			chain: properties(
				alb(object{"Ports": nil, "Ingress": []any{
					object{"Ports": []any{80, 443}, "Sources": []any{"internet"}},
					object{"Ports": []any{8443}, "Sources": []any{"203.0.113.7/32"}, "Description": "the office"},
				}}),
				fargate(),
			),
			want: `
				ALB-SG "Security group for Application Load Balancer"
				ALB-SG ingress tcp 80 from 0.0.0.0/0 "internet to Alb: tcp 80"
				ALB-SG ingress tcp 443 from 0.0.0.0/0 "internet to Alb: tcp 443"
				ALB-SG ingress tcp 8443 from 203.0.113.7/32 "the office"
				ALB-SG egress all traffic to 0.0.0.0/0
			` + fargateText,
		},
		{what: "and away again", chain: properties(alb(), fargate()), want: albText + fargateText},
	},
	"port changed": {
		{what: "6060", chain: properties(alb(), fargate()), want: albText + fargateText},
		{
			what: "8080", chain: properties(alb(), fargate(object{"Ports": []any{8080}})),
			want: albText + `
				Fargate-SG "Security group for Fargate containers"
				Fargate-SG ingress tcp 8080 from ALB-SG "Alb to Fargate: tcp 8080"
				Fargate-SG egress all traffic to 0.0.0.0/0
			`,
		},
	},
	"tier added": {
		{what: "two tiers", chain: properties(alb(), fargate()), want: albText + fargateText},
		{what: "three tiers", chain: properties(alb(), fargate(), database()), want: albText + databaseText + fargateText, replaced: true},
	},
	"tier removed": {
		{what: "three tiers", chain: properties(alb(), fargate(), database()), want: albText + databaseText + fargateText},
		{what: "two tiers", chain: properties(alb(), fargate()), want: albText + fargateText, replaced: true},
	},
	"strict egress": {
		{
			what: "Alb may only call Fargate, Fargate nobody",
			chain: properties(
				alb(object{"Egress": "chain"}), fargate(object{"Egress": "none"}),
			),
			want: `
				ALB-SG "Security group for Application Load Balancer"
				ALB-SG ingress tcp 80 from 0.0.0.0/0 "internet to Alb: tcp 80"
				ALB-SG ingress tcp 443 from 0.0.0.0/0 "internet to Alb: tcp 443"
				ALB-SG egress tcp 6060 to Fargate-SG "Alb to Fargate: tcp 6060"
				Fargate-SG "Security group for Fargate containers"
				Fargate-SG ingress tcp 6060 from ALB-SG "Alb to Fargate: tcp 6060"
			`,
		},
	},
	"replacement by a description": {
		{
			what: "the first description", chain: properties(alb(), fargate(object{"GroupName": nil})),
			want: albText + `
				sgchain-STACK-Fargate-* "Security group for Fargate containers"
				sgchain-STACK-Fargate-* ingress tcp 6060 from ALB-SG "Alb to Fargate: tcp 6060"
				sgchain-STACK-Fargate-* egress all traffic to 0.0.0.0/0
			`,
		},
		{
			what: "another one", replaced: true,
			chain: properties(alb(), fargate(object{"GroupName": nil, "Description": "Containers"})),
			want: albText + `
				sgchain-STACK-Fargate-* "Containers"
				sgchain-STACK-Fargate-* ingress tcp 6060 from ALB-SG "Alb to Fargate: tcp 6060"
				sgchain-STACK-Fargate-* egress all traffic to 0.0.0.0/0
			`,
		},
	},
	"update refused, rolled back": {
		{what: "a good chain", chain: properties(alb(), fargate()), want: albText + fargateText},
		{
			what: "a port out of range", chain: properties(alb(), fargate(object{"Ports": []any{70000}})),
			status: cfntypes.StackStatusUpdateRollbackComplete, says: []string{"Chain: ", "Tiers[1].Ports[0]", "70000"},
			want: albText + fargateText,
		},
		{
			what: "a good chain again", chain: properties(alb(), fargate(object{"Ports": []any{6061}})),
			want: albText + strings.ReplaceAll(fargateText, "6060", "6061"),
		},
	},
	"another resource fails, rolled back": {
		{what: "a good chain", chain: properties(alb(), fargate()), want: albText + fargateText},
		{
			what: "the chain changes, then its neighbor fails",
			chain: properties(
				alb(object{"Sources": []any{"198.51.100.0/24"}}),
				fargate(object{"Ports": []any{6060, 6061}}),
			),
			// It comes after the chain, and cannot be created.
			further: object{"Neighbor": custom(object{"VpcId": "not a VPC"}, "Chain")},
			status:  cfntypes.StackStatusUpdateRollbackComplete, says: []string{"Neighbor: ", "VpcId"},
			want: albText + fargateText,
		},
	},
	"host bits": {
		{
			what: "an address of a network", chain: properties(alb(object{"Sources": []any{"203.0.113.77/24"}})),
			want: `
				ALB-SG "Security group for Application Load Balancer"
				ALB-SG ingress tcp 80 from 203.0.113.0/24 "203.0.113.0/24 to Alb: tcp 80"
				ALB-SG ingress tcp 443 from 203.0.113.0/24 "203.0.113.0/24 to Alb: tcp 443"
				ALB-SG egress all traffic to 0.0.0.0/0
			`,
		},
		{
			what: "another one of the same network", chain: properties(alb(object{"Sources": []any{"203.0.113.99/24"}})),
			want: `
				ALB-SG "Security group for Application Load Balancer"
				ALB-SG ingress tcp 80 from 203.0.113.0/24 "203.0.113.0/24 to Alb: tcp 80"
				ALB-SG ingress tcp 443 from 203.0.113.0/24 "203.0.113.0/24 to Alb: tcp 443"
				ALB-SG egress all traffic to 0.0.0.0/0
			`,
		},
	},
}

// TestUpdates updates stacks through CloudFormation's API, and checks EC2 after each step.
func TestUpdates(t *testing.T) {
	t.Parallel()
	ctx, emulator := start(t)
	upload(ctx, t, emulator)
	for name, steps := range updates {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &stack{emulator: emulator, name: strings.NewReplacer(" ", "-", ",", "").Replace(name)}
			id := ""
			for i, step := range steps {
				usual := cfntypes.StackStatusUpdateComplete
				act := s.update
				if i == 0 {
					usual, act = cfntypes.StackStatusCreateComplete, s.create
				}
				if step.status != "" {
					usual = step.status
				}
				act(ctx, t, template(step.chain, step.further), usual)
				failures := s.failures(ctx, t)
				for _, words := range step.says {
					if !strings.Contains(failures, words) {
						t.Errorf("%s: the stack's events do not say %q:\n%s", step.what, words, failures)
					}
				}
				text, groups := readBack(ctx, t, emulator, s.vpc)
				same(t, step.what, text, strings.ReplaceAll(step.want, "STACK", s.name))
				now := s.output(ctx, t, "PhysicalId")
				if i > 0 && (now != id) != step.replaced {
					t.Errorf("%s: physical ID %s became %s, want replaced: %t", step.what, id, now, step.replaced)
				}
				id = now
				for _, group := range groups {
					if ids := s.output(ctx, t, "SecurityGroupIds"); !strings.Contains(ids, group.ID) {
						t.Errorf("%s: attribute SecurityGroupIds is %s, without %s of %s", step.what, ids, group.ID, group.Name)
					}
				}
			}
			s.remove(ctx, t)
		})
	}
}
