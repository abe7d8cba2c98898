package provider_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/fence"
	"sgchain/lambda/internal/proof/world"
	"sgchain/lambda/internal/provider"
)

// invoke invokes the function with an action.
func (r *rig) invoke(action string, now properties) (*provider.Report, error) {
	raw, err := json.Marshal(map[string]any{"action": action, "StackId": r.stackID, "LogicalResourceId": r.logicalID, "ResourceProperties": now})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.t.Context()), 10*time.Minute)
	defer cancel()
	if action != "plan" {
		r.quiet()
	}
	answer, err := r.handler.Invoke(ctx, functionARN, raw)
	report, _ := answer.(*provider.Report)
	return report, err
}

// quiet makes the stack's last change long ago.
func (r *rig) quiet() {
	r.stack.mu.Lock()
	defer r.stack.mu.Unlock()
	r.stack.changed, r.stack.updated = r.stack.changed.Add(-fence.QuietFor), time.Time{}
}

func (r *rig) reports(action string, now properties, result string, words ...string) *provider.Report {
	r.t.Helper()
	report, err := r.invoke(action, now)
	if err != nil {
		r.t.Fatal(err)
	}
	if report.Result != result {
		r.t.Errorf("%s reports %q, want %q: %s", action, report.Result, result, report.Text)
	}
	for _, word := range words {
		if !strings.Contains(report.Text+strings.Join(report.Warnings, "\n"), word) {
			r.t.Errorf("%s lacks %q:\n%s%v", action, word, report.Text, report.Warnings)
		}
	}
	return report
}

// metric returns the last value of a metric in the log, and its dimensions.
func (r *rig) metric(name string) (value string, known bool) {
	for line := range strings.Lines(r.logged()) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil && fields["msg"] == "metrics" && fields["Chain"] == "Chain" && fields["Stack"] == "Shop" {
			got, has := fields[name]
			value, known = fmt.Sprint(got), has
		}
	}
	return value, known
}

// outOfBandChanges are out-of-band changes to the default chain, and what a check reports of each.
var outOfBandChanges = map[string]struct {
	do  func(r *rig, alb, fargate string)
	say []string
}{
	"a rule added": {
		func(r *rig, alb, _ string) { r.authorizeOutOfBand(alb, tcpFrom(22, "0.0.0.0/0")) },
		[]string{"revoke Alb(ALB-SG)\n  ingress tcp 22 from 0.0.0.0/0"},
	},
	"a rule removed": {
		func(r *rig, _, _ string) { r.world.Revoke("ALB-SG", "tcp", 443) },
		[]string{"authorize Alb(ALB-SG)\n  ingress tcp 443 from 0.0.0.0/0"},
	},
	"a rule edited": {func(r *rig, alb, fargate string) {
		r.world.Revoke("Fargate-SG", "tcp", 6060)
		r.authorizeOutOfBand(fargate, tcpFromGroup(6061, alb))
	}, []string{"authorize Fargate(Fargate-SG)\n  ingress tcp 6060 from Alb(ALB-SG)", "revoke Fargate(Fargate-SG)\n  ingress tcp 6061 from Alb(ALB-SG)"}},
	"a description edited": {
		func(r *rig, _, _ string) { r.world.Apply(world.OutOfBandChange{Deed: world.EditDescription, Pick: 2}) },
		[]string{"update description"},
	},
	"a group deleted": {
		func(r *rig, _, fargate string) { r.deleteOutOfBand(fargate) },
		[]string{"create group Fargate(Fargate-SG)"},
	},
	"an author's tag removed": {
		func(r *rig, alb, _ string) { r.world.SetTag(alb, "Name", "") },
		[]string{`re-tag Alb(ALB-SG) Name="ALB-SG"`},
	},
	"the chain's tag removed": {
		func(r *rig, alb, _ string) { r.world.SetTag(alb, "sgchain:chain", "") },
		[]string{"re-tag Alb(ALB-SG) 1:sgchain-"},
	},
}

