package chain

import "math"

// ParseBuilt reads properties that an earlier request built: the old ones of an Update, and
// those to which a rollback returns. Whether their attributes fit an answer does not matter.
//
// A later release refuses what an earlier one built, and must still be able to go back to it. So
// these rules of [Parse] do not hold here; behind each stands since when it holds:
//
//   - An empty list, and an empty text in the place of one, is refused (after 0.1.0). Before, empty
//     Sources were the default, and so was an empty text; empty Ports and Ingress let nobody in;
//     empty entries of IpFamilies did not count.
//   - A tag without a value is a tag (after 0.1.0). Before, it was left out. Here it is kept, because this
//     release may have built it; where it makes too many tags, an earlier one did.
//   - Blanks around keys and values of tags count (after 0.1.0). Here they count unless only an
//     earlier release, which cut them off values, can have built them.
//   - The tags of ownership of an adopted group count (after 0.1.0). Before, 44 were allowed for any group.
//   - The group name default, peers and VPC IDs that are too long for EC2, and a key that stands
//     twice in Tiers as text are refused (after 0.1.0). Of such keys the last one counts here.
func ParseBuilt(properties map[string]any) (Spec, error) {
	return (&reader{built: true}).parse(properties, math.MaxInt)
}
