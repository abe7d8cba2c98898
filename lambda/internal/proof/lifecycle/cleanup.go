package lifecycle

import (
	"strings"

	"github.com/aws/aws-lambda-go/cfn"
)

// cleanupReplaced deletes a replaced ID.
func (o *course) cleanupReplaced(status, id, recorded string, properties map[string]any) {
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

// cleanup tries three times to delete, and goes on whatever comes of it. It says
// whether that succeeded.
func (o *course) cleanup(id string, properties map[string]any) bool {
	for range 3 {
		answer, why := o.request(cfn.RequestDelete, id, properties, nil)
		if why == "" && answer.Status == cfn.StatusSuccess {
			return true
		}
	}
	o.row("14")
	return false
}

// remove takes the chain out of the template.
func (c *CloudFormation) remove(op Operation) bool {
	o := &course{CloudFormation: c, Operation: op}
	id, properties := c.ID(), c.stack.properties
	// What an Update made that failed and was not rolled back bears an ID that was never
	// answered, and looks like the live chain beside a replaced one: the Delete leaves it
	// (residue; see docs/lifecycle.md).
	half := strings.HasSuffix(c.StackStatus(), "_FAILED") || c.skipped
	c.row("12")
	c.begin("UPDATE_IN_PROGRESS")
	c.leave(op.Linger)
	if op.Retain {
		c.row("19")
		c.abandoned = true
	} else {
		o.showRemoved("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", id)
		c.abandoned = !o.cleanup(id, properties) || half || c.abandoned
	}
	c.set("UPDATE_COMPLETE", absent, "")
	c.mu.Lock()
	c.stack.properties, c.stack.tiers = nil, nil
	c.mu.Unlock()
	return true
}

// Delete deletes the stack, once more where that fails, and says whether it is gone.
func (c *CloudFormation) Delete(op Operation) bool {
	o := &course{CloudFormation: c, Operation: op}
	id, properties := c.ID(), c.stack.properties
	if c.stack.resource.status == "DELETE_COMPLETE" {
		id = ""
	}
	c.abandoned = c.abandoned || op.Retain
	if c.failedID != "" {
		id = c.failedID
		c.failedID = ""
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
			id, c.abandoned = "", false
			break
		}
		c.set("DELETE_FAILED", "DELETE_FAILED", id)
		c.rest()
	}
	if id != "" && !op.Retain {
		return false
	}
	gone := "DELETE_COMPLETE"
	if c.Habits.GoneShows == "absent" {
		gone = ""
	}
	c.set(gone, absent, "")
	return true
}
