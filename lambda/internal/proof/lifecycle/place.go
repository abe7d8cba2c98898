package lifecycle

import (
	"cmp"
	"fmt"
	"strings"
)

// Place is where a chain is in CloudFormation: a resource of a stack.
type Place struct{ StackID, LogicalID string }

// The places of chains: Home is that of a chain that never moved. Beside is another resource of the
// same stack.
var (
	Home   = Place{StackID, LogicalID}
	Beside = Place{StackID, "Moved"}
)

// Away returns a place in another stack, the nth of its name. CloudFormation gives every new stack
// of a name another ID.
func Away(n int) Place {
	return Place{fmt.Sprintf("arn:aws:cloudformation:us-east-1:123456789012:stack/%s/6b1e1c10-0000-11ee-8c99-%012d", otherStack, n), LogicalID}
}

const otherStack = "Store"

// suffix marks places other than Home in stories.
func (p Place) suffix() string {
	switch {
	case p == Home:
		return ""
	case p.StackID == Home.StackID:
		return " (" + p.LogicalID + ")"
	}
	return " (" + stackName(p.StackID) + ")"
}

// stackName returns the name in a stack's ID.
func stackName(id string) string {
	_, rest, _ := strings.Cut(id, ":stack/")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// isOurs reports whether a stack ID in a group's tags is that of a simulated chain.
func isOurs(stackID string) bool {
	return stackID == StackID || stackName(stackID) == otherStack
}

// placeOf returns the place that the tags of a group name.
func placeOf(tags map[string]string) Place { return Place{tags[tagStackID], tags[tagLogicalID]} }

// deployment is what CloudFormation knows of one chain in addition to what it shows.
type deployment struct {
	// properties and tiers belong to the last state that was reached. tiers has the group IDs of
	// the answer.
	properties map[string]any
	tiers      map[string]string
	failedID   string // of a Create that stayed CREATE_FAILED
	skipped    bool   // a rollback that failed has skipped the resource
}

// New prepares CloudFormation for operations.
func New(c CloudFormation) *CloudFormation {
	c.shared = &shared{}
	return &c
}

// beside returns a CloudFormation for a concurrent operation in another stack.
func (c *CloudFormation) beside(place Place) *CloudFormation {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := *c
	one.here = place
	return &one
}

// place returns the place that operations are about.
func (c *CloudFormation) place() Place { return cmp.Or(c.here, Home) }

// mainPlace returns the place of the chain that dependents use.
func (c *CloudFormation) mainPlace() Place { return cmp.Or(c.main, Home) }

// isMain reports whether operations are about the chain that dependents use.
func (c *CloudFormation) isMain() bool { return c.place() == c.mainPlace() }

// at runs do with operations about another place.
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

// follow makes dependents use the chain of a place.
func (c *CloudFormation) follow(place Place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.main = place
}

// stackOf returns the record of a stack; c.mu must be held.
func (c *CloudFormation) stackOf(id string) *record {
	if c.stacks == nil {
		c.stacks = map[string]*record{}
	}
	if c.stacks[id] == nil {
		c.stacks[id] = &record{}
	}
	return c.stacks[id]
}

// deploymentOf returns the deployment of a place; c.mu must be held.
func (c *CloudFormation) deploymentOf(place Place) *deployment {
	if c.deployments == nil {
		c.deployments = map[Place]*deployment{}
	}
	if c.deployments[place] == nil {
		c.deployments[place] = &deployment{}
	}
	return c.deployments[place]
}

// deployment returns the deployment of the current place.
func (c *CloudFormation) deployment() *deployment {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deploymentOf(c.place())
}

// recorded returns the recorded resource of a place; c.mu must be held.
func (c *CloudFormation) recorded(place Place) resource {
	return c.stackOf(place.StackID).resources[place.LogicalID]
}

// find finds a stack by its ID, or by the name of an existing one; c.mu must be held.
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

// deletedStack is the status of a deleted stack, while CloudFormation still shows it.
const deletedStack = "DELETE_COMPLETE"
