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
	"pgregory.net/rapid"

	"sgchain/lambda/internal/proof/lifecycle"
	"sgchain/lambda/internal/proof/world"
)

// leaving returns a chain of three tiers, and the same one without Db, which it releases. Db has
// inbound rules for App, itself and an address.
func leaving() (before, after properties) {
	db := tier("Db", "Ingress", []any{properties{"Ports": []any{5432}, "Sources": []any{"App", "self", "192.0.2.0/24"}}}, "Egress", "chain", "Tags", properties{"Team": "data"})
	before, after = props(tier("Web", "Ports", 443), tier("App", "Ports", 6060, "Sources", []any{"Web", "Db"}), db), props(tier("Web", "Ports", 443), tier("App", "Ports", 6060))
	after["ReleaseTiers"] = []any{"Db"}
	return before, after
}

// leaver returns a rig with the function's role, and a chain of which a tier leaves: see leaving.
func leaver(t *testing.T) (r *rig, before, after properties, made cfn.Response) {
	t.Helper()
	r = newRig(t)
	r.role()
	before, after = leaving()
	return r, before, after, r.succeeds(r.create(before))
}

const cleaning = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"

// isReleased fails unless the released group of tier Db has all its rules but those to and from the
// chain.
func (r *rig) isReleased(id string) {
	r.t.Helper()
	if !slices.Contains(r.world.Groups(), id) {
		r.t.Fatalf("the group is gone:\n%s", r.world)
	}
	block := r.block()
	if strings.Contains(block, "sgchain:") || r.world.Tag(id, "Team") != "data" || r.world.Tag(id, "Name") == "" {
		r.t.Errorf("the group lacks tags:\n%s", block)
	}
	if !r.world.AllowsFrom(office, id, "tcp", 5432) || !r.world.Allows(id, id, "tcp", 5432) {
		r.t.Errorf("the group has lost rules of its own:\n%s", block)
	}
	if strings.Count(r.world.String(), nameOfDB) != strings.Count(block, nameOfDB) {
		r.t.Errorf("a group of the chain still names the one that was released:\n%s", r.world)
	}
	for rule, tags := range r.world.RuleTags(id) {
		if len(tags) > 0 {
			r.t.Errorf("the rule %s still has the tags %v", rule, tags)
		}
	}
}

// block returns what the world prints of the group of tier Db.
func (r *rig) block() string {
	_, after, _ := strings.Cut("\n"+r.world.String(), "\n"+nameOfDB)
	block := nameOfDB
	for line := range strings.Lines(after) {
		if block != nameOfDB && !strings.HasPrefix(line, " ") {
			break // the next group
		}
		block += line
	}
	return block
}

// nameOfDB is the start of its group's name.
const nameOfDB = "sgchain-Shop-Db-"

// role limits the handler to what the provider's role allows.
func (r *rig) role() { r.ec2.Role = lifecycle.Role(ownProvider) }

// The cleanup releases a tier that leaves once no member is left whose traffic that would
// interrupt.
func TestReleaseTiers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, before, after, x := leaver(t)
		app, db := attribute(x, "App"), attribute(x, "Db")
		r.attach("eni-db", "RDSNetworkInterface", db)
		r.forget()
		y := r.succeeds(r.update(x.PhysicalResourceID, after, before))
		if !strings.Contains(r.logged(), "release group") || r.world.Tag(db, "sgchain:release") != "yes" || !r.world.Allows(app, db, "tcp", 5432) {
			t.Fatalf("the update did not prepare the release:\n%s", r.world)
		}
		moved := time.AfterFunc(5*time.Minute, func() {
			if !r.world.Allows(app, db, "tcp", 5432) || !r.world.Allows(db, app, "tcp", 6060) {
				t.Error("the traffic of a member of the group to release is interrupted")
			}
			r.attach("eni-db", "")
		})
		defer moved.Stop()
		r.succeeds(r.cleanup(cleaning, x.PhysicalResourceID, y.PhysicalResourceID, before))
		r.isReleased(db)
		r.stack.set("UPDATE_COMPLETE", "UPDATE_COMPLETE", y.PhysicalResourceID)
		again := props(tier("Web", "Ports", 443), tier("App", "Ports", 7070))
		again["ReleaseTiers"] = []any{"Db"}
		z := r.succeeds(r.update(y.PhysicalResourceID, again, after))
		if warnings := fmt.Sprint(z.Data["Warnings"]); warnings != "" {
			t.Errorf("the update after it warns: %s", warnings)
		}
		r.succeeds(r.destroy(z.PhysicalResourceID, again))
		r.isReleased(db)
		if groups := len(r.world.Groups()); groups != 1 {
			t.Errorf("%d groups are left:\n%s", groups, r.world)
		}
	})
}

