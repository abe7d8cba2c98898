package provider_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"sgchain/lambda/internal/proof/world"
)

// movedChain returns a chain with an explicit and a generated name, whose second tier names the
// first.
func movedChain() properties {
	return props(
		map[string]any{"Name": "Alb", "GroupName": "ALB-SG", "Ports": []any{"443"}, "Tags": map[string]any{"Team": "web"}},
		map[string]any{"Name": "App", "Ports": []any{"6060"}, "Egress": "chain"},
	)
}

func setting(p properties, key string, value any) properties {
	p = maps.Clone(p)
	p[key] = value
	return p
}

// newMover returns a rig whose stack has the chain Chain in a COMPLETE status.
func newMover(t *testing.T, chain properties) (*rig, cfn.Response) {
	t.Helper()
	r := newRig(t)
	return r, r.settle(chain)
}

// settle creates the chain Chain, in a COMPLETE status.
func (r *rig) settle(chain properties) cfn.Response {
	r.handler.Moves = true
	made := r.succeeds(r.create(chain))
	r.stack.others, r.stack.othersChanged, r.stack.othersID = map[string]string{"Chain": "CREATE_COMPLETE"}, time.Now(), made.PhysicalResourceID
	<-time.After(time.Hour) // of the virtual clock
	return made
}

// moveSituations are the messages of moves.
func moveSituations() []situation {
	warning := func(answer cfn.Response) string { return fmt.Sprint(answer.Data["Warnings"]) }
	same := setting(movedChain(), "MovedFrom", "Chain")
	refused := func(now properties, given func(*rig)) func(*rig) string {
		return func(r *rig) string {
			r.settle(movedChain())
			given(r)
			return reason(r.takeOver(now))
		}
	}
	elsewhere := setting(movedChain(), "MovedFrom", map[string]any{"Stack": otherName, "LogicalId": "Edge"})
	return []situation{
		{phaseMoves, "The provider does not allow moves", refused(same, func(r *rig) { r.handler.Moves = false })},
		{phaseMoves, "MovedFrom names the chain itself", refused(setting(same, "MovedFrom", "New"), func(*rig) {})},
		{phaseMoves, "The update changes more than the chain's place", refused(setting(same, "Tiers", []any{tier("Alb", "GroupName", "ALB-SG", "Ports", 80), tiersOf(same)[1]}), func(*rig) {})},
		{phaseMoves, "The new chain lacks security groups of the other one", refused(setting(same, "Tiers", []any{tier("Alb", "GroupName", "ALB-SG", "Ports", 443)}), func(*rig) {})},
		{phaseMoves, "A security group has no room for the tags of the move", refused(same, func(r *rig) {
			for i := range 44 {
				for _, id := range r.world.Groups() {
					r.world.SetTag(id, fmt.Sprint("tag ", i), "x")
				}
			}
		})},
		{phaseMoves, "The other chain is being updated", refused(same, func(r *rig) { r.stack.others["Chain"] = "UPDATE_IN_PROGRESS" })},
		{phaseMoves, "The other chain was updated in the same operation", refused(same, func(r *rig) { r.stack.othersChanged = time.Now().Add(time.Second) })},
		{phaseMoves, "The other chain is updated during the move", refused(same, func(r *rig) {
			go func() {
				<-time.After(2 * time.Second) // the move waits longer, to see which chain has the groups
				r.stack.mu.Lock()
				defer r.stack.mu.Unlock()
				r.stack.othersChanged = time.Now()
			}()
		})},
		{phaseMoves, "The other chain has no security groups", refused(same, func(r *rig) {
			for _, id := range r.world.Groups() {
				r.world.SetTag(id, "sgchain:tier", "")
			}
		})},
		{phaseMoves, "The other chain's stack is being updated", func(r *rig) string {
			r.stackID, r.logicalID = stackOfOther, "Edge"
			r.settle(movedChain())
			r.stackID, r.stack.others = stackID, map[string]string{"Edge": "CREATE_COMPLETE", stackOfOther: "UPDATE_IN_PROGRESS", otherName: "UPDATE_IN_PROGRESS"}
			return reason(r.takeOver(elsewhere))
		}},
		{phaseMoves, "The status of the other chain's stack cannot be read", refused(elsewhere, func(r *rig) { r.stack.hidden = otherName })},
		{phaseMoves, "The chain's security groups were moved away", func(r *rig) string {
			made := r.settle(movedChain())
			r.succeeds(r.takeOver(same))
			r.logicalID, r.stack.others = "Chain", map[string]string{"New": "CREATE_COMPLETE"}
			return reason(r.update(made.PhysicalResourceID, setting(movedChain(), "Revision", "2"), movedChain()))
		}},
		{phaseWarnings, "Move: the old chain still exists", func(r *rig) string {
			r.settle(movedChain())
			moved := r.succeeds(r.takeOver(same))
			return warning(r.update(moved.PhysicalResourceID, setting(same, "Revision", "2"), same))
		}},
		{phaseWarnings, "Move: the status of the old chain cannot be read", func(r *rig) string {
			r.stackID, r.logicalID = stackOfOther, "Edge"
			r.settle(movedChain())
			r.stackID, r.stack.others = stackID, map[string]string{"Edge": "CREATE_COMPLETE", stackOfOther: "UPDATE_COMPLETE", otherName: "UPDATE_COMPLETE"}
			moved := r.succeeds(r.takeOver(elsewhere))
			r.stack.hidden = stackOfOther
			return warning(r.update(moved.PhysicalResourceID, setting(elsewhere, "Revision", "2"), elsewhere))
		}},
		{phaseWarnings, "Move: rollback of a chain whose security groups were moved", func(r *rig) string {
			made := r.settle(movedChain())
			r.succeeds(r.takeOver(same))
			r.logicalID, r.stack.others = "Chain", map[string]string{"New": "CREATE_COMPLETE"}
			return warning(r.rollback(made.PhysicalResourceID, movedChain(), setting(movedChain(), "Revision", "2")))
		}},
		{phaseMoves, "A chain is created again under its old logical ID", func(r *rig) string {
			r.settle(movedChain3())
			r.succeeds(r.takeOver(setting(movedChain3(), "MovedFrom", "Chain")))
			r.logicalID, r.stack.others = "Chain", nil
			return reason(r.create(movedChain3()))
		}},
	}
}

