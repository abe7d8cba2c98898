package chain

import "math"

// ParseBuilt reads properties that an earlier request deployed: the old properties of an Update,
// and the properties to which a rollback returns. It does not check whether their attributes fit
// an answer.
//
// A release may refuse properties that an earlier release deployed, and must still be able to
// roll back to them. So these rules of [Parse] do not apply here. Each rule names the release
// after which it began:
//
//   - An empty list is refused, and so is an empty string instead of a list (after 0.1.0). Until
//     then, empty Sources and empty strings meant the default. Empty Ports and Ingress allowed no
//     inbound traffic, and empty entries of IpFamilies were ignored.
//   - A tag without a value is a tag (after 0.1.0). Until then, it was left out. ParseBuilt keeps
//     it, because this release may have deployed it. It leaves the tag out if there would be too
//     many tags: then an earlier release deployed the chain.
//   - Blanks around keys and values of tags count (after 0.1.0). Earlier releases trimmed values.
//     ParseBuilt trims them only if no later release can have deployed them.
//   - The ownership tags of an adopted group count (after 0.1.0). Until then, any group could have
//     44 of the author's tags.
//   - The group name default is refused, and so are peers and VPC IDs that are too long for EC2
//     (after 0.1.0).
//   - A key that occurs twice in Tiers as JSON text is refused (after 0.1.0). ParseBuilt takes the
//     last one.
func ParseBuilt(properties map[string]any) (Spec, error) {
	return (&reader{built: true}).parse(properties, math.MaxInt)
}