// A check finds an out-of-band change and writes nothing. A repair undoes it, and the next check
// finds nothing.
func TestCheckAndRepairOutOfBandChanges(t *testing.T) {
	t.Parallel()
	for name, change := range outOfBandChanges {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.handler.Repairs = true
				now := props()
				answer := r.succeeds(r.create(now))
				r.reports("check", now, chain.ResultInSync, "The chain matches its properties.")
				if drift, _ := r.metric("Drift"); drift != "0" {
					t.Errorf("the metric Drift is %q without drift", drift)
				}
				whole := r.world.String()
				change.do(r, fmt.Sprint(answer.Data["AlbSecurityGroupId"]), fmt.Sprint(answer.Data["FargateSecurityGroupId"]))
				broken := r.world.String()
				if broken == whole {
					t.Fatal("the change did nothing")
				}
				r.forget()
				report := r.reports("check", now, chain.ResultDrift, change.say...)
				if r.writesNothing(); r.world.String() != broken {
					t.Error("a check changed something")
				}
				if drift, _ := r.metric("Drift"); drift != fmt.Sprint(report.Differences) || report.Differences == 0 {
					t.Errorf("the metric Drift is %q, want %d", drift, report.Differences)
				}
				r.reports("repair", now, chain.ResultRepaired, change.say...)
				if r.world.String() != whole {
					t.Errorf("after the repair:\n%s\nwant\n%s", r.world, whole)
				}
				r.reports("check", now, chain.ResultInSync)
			})
		})
	}
}

// A group that has lost the tags of the chain is never changed: the report has the command that
// restores them.
func TestActionsOfGroupsWithoutOwnershipTags(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"sgchain:provider", "sgchain:stack-id", "sgchain:logical-id", "sgchain:tier"} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.handler.Repairs = true
				now := props()
				answer := r.succeeds(r.create(now))
				alb := fmt.Sprint(answer.Data["AlbSecurityGroupId"])
				r.world.SetTag(alb, key, "")
				r.reports("check", now, chain.ResultDrift, "security group "+alb+" has the name of tier Alb but lacks the chain's tags", "Key=sgchain:provider,Value="+ownProvider, "Key=sgchain:tier,Value=Alb")
				before := r.world.String()
				if _, err := r.invoke("repair", now); err == nil || !strings.Contains(err.Error(), "repairing chain: security group "+alb+" has the name of tier Alb but lacks the chain's tags") || strings.Contains(err.Error(), "delete the other group") {
					t.Errorf("a repair reports %v", err)
				}
				if r.world.String() != before {
					t.Errorf("a repair changed something:\n%s\nwas\n%s", r.world, before)
				}
				if !strings.Contains(r.logged(), "lacks the chain's tags") {
					t.Error("the log of a check lacks it, and the answer to a schedule is not read")
				}
			})
		})
	}
}

// While the stack has an operation, or if the properties are not the chain's, an action does
// nothing and reports why.
func TestActionsWaitForTheStack(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		stack, resource, id, result, want string
	}{
		{"UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", "", chain.ResultStoodBack, "an operation of the stack is in progress (the stack is UPDATE_IN_PROGRESS"},
		{"UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE", "", chain.ResultStoodBack, "in progress"},
		{"UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS", "", chain.ResultStoodBack, "in progress"},
		{"UPDATE_COMPLETE", "UPDATE_IN_PROGRESS", "", chain.ResultStoodBack, "in progress"},
		{"DELETE_IN_PROGRESS", "CREATE_COMPLETE", "", chain.ResultStoodBack, "in progress"},
		{"UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED", "", chain.ResultUnchecked, "the last operation of the stack failed"},
		{"UPDATE_COMPLETE", "UPDATE_FAILED", "", chain.ResultUnchecked, "the last operation of the stack failed"},
		{"CREATE_COMPLETE", "CREATE_COMPLETE", "sgchain-0", chain.ResultUnchecked, "the properties are those of physical ID sgchain-"},
		{"CREATE_COMPLETE", "", "", chain.ResultUnchecked, "the chain does not exist"},
		{"", "", "", chain.ResultUnchecked, "the chain does not exist"},
		{"DELETE_COMPLETE", "DELETE_COMPLETE", "", chain.ResultUnchecked, "the chain does not exist"},
		{"DELETE_FAILED", "DELETE_FAILED", "", chain.ResultUnchecked, "the chain does not exist"},
	} {
		t.Run(test.stack+" "+test.resource, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.handler.Repairs = true
				now := props()
				answer := r.succeeds(r.create(now))
				r.authorizeOutOfBand(fmt.Sprint(answer.Data["AlbSecurityGroupId"]), tcpFrom(22, "0.0.0.0/0"))
				id := answer.PhysicalResourceID
				if test.id != "" {
					id = test.id
				}
				r.stack.set(test.stack, test.resource, id)
				for _, action := range []string{"check", "repair"} {
					r.forget()
					r.reports(action, now, test.result, "Nothing was done: ", test.want)
					r.writesNothing()
					failures, _ := r.metric("Failures")
					want := map[string]string{chain.ResultUnchecked: "1", chain.ResultStoodBack: ""}[test.result]
					if _, said := r.metric("Drift"); said || failures != want {
						t.Errorf("the metrics are drift: %v, failures: %s", said, failures)
					}
				}
			})
		})
	}
}

