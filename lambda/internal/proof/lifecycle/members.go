package lifecycle

import (
	"maps"
	"slices"
	"time"
)

// move starts dependents, or moves them all to the groups of the last answer.
func (c *CloudFormation) move() {
	c.join()
	c.part(0)
}

// join starts a dependent in each group of the last answer. Dependents in other groups stay for
// now, like the tasks of a service during a deployment.
func (c *CloudFormation) join() {
	if !c.isMain() {
		return
	}
	for _, tier := range slices.Sorted(maps.Keys(c.GroupIDs())) {
		group := c.GroupIDs()[tier]
		one := Member{Interface: "eni-" + tier + "-" + group, Tier: tier, Group: group}
		if slices.Contains(c.Members(), one) {
			continue
		}
		if err := c.World.Attach(one.Interface, "ECS task of "+tier, group); err != nil {
			if c.Excused == nil || !c.Excused() {
				c.violate(AnyToAny, "the answer names group %s of tier %s: %v", group, tier, err)
			}
			continue
		}
		c.mu.Lock()
		c.members = append(c.members, one)
		c.mu.Unlock()
		c.moved("%s starts in %s", one.Interface, group)
	}
}

// part ends the dependents outside the groups of the last answer, one by one. The last one lingers
// first.
func (c *CloudFormation) part(linger time.Duration) {
	if !c.isMain() {
		return
	}
	var leaving []Member
	for _, one := range c.Members() {
		if c.GroupIDs()[one.Tier] != one.Group {
			leaving = append(leaving, one)
		}
	}
	c.end(leaving, linger)
}

// leave ends all dependents.
func (c *CloudFormation) leave(linger time.Duration) {
	if c.isMain() {
		c.end(c.Members(), linger)
	}
}

func (c *CloudFormation) end(leaving []Member, linger time.Duration) {
	for i, one := range leaving {
		if linger > 0 && i == len(leaving)-1 {
			c.running.Go(func() {
				<-time.After(linger)
				c.endOne(one)
			})
			return
		}
		if c.Moves > 0 {
			<-time.After(c.Moves)
		}
		c.endOne(one)
	}
}

func (c *CloudFormation) endOne(one Member) {
	c.mu.Lock()
	c.members = slices.DeleteFunc(c.members, func(m Member) bool { return m == one })
	c.mu.Unlock()
	if err := c.World.Attach(one.Interface, ""); err != nil {
		c.violate(AnyToAny, "%v", err)
	}
	c.moved("%s ends in %s", one.Interface, one.Group)
}

func (c *CloudFormation) moved(format string, args ...any) {
	c.step(format, args...)
	if c.OnMove != nil {
		c.OnMove()
	}
}
