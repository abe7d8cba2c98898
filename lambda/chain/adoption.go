package chain

import "strings"

// Adoption is how a group that somebody else made stands to the chain. The chain never
// deletes such a group: it releases it.
type Adoption string

const (
	// Made is a group that the chain made itself.
	Made Adoption = ""
	// Adoptable is a group that has the name that a tier wants, and no owner. No tag says so.
	Adoptable Adoption = "adoptable"
	// Settled is a group that was adopted by an earlier request: what was there before may go.
	Settled Adoption = "settled"
)

// AdoptedBy is a group that a request adopted, at a time in UTC as in 2006-01-02T15:04:05.000Z.
// As long as it is so, the chain only adds to the group: a request that is taken back has then
// cost nothing.
func AdoptedBy(requestID, at string) Adoption { return Adoption(requestWord + requestID + " " + at) }

const requestWord = "request:"

// IsBy says whether it was the same request, whenever that ran.
func (a Adoption) IsBy(other Adoption) bool {
	mine, _, _ := strings.Cut(string(a), " ")
	its, _, _ := strings.Cut(string(other), " ")
	return mine == its && strings.HasPrefix(mine, requestWord)
}

// IsBefore says whether the group was adopted before a time, in the same form.
func (a Adoption) IsBefore(at string) bool {
	_, since, dated := strings.Cut(string(a), " ")
	return a == Settled || (dated && since < at)
}

// IsForeign says whether somebody else made the group.
func (a Adoption) IsForeign() bool { return a != Made }

// IsFresh says whether no request has come to its end since the one that adopted the group.
func (a Adoption) IsFresh() bool { return a != Made && a != Settled }
