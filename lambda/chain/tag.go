package chain

import (
	"fmt"
	"strconv"
	"strings"
)

// Tag is the value of the ownership tag sgchain:chain, "<generation>:<physical
// ID>". The generation rises by one whenever the chain's wanted physical ID is
// not the newest one found, so after X -> Y -> X the newest is X again, and a
// late Delete of X can be told from the cleanup of an old X. The zero Tag means
// that there is none, or none that can be read.
type Tag struct {
	Generation int
	PhysicalID string
}

// maxGeneration is more than any chain comes to. Whoever may tag security groups may write
// any number; one more than the largest must not become a number that cannot be read.
const maxGeneration = 1_000_000_000

// ParseTag reads a Tag from its text; the zero Tag where the text is not one, or where its
// generation is one that no chain comes to.
func ParseTag(text string) Tag {
	number, id, found := strings.Cut(text, ":")
	if !found || id == "" {
		return Tag{}
	}
	generation, err := strconv.Atoi(number)
	if err != nil || generation < 1 || generation > maxGeneration {
		return Tag{}
	}
	return Tag{Generation: generation, PhysicalID: id}
}

// String prints the tag as EC2 stores it.
func (t Tag) String() string { return fmt.Sprintf("%d:%s", t.Generation, t.PhysicalID) }

// Newest returns the physical ID of the highest generation among the groups and
// that generation. Two IDs that share the highest generation are both not the
// newest: the ID is then empty. Without groups both are zero.
func (s State) Newest() Tag {
	var newest Tag
	for _, group := range s.Groups {
		switch {
		case group.Tag.Generation > newest.Generation:
			newest = group.Tag
		case group.Tag.Generation == newest.Generation && group.Tag.PhysicalID != newest.PhysicalID:
			newest.PhysicalID = ""
		}
	}
	return newest
}

// NextTag is the tag that the groups of a wanted physical ID carry: the newest
// one's generation where that ID is the newest, one more otherwise. At the highest of all
// generations it shares that one with the newest: the chain converges, and neither ID is the newest.
func (s State) NextTag(physicalID string) Tag {
	newest := s.Newest()
	if newest.PhysicalID == physicalID {
		return newest
	}
	return Tag{Generation: min(newest.Generation+1, maxGeneration), PhysicalID: physicalID}
}
