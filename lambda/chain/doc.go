// Package chain is the domain of the custom resource [ResourceType]. It has the properties that a
// stack owner writes (the [Spec]), the desired [State] that follows from them, and the names and
// answers of both. It is pure: standard library only, no context, no clock, no environment, no
// AWS.
//
// A chain is a list of tiers, outermost first. Each tier is one security group, and each of its
// inbound rules names the allowed peers:
//
//	internet --80,443--> Alb --6060--> Fargate --5432--> Db
//
// # Data flow
//
//	map[string]any -Parse-> Spec -Desired-> State
//
// [Parse] returns either a valid Spec or [Problems]: all problems at once, each with its path.
// [Desired] connects the tiers. If a tier allows traffic from another one, its group gets an
// inbound rule. If the other tier's egress is restricted to the chain, the other group also gets
// the matching outbound rule.
//
// In a State, a group is known by its [Identity], and a peer group by its tier or its identity.
// States never name the chain's own groups by group ID. So they can be compared, printed and kept
// as test data.
//
// # Identity
//
// EC2 cannot change a group's name, description or VPC. These and the tier are the group's
// identity: changing one of them replaces the group. [PhysicalID] and [GeneratedName] are pure
// functions of identities and of the resource's place (stack ID and logical ID). They return the
// same values on every retry and after a rollback.
package chain
