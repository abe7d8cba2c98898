package provider_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/proof/world"
)

// tutorial is the default chain as EC2 shows it.
const tutorial = `ALB-SG "Security group for Application Load Balancer" in vpc-0123456789abcdef0
  egress -1 0.0.0.0/0
  ingress tcp 443-443 0.0.0.0/0 "internet to Alb: tcp 443"
  ingress tcp 80-80 0.0.0.0/0 "internet to Alb: tcp 80"
Fargate-SG "Security group for Fargate containers" in vpc-0123456789abcdef0
  egress -1 0.0.0.0/0
  ingress tcp 6060-6060 ALB-SG "Alb to Fargate: tcp 6060"
`

// tier returns a tier's properties: its name, then keys and values in turn.
func tier(name string, fields ...any) map[string]any {
	one := map[string]any{"Name": name}
	for i := 0; i < len(fields); i += 2 {
		one[fmt.Sprint(fields[i])] = fields[i+1]
	}
	return one
}

// attribute returns the group ID of a tier in an answer.
func attribute(answer cfn.Response, tier string) string {
	return fmt.Sprint(answer.Data[tier+"SecurityGroupId"])
}

// simulate tests the lifecycle of one chain under a virtual clock.
func simulate(t *testing.T, body func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { body(t, newRig(t)) })
}

func (r *rig) shows(want string) {
	r.t.Helper()
	if got := world.Strip(r.world.String()); got != want {
		r.t.Errorf("world is\n%swant\n%s", got, want)
	}
}

func TestDefaultChain(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		answer := r.succeeds(r.create(props()))
		r.shows(tutorial)
		want := map[string]any{
			"AlbSecurityGroupId": r.world.GroupID("ALB-SG"), "FargateSecurityGroupId": r.world.GroupID("Fargate-SG"),
			"SecurityGroupIds": r.world.GroupID("ALB-SG") + "," + r.world.GroupID("Fargate-SG"), "VpcId": vpcID,
			"Summary": "internet -tcp 80,443-> Alb -tcp 6060-> Fargate", "RuleCount": "5", "Warnings": "",
		}
		for key, value := range want {
			if answer.Data[key] != value {
				t.Errorf("attribute %s is %q, want %q", key, answer.Data[key], value)
			}
		}
		if len(answer.Data) != len(want) {
			t.Errorf("attributes are %v, want the keys of %v", answer.Data, want)
		}
		for key, value := range map[string]string{
			"sgchain:provider": "arn:provider", "sgchain:stack-id": stackID, "sgchain:logical-id": "Chain", "sgchain:tier": "Alb",
			"sgchain:chain": "1:" + answer.PhysicalResourceID, "Name": "ALB-SG",
		} {
			if got := r.world.Tag(r.world.GroupID("ALB-SG"), key); got != value {
				t.Errorf("tag %s is %q, want %q", key, got, value)
			}
		}
		r.succeeds(r.destroy(answer.PhysicalResourceID, props()))
		r.shows("")
	})
}

// The rule between tiers names the group, so it stays when the neighbor's own sources change.
func TestSourcesChange(t *testing.T) {
	simulate(t, func(_ *testing.T, r *rig) {
		id := r.succeeds(r.create(props())).PhysicalResourceID
		changed := props(
			tier("Alb", "GroupName", "ALB-SG", "Description", "Security group for Application Load Balancer",
				"Ports", []any{80, 443}, "Sources", []any{"203.0.113.7/24"}),
			tier("Fargate", "GroupName", "Fargate-SG", "Description", "Security group for Fargate containers", "Ports", 6060))
		r.forget()
		if got := r.succeeds(r.update(id, changed, props())).PhysicalResourceID; got != id {
			r.t.Errorf("physical ID changed from %s to %s", id, got)
		}
		r.shows(strings.NewReplacer(
			`0.0.0.0/0 "internet to Alb`, `203.0.113.0/24 "203.0.113.0/24 to Alb`).Replace(tutorial))
		for _, call := range r.world.Calls() {
			if call.Operation == "CreateSecurityGroup" || call.Operation == "DeleteSecurityGroup" {
				r.t.Errorf("an update of rules called %s", call.Operation)
			}
		}
	})
}

