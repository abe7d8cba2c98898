package lifecycle

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Act is an invocation of the function by a schedule or a person, beside CloudFormation.
type Act struct {
	// At is when, in seconds after its step began.
	At int
	// Do is plan, check or repair.
	Do string
	// Late is how long, in seconds, it is on its way.
	Late   int     `json:",omitempty"`
	Faults []Fault `json:",omitempty"`
}

// Act lets the function act on the chain with the properties that the template of the
// moment has. It waits for its end.
func (c *CloudFormation) Act(act Act) error {
	c.mu.Lock()
	place := c.mainPlace()
	properties := c.siteOf(place).properties
	c.serial++
	client := c.World.Client(fmt.Sprintf("%s %d", act.Do, c.serial))
	client.Role = c.role()
	c.mu.Unlock()
	if properties == nil {
		return nil // no schedule without a chain
	}
	<-time.After(min(time.Duration(act.Late)*time.Second, c.Waits))
	for _, fault := range act.Faults {
		client.FailAt(fault.Call, c.asWorld(fault))
	}
	event, err := json.Marshal(map[string]any{"action": act.Do, "StackId": place.StackID, "LogicalResourceId": place.LogicalID, "ResourceProperties": properties})
	if err != nil {
		return err
	}
	c.step("action %s", act.Do)
	ctx, cancel := context.WithTimeout(c.background(), c.Limit)
	defer cancel()
	c.running.Go(func() {
		select {
		case <-client.Ended():
			cancel()
		case <-ctx.Done():
		}
	})
	mail := &Mail{cf: c, client: client, deadline: time.Now().Add(c.Limit)}
	err = c.Function(ctx, Delivery{Event: event, EC2: client, CloudFormation: Status{cf: c, client: client}, Mail: mail, Repairs: c.Repairs, Moves: c.Movable})
	c.step("action %s ended: %v", act.Do, err)
	if mail.count() > 0 {
		c.violate(OneAnswer, "an action answered CloudFormation")
	}
	if act.Do != "repair" {
		for _, call := range c.World.Calls() {
			if call.Client == client.Name() && call.Write {
				c.violate(HandsOff, "the action %s wrote: %s", act.Do, call)
			}
		}
	}
	return err
}