// When an operation begins, a running repair stops writing as soon as it can know, and the
// operation waits until then.
func TestUpdateWaitsForRepair(t *testing.T) {
	t.Parallel()
	for at := 1; at <= 12; at++ {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.handler.Repairs = true
				now := props()
				answer := r.succeeds(r.create(now))
				alb := fmt.Sprint(answer.Data["AlbSecurityGroupId"])
				r.world.Revoke("ALB-SG", "tcp", 443)
				r.authorizeOutOfBand(alb, tcpFrom(9999, "192.0.2.0/24"))
				next := props(properties{"Name": "Alb", "GroupName": "ALB-SG", "Description": "Security group for Application Load Balancer", "Ports": []any{"80"}},
					properties{"Name": "Fargate", "GroupName": "Fargate-SG", "Description": "Security group for Fargate containers", "Ports": []any{"6060"}})
				done := make(chan struct{})
				// The repair's write hangs, so it is in flight when the operation begins.
				r.ec2.FailAt(at, world.Fault{Hang: 4 * time.Second})
				updated := make(chan cfn.Response, 1)
				go func() {
					defer close(done)
					_, _ = r.invoke("repair", now)
				}()
				<-time.After(10*time.Second + time.Duration(at)*150*time.Millisecond) // about when it writes
				r.handlerOf(func() { updated <- r.update(answer.PhysicalResourceID, next, now) })
				r.succeeds(<-updated)
				<-done
				<-time.After(time.Minute)
				if r.world.AllowsFrom(outside, alb, "tcp", 443) || r.world.AllowsFrom(office, alb, "tcp", 9999) || !r.world.AllowsFrom(outside, alb, "tcp", 80) {
					t.Errorf("the update is not what is there:\n%s", r.world)
				}
			})
		})
	}
}

// handlerOf does something through a client of its own, as another invocation does.
func (r *rig) handlerOf(do func()) {
	was := r.handler.EC2
	r.handler.EC2 = r.world.Client("handler of the update")
	go func() {
		do()
		r.handler.EC2 = was
	}()
}

// A plan reports what an update would do, and writes nothing.
func TestPlan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		now := props()
		r.stack.set("", "", "")
		report := r.reports("plan", now, chain.ResultPlan, `create group Alb(ALB-SG) "Security group for Application Load Balancer" Name="ALB-SG"`, "authorize Fargate(Fargate-SG)\n  ingress tcp 6060 from Alb(ALB-SG)")
		if len(report.Changes) == 0 || report.Changes[0].Tier != "Alb" || report.Changes[0].Action != "create group" {
			t.Errorf("the data lacks the changes: %+v", report.Changes)
		}
		r.succeeds(r.create(now))
		r.forget()
		r.reports("plan", now, chain.ResultPlan, "An update to these properties would change nothing.")
		next := props(properties{"Name": "Alb", "Ports": []any{"443"}}, properties{"Name": "Fargate", "GroupName": "Fargate-SG", "Description": "Security group for Fargate containers", "Ports": []any{"6060"}})
		r.reports("plan", next, chain.ResultPlan, "create group Alb~", "authorize Fargate(Fargate-SG)\n  ingress tcp 6060 from Alb~")
		renamed := props(properties{"Name": "Alb", "GroupName": "ALB-SG", "Ports": []any{"443"}})
		r.reports("plan", renamed, chain.ResultRefused, "would be refused: replacing security group (ALB-SG): its Description changed")
		r.writesNothing()
	})
}

// A plan shows what an adoption would change in the groups, or why they cannot be adopted.
func TestPlanOfAdoption(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		alb, _ := r.tutorial()
		before := r.world.String()
		r.reports("plan", adopting(), chain.ResultPlan, "adopt group Alb(ALB-SG) 1:sgchain-", "adopt group Fargate(Fargate-SG)")
		r.world.SetTag(alb, "elbv2.k8s.aws/cluster", "shop")
		r.reports("plan", adopting(), chain.ResultRefused, "the AWS Load Balancer Controller manages it")
		r.world.SetTag(alb, "elbv2.k8s.aws/cluster", "")
		if r.writesNothingOf("handler"); r.world.String() != before {
			t.Error("a plan changed something")
		}
	})
}