func TestRefusedProperties(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		bad := properties{
			"VpcId": vpcID, "Teirs": "x",
			"Tiers": []any{
				tier("Alb", "Ports", []any{"70000"}, "Sources", []any{"Nobody"}),
				tier("Alb", "Ports", []any{"80"}),
			},
		}
		answer := r.fails(r.create(bad), "Teirs: unknown property. Did you mean Tiers?", "Tiers[0].Ports[0]: port 70000 is out of range",
			`Tiers[0].Sources[0]: unknown peer "Nobody"`, `Tiers[1].Name: "Alb" is the name of another tier too`, "Nothing was changed", "Log: CloudWatch log group")
		if len(r.world.Calls()) != 0 {
			t.Errorf("EC2 was called: %v", r.world.Calls())
		}
		r.stack.set("ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS", answer.PhysicalResourceID)
		r.succeeds(r.deliver(r.event(cfn.RequestDelete, answer.PhysicalResourceID, bad, nil)))
		if r.world.Writes() != 0 {
			t.Errorf("the Delete wrote: %v", r.world.Calls())
		}
	})
}

// If a tier is replaced, both generations have every inbound rule until the cleanup, which removes
// the old group only.
func TestReplacement(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		old := props(tier("Web", "Ports", 80), tier("App", "Ports", 6060, "Description", "first"), tier("Db", "Ports", 5432))
		now := props(tier("Web", "Ports", 80), tier("App", "Ports", 6060, "Description", "second"), tier("Db", "Ports", 5432))
		first := r.succeeds(r.create(old))
		second := r.succeeds(r.update(first.PhysicalResourceID, now, old))
		if second.PhysicalResourceID == first.PhysicalResourceID {
			t.Fatal("a replacement kept the physical ID")
		}
		before, after := attribute(first, "App"), attribute(second, "App")
		web, db := attribute(second, "Web"), attribute(second, "Db")
		for _, app := range []string{before, after} {
			if !r.world.Allows(web, app, "tcp", 6060) || !r.world.Allows(app, db, "tcp", 5432) {
				t.Errorf("group %s of tier App lacks an inbound rule:\n%s", app, r.world)
			}
		}
		r.succeeds(r.cleanup("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", first.PhysicalResourceID, second.PhysicalResourceID, old))
		if got := len(r.world.Groups()); got != 3 {
			t.Errorf("%d groups after the cleanup, want 3:\n%s", got, r.world)
		}
		if !r.world.Allows(web, after, "tcp", 6060) || !r.world.Allows(after, db, "tcp", 5432) {
			t.Errorf("the live chain lost an inbound rule in the cleanup:\n%s", r.world)
		}
		r.succeeds(r.destroy(second.PhysicalResourceID, now))
		r.shows("")
	})
}

// Row 10: an Update to the old properties undoes the replacement, whichever ID that event has. Then
// the Delete of the new ID removes the new groups.
func TestReplacementRollback(t *testing.T) {
	for _, carried := range []string{"old", "new"} {
		t.Run("rollback carries the "+carried+" ID", func(t *testing.T) {
			simulate(t, func(t *testing.T, r *rig) {
				old, now := props(tier("Web", "Ports", 80), tier("App", "Ports", 6060)), props(tier("Front", "Ports", 80), tier("App", "Ports", 6060))
				x := r.succeeds(r.create(old))
				want := world.Strip(r.world.String())
				y := r.succeeds(r.update(x.PhysicalResourceID, now, old))
				carries := map[string]string{"old": x.PhysicalResourceID, "new": y.PhysicalResourceID}[carried]
				back := r.succeeds(r.rollback(carries, old, now))
				if back.PhysicalResourceID != x.PhysicalResourceID || back.Data["WebSecurityGroupId"] != x.Data["WebSecurityGroupId"] {
					t.Errorf("the rollback answered %v, want the groups of %v", back, x)
				}
				// A stale Delete of the ID that is live again is refused.
				r.fails(r.cleanup("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", x.PhysicalResourceID, x.PhysicalResourceID, old), "its physical ID is the live chain's")
				r.succeeds(r.cleanup("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", y.PhysicalResourceID, x.PhysicalResourceID, now))
				r.shows(want)
			})
		})
	}
}