// tiersOf returns the tiers of a chain's properties.
func tiersOf(p properties) []map[string]any {
	var all []map[string]any
	list, _ := p["Tiers"].([]any) // a chain without groups is a list without tiers
	for _, one := range list {
		if tier, ok := one.(map[string]any); ok {
			all = append(all, tier)
		}
	}
	return all
}

// takeOver simulates the Create of New in an update of the stack, with a fault at one of its calls
// if fault is set.
func (r *rig) takeOver(now properties, faults ...faultAt) cfn.Response {
	r.logicalID = "New"
	r.stack.updated = time.Now()
	r.stack.set("UPDATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "")
	r.forget()
	for _, one := range faults {
		r.ec2.FailAt(one.call, one.Fault)
	}
	return r.deliver(r.event(cfn.RequestCreate, "", now, nil))
}

// faultAt is the fault at a call of a run.
type faultAt struct {
	world.Fault

	call int
}

// shown returns the world without the tags that a move leaves on a group that was returned.
func (r *rig) shown() string {
	return strings.ReplaceAll(r.world.String(), "  tag sgchain:moved-from=settled\n", "")
}

func (r *rig) groupsOf(answer cfn.Response) []string {
	var ids []string
	for key, value := range answer.Data {
		if strings.HasSuffix(key, "SecurityGroupId") {
			ids = append(ids, fmt.Sprint(value))
		}
	}
	slices.Sort(ids)
	return ids
}

// Within a stack, the groups keep their IDs and rules, the old chain's Delete finds none, and the
// new chain can be updated.
func TestMove(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, made := newMover(t, movedChain())
		moved := r.succeeds(r.takeOver(setting(movedChain(), "MovedFrom", "Chain")))
		if !slices.Equal(r.groupsOf(made), r.groupsOf(moved)) {
			t.Fatalf("the groups are %v, and were %v", moved.Data, made.Data)
		}
		for _, call := range r.world.Calls() {
			if call.Write && call.Operation != "CreateTags" {
				t.Errorf("a move calls %s", call)
			}
		}
		// With the permissions of the function's role it would be 2 + N calls for N groups.
		if calls := r.ec2.Count(); calls > 2+2 {
			t.Errorf("a move of 2 groups takes %d calls", calls)
		}
		r.stack.set("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "CREATE_COMPLETE", moved.PhysicalResourceID)
		r.logicalID = "Chain"
		r.stack.others = map[string]string{"Chain": "DELETE_IN_PROGRESS", "New": "CREATE_COMPLETE"}
		r.forget()
		r.succeeds(r.deliver(r.event(cfn.RequestDelete, made.PhysicalResourceID, movedChain(), nil)))
		r.writesNothing()

		// The next update settles the move, and can replace the group whose name was generated
		// elsewhere.
		r.logicalID = "New"
		r.stack.others = map[string]string{"Chain": ""}
		old := setting(movedChain(), "MovedFrom", "Chain")
		next := setting(old, "Revision", "2")
		updated := r.succeeds(r.update(moved.PhysicalResourceID, next, old))
		if !slices.Equal(r.groupsOf(made), r.groupsOf(updated)) || updated.PhysicalResourceID != moved.PhysicalResourceID {
			t.Fatalf("an update of a moved chain replaces its groups: %v", updated.Data)
		}
		if mark := r.world.Tag(fmt.Sprint(updated.Data["AppSecurityGroupId"]), "sgchain:moved-from"); mark != "settled" {
			t.Errorf("the move is not settled: %q", mark)
		}
		r.forget()
		r.succeeds(r.update(moved.PhysicalResourceID, setting(next, "Revision", "3"), next))
		r.writesNothing()
		r.succeeds(r.destroy(moved.PhysicalResourceID, next))
		if left := r.world.Groups(); len(left) > 0 {
			t.Errorf("left over: %v", left)
		}
	})
}

