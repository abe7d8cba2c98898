package lifecycle

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Act is an invocation of the function by a schedule or a person, outside CloudFormation's events.
type Act struct {
	// At is the delay, in seconds, after its step began.
	At int
	// Do is plan, check or repair.
	Do string
	// Late is how many seconds the invocation takes to reach the function.
	Late   int     `json:",omitempty"`
	Faults []Fault `json:",omitempty"`
}

// Act invokes the function with the chain's current template properties and waits until it ends.
func (c *CloudFormation) Act(act Act) error {
	c.mu.Lock()
	place := c.mainPlace()
	properties := c.deploymentOf(place).properties
	c.serial++
	client := c.World.Client(fmt.Sprintf("%s %d", act.Do, c.serial))
	client.Role = c.role()
	c.mu.Unlock()
	if properties == nil {
		return nil // no schedule exists without a chain
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
	bucket := &Bucket{cf: c, client: client, deadline: time.Now().Add(c.Limit)}
	err = c.Function(ctx, Delivery{Event: event, EC2: client, CloudFormation: Status{cf: c, client: client}, Bucket: bucket, Repairs: c.Repairs, Moves: c.Movable})
	c.step("action %s ended: %v", act.Do, err)
	if bucket.count() > 0 {
		c.violate(OneAnswer, "an action answered CloudFormation")
	}
	if act.Do != "repair" {
		for _, call := range c.World.Calls() {
			if call.Client == client.Name() && call.Write {
				c.violate(HandsOff, "action %s wrote: %s", act.Do, call)
			}
		}
	}
	return err
}