// Row 7: an Update that fails answers the incoming ID and removes what it created.
func TestFailedUpdateRemovesItsGroups(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		old := props(tier("Web", "Ports", 80))
		now := props(tier("Web", "Ports", 80), tier("App", "Ports", 6060), tier("Db", "Ports", 5432))
		id := r.succeeds(r.create(old)).PhysicalResourceID
		want := world.Strip(r.world.String())
		r.forget()
		r.world.Lag = 3 * time.Second // the undo must wait for EC2 to show what it has to remove
		r.ec2.FailAt(5, world.Fault{Err: world.Unauthorized("AuthorizeSecurityGroupIngress")})
		answer := r.fails(r.update(id, now, old), "UnauthorizedOperation: You are not authorized", "Give the function's role the permissions")
		if answer.PhysicalResourceID != id {
			t.Errorf("a failed Update answered %s, want the incoming %s", answer.PhysicalResourceID, id)
		}
		if strings.Contains(answer.Reason, "pKz7x") {
			t.Error("the reason carries the encoded authorization message")
		}
		r.shows(want)
		r.succeeds(r.rollback(id, old, now))
		r.shows(want)
	})
}

// Row 2: a Create that fails half way answers the ID by which its groups are found.
func TestFailedCreate(t *testing.T) {
	for n := 1; n <= 6; n++ {
		for _, lost := range []bool{false, true} {
			simulate(t, func(t *testing.T, r *rig) {
				r.ec2.FailAt(n, world.Fault{Err: world.NewError("InternalError", "An internal error has occurred"), Lost: lost})
				answer := r.create(props())
				if answer.Status == cfn.StatusSuccess {
					t.Fatalf("call %d failed and the Create did not", n)
				}
				r.stack.set("ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS", answer.PhysicalResourceID)
				r.succeeds(r.deliver(r.event(cfn.RequestDelete, answer.PhysicalResourceID, props(), nil)))
				r.shows("")
			})
		}
	}
}

// Row 4: a cancelled Create still runs when the Delete arrives, with an ID that CloudFormation
// invented.
func TestCancelledCreate(t *testing.T) {
	for name, fault := range map[string]world.Fault{
		"a call hangs": {Hang: 30 * time.Second},
		// The Delete must not have read by then.
		"a write takes effect seconds later": {Late: 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(_ *testing.T, r *rig) {
				const invented = "Shop-Chain-1A2B3C4D5E6F"
				r.world.Latency = latency
				r.ec2.FailAt(2, fault)
				r.stack.set("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "")
				creating := r.event(cfn.RequestCreate, "", props(), nil)
				answers := make(chan cfn.Response, 1)
				go func() { answers <- r.deliver(creating) }()
				<-time.After(time.Second)
				r.stack.set("ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS", invented)
				r.succeeds(r.deliver(r.event(cfn.RequestDelete, invented, props(), nil)))
				r.fails(<-answers, "the Create request is over")
				r.shows("")
			})
		})
	}
}

func TestDeleteWaitsForInterfaces(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		id := r.succeeds(r.create(props())).PhysicalResourceID
		r.attach("eni-1", "ELB app/shop/1", r.world.GroupID("ALB-SG"))
		r.forget()
		go func() {
			<-time.After(time.Minute)
			if r.world.Writes() != 0 {
				t.Errorf("the Delete wrote while a group was in use: %v", r.world.Calls())
			}
			r.attach("eni-1", "")
		}()
		r.succeeds(r.destroy(id, props()))
		r.shows("")
	})
}

func TestDeleteNamesTheBlockers(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		id := r.succeeds(r.create(props())).PhysicalResourceID
		r.attach("eni-1", "ELB app/shop/1", r.world.GroupID("ALB-SG"))
		started := time.Now()
		r.fails(r.destroy(id, props()), "network interface eni-1 (ELB app/shop/1, deleted minutes after its load balancer) on "+r.world.GroupID("ALB-SG"), "Remove these uses")
		if took := time.Since(started); took > 10*time.Minute-10*time.Second {
			t.Errorf("the answer took %v of 10 minutes", took)
		}
		r.shows(tutorial)
	})
}

func TestDeleteIsFencedByStatus(t *testing.T) {
	simulate(t, func(_ *testing.T, r *rig) {
		id := r.succeeds(r.create(props())).PhysicalResourceID
		r.forget()
		r.fails(r.deliver(r.event(cfn.RequestDelete, id, props(), nil)), "the Delete request is over", "CREATE_COMPLETE")
		if r.world.Writes() != 0 {
			r.t.Errorf("a Delete of a stack without an operation wrote: %v", r.world.Calls())
		}
		r.shows(tutorial)
	})
}