// The Delete of a rollback returns the groups to the old chain.
func TestMoveRollback(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, made := newMover(t, movedChain())
		before := r.shown()
		moved := r.succeeds(r.takeOver(setting(movedChain(), "MovedFrom", "Chain")))
		r.attach("eni-app", "task", fmt.Sprint(made.Data["AppSecurityGroupId"]))
		r.stack.set("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "DELETE_IN_PROGRESS", moved.PhysicalResourceID)
		r.succeeds(r.deliver(r.event(cfn.RequestDelete, moved.PhysicalResourceID, movedChain(), nil)))
		r.attach("eni-app", "")
		if after := r.shown(); after != before {
			t.Fatalf("returned:\n%s\nbefore:\n%s", after, before)
		}
		r.logicalID = "Chain"
		r.stack.others = nil
		r.forget()
		r.succeeds(r.update(made.PhysicalResourceID, setting(movedChain(), "Revision", "2"), movedChain()))
		r.writesNothing()
	})
}

// After a crash at any call, the next run continues the move, and a Delete rolls it back.
func TestMoveAfterCrash(t *testing.T) {
	t.Parallel()
	for call := 1; call <= 10; call++ {
		for _, continues := range []bool{true, false} {
			t.Run(fmt.Sprintf("call %d, continues: %t", call, continues), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r, made := newMover(t, movedChain())
					before := r.shown()
					now := setting(movedChain(), "MovedFrom", "Chain")
					if first := r.takeOver(now, faultAt{world.Fault{Cut: true, Lost: call > 5}, 1 + call%5}); call%5 < 3 && first.Status == cfn.StatusSuccess {
						t.Fatalf("the run did not die: %v", first)
					}
					<-time.After(time.Minute)
					r.ec2 = r.world.Client("handler again")
					r.handler.EC2 = r.ec2
					if continues {
						moved := r.succeeds(r.deliver(r.event(cfn.RequestCreate, "", now, nil)))
						if !slices.Equal(r.groupsOf(made), r.groupsOf(moved)) {
							t.Errorf("the groups are %v, and were %v", moved.Data, made.Data)
						}
						return
					}
					r.stack.set("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "DELETE_IN_PROGRESS", "Shop-New-1A2B3C")
					r.succeeds(r.deliver(r.event(cfn.RequestDelete, "Shop-New-1A2B3C", now, nil)))
					if after := r.shown(); after != before {
						t.Errorf("returned:\n%s\nbefore:\n%s", after, before)
					}
				})
			})
		}
	}
}

