package lifecycle

import (
	"time"
)

// History is the life of a stack, as plain data. Times are in seconds.
type History struct {
	// Repairs lets the function repair.
	Repairs bool `json:",omitempty"`
	// Moves lets the function serve MovedFrom.
	Moves  bool `json:",omitempty"`
	Habits Habits
	World  Setting
	Steps  []Step
}

// Setting is what kind of EC2 it happens in.
type Setting struct {
	PageSize             int  `json:",omitempty"`
	Lag, TagLag, Newborn int  `json:",omitempty"`
	OneByOne             bool `json:",omitempty"`
	Default              bool `json:",omitempty"`
	IPv6                 bool `json:",omitempty"`
	// Quota is the account's quota of rules; 0 for EC2's own.
	Quota int `json:",omitempty"`
	// Foreign adds groups of other accounts.
	Foreign bool `json:",omitempty"`
	// Named adds a group that doors name by its name.
	Named bool `json:",omitempty"`
}

// Step is one operation, or a stranger's hand between two.
type Step struct {
	// Do is create, update, remove, move, repair, or what a stranger does: make a group
	// by hand, or a deed. An update of what is not there creates it.
	Do           string
	Chain        Chain
	SiblingFails bool     `json:",omitempty"`
	NoRollback   bool     `json:",omitempty"`
	Nested       bool     `json:",omitempty"`
	Retain       bool     `json:",omitempty"`
	Linger       int      `json:",omitempty"`
	Mishaps      []Mishap `json:",omitempty"`
	// Acts are what the function is asked to do meanwhile.
	Acts []Act `json:",omitempty"`
	Pick int   `json:",omitempty"`
	Rest int   `json:",omitempty"`
	// Move is how the chain moves, where it does.
	Move *Move `json:",omitempty"`
	// Forgets leaves MovedFrom out of the properties from now on.
	Forgets bool `json:",omitempty"`
	// StackTags are the tags of the stack from this operation on, and Crowd how many it has besides.
	StackTags map[string]string `json:",omitempty"`
	Crowd     int               `json:",omitempty"`
}

// End stands among the events sent where the stack is deleted at last.
const End = "the stack is deleted"

// VPC is where the chain lives.
const VPC = "vpc-0123456789abcdef0"

// Outcome is what a history came to.
type Outcome struct {
	Failure *Failure
	Events  int
	Rows    map[string]bool
	Kinds   map[string]bool
	Checks  map[string]int
	// Sent is the events as CloudFormation sent them, with its IDs named X, Y, ... in
	// the order in which they came up.
	Sent  []string
	Story []string
	// Runs is how many calls of EC2 each run made, in the order in which they ended.
	Runs []int
	// World is how the world was before the stack was deleted.
	World string
}

// Pace is how long things take that are not the function's.
type Pace struct {
	// Latency is that of calls of EC2, Moves what a dependent takes to move.
	Latency, Moves time.Duration
	// Limit is the function's timeout, Patience CloudFormation's.
	Limit, Patience time.Duration
	// Waits bounds the pauses of people, dependents and Lambda between two things.
	Waits time.Duration
}

// Virtual is the pace of a virtual clock: everything takes as long as in AWS.
func Virtual() Pace {
	return Pace{Latency: 97 * time.Millisecond, Moves: 5 * time.Second, Limit: 10 * time.Minute, Patience: 1020 * time.Second, Waits: time.Hour}
}

// Real is a pace at which somebody can wait for it.
func Real() Pace {
	return Pace{Moves: 50 * time.Millisecond, Limit: 45 * time.Second, Patience: time.Minute, Waits: 2 * time.Second}
}
