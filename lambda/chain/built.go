package chain

import "math"

// ParseBuilt reads properties that an earlier request built: the old ones of an Update, and
// those to which a rollback returns. Whether their attributes fit an answer does not matter.
func ParseBuilt(properties map[string]any) (Spec, error) { return Parse(properties, math.MaxInt) }