// The rollback of an update that tagged a group for release removes that tag. The Delete of the
// update's ID releases no group.
func TestReleaseRollback(t *testing.T) {
	t.Parallel()
	for _, carried := range []string{"old", "new"} {
		t.Run("rollback carries the "+carried+" ID", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, before, after, x := leaver(t)
				want := world.Strip(r.world.String())
				y := r.succeeds(r.update(x.PhysicalResourceID, after, before))
				carries := map[string]string{"old": x.PhysicalResourceID, "new": y.PhysicalResourceID}[carried]
				back := r.succeeds(r.rollback(carries, before, after))
				r.shows(want)
				r.succeeds(r.cleanup("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", y.PhysicalResourceID, back.PhysicalResourceID, after))
				r.shows(want)
				r.stack.set("UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE", back.PhysicalResourceID)
				r.succeeds(r.destroy(back.PhysicalResourceID, before))
				r.shows("")
			})
		})
	}
}

// If CloudFormation never sent the cleanup, or it failed, the next update releases the group. So
// does the deletion of the stack.
func TestReleaseWithoutCleanup(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string]func(r *rig, id string, now properties) cfn.Response{
		"update": func(r *rig, id string, now properties) cfn.Response {
			r.stack.set("UPDATE_COMPLETE", "UPDATE_COMPLETE", id)
			next := properties{"Revision": "2"}
			maps.Copy(next, now)
			return r.update(id, next, now)
		},
		"stack deleted": func(r *rig, id string, now properties) cfn.Response { return r.destroy(id, now) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, before, after, x := leaver(t)
				db := attribute(x, "Db")
				y := r.succeeds(r.update(x.PhysicalResourceID, after, before))
				delete(after, "ReleaseTiers") // the tag has it
				r.succeeds(ends(r, y.PhysicalResourceID, after))
				r.isReleased(db)
			})
		})
	}
}

// A tier that returns to the chain before its cleanup is no longer released.
func TestReleasedTierReturns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, before, after, x := leaver(t)
		want := world.Strip(r.world.String())
		y := r.succeeds(r.update(x.PhysicalResourceID, after, before))
		r.stack.set("UPDATE_COMPLETE", "UPDATE_COMPLETE", y.PhysicalResourceID)
		back := r.succeeds(r.update(y.PhysicalResourceID, before, after))
		r.shows(want)
		r.succeeds(r.destroy(back.PhysicalResourceID, before))
		r.shows("")
	})
}

// A run ends at any call of the update or of the cleanup, and Lambda runs it again. The group is
// never deleted and is released in the end. Meanwhile it becomes undeletable before it loses the
// tag that makes it the chain's.
func TestReleaseAfterCrash(t *testing.T) {
	t.Parallel()
	for _, fault := range []world.Fault{{Cut: true}, {Cut: true, Lost: true}, {Lost: true}, {Repeated: true}} {
		for at := 1; at <= 12; at++ {
			for _, kind := range []cfn.RequestType{cfn.RequestUpdate, cfn.RequestDelete} {
				t.Run(fmt.Sprintf("%s, %+v at %d", kind, fault, at), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						r, before, after, x := leaver(t)
						db := attribute(x, "Db")
						fails := func(mine cfn.RequestType, physicalID string, now, old properties) cfn.Response {
							event := r.event(mine, physicalID, now, old)
							if mine == kind {
								r.ec2 = r.world.Client("dies")
								r.role()
								r.ec2.FailAt(at, fault)
								r.handler.EC2 = r.ec2
								r.deliver(event)
								r.ec2 = r.world.Client("handler")
								r.role()
								r.handler.EC2 = r.ec2
							}
							return r.succeeds(r.deliver(event))
						}
						r.stack.set("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", x.PhysicalResourceID)
						r.stack.updated = time.Now()
						y := fails(cfn.RequestUpdate, x.PhysicalResourceID, after, before)
						r.stack.set(cleaning, "UPDATE_COMPLETE", y.PhysicalResourceID)
						fails(cfn.RequestDelete, x.PhysicalResourceID, before, nil)
						r.isReleased(db)
					})
				})
			}
		}
	}
}

// Under UnmanagedRules: keep, another principal's rule on the group stays, and the chain's own rule
// that names a group of the chain is removed.
func TestReleaseOfGroupWithUnmanagedRule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.role()
		before, after := leaving()
		before["UnmanagedRules"], after["UnmanagedRules"] = "keep", "keep"
		x := r.succeeds(r.create(before))
		web, app, db := attribute(x, "Web"), attribute(x, "App"), attribute(x, "Db")
		r.authorizeOutOfBand(db, tcpFromGroup(9999, web))
		y := r.succeeds(r.update(x.PhysicalResourceID, after, before))
		r.succeeds(r.cleanup(cleaning, x.PhysicalResourceID, y.PhysicalResourceID, before))
		if !r.world.Allows(web, db, "tcp", 9999) || r.world.Allows(app, db, "tcp", 5432) {
			t.Errorf("the rules of the released group are not those that it has to keep:\n%s", r.world)
		}
	})
}

