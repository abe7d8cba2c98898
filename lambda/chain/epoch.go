package chain

import (
	"fmt"
	"strconv"
	"strings"
)

// Epoch is the value of the ownership tag sgchain:chain, "<generation>:<physical ID>". The
// generation increases by one whenever the desired physical ID is not the newest one found. So
// after X -> Y -> X the newest is X again. A late Delete of X can then be told from the cleanup
// of an old X. The zero Epoch stands for a tag that is missing or unreadable.
type Epoch struct {
	Generation int
	PhysicalID string
}

// maxGeneration is far above the generations of real chains. Every principal that may tag
// security groups can write any number, and the number after the largest must still be readable.
const maxGeneration = 1_000_000_000

// ParseEpoch reads an Epoch from its text. It returns the zero Epoch for any other text, and for
// a generation above the maximum.
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

// Newest returns the highest generation among the groups, and its physical ID. If two IDs share
// the highest generation, neither is the newest and the ID is empty. Without groups, Newest
// returns the zero Epoch. It ignores groups of another chain.
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

// NextEpoch returns the epoch for the groups of a desired physical ID. If that ID is the newest,
// its generation stays. Otherwise the generation increases by one. It never exceeds the maximum:
// two IDs then share a generation and neither is the newest, but the chain still converges.
func (s State) NextEpoch(physicalID string) Epoch {
	newest := s.Newest()
	if newest.PhysicalID == physicalID {
		return newest
	}
	return Epoch{Generation: min(newest.Generation+1, maxGeneration), PhysicalID: physicalID}
}