func (r *rig) writesNothingOf(client string) {
	r.t.Helper()
	for _, call := range r.world.Calls() {
		if call.Client == client && call.Write {
			r.t.Errorf("a write: %s", call)
		}
	}
}

// An action that cannot be served is refused with a remedy.
func TestRefusedActions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"action": "destroy", "StackId": "s", "LogicalResourceId": "l", "ResourceProperties": {}}`:                                                               `unknown action "destroy"; use plan, check or repair`,
		`{"action": "check", "LogicalResourceId": "l", "ResourceProperties": {}}`:                                                                                 "StackId, LogicalResourceId or ResourceProperties is missing",
		`{"action": "check", "Stack": "s"}`:                                                                                                                       `unknown field "Stack"`,
		`{"action": "check", "StackId": "arn:s", "LogicalResourceId": "l", "ResourceProperties": {}}`:                                                             "StackId is not the ARN of a stack",
		`{"action": "check", "StackId": "` + stackID + `", "LogicalResourceId": "Chain", "ResourceProperties": {"VpcId": 7}}`:                                     `"7" is not a VPC ID`,
		`{"action": "repair", "StackId": "` + stackID + `", "LogicalResourceId": "Chain", "ResourceProperties": {}}`:                                              "the provider does not allow it",
		`{"action": "check", "StackId": "` + strings.Replace(stackID, "us-east-1", "eu-west-1", 1) + `", "LogicalResourceId": "Chain", "ResourceProperties": {}}`: "Region eu-west-1",
	} {
		r := newRig(t)
		if _, err := r.handler.Invoke(t.Context(), functionARN, json.RawMessage(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
		r.writesNothing()
	}
}

// A request of CloudFormation with the key action is still a request.
func TestRequestWithKeyAction(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	event, err := json.Marshal(r.event(cfn.RequestCreate, "", props(), nil))
	if err != nil {
		t.Fatal(err)
	}
	r.stack.set("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "")
	raw := `{"action": "check", ` + string(event[1:])
	if answer, err := r.handler.Invoke(t.Context(), functionARN, json.RawMessage(raw)); answer != nil || err != nil || len(r.mail.answers) != 1 {
		t.Errorf("got %v, %v, %d answers", answer, err, len(r.mail.answers))
	}
}

// A delayed event of the schedule has the rules from before the last update: it must not restore
// them.
func TestRepairWithOldProperties(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.handler.Repairs = true
		web := func(port string) properties {
			return properties{"Name": "Web", "GroupName": "web", "Ports": []any{port}}
		}
		was, now := props(web("443")), props(web("8443"))
		x := r.succeeds(r.create(was)).PhysicalResourceID
		y := r.succeeds(r.update(x, now, was)).PhysicalResourceID
		if x != y {
			t.Fatal("rules are not part of the ID")
		}
		r.stack.set("UPDATE_COMPLETE", "UPDATE_COMPLETE", x)
		r.forget()
		<-time.After(7 * time.Minute) // a minute in EventBridge and six in Lambda
		raw, err := json.Marshal(map[string]any{"action": "repair", "StackId": r.stackID, "LogicalResourceId": r.logicalID, "ResourceProperties": was})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := r.handler.Invoke(t.Context(), functionARN, raw)
		report, _ := answer.(*provider.Report)
		if err != nil || report.Result != chain.ResultStoodBack || !strings.Contains(report.Text, "less than 8m0s ago") {
			t.Errorf("got %+v, %v", report, err)
		}
		r.writesNothing()
	})
}

// A repair stops writing once an operation has begun, however many steps are left.
func TestRepairStopsWhenAnOperationBegins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.handler.Repairs = true
		now := props()
		alb := attribute(r.succeeds(r.create(now)), "Alb")
		r.world.Revoke("ALB-SG", "tcp", 443)
		r.authorizeOutOfBand(alb, tcpFrom(9999, "192.0.2.0/24"))
		r.world.Latency = 3 * time.Second
		r.world.After = func(call world.Call) {
			noteCall(call)
			if call.Client == "handler" && call.Write {
				r.stack.set("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", r.stack.physicalID)
			}
		}
		r.reports("repair", now, chain.ResultStoodBack, "The repair stopped after ", "an operation of the stack is in progress")
		if !r.world.AllowsFrom(outside, alb, "tcp", 443) || !r.world.AllowsFrom(office, alb, "tcp", 9999) {
			t.Errorf("the repair did more than it may, or less:\n%s", r.world)
		}
	})
}