func TestDeniedReadsFail(t *testing.T) {
	simulate(t, func(_ *testing.T, r *rig) {
		id := r.succeeds(r.create(props())).PhysicalResourceID
		r.forget()
		r.ec2.FailAt(1, world.Fault{Err: world.Unauthorized("DescribeSecurityGroups")})
		r.fails(r.destroy(id, props()), "describing security groups of chain (Chain): UnauthorizedOperation")
		r.stack.err = world.NewError("AccessDenied", "not authorized to perform: cloudformation:DescribeStacks")
		r.fails(r.destroy(id, props()), "describing stack", "Allow the function's role cloudformation:DescribeStacks")
		r.stack.err = nil
		r.succeeds(r.destroy(id, props()))
		r.shows("")
	})
}

// A duplicate that arrives after its own answer finds the resource in a COMPLETE status.
func TestDuplicates(t *testing.T) {
	simulate(t, func(_ *testing.T, r *rig) {
		old, now := props(), props(tier("Alb", "Ports", 80))
		creating := r.event(cfn.RequestCreate, "", old, nil)
		r.stack.set("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "")
		x := r.succeeds(r.deliver(creating)).PhysicalResourceID
		again := r.succeeds(r.deliver(creating)) // before CloudFormation received the first answer
		if again.PhysicalResourceID != x {
			r.t.Errorf("a duplicate Create answered %s, want %s", again.PhysicalResourceID, x)
		}
		r.shows(tutorial)
		r.stack.set("CREATE_COMPLETE", "CREATE_COMPLETE", x)
		r.forget()
		r.fails(r.deliver(creating), "the Create request is over")
		r.fails(r.deliver(r.event(cfn.RequestUpdate, x, now, old)), "the Update request is over")
		r.stack.set("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", x) // the rest of the stack is still being updated
		r.fails(r.deliver(r.event(cfn.RequestUpdate, x, now, old)), "no operation of the resource is in progress")
		if r.world.Writes() != 0 {
			r.t.Errorf("a duplicate wrote: %v", r.world.Calls())
		}
	})
}

// A new tier name with the same explicit group name is refused: both groups would have to exist at
// once.
func TestRenameIsRefused(t *testing.T) {
	for name, changed := range map[string]map[string]any{
		"its Description changed":     tier("Alb", "GroupName", "ALB-SG", "Description", "another"),
		"its tier changed":            tier("Balancer", "GroupName", "ALB-SG", "Description", "one"),
		"changed only in letter case": tier("Alb", "GroupName", "alb-sg", "Description", "one"),
	} {
		simulate(t, func(_ *testing.T, r *rig) {
			old := props(tier("Alb", "GroupName", "ALB-SG", "Description", "one"))
			id := r.succeeds(r.create(old)).PhysicalResourceID
			r.forget()
			r.fails(r.update(id, props(changed), old), name, "Choose another GroupName")
			if r.world.Writes() != 0 {
				r.t.Errorf("a refused Update wrote: %v", r.world.Calls())
			}
		})
	}
}

func TestGroupsOfOtherOwnersStay(t *testing.T) {
	simulate(t, func(_ *testing.T, r *rig) {
		other := newRig(r.t)
		other.world, other.handler.EC2 = r.world, r.world.Client("another")
		other.handler.Provider = "arn:another provider"
		r.succeeds(other.create(props(tier("Web", "GroupName", "ALB-SG", "Description", "another owner"))))
		want := world.Strip(r.world.String())
		answer := r.fails(r.create(props()), "the name is taken in VPC "+vpcID, "of the chain Chain, tier Web, in stack", "Choose another GroupName")
		r.shows(want)
		r.world.IgnoreFilters = true // what a filter returns is filtered again
		r.stack.set("ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS", answer.PhysicalResourceID)
		r.succeeds(r.deliver(r.event(cfn.RequestDelete, answer.PhysicalResourceID, props(), nil)))
		r.shows(want)
	})
}

func TestForgedEvents(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		r.stack.set("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "")
		event := r.event(cfn.RequestCreate, "", props(), nil)
		event.StackID = strings.Replace(stackID, "123456789012", "999999999999", 1)
		r.fails(r.deliver(event), "the stack is in account 999999999999")
		event = r.event(cfn.RequestCreate, "", props(), nil)
		event.ResourceType = "Custom::Other"
		r.fails(r.deliver(event), `"Custom::Other"`, chain.ResourceType)
		r.stack.kind = "AWS::S3::Bucket"
		r.fails(r.deliver(r.event(cfn.RequestCreate, "", props(), nil)), `"AWS::S3::Bucket"`)
		event = r.event(cfn.RequestCreate, "", props(), nil)
		event.ResponseURL = "https://cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com.example.org/?X-Amz-Signature=" + signature
		if answer, err := r.deliverIn(time.Minute, event); err == nil || answer.Status != "" {
			t.Errorf("an answer went to another bucket: %v, %v", answer, err)
		}
		if r.world.Writes() != 0 {
			t.Errorf("a forged event wrote: %v", r.world.Calls())
		}
	})
}

