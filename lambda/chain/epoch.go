package chain

import (
	"fmt"
	"strconv"
	"strings"
)

// Epoch is the value of the ownership tag sgchain:chain, "<generation>:<physical
// ID>". The generation rises by one whenever the chain's wanted physical ID is
// not the newest one found, so after X -> Y -> X the newest is X again, and a
// late Delete of X can be told from the cleanup of an old X. The zero Epoch means
// that there is none, or none that can be read.
type Epoch struct {
	Generation int
	PhysicalID string
}

// maxGeneration is more than any chain comes to. Whoever may tag security groups may write
// any number; one more than the largest must not become a number that cannot be read.
const maxGeneration = 1_000_000_000

// ParseEpoch reads an Epoch from its text; the zero Epoch where the text is not one, or where its
// generation is one that no chain comes to.
func ParseEpoch(text string) Epoch {
	number, id, found := strings.Cut(text, ":")
	if !found || id == "" {
		return Epoch{}
	}
	generation, err := strconv.Atoi(number)
	if err != nil || generation < 1 || generation > maxGeneration {
		return Epoch{}
	}
	return Epoch{Generation: generation, PhysicalID: id}
}

// String prints the epoch as EC2 stores it.
func (e Epoch) String() string { return fmt.Sprintf("%d:%s", e.Generation, e.PhysicalID) }

// Newest returns the physical ID of the highest generation among the groups and
// that generation. Two IDs that share the highest generation are both not the
// newest: the ID is then empty. Without groups both are zero. Groups of another chain do not count.
func (s State) Newest() Epoch {
	var newest Epoch
	for _, group := range s.Groups {
		switch {
		case group.Movable:
		case group.Epoch.Generation > newest.Generation:
			newest = group.Epoch
		case group.Epoch.Generation == newest.Generation && group.Epoch.PhysicalID != newest.PhysicalID:
			newest.PhysicalID = ""
		}
	}
	return newest
}

// NextEpoch is the epoch that the groups of a wanted physical ID carry: the newest
// one's generation where that ID is the newest, one more otherwise. At the highest of all
// generations it shares that one with the newest: the chain converges, and neither ID is the newest.
func (s State) NextEpoch(physicalID string) Epoch {
	newest := s.Newest()
	if newest.PhysicalID == physicalID {
		return newest
	}
	return Epoch{Generation: min(newest.Generation+1, maxGeneration), PhysicalID: physicalID}
}
