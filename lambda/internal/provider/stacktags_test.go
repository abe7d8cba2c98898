package provider_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/proof/world"
)

// numbered returns n tags, as properties and as those of a stack.
func numbered(prefix string, count int) map[string]string {
	all := map[string]string{}
	for i := range count {
		all[fmt.Sprintf("%s%02d", prefix, i)] = "1"
	}
	return all
}

// crowdedMeanwhile returns an update during which another principal adds tags to a group.
func crowdedMeanwhile(r *rig) string {
	r.stack.tags = numbered("stack", 20)
	answer := r.succeeds(r.create(props(tier("Web"))))
	web := attribute(answer, "Web")
	r.ec2.Forget()
	r.ec2.FailAt(2, world.Fault{Do: func() {
		for key := range numbered("other", 30) {
			r.world.SetTag(web, key, "1")
		}
	}})
	return reason(r.update(answer.PhysicalResourceID, props(tier("Web", "Ports", 443)), props(tier("Web"))))
}

// tagsOf returns the tags of a group without those of ownership.
func (r *rig) tagsOf(groupID string) map[string]string {
	r.t.Helper()
	found, err := r.world.Client("reader").DescribeSecurityGroups(r.t.Context(), &ec2.DescribeSecurityGroupsInput{GroupIds: []string{groupID}})
	if err != nil {
		r.t.Fatal(err)
	}
	all := map[string]string{}
	for _, tag := range found.SecurityGroups[0].Tags {
		if key := aws.ToString(tag.Key); !strings.HasPrefix(key, "sgchain:") || key == "sgchain:stack-tags" {
			all[key] = aws.ToString(tag.Value)
		}
	}
	return all
}

// carries compares the tags of a group with what they should be, without its Name and the record.
func (r *rig) carries(when, groupID string, want map[string]string) {
	r.t.Helper()
	got := r.tagsOf(groupID)
	if _, hasName := want["Name"]; !hasName {
		delete(got, "Name")
	}
	delete(got, "sgchain:stack-tags")
	if !maps.Equal(got, want) {
		r.t.Errorf("%s: the tags are %v, want %v", when, got, want)
	}
}

type tagMapOf = map[string]string

// A chain's lifecycle if its stack has tags.
func TestStackTags(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, r *rig) {
		r.stack.tags = tagMapOf{"Team": "stack", "Cost": "stack", "Name": "stack", "aws:servicecatalog:x": "1", "AWS:y": "1", "sgchain:tier": "Other"}
		one := with(properties{"Tags": tagMapOf{"Team": "author"}}, tier("Web"), tier("App", "Ports", 80, "Tags", tagMapOf{"Cost": "tier"}))
		answer := r.succeeds(r.create(one))
		id, web, app := answer.PhysicalResourceID, attribute(answer, "Web"), attribute(answer, "App")
		r.carries("created", web, tagMapOf{"Team": "author", "Cost": "stack", "Name": r.tagsOf(web)["Name"]})
		r.carries("created", app, tagMapOf{"Team": "author", "Cost": "tier"})
		if name := r.tagsOf(web)["Name"]; name == "stack" || r.tagsOf(web)["sgchain:stack-tags"] == "" || r.tagsOf(app)["sgchain:stack-tags"] != "" || r.world.Tag(web, "sgchain:tier") != "Web" {
			t.Errorf("the Name is %q, the record %q", name, r.tagsOf(web)["sgchain:stack-tags"])
		}
		if writes := r.operations("CreateTags") + r.operations("DeleteTags"); writes > 0 {
			t.Errorf("%d calls for tags that the creation brings", writes)
		}
		r.world.SetTag(web, "Own", "somebody")
		// No event reports that they changed. A check does, and a repair adds them.
		r.stack.tags = tagMapOf{"Team": "stack", "Env": "stack"}
		r.reports("check", one, chain.ResultDrift, "untag Web", "Cost (of the stack)", `Env="stack" (of the stack)`)
		r.reports("plan", one, chain.ResultPlan, `re-tag App`, `Env="stack" (of the stack)`)
		r.handler.Repairs = true
		r.reports("repair", one, chain.ResultRepaired)
		r.reports("check", one, chain.ResultInSync)
		r.carries("repaired", web, tagMapOf{"Team": "author", "Env": "stack", "Own": "somebody"})
		r.carries("repaired", app, tagMapOf{"Team": "author", "Cost": "tier", "Env": "stack"})
		// The author's tags leave, and the stack's replace them.
		two := props(tier("Web"), tier("App", "Ports", 80))
		r.succeeds(r.update(id, two, one))
		for _, group := range []string{web, app} {
			want := tagMapOf{"Team": "stack", "Env": "stack"}
			if group == web {
				want["Own"] = "somebody"
			}
			r.carries("updated", group, want)
		}
		off := changed(two, "StackTags", "false")
		r.succeeds(r.update(id, off, two))
		r.carries("without those of the stack", web, tagMapOf{"Own": "somebody"})
		r.carries("without those of the stack", app, tagMapOf{})
		if record := r.tagsOf(web)["sgchain:stack-tags"]; record != "" {
			t.Errorf("the record is still %q", record)
		}
		r.stack.set("UPDATE_COMPLETE", "UPDATE_COMPLETE", id)
		r.reports("check", off, chain.ResultInSync)
		r.succeeds(r.destroy(id, off))
	})
}