// The answer arrives in time even if the work does not end, and after a panic.
func TestAlwaysAnswers(t *testing.T) {
	t.Run("EC2 hangs", func(t *testing.T) {
		simulate(t, func(t *testing.T, r *rig) {
			r.world.Latency = time.Hour
			r.stack.set("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "")
			started := time.Now()
			answer, err := r.deliverIn(2*time.Minute, r.event(cfn.RequestCreate, "", props(), nil))
			if err != nil || time.Since(started) > 2*time.Minute-sendMargin {
				t.Errorf("answered after %v with error %v", time.Since(started), err)
			}
			r.fails(answer, "the time for this request is up")
			if !chain.IsPhysicalID(answer.PhysicalResourceID) {
				t.Errorf("the physical ID is %q", answer.PhysicalResourceID)
			}
		})
	})
	t.Run("the work ignores its end", func(t *testing.T) {
		simulate(t, func(t *testing.T, r *rig) {
			for n := range 10 {
				r.ec2.FailAt(n, world.Fault{Late: time.Hour})
			}
			r.stack.set("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "")
			started := time.Now()
			answer, _ := r.deliverIn(2*time.Minute, r.event(cfn.RequestCreate, "", props(), nil))
			if time.Since(started) > 2*time.Minute-sendMargin {
				t.Errorf("answered after %v", time.Since(started))
			}
			r.fails(answer, "the time for this request is up")
			<-time.After(3 * time.Hour) // virtual: the work wakes up, and must not continue
			if r.world.Writes() != 0 {
				t.Errorf("work went on after its time: %v", r.world.Calls())
			}
		})
	})
	for _, call := range []int{1, 2, 5} {
		t.Run("panic", func(t *testing.T) {
			simulate(t, func(t *testing.T, r *rig) {
				r.ec2.FailAt(call, world.Fault{Panic: "planted"})
				answer := r.fails(r.create(props()), "panicked", "planted")
				if strings.Contains(answer.Reason, "goroutine") {
					t.Errorf("the reason shows a stack trace: %s", answer.Reason)
				}
			})
		})
	}
	t.Run("ServiceTimeout is short", func(t *testing.T) {
		simulate(t, func(t *testing.T, r *rig) {
			r.world.Latency = time.Hour
			short := props()
			short["ServiceTimeout"] = "60"
			started := time.Now()
			r.fails(r.create(short), "the time for this request is up")
			if time.Since(started) > time.Minute {
				t.Errorf("answered after %v of 60 s", time.Since(started))
			}
		})
	})
	t.Run("not configured", func(t *testing.T) {
		simulate(t, func(_ *testing.T, r *rig) {
			r.handler.Misconfigured = world.NewError("SGCHAIN_PROVIDER", "it is not set")
			r.fails(r.create(props()), "SGCHAIN_PROVIDER")
		})
	})
}

const sendMargin = 5 * time.Second

// The pre-signed URL is a credential: it is in no log line and no error.
func TestURLIsNeverLogged(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		id := r.succeeds(r.create(props())).PhysicalResourceID
		r.mail.status = 503
		r.stack.set("DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", id)
		_, err := r.deliverIn(time.Minute, r.event(cfn.RequestDelete, id, props(), nil))
		if err == nil {
			t.Fatal("an answer that could not be delivered was no error for Lambda")
		}
		for _, text := range []string{err.Error(), r.logged()} {
			if strings.Contains(text, signature) || strings.Contains(text, "amazonaws.com/answer") {
				t.Errorf("the URL shows in %q", text)
			}
		}
		if !strings.Contains(r.logged(), "delivering the answer failed") {
			t.Error("the failures to deliver are not in the log")
		}
	})
}