// A call that hangs until the status reading is too old is repeated after another reading.
func TestMoveWithOldReading(t *testing.T) {
	t.Parallel()
	for _, fault := range []world.Fault{{Hang: 6 * time.Second}, {Late: 3 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			r, made := newMover(t, movedChain())
			r.world.After = func(call world.Call) {
				noteCall(call)
				if call.Operation == "DescribeSecurityGroups" {
					r.world.After = noteCall
					r.ec2.FailAt(r.ec2.Count()+1, fault)
				}
			}
			moved := r.succeeds(r.takeOver(setting(movedChain(), "MovedFrom", "Chain")))
			if !slices.Equal(r.groupsOf(made), r.groupsOf(moved)) {
				t.Errorf("the groups are %v, and were %v", moved.Data, made.Data)
			}
		})
	}
}

// The plan action shows a move, and why it would be refused.
func TestPlanOfMove(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := newMover(t, movedChain())
		r.logicalID = "New"
		r.stack.resource = ""
		now := setting(movedChain(), "MovedFrom", "Chain")
		report := r.reports("plan", now, "plan")
		if !strings.Contains(report.Text, "move group Alb(ALB-SG)") || strings.Contains(report.Text, "create group") {
			t.Errorf("the plan is:\n%s", report.Text)
		}
		for _, group := range report.Groups {
			if group.Fate != "move" || group.GroupID == "" || (group.Tier == "App" && group.GroupName != "sgchain-Shop-App-c7fb67798bb415ea") {
				t.Errorf("a group is %+v", group)
			}
		}
		refused := r.reports("plan", setting(now, "Tiers", []any{tier("Alb", "GroupName", "ALB-SG", "Ports", 80), tiersOf(now)[1]}), "refused")
		if !strings.Contains(refused.Text, "Besides the move, this would change") {
			t.Errorf("the plan is:\n%s", refused.Text)
		}
		// After the move, MovedFrom has no effect, and the old chain cannot be changed.
		moved := r.succeeds(r.takeOver(now))
		r.stack.set("UPDATE_COMPLETE", "CREATE_COMPLETE", moved.PhysicalResourceID)
		r.handler.Moves = false
		r.reports("plan", setting(now, "RuleQuota", 50), "plan", "would change nothing")
		r.handler.Moves = true
		r.logicalID, r.stack.others = "Chain", map[string]string{"New": "CREATE_COMPLETE"}
		r.reports("plan", movedChain(), "refused", "of the chain New", "after a move")
	})
}