// Tags of the stack never replace existing ones, and are removed with the record.
func TestStackTagsOfAdoptedGroups(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, r *rig) {
		r.stack.tags = tagMapOf{"Team": "stack", "Cost": "stack"}
		web := r.existingGroup("web", "by hand", tagOf("Team", "hand"), tagOf("Own", "hand"), tagOf("sgchain:stack-tags", chain.StackTagsRecord([]string{"Own"})))
		one := with(properties{"AdoptExisting": true}, tier("Web", "GroupName", "web"))
		id := r.succeeds(r.create(one)).PhysicalResourceID
		want := tagMapOf{"Team": "hand", "Own": "hand", "Cost": "stack"}
		r.carries("adopted", web, want)
		for n := range 3 {
			now := changed(one, "Revision", fmt.Sprint(n))
			r.succeeds(r.update(id, now, one))
			r.carries("updated", web, want)
			one = now
		}
		r.stack.tags = nil
		r.succeeds(r.update(id, changed(one, "Revision", "last"), one))
		r.carries("the stack has none any more", web, tagMapOf{"Team": "hand", "Own": "hand"})
		r.succeeds(r.destroy(id, one))
		if got := r.tagsOf(web); got["sgchain:stack-tags"] != "" || got["Team"] != "hand" {
			t.Errorf("released: %v", got)
		}
	})
}

// Tags that do not fit are refused before anything is written, but never in a rollback.
func TestStackTagsThatDoNotFit(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, r *rig) {
		old := with(properties{"Tags": numbered("author", 10)}, tier("Web"), tier("App", "Ports", 80))
		r.stack.tags = numbered("stack", 5)
		answer := r.succeeds(r.create(old))
		id, web := answer.PhysicalResourceID, attribute(answer, "Web")
		before := r.world.String()
		r.stack.tags = numbered("stack", 34)
		now := with(properties{"Tags": numbered("author", 10)}, tier("Web", "Ports", 443), tier("App", "Ports", 80))
		r.reports("plan", now, chain.ResultRefused, "planning tags of security group", "it would have 51 tags (11 of its properties and Name, 34 of the stack, 0 of other owners and 6 of the chain)", "set StackTags to false")
		r.forget()
		r.fails(r.update(id, now, old), "and EC2 allows 50", "Nothing was changed.")
		if r.world.Writes() > 0 || r.world.String() != before {
			t.Errorf("it wrote: %v", r.world.Calls())
		}
		back := r.succeeds(r.rollback(id, old, now))
		if warnings := fmt.Sprint(back.Data["Warnings"]); !strings.Contains(warnings, "tier Web lacks tags of the stack, because EC2 allows 50 for a group and the chain reserves some: stack29, stack30") {
			t.Errorf("warnings: %s", warnings)
		}
		want := numbered("author", 10)
		maps.Copy(want, numbered("stack", 29))
		r.carries("rolled back", web, want)
		r.forget()
		again := r.succeeds(r.rollback(id, old, now))
		if r.world.Writes() > 0 || fmt.Sprint(again.Data["Warnings"]) != fmt.Sprint(back.Data["Warnings"]) {
			t.Errorf("the second way back wrote %v and warns %v", r.world.Calls(), again.Data["Warnings"])
		}
		r.succeeds(r.update(id, changed(now, "StackTags", false), old))
		r.carries("without those of the stack", web, numbered("author", 10))
	})
}

