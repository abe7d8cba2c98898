package lifecycle

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
)

// Operation is an operation on the stack and its course.
type Operation struct {
	// Properties are the chain's; nil removes it from the template.
	Properties map[string]any
	// Tags are the stack's tags from this operation on.
	Tags map[string]string
	// SiblingFails makes another resource fail after this one succeeded.
	SiblingFails bool
	// NoRollback preserves what failed ("preserve successfully provisioned resources").
	NoRollback bool
	// Nested makes the stack a child: after its own update it waits for its parent, and only then
	// cleans up or rolls back.
	Nested bool
	// Retain keeps the groups: DeletionPolicy and UpdateReplacePolicy.
	Retain bool
	// Linger is how long the last dependent keeps using an old group that is about to be deleted.
	Linger time.Duration
	// Mishaps belong to the events in their order: the first event, the rollback's or the
	// cleanup's, and so on. Events without a mishap go well.
	Mishaps []Mishap
	// From is the place that the chain leaves. Dependents stay in its groups and return to it if
	// the Create fails, unless Kept says that no template has it. RemovesOld removes the old resource from
	// the template in the same operation. Retains then keeps its groups.
	From                      *Place
	Kept, RemovesOld, Retains bool
	// MayFail reports whether the rollback may fail because of changes outside the stack.
	MayFail func() bool
}

// stackOperation is an operation in progress.
type stackOperation struct {
	*CloudFormation
	Operation

	sent int
	tags map[string]string // the stack's, from before the operation
}

// request sends the next event and waits for its answer.
func (o *stackOperation) request(kind cfn.RequestType, id string, now, old map[string]any) (cfn.Response, string) {
	var mishap Mishap
	if o.sent < len(o.Mishaps) {
		mishap = o.Mishaps[o.sent]
	}
	o.sent++
	if mishap.Dated > 0 {
		<-time.After(min(time.Duration(mishap.Dated)*time.Second, o.Waits))
	}
	return o.await(o.send(kind, id, now, old, mishap))
}

func (c *CloudFormation) row(row string) {
	c.step("row %s", row)
	if c.OnRow != nil {
		c.OnRow(row)
	}
}