// If the old chain stays in the template by mistake, its update is refused, and the rollback
// changes nothing.
func TestUpdateOfMovedChain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, made := newMover(t, movedChain())
		r.succeeds(r.takeOver(setting(movedChain(), "MovedFrom", "Chain")))
		r.logicalID, r.stack.others = "Chain", map[string]string{"New": "CREATE_COMPLETE"}
		r.forget()
		next := setting(movedChain(), "Revision", "2")
		r.fails(r.update(made.PhysicalResourceID, next, movedChain()), "were moved to the chain New", "Remove this chain from its template")
		back := r.succeeds(r.rollback(made.PhysicalResourceID, movedChain(), next))
		if back.PhysicalResourceID != made.PhysicalResourceID || !slices.Equal(r.groupsOf(back), r.groupsOf(made)) {
			t.Errorf("the rollback answers %v", back)
		}
		r.writesNothing()
	})
}

// A refused move writes nothing.
func TestRefusedMove(t *testing.T) {
	t.Parallel()
	tier := func(p properties, place int, key string, value any) properties {
		all := slices.Clone(tiersOf(p))
		changed := maps.Clone(all[place])
		changed[key] = value
		all[place] = changed
		return setting(p, "Tiers", all)
	}
	same := setting(movedChain(), "MovedFrom", "Chain")
	for name, test := range map[string]struct {
		now   properties
		given func(*rig)
		want  []string
	}{
		"a provider that does not allow it": {same, func(r *rig) { r.handler.Moves = false }, []string{"does not allow moves", "AllowMoves"}},
		"the chain itself":                  {setting(movedChain(), "MovedFrom", "New"), nil, []string{"is this chain itself"}},
		"another rule":                      {tier(same, 0, "Ports", []any{"80"}), nil, []string{"Besides the move, this would change", "authorize Alb"}},
		"another tag":                       {tier(same, 0, "Tags", map[string]any{"Team": "shop"}), nil, []string{`Team="shop"`}},
		"another description":               {tier(same, 1, "Description", "another"), nil, []string{"security groups that this chain lacks: App~", "the same Name, GroupName, Description and VPC"}},
		"fewer tiers":                       {setting(same, "Tiers", []any{tiersOf(same)[0]}), nil, []string{"security groups that this chain lacks: App~"}},
		"more tiers": {
			setting(same, "Tiers", []any{tiersOf(same)[0], tiersOf(same)[1], map[string]any{"Name": "Db", "Ports": []any{"5432"}}}), nil, []string{"create group Db"},
		},
		"nothing in common, and the chain is gone": {
			setting(same, "Tiers", []any{map[string]any{"Name": "Web"}}), func(r *rig) { r.stack.others["Chain"] = "" }, []string{"security groups that this chain lacks: Alb(ALB-SG), App~"},
		},
		"no room for the marks": {same, func(r *rig) {
			for i := range 44 {
				for _, id := range r.world.Groups() {
					r.world.SetTag(id, fmt.Sprint("tag ", i), "x")
				}
			}
		}, []string{"with those that record the move, and EC2 allows 50"}},
		"a chain that is changed":       {same, func(r *rig) { r.stack.others["Chain"] = "UPDATE_IN_PROGRESS" }, []string{"it has status UPDATE_IN_PROGRESS"}},
		"a chain that is deleted":       {same, func(r *rig) { r.stack.others["Chain"] = "DELETE_IN_PROGRESS" }, []string{"it has status DELETE_IN_PROGRESS"}},
		"a chain of the same operation": {same, func(r *rig) { r.stack.othersChanged = time.Now().Add(time.Second) }, []string{"still in this template"}},
		"a stack in progress": {
			setting(movedChain(), "MovedFrom", map[string]any{"Stack": otherName, "LogicalId": "Chain"}),
			func(r *rig) {
				r.stack.others[stackOfOther], r.stack.others[otherName] = "UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"
			},
			[]string{"no security groups of it"},
		},
		"a chain of the same first operation": {same, func(r *rig) {
			r.stack.script = []func(*stack){func(s *stack) { s.updated = time.Time{} }}
		}, []string{"still in this template"}},
		"a chain whose groups are not shown": {setting(movedChain(), "MovedFrom", "Chain"), func(r *rig) {
			for _, id := range r.world.Groups() {
				r.world.SetTag(id, "sgchain:tier", "")
			}
		}, []string{"EC2 shows no security groups of it"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, _ := newMover(t, movedChain())
				if test.given != nil {
					test.given(r)
				}
				r.fails(r.takeOver(test.now), test.want...)
				r.writesNothing()
			})
		})
	}
}