// Tags that leave make room for new ones, and an interrupted run keeps track of both.
func TestStackTagsReplaceOthers(t *testing.T) {
	t.Parallel()
	for _, dies := range []int{0, 2, 3, 4} {
		t.Run(fmt.Sprintf("call %d", dies), func(t *testing.T) {
			t.Parallel()
			simulate(t, func(t *testing.T, r *rig) {
				r.stack.tags = numbered("old", 40)
				old, now := props(tier("Web"), tier("App", "Ports", 80)), props(tier("Web"), tier("App", "Ports", 81))
				answer := r.succeeds(r.create(old))
				id, web := answer.PhysicalResourceID, attribute(answer, "Web")
				r.world.SetTag(web, "Own", "somebody")
				r.stack.tags = numbered("new", 42)
				r.forget()
				if dies > 0 {
					r.ec2.FailAt(dies, world.Fault{Cut: true})
					r.update(id, now, old)
					r.handler.EC2 = r.world.Client("next")
				}
				r.succeeds(r.update(id, now, old))
				want := numbered("new", 42)
				want["Own"] = "somebody"
				r.carries("updated", web, want)
				if calls := r.operations("CreateTags") + r.operations("DeleteTags"); dies == 0 && calls != 2 {
					t.Errorf("%d calls for tags, want one that removes and one that adds", calls)
				}
			})
		})
	}
}

// A group that leaves the chain keeps its tags until its cleanup.
func TestRetiredGroupsKeepTags(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, r *rig) {
		r.stack.tags = tagMapOf{"Team": "stack"}
		old, now := props(tier("Web"), tier("App", "Ports", 80)), props(tier("Web"))
		answer := r.succeeds(r.create(old))
		app := attribute(answer, "App")
		before := r.tagsOf(app)
		r.stack.tags = tagMapOf{"Cost": "stack"}
		r.succeeds(r.update(answer.PhysicalResourceID, now, old))
		if after := r.tagsOf(app); !maps.Equal(after, before) {
			t.Errorf("got %v, want %v", after, before)
		}
		// After a rollback it is the chain's again, and has the stack's tags.
		r.succeeds(r.rollback(answer.PhysicalResourceID, old, now))
		r.carries("after a rollback", app, tagMapOf{"Cost": "stack"})
	})
}

// The update of a chain whose stack has tags makes one read if nothing differs.
func TestStackTagsNeedNoCalls(t *testing.T) {
	t.Parallel()
	simulate(t, func(t *testing.T, r *rig) {
		r.stack.tags = tagMapOf{"Team": "stack"}
		now := props()
		id := r.succeeds(r.create(now)).PhysicalResourceID
		r.forget()
		r.succeeds(r.update(id, changed(now, "Revision", "2"), now))
		if calls := r.world.Calls(); len(calls) != 1 {
			t.Errorf("it called EC2: %v", calls)
		}
	})
}

// changed returns properties with one of them changed.
func changed(p properties, key string, value any) properties {
	return having(maps.Clone(p), key, value)
}

// A chain that moves takes its groups with their tags, including those of its stack. The next
// update adds the tags of the new stack. A move that is rolled back changes no tags.
func TestStackTagsOfMovedGroups(t *testing.T) {
	t.Parallel()
	for _, others := range []tagMapOf{nil, {"Team": "other", "Env": "other"}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.stack.tags = tagMapOf{"Team": "stack", "Cost": "stack"}
			made := r.settle(movedChain())
			app := attribute(made, "App")
			before := r.tagsOf(app)
			r.stack.tags = others
			same := setting(movedChain(), "MovedFrom", "Chain")
			moved := r.succeeds(r.takeOver(same))
			if after := r.tagsOf(app); !maps.Equal(after, before) {
				t.Errorf("moved: %v, before %v", after, before)
			}
			want := tagMapOf{}
			maps.Copy(want, others)
			r.succeeds(r.update(moved.PhysicalResourceID, setting(same, "Revision", "2"), same))
			r.carries("updated", app, want)
		})
	}
}