// The lease: a run whose operation CloudFormation has ended stops, and undoes nothing.
func TestCancelledUpdate(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		old, now := props(tier("Web", "Ports", 80)), props(tier("Web", "Ports", 80), tier("App", "Ports", 6060))
		id := r.succeeds(r.create(old)).PhysicalResourceID
		r.forget()
		r.world.Latency = 3 * time.Second
		var lastWrite time.Time
		r.world.After = func(call world.Call) {
			if call.Write && call.Err == nil {
				lastWrite = time.Now()
			}
		}
		var cancelled time.Time
		r.ec2.FailAt(3, world.Fault{Do: func() {
			cancelled = time.Now()
			r.stack.set("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS", id)
		}})
		answer := r.fails(r.update(id, now, old), "the Update request is over")
		if answer.PhysicalResourceID != id {
			t.Errorf("answered %s, want the incoming %s", answer.PhysicalResourceID, id)
		}
		if lastWrite.Sub(cancelled) > 5*time.Second {
			t.Errorf("a write took effect %v after CloudFormation started the rollback", lastWrite.Sub(cancelled))
		}
		for _, call := range r.world.Calls() {
			if call.Operation == "DeleteSecurityGroup" {
				t.Error("a run that is over undid something")
			}
		}
	})
}

// In a VPC with an IPv6 range EC2 gives a new group a second rule of its own. It stays if all
// outbound traffic is allowed, and is revoked otherwise.
func TestIPv6VPC(t *testing.T) {
	simulate(t, func(_ *testing.T, r *rig) {
		r.world.AddVPC(vpcID, world.IPv6)
		id := r.succeeds(r.create(props(
			tier("Web", "GroupName", "web", "Ports", 443, "Egress", "chain"), tier("App", "GroupName", "app", "Ports", 6060)))).PhysicalResourceID
		r.shows(`app "Security group of tier App" in vpc-0123456789abcdef0
  egress -1 0.0.0.0/0
  egress -1 ::/0
  ingress tcp 6060-6060 web "Web to App: tcp 6060"
web "Security group of tier Web" in vpc-0123456789abcdef0
  egress tcp 6060-6060 app "Web to App: tcp 6060"
  ingress tcp 443-443 0.0.0.0/0 "internet to Web: tcp 443"
`)
		r.succeeds(r.destroy(id, props()))
		r.shows("")
	})
}

// In the default VPC, revoking a rule that does not exist is not an error: EC2 returns a list.
func TestDefaultVPC(t *testing.T) {
	simulate(t, func(_ *testing.T, r *rig) {
		r.world.AddVPC(vpcID, world.Default)
		old, now := props(tier("Web", "GroupName", "web", "Ports", []any{80, 443})), props(tier("Web", "GroupName", "web", "Ports", 443))
		id := r.succeeds(r.create(old)).PhysicalResourceID
		r.forget()
		r.ec2.FailAt(2, world.Fault{Do: func() { r.world.Revoke("web", "tcp", 80) }}) // another principal revokes the rule first
		r.succeeds(r.update(id, now, old))
		r.shows(`web "Security group of tier Web" in vpc-0123456789abcdef0
  egress -1 0.0.0.0/0
  ingress tcp 443-443 0.0.0.0/0 "internet to Web: tcp 443"
`)
	})
}

// A description is changed in place, in a separate call, and no rule is revoked for it.
func TestRuleDescriptionChanges(t *testing.T) {
	simulate(t, func(t *testing.T, r *rig) {
		described := func(text string) properties {
			return props(tier("Web", "GroupName", "web", "Ingress", []any{map[string]any{"Ports": 443, "Sources": "internet", "Description": text}}))
		}
		id := r.succeeds(r.create(described("first"))).PhysicalResourceID
		r.forget()
		r.succeeds(r.update(id, described("second"), described("first")))
		if !strings.Contains(r.world.String(), `ingress tcp 443-443 0.0.0.0/0 "second"`) || r.world.Writes() != 1 {
			t.Errorf("the calls were %v and the world is\n%s", r.world.Calls(), r.world)
		}
	})
}