// If the old chain does not exist, a template with MovedFrom creates the groups.
func TestMoveFromMissingChain(t *testing.T) {
	t.Parallel()
	for _, from := range []any{"Elsewhere", map[string]any{"Stack": otherName, "LogicalId": "Elsewhere"}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.handler.Moves = true
			r.stack.others = map[string]string{"Elsewhere": ""}
			r.succeeds(r.create(setting(movedChain(), "MovedFrom", from)))
		})
	}
}

// Between stacks, MovedFrom names the other stack. Its chain may be deleted, with its groups
// retained.
func TestMoveBetweenStacks(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]string{"it is there": "CREATE_COMPLETE", "it was retained": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, _ := newMover(t, movedChain())
				r.stackID = stackOfOther
				r.logicalID = "Edge"
				made := r.succeeds(r.create(movedChain3()))
				before := r.shown()
				r.stack.others, r.stackID = map[string]string{"Edge": status, otherName: "UPDATE_COMPLETE", stackOfOther: "UPDATE_COMPLETE"}, stackID
				now := setting(movedChain3(), "MovedFrom", map[string]any{"Stack": otherName, "LogicalId": "Edge"})
				moved := r.succeeds(r.takeOver(now))
				if !slices.Equal(r.groupsOf(made), r.groupsOf(moved)) {
					t.Fatalf("the groups are %v, and were %v", moved.Data, made.Data)
				}
				r.stack.set("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "DELETE_IN_PROGRESS", moved.PhysicalResourceID)
				r.succeeds(r.deliver(r.event(cfn.RequestDelete, moved.PhysicalResourceID, now, nil)))
				if after := r.shown(); after != before {
					t.Errorf("returned:\n%s\nbefore:\n%s", after, before)
				}
			})
		})
	}
}

// movedChain3 returns a chain of three tiers without explicit names.
func movedChain3() properties {
	return props(map[string]any{"Name": "Web", "Ports": []any{"443"}}, map[string]any{"Name": "App", "Ports": []any{"6060"}}, map[string]any{"Name": "Db", "Ports": []any{"5432"}})
}

// A chain that was created again under the old logical ID keeps its groups, and the new chain's
// groups are deleted with the new chain.
func TestMoveRollbackToChainCreatedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := newMover(t, movedChain3())
		now := setting(movedChain3(), "MovedFrom", "Chain")
		moved := r.succeeds(r.takeOver(now))
		r.logicalID, r.stack.others = "Chain", map[string]string{"New": "CREATE_COMPLETE"}
		r.fails(r.create(movedChain3()), "after a move", "another logical ID")
		other := movedChain3()
		for _, one := range tiersOf(other) {
			one["Description"] = "created again"
		}
		again := r.succeeds(r.create(other))
		r.logicalID, r.stack.others = "New", map[string]string{"Chain": "CREATE_COMPLETE"}
		r.succeeds(r.destroy(moved.PhysicalResourceID, now))
		left := r.world.Groups()
		for _, id := range r.groupsOf(again) {
			if !slices.Contains(left, id) {
				t.Errorf("the group %s of the chain that was created again is gone", id)
			}
		}
		if len(left) != 3 {
			t.Errorf("left: %v", left)
		}
	})
}