// The tier returns after its group was released. The released group still has the name, and the
// answer explains how to adopt it.
func TestReleasedTierReturnsToTakenName(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, before, after, x := leaver(t)
		db := attribute(x, "Db")
		y := r.succeeds(r.update(x.PhysicalResourceID, after, before))
		r.succeeds(r.cleanup(cleaning, x.PhysicalResourceID, y.PhysicalResourceID, before))
		r.stack.set("UPDATE_COMPLETE", "UPDATE_COMPLETE", y.PhysicalResourceID)
		r.fails(r.update(y.PhysicalResourceID, before, after), db, "restore its tags")
	})
}

// The update makes one call for the tag, and the cleanup one to make the group undeletable.
func TestReleaseNeedsOneMoreCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		before, after := leaving()
		x := r.succeeds(r.create(before))
		r.forget()
		y := r.succeeds(r.update(x.PhysicalResourceID, after, before))
		tagged := func() (calls int) {
			for _, call := range r.world.Calls() {
				if _, isTags := call.Input.(*ec2.CreateTagsInput); isTags {
					calls++
				}
			}
			return calls
		}
		if calls := tagged(); calls != 2 { // the other one is for the groups that stay
			t.Errorf("the update made %d calls of CreateTags", calls)
		}
		r.forget()
		r.succeeds(r.cleanup(cleaning, x.PhysicalResourceID, y.PhysicalResourceID, before))
		if calls := tagged(); calls != 1 {
			t.Errorf("the cleanup made %d calls of CreateTags", calls)
		}
	})
}

// A released group keeps exactly the rules that name no group of the chain. The rest is the new
// chain as if it had just been created.
func TestReleaseOfRandomTiers(t *testing.T) {
	t.Parallel()
	released := 0
	rapid.Check(t, func(rt *rapid.T) {
		old, now := drawModel(rt, "old"), drawModel(rt, "now")
		if err := inBubble(t, func(r *rig) error {
			count, err := anyReleased(t, r, old, now)
			released += count
			return story(err, old, now, r)
		}); err != nil {
			rt.Fatal(err)
		}
	})
	least := 20
	if testing.Short() {
		least = 5
	}
	if released < least {
		t.Errorf("only %d groups were released: the property proves nothing", released)
	}
}

func anyReleased(t *testing.T, r *rig, old, now model) (int, error) {
	t.Helper()
	r.role()
	r.othersGroup()
	before, after := old.props(), now.props()
	x := r.succeeds(r.create(before))
	var left []any
	ids := map[string]string{} // the groups to release, by their names
	for _, one := range old.tiers {
		if _, stays := now.tier(one.name); !stays {
			left = append(left, one.name)
			ids[r.world.Tag(attribute(x, one.name), "Name")] = attribute(x, one.name)
		}
	}
	after["ReleaseTiers"] = left
	want := map[string][]string{}
	for _, id := range ids {
		for rule := range r.world.RuleTags(id) {
			names := groupNamedBy(rule, r)
			if _, isReleased := ids[names]; names == "" || isReleased {
				want[id] = append(want[id], rule)
			}
		}
	}
	y := r.succeeds(r.update(x.PhysicalResourceID, after, before))
	if x.PhysicalResourceID != y.PhysicalResourceID {
		r.succeeds(r.cleanup(cleaning, x.PhysicalResourceID, y.PhysicalResourceID, before))
	}
	for name, id := range ids {
		got := slices.Sorted(maps.Keys(r.world.RuleTags(id)))
		slices.Sort(want[id])
		if !slices.Contains(r.world.Groups(), id) || r.world.Tag(id, "sgchain:tier") != "" || !slices.Equal(got, want[id]) {
			return 0, fmt.Errorf("the group %s is not released as it has to be: it has the rules\n%q\nand not\n%q", name, got, want[id])
		}
	}
	if want, got := fresh(t, now), withoutGroups(r.plain(), ids); got != want {
		return 0, fmt.Errorf("the chain is\n%swant\n%s", got, want)
	}
	r.succeeds(r.destroy(y.PhysicalResourceID, after))
	if text := withoutGroups(r.world.String(), ids); text != othersGroupAlone {
		return 0, fmt.Errorf("after the delete there is\n%s", text)
	}
	return len(ids), nil
}

// withoutGroups returns what the world prints without some groups.
func withoutGroups(text string, names map[string]string) string {
	var rest strings.Builder
	isLeftOut := false
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, " ") {
			name, _, _ := strings.Cut(line, " ")
			_, isLeftOut = names[name]
		}
		if !isLeftOut {
			rest.WriteString(line)
		}
	}
	return rest.String()
}

// groupNamedBy returns the name of the group of the chain that a rule names, if any.
func groupNamedBy(rule string, r *rig) string {
	for _, id := range r.world.Groups() {
		if name := r.world.Tag(id, "Name"); strings.Contains(rule+" ", " "+name+" ") {
			return name
		}
	}
	return ""
}
