package lifecycle

import (
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/cfn"
)

// cleanupReplaced deletes a replaced ID.
func (o *stackOperation) cleanupReplaced(status, id, recorded string, properties map[string]any) {
	c := o.CloudFormation
	if o.Retain {
		c.row("20")
		c.set(status, "", "")
		return
	}
	c.row("6")
	if c.Habits.CleanupBrings == "new" {
		properties = o.Properties
	}
	if c.Habits.CleanupShows == "old" {
		c.set(status, "DELETE_IN_PROGRESS", id)
	} else {
		c.set(status, "UPDATE_COMPLETE", recorded)
	}
	o.cleanup(id, properties)
}

// cleanup tries three times to delete, then continues in any case. It reports whether the Delete
// succeeded.
func (o *stackOperation) cleanup(id string, properties map[string]any) bool {
	for range 3 {
		answer, why := o.request(cfn.RequestDelete, id, properties, nil)
		if why == "" && answer.Status == cfn.StatusSuccess {
			return true
		}
	}
	o.row("14")
	return false
}

// remove removes the chain from the template.
func (c *CloudFormation) remove(op Operation) bool {
	o := &stackOperation{CloudFormation: c, Operation: op}
	id, properties := c.ID(), c.deployment().properties
	// A failed Update that was not rolled back has an ID that was never answered. Next to a
	// replaced ID, its groups look like the live chain, so the Delete keeps them (a known limit;
	// see docs/lifecycle.md).
	isHalfDone := strings.HasSuffix(c.StackStatus(), "_FAILED") || c.deployment().skipped
	c.row("12")
	c.begin()
	c.leave(op.Linger)
	if op.Retain {
		c.row("19")
		c.abandoned = true
	} else {
		o.showRemoved("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", id)
		c.abandoned = !o.cleanup(id, properties) || isHalfDone || c.abandoned
	}
	c.set("UPDATE_COMPLETE", absent, "")
	c.empty()
	return true
}

// empty drops the recorded chain of a removed place.
func (c *CloudFormation) empty() {
	deployment := c.deployment()
	c.mu.Lock()
	deployment.properties, deployment.tiers = nil, nil
	c.mu.Unlock()
}

// Delete deletes the stack, with retries, and reports whether it is gone.
func (c *CloudFormation) Delete(op Operation) bool {
	o := &stackOperation{CloudFormation: c, Operation: op}
	for _, other := range c.others() {
		isGone := false
		c.at(other, func() {
			if isGone = o.deleteResource(); isGone {
				c.set("DELETE_IN_PROGRESS", absent, "")
			}
		})
		if !isGone {
			return false
		}
	}
	if !o.deleteResource() {
		return false
	}
	gone := deletedStack
	if c.Habits.GoneShows == "absent" {
		gone = ""
	}
	c.set(gone, absent, "")
	return true
}

// others lists the stack's other resources, which are deleted before the current one.
func (c *CloudFormation) others() []Place {
	c.mu.Lock()
	defer c.mu.Unlock()
	here := c.place()
	var all []Place
	for _, logicalID := range slices.Sorted(maps.Keys(c.stackOf(here.StackID).resources)) {
		if logicalID != here.LogicalID {
			all = append(all, Place{here.StackID, logicalID})
		}
	}
	return all
}

// deleteResource deletes the chain together with its stack and reports whether it is gone.
func (o *stackOperation) deleteResource() bool {
	c, op := o.CloudFormation, o.Operation
	id, deployment := c.ID(), c.deployment()
	properties := deployment.properties
	c.mu.Lock()
	if c.recorded(c.place()).status == deletedStack {
		id = ""
	}
	c.mu.Unlock()
	c.abandoned = c.abandoned || op.Retain
	if deployment.failedID != "" {
		id = deployment.failedID
		deployment.failedID = ""
	}
	c.leave(op.Linger)
	for range 3 {
		c.row("13")
		if id == "" || op.Retain {
			break
		}
		c.set("DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", id)
		answer, why := o.request(cfn.RequestDelete, id, properties, nil)
		if why == "" && answer.Status == cfn.StatusSuccess {
			id, c.abandoned = "", c.abandoned && !c.isMain()
			break
		}
		c.set("DELETE_FAILED", "DELETE_FAILED", id)
		c.rest()
	}
	if id != "" && !op.Retain {
		return false
	}
	return true
}