// Under UnmanagedRules: keep, a moved chain still knows which rules it created.
func TestMoveOfChainWithUnmanagedRules(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keep := setting(movedChain3(), "UnmanagedRules", "keep")
		r, made := newMover(t, keep)
		web := fmt.Sprint(made.Data["WebSecurityGroupId"])
		r.authorizeOutOfBand(web, tcpFrom(8080, "192.0.2.0/24"))
		old := setting(keep, "MovedFrom", "Chain")
		moved := r.succeeds(r.takeOver(old))
		r.stack.others = map[string]string{"Chain": ""}
		next := setting(old, "Tiers", []any{map[string]any{"Name": "Web", "Ports": []any{"80"}}, tiersOf(keep)[1], tiersOf(keep)[2]})
		r.succeeds(r.update(moved.PhysicalResourceID, next, old))
		if r.world.AllowsFrom(outside, web, "tcp", 443) || !r.world.AllowsFrom(office, web, "tcp", 8080) || !r.world.AllowsFrom(outside, web, "tcp", 80) {
			t.Errorf("the chain does not know its own rules:\n%s", r.world)
		}
	})
}

// goneProvider is the ID of a provider that was deleted after it created chains.
const goneProvider = "arn:aws:cloudformation:us-east-1:123456789012:stack/Gone/8d1e1c10-0000-11ee-8c99-0242ac120002"

// newTaker returns a rig of another provider. Its stack has the chain Chain of the deleted
// provider, and New takes it over with the returned properties.
func newTaker(t *testing.T) (r *rig, made cfn.Response, now properties) {
	t.Helper()
	r = newRig(t)
	r.handler.Provider, r.handler.EC2 = goneProvider, r.world.Client("former") // whose calls are not this provider's
	made = r.settle(movedChain3())
	r.handler.Provider, r.handler.EC2 = ownProvider, r.ec2
	return r, made, setting(movedChain3(), "MovedFrom", map[string]any{"LogicalId": "Chain", "Provider": goneProvider})
}

// If a provider was deleted, another one takes over its chains.
func TestMoveFromFormerProvider(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, made, now := newTaker(t)
		moved := r.succeeds(r.takeOver(now))
		if !slices.Equal(r.groupsOf(made), r.groupsOf(moved)) {
			t.Fatalf("the groups are %v, and were %v", moved.Data, made.Data)
		}
		for _, id := range r.groupsOf(moved) {
			for rule, tags := range r.world.RuleTags(id) {
				if tags["sgchain:provider"] != ownProvider && len(tags) > 0 {
					t.Errorf("the rule %s of %s has the tags %v", rule, id, tags)
				}
			}
		}
		r.stack.others = map[string]string{"Chain": ""}
		r.succeeds(r.update(moved.PhysicalResourceID, setting(now, "Revision", "2"), now))
		r.succeeds(r.destroy(moved.PhysicalResourceID, now))
		if left := r.world.Groups(); len(left) > 0 {
			t.Errorf("left over: %v", left)
		}
	})
}

// If two chains take over the same one at once, one of them gets it and the other one is refused.
func TestTwoMovesAtOnce(t *testing.T) {
	t.Parallel()
	for pause := time.Duration(0); pause < 8*time.Second; pause += 250 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			r, made := newMover(t, movedChain3())
			now := setting(movedChain3(), "MovedFrom", "Chain")
			r.logicalID, r.stack.updated = "New", time.Now()
			r.stack.set("UPDATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "")
			one, other := r.event(cfn.RequestCreate, "", now, nil), r.event(cfn.RequestCreate, "", now, nil)
			other.LogicalResourceID = "Newer"
			answers := make(chan cfn.Response, 2)
			go func() { answers <- r.deliver(one) }()
			<-time.After(pause)
			answers <- r.deliver(other)
			var owners []string
			for range 2 {
				if answer := <-answers; answer.Status == cfn.StatusSuccess && slices.Equal(r.groupsOf(answer), r.groupsOf(made)) {
					owners = append(owners, answer.LogicalResourceID)
				}
			}
			if len(owners) != 1 {
				t.Fatalf("after %s the groups are answered by %v", pause, owners)
			}
			for _, id := range r.groupsOf(made) {
				if owner := r.world.Tag(id, "sgchain:logical-id"); owner != owners[0] {
					t.Errorf("after %s the group %s is %s's, and %s answered with it", pause, id, owner, owners[0])
				}
			}
		})
	}
}

