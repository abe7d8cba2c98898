package lifecycle

import (
	"cmp"
	"fmt"
	"strings"
)

// Place is where a chain stands in CloudFormation: a resource of a stack.
type Place struct{ StackID, LogicalID string }

// The places of chains: Home is that of one that never moved, Beside another resource of the
// same stack.
var (
	Home   = Place{StackID, LogicalID}
	Beside = Place{StackID, "Moved"}
)

// Away is a place in another stack. CloudFormation gives every stack that it makes under a name
// another ID: the nth one is meant.
func Away(n int) Place {
	return Place{fmt.Sprintf("arn:aws:cloudformation:us-east-1:123456789012:stack/%s/6b1e1c10-0000-11ee-8c99-%012d", otherStack, n), LogicalID}
}

const otherStack = "Store"

// suffix tells places other than Home apart in stories.
func (p Place) suffix() string {
	switch {
	case p == Home:
		return ""
	case p.StackID == Home.StackID:
		return " (" + p.LogicalID + ")"
	}
	return " (" + stackName(p.StackID) + ")"
}

// stackName is the name in a stack's ID.
func stackName(id string) string {
	_, rest, _ := strings.Cut(id, ":stack/")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// isOurs reports whether the tags of a group name a place of a chain that is played.
func isOurs(stackID string) bool {
	return stackID == StackID || stackName(stackID) == otherStack
}

// placeOf is the place that the tags of a group name.
func placeOf(tags map[string]string) Place { return Place{tags[tagStackID], tags[tagLogicalID]} }

// site is what CloudFormation knows of one chain beyond what it shows.
type site struct {
	// properties and tiers, group IDs as they were answered, belong to the last state that was reached.
	properties map[string]any
	tiers      map[string]string
	failedID   string // of a Create that stayed CREATE_FAILED
	skipped    bool   // the resource in a rollback that could not be done
}

// New opens CloudFormation for operations.
func New(c CloudFormation) *CloudFormation {
	c.shared = &shared{}
	return &c
}

// beside is CloudFormation for an operation that goes on beside others, in another stack.
func (c *CloudFormation) beside(place Place) *CloudFormation {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := *c
	one.here = place
	return &one
}

// place is what operations are about.
func (c *CloudFormation) place() Place { return cmp.Or(c.here, Home) }

// mainPlace is the place of the chain that dependents use.
func (c *CloudFormation) mainPlace() Place { return cmp.Or(c.main, Home) }

// isMain reports whether operations are about the chain that dependents use.
func (c *CloudFormation) isMain() bool { return c.place() == c.mainPlace() }

// at lets operations be about another place, as long as a function lasts.
func (c *CloudFormation) at(place Place, do func()) {
	was := c.place()
	c.goTo(place)
	do()
	c.goTo(was)
}

func (c *CloudFormation) goTo(place Place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.here = place
}

// follow lets dependents use the chain of a place.
func (c *CloudFormation) follow(place Place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.main = place
}

// stackOf is the record of a stack. The mutex is held.
func (c *CloudFormation) stackOf(id string) *record {
	if c.stacks == nil {
		c.stacks = map[string]*record{}
	}
	if c.stacks[id] == nil {
		c.stacks[id] = &record{}
	}
	return c.stacks[id]
}

// siteOf is what is known of a place. The mutex is held.
func (c *CloudFormation) siteOf(place Place) *site {
	if c.sites == nil {
		c.sites = map[Place]*site{}
	}
	if c.sites[place] == nil {
		c.sites[place] = &site{}
	}
	return c.sites[place]
}

// site is what is known of the place that operations are about.
func (c *CloudFormation) site() *site {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.siteOf(c.place())
}

// recorded is what is recorded of a place. The mutex is held.
func (c *CloudFormation) recorded(place Place) resource {
	return c.stackOf(place.StackID).resources[place.LogicalID]
}

// find finds a stack by its ID, or by the name of one that is there. The mutex is held.
func (c *CloudFormation) find(stack string) (string, []reading) {
	if one := c.stacks[stack]; one != nil {
		return stack, one.past
	}
	for id, one := range c.stacks {
		if stackName(id) == stack && one.status != "" && one.status != deletedStack {
			return id, one.past
		}
	}
	return stack, nil
}

// deletedStack is the status of a stack that is gone, as long as CloudFormation shows it.
const deletedStack = "DELETE_COMPLETE"
