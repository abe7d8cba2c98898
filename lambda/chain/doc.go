// Package chain is the domain of the custom resource [ResourceType]: what a
// stack owner writes (the [Spec]), what follows from it (the desired [State]),
// and how the result is named and answered. It is pure: standard library only,
// no context, no clock, no environment, no AWS.
//
// A chain is a list of tiers, outermost first. Each tier is one security group,
// and each door of a tier names who may come in:
//
//	internet --80,443--> Alb --6060--> Fargate --5432--> Db
//
// # The way through the package
//
//	map[string]any -Parse-> Spec -Desired-> State
//
// [Parse] returns either a valid Spec or [Problems], all of them at once, each
// with its path. [Desired] joins the tiers: a door is an ingress rule on the
// tier that has it and, where egress is strict, an egress rule on the tier that
// uses it. In a State a group is known by its [Identity] and a peer group by
// its tier or its identity, never by a group ID, so states can be compared,
// printed and kept as test data.
//
// # Identity
//
// EC2 cannot change a group's name, description or VPC, so these and the tier
// are the group's identity; whatever changes one of them makes another group.
// [PhysicalID] and [GeneratedName] are pure functions of identities and of the
// resource's place (stack ID and logical ID): the same on every retry, and the
// same again after a rollback.
package chain