// If both chains leave at once, the new chain's groups are not returned to one that is being
// deleted.
func TestBothChainsOfAMoveAreDeleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := newMover(t, movedChain())
		now := setting(movedChain(), "MovedFrom", "Chain")
		moved := r.succeeds(r.takeOver(now))
		r.stack.set("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "DELETE_IN_PROGRESS", moved.PhysicalResourceID)
		r.stack.others["Chain"] = "DELETE_IN_PROGRESS"
		r.succeeds(r.deliver(r.event(cfn.RequestDelete, moved.PhysicalResourceID, now, nil)))
		if left := r.world.Groups(); len(left) > 0 {
			t.Errorf("left over: %v", left)
		}
	})
}

// A nested stack that its parent rolls back is deleted. Groups that had been retained before their
// move are returned.
func TestMoveRollbackByTheParent(t *testing.T) {
	t.Parallel()
	for status, isKept := range map[string]bool{"UPDATE_ROLLBACK_IN_PROGRESS": true, "DELETE_IN_PROGRESS": false} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := newMover(t, movedChain())
			r.stack.others["Chain"] = ""
			r.stack.root, r.stack.others[stackOfOther] = stackOfOther, status
			now := setting(movedChain(), "MovedFrom", "Chain")
			moved := r.succeeds(r.takeOver(now))
			r.succeeds(r.destroy(moved.PhysicalResourceID, now))
			if left := r.world.Groups(); (len(left) == 2) != isKept {
				t.Errorf("the parent is %s: left over %v", status, left)
			}
		})
	}
}

// A move from a former provider that is interrupted, or whose answer is lost, is continued or
// rolled back. No rule is taken from its rightful owner.
func TestMoveFromFormerProviderAfterCrash(t *testing.T) {
	t.Parallel()
	for call := 1; call <= 6; call++ {
		for _, continues := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				r, made, now := newTaker(t)
				r.ec2.Role = func(_ string, input any, resourceID string, tags map[string]string) bool {
					tagging, isTagging := input.(*ec2.CreateTagsInput)
					own := map[string]string{}
					if isTagging {
						for _, one := range tagging.Tags {
							own[*one.Key] = *one.Value
						}
					}
					// The role allows taking a rule only from the former provider, or returning it.
					return !strings.HasPrefix(resourceID, "sgr-") || !isTagging || own["sgchain:provider"] != tags["sgchain:provider"]
				}
				if first := r.takeOver(now, faultAt{world.Fault{Cut: true, Lost: true}, call}); call < 5 && first.Status == cfn.StatusSuccess {
					t.Fatalf("the run did not die: %v", first)
				}
				<-time.After(time.Minute)
				again := r.world.Client("handler again")
				again.Role, r.handler.EC2 = r.ec2.Role, again
				if continues {
					if moved := r.succeeds(r.deliver(r.event(cfn.RequestCreate, "", now, nil))); !slices.Equal(r.groupsOf(made), r.groupsOf(moved)) {
						t.Errorf("the groups are %v, and were %v", moved.Data, made.Data)
					}
					return
				}
				r.stack.set("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "DELETE_IN_PROGRESS", "Shop-New-1A2B3C")
				r.succeeds(r.deliver(r.event(cfn.RequestDelete, "Shop-New-1A2B3C", now, nil)))
				for _, id := range r.groupsOf(made) {
					if owner := r.world.Tag(id, "sgchain:provider") + " " + r.world.Tag(id, "sgchain:logical-id"); owner != goneProvider+" Chain" {
						t.Errorf("call %d: group %s is of %s", call, id, owner)
					}
				}
			})
		}
	}
}
