package chain

import "strings"

// Adoption is the adoption status of a group: who created it, and which request adopted it. The
// chain never deletes an adopted group: it releases it.
type Adoption string

const (
	// Created is the status of a group that the chain created.
	Created Adoption = ""
	// Adoptable is the status of a group that has the GroupName of a tier and no owner. It is
	// never written to a tag.
	Adoptable Adoption = "adoptable"
	// Settled is the status of a group that an earlier request adopted. Rules that the group had
	// before the adoption may be removed.
	Settled Adoption = "settled"
)

// AdoptedBy returns the status of a group that a request adopted at a time in UTC, such as
// 2006-01-02T15:04:05.000Z. In this status the chain only adds to the group, so that undoing the
// request loses nothing.
func AdoptedBy(requestID, at string) Adoption { return Adoption(requestWord + requestID + " " + at) }

const requestWord = "request:"

// IsBy reports whether the same request adopted both groups, in whichever run.
func (a Adoption) IsBy(other Adoption) bool {
	mine, _, _ := strings.Cut(string(a), " ")
	its, _, _ := strings.Cut(string(other), " ")
	return mine == its && strings.HasPrefix(mine, requestWord)
}

// IsBefore reports whether the group was adopted before a time in the form of [AdoptedBy].
func (a Adoption) IsBefore(at string) bool {
	_, since, dated := strings.Cut(string(a), " ")
	return a == Settled || (dated && since < at)
}

// IsForeign reports whether another owner created the group.
func (a Adoption) IsForeign() bool { return a != Created }

// IsFresh reports whether no request has ended since the one that adopts the group.
func (a Adoption) IsFresh() bool { return a != Created && a != Settled }