// record stores what an answer returns.
func (c *CloudFormation) record(answer cfn.Response, properties map[string]any) {
	tiers := map[string]string{}
	for key, value := range answer.Data {
		if tier, found := strings.CutSuffix(key, "SecurityGroupId"); found {
			tiers[tier] = fmt.Sprint(value)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.deploymentOf(c.place())
	one.properties, one.tiers = properties, tiers
}

// Create creates the stack, or adds the chain to an existing stack. It reports whether that
// succeeded.
func (c *CloudFormation) Create(op Operation) bool {
	o := &stackOperation{CloudFormation: c, Operation: op}
	c.setStackTags(op.Tags)
	forward, undone, failed, cleanup := "CREATE", "ROLLBACK", "CREATE_FAILED", "ROLLBACK_IN_PROGRESS"
	adding := c.StackStatus() != "" && c.StackStatus() != "DELETE_COMPLETE"
	if adding {
		forward, undone, failed, cleanup = "UPDATE", "UPDATE_ROLLBACK", "UPDATE_FAILED", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
		c.begin()
		if c.deployment().failedID != "" {
			return o.createAgain()
		}
	}
	c.set(forward+"_IN_PROGRESS", "CREATE_IN_PROGRESS", "")
	answer, why := o.request(cfn.RequestCreate, "", op.Properties, nil)
	id := answer.PhysicalResourceID
	switch {
	case why != "":
		id = Invented
		c.row("4")
		c.set(forward+"_IN_PROGRESS", "CREATE_FAILED", "")
	case answer.Status == cfn.StatusSuccess:
		c.record(answer, op.Properties)
		c.set(forward+"_IN_PROGRESS", "CREATE_COMPLETE", id)
		o.arrive()
		if !op.SiblingFails {
			o.created(forward, adding)
			return true
		}
		c.row("4 simple")
		o.returnDependents()
		if c.Habits.InventsAlways {
			id = Invented
		}
	default:
		c.row("2")
		c.set(forward+"_IN_PROGRESS", "CREATE_FAILED", id)
	}
	if op.NoRollback && why == "" && answer.Status != cfn.StatusSuccess {
		c.row("17")
		c.deployment().failedID = id
		c.set(failed, "", "")
		return false
	}
	if adding {
		c.row("11")
		c.set("UPDATE_ROLLBACK_IN_PROGRESS", "", "")
	}
	o.undoCreate(id, undone, cleanup, adding)
	return false
}

// undoCreate deletes what a Create left.
func (o *stackOperation) undoCreate(id, undone, cleanup string, adding bool) {
	c := o.CloudFormation
	if !o.Kept {
		c.leave(o.Linger)
		c.empty() // flows of groups that are being deleted are no longer required
	}
	o.showRemoved(cleanup, id)
	if !adding {
		answer, why := o.request(cfn.RequestDelete, id, o.Properties, nil)
		if why == "" && answer.Status == cfn.StatusSuccess {
			c.set(undone+"_COMPLETE", "DELETE_COMPLETE", id)
			return
		}
		c.row("15")
		c.set("ROLLBACK_FAILED", "DELETE_FAILED", id)
		return
	}
	c.abandoned = !o.cleanup(id, o.Properties) || c.abandoned
	c.set(undone+"_COMPLETE", absent, "")
}

// showRemoved records a resource that is about to be deleted with its operation.
func (o *stackOperation) showRemoved(stack, id string) {
	if strings.HasSuffix(stack, "_CLEANUP_IN_PROGRESS") && o.Habits.RemovedShows == "absent" {
		o.set(stack, absent, "")
		return
	}
	o.set(stack, "DELETE_IN_PROGRESS", id)
}

// createAgain is the operation after a Create that stayed failed. A resource without a last known
// stable state is deleted and created again.
func (o *stackOperation) createAgain() bool {
	c := o.CloudFormation
	deployment := c.deployment()
	failed := deployment.failedID
	deployment.failedID = ""
	drop := func(status string) {
		c.set(status, "DELETE_IN_PROGRESS", failed)
		answer, why := o.request(cfn.RequestDelete, failed, o.Properties, nil)
		c.abandoned = c.abandoned || why != "" || answer.Status != cfn.StatusSuccess
	}
	if !c.Habits.CreatesFirst {
		drop("UPDATE_IN_PROGRESS")
	}
	c.set("UPDATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "")
	answer, why := o.request(cfn.RequestCreate, "", o.Properties, nil)
	if why != "" || answer.Status != cfn.StatusSuccess {
		id := answer.PhysicalResourceID
		if why != "" {
			id = Invented
		}
		c.set("UPDATE_ROLLBACK_IN_PROGRESS", "CREATE_FAILED", id)
		if c.Habits.CreatesFirst && failed != id {
			o.showRemoved("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", failed)
			c.abandoned = !o.cleanup(failed, o.Properties) || c.abandoned
		}
		o.undoCreate(id, "UPDATE_ROLLBACK", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", true)
		return false
	}
	c.record(answer, o.Properties)
	c.set("UPDATE_IN_PROGRESS", "CREATE_COMPLETE", answer.PhysicalResourceID)
	c.move()
	c.set("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "", "")
	if c.Habits.CreatesFirst {
		o.cleanup(failed, o.Properties)
	}
	c.set("UPDATE_COMPLETE", "", "")
	return true
}

// Update changes the chain. It reports whether that succeeded.
func (c *CloudFormation) Update(op Operation) bool {
	if op.Properties == nil {
		return c.remove(op)
	}
	o := &stackOperation{CloudFormation: c, Operation: op}
	old, id := c.deployment().properties, c.ID()
	o.tags = c.StackTags()
	c.setStackTags(op.Tags)
	c.begin()
	c.set("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", id)
	before := c.GroupIDs()
	answer, why := o.request(cfn.RequestUpdate, id, op.Properties, old)
	if why == "" && answer.Status == cfn.StatusSuccess {
		return o.updated(answer, id, old, before)
	}
	recorded := id
	switch {
	case why != "":
		c.row("cancelled Update")
	case answer.PhysicalResourceID != id:
		c.row("8")
		recorded = answer.PhysicalResourceID
	default:
		c.row("7")
	}
	c.set("UPDATE_IN_PROGRESS", "UPDATE_FAILED", recorded)
	if op.NoRollback && why == "" {
		c.row("17")
		c.set("UPDATE_FAILED", "", "")
		return false
	}
	return o.rollback(old, op.Properties, id, recorded, before)
}

// updated plays what follows a successful Update. Dependents move, and the replaced ID is cleaned
// up, or everything is rolled back.
func (o *stackOperation) updated(answer cfn.Response, id string, old map[string]any, before map[string]string) bool {
	c := o.CloudFormation
	replaced := answer.PhysicalResourceID != id
	c.deployment().skipped = false
	c.record(answer, o.Properties)
	c.set("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", answer.PhysicalResourceID)
	c.join()
	if o.Nested {
		c.row("18")
		c.rest()
	}
	if o.SiblingFails {
		c.row(map[bool]string{true: "10", false: "9"}[replaced])
		if o.Nested {
			c.set("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "", "")
			c.rest()
		}
		return o.rollback(old, o.Properties, id, answer.PhysicalResourceID, before)
	}
	c.part(o.Linger)
	if replaced {
		o.cleanupReplaced("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", id, answer.PhysicalResourceID, old)
	} else {
		c.row("5")
		c.set("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "", "")
	}
	c.set("UPDATE_COMPLETE", "UPDATE_COMPLETE", answer.PhysicalResourceID)
	return true
}

// rollback sends the Update to the old properties, until it succeeds or is skipped.
func (o *stackOperation) rollback(old, failed map[string]any, oldID, recorded string, before map[string]string) bool {
	c := o.CloudFormation
	defer o.showTags()()
	carried := recorded
	if c.Habits.RollbackCarries == "old" {
		carried = oldID
	}
	for attempt := range 3 {
		c.set("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS", carried)
		answer, why := o.request(cfn.RequestUpdate, carried, old, failed)
		if why == "" && answer.Status == cfn.StatusSuccess {
			c.record(answer, old)
			c.set("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_COMPLETE", answer.PhysicalResourceID)
			c.join()
			c.part(o.Linger)
			if recorded != answer.PhysicalResourceID {
				o.cleanupReplaced("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", recorded, answer.PhysicalResourceID, failed)
			} else {
				c.set("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "", "")
			}
			c.set("UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE", answer.PhysicalResourceID)
			return false
		}
		if strings.Contains(answer.Reason, noRoomForTags) {
			c.violate(AnyToAny, "a rollback was refused for tags: %s", answer.Reason)
		}
		if o.isUndisturbed() && why == "" {
			c.violate(AnyToAny, "an undisturbed rollback failed: %s", answer.Reason)
		}
		c.row("16")
		c.set("UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED", carried)
		c.rest()
		if attempt == 2 {
			break
		}
	}
	// ContinueUpdateRollback with the resource skipped: it counts as rolled back.
	c.row("16 skipped")
	deployment := c.deployment()
	c.mu.Lock()
	deployment.properties, deployment.tiers, deployment.skipped = old, before, true
	c.mu.Unlock()
	c.set("UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE", carried)
	return false
}

// isUndisturbed reports whether nothing went wrong with the last event or since.
func (o *stackOperation) isUndisturbed() bool {
	clean := o.sent > len(o.Mishaps) || reflect.DeepEqual(o.Mishaps[o.sent-1], Mishap{})
	return clean && !o.isRefused() && (o.Excused == nil || !o.Excused()) && (o.MayFail == nil || !o.MayFail())
}

// isRefused reports whether an answer gave lack of room as its reason.
func (c *CloudFormation) isRefused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}

// rest pauses as people do between two operations.
func (c *CloudFormation) rest() { <-time.After(c.Rests) }
