package lifecycle

import (
	"time"
)

// History is a simulated lifecycle of a stack, as plain data. Times are in seconds.
type History struct {
	// Repairs allows the function to repair.
	Repairs bool `json:",omitempty"`
	// Moves allows MovedFrom.
	Moves  bool `json:",omitempty"`
	Habits Habits
	World  Setting
	Steps  []Step
}

// Setting configures the simulated EC2.
type Setting struct {
	PageSize             int  `json:",omitempty"`
	Lag, TagLag, Newborn int  `json:",omitempty"`
	OneByOne             bool `json:",omitempty"`
	Default              bool `json:",omitempty"`
	IPv6                 bool `json:",omitempty"`
	// Quota is the account's quota of rules; 0 means EC2's default.
	Quota int `json:",omitempty"`
	// OtherAccounts adds groups of other accounts.
	OtherAccounts bool `json:",omitempty"`
	// Named adds a group that rules name by its name.
	Named bool `json:",omitempty"`
}

// Step is one operation, or an out-of-band change between two.
type Step struct {
	// Do is create, update, remove, move, repair, or an out-of-band change. An update creates a
	// chain that does not exist.
	Do           string
	Chain        Chain
	SiblingFails bool     `json:",omitempty"`
	NoRollback   bool     `json:",omitempty"`
	Nested       bool     `json:",omitempty"`
	Retain       bool     `json:",omitempty"`
	Linger       int      `json:",omitempty"`
	Mishaps      []Mishap `json:",omitempty"`
	// Acts are the actions that the function is invoked for during the step.
	Acts []Act `json:",omitempty"`
	Pick int   `json:",omitempty"`
	Rest int   `json:",omitempty"`
	// Move is how the chain moves, if it does.
	Move *Move `json:",omitempty"`
	// Forgets leaves MovedFrom out of the properties from this step on.
	Forgets bool `json:",omitempty"`
	// StackTags are the stack's tags from this operation on. FillerTags is the number of its
	// further tags.
	StackTags  map[string]string `json:",omitempty"`
	FillerTags int               `json:",omitempty"`
}

// End marks, among the events sent, the final deletion of the stack.
const End = "the stack is deleted"

// VPC is the chain's VPC.
const VPC = "vpc-0123456789abcdef0"

// Outcome is the result of a history.
type Outcome struct {
	Failure *Failure
	Events  int
	Rows    map[string]bool
	Kinds   map[string]bool
	Checks  map[string]int
	// Sent lists the events as CloudFormation sent them.
	Sent  []string
	Story []string
	// Runs is the number of EC2 calls of each run, in the order in which the runs ended.
	Runs []int
	// World is the state of the simulated EC2 before the stack was deleted.
	World string
}

// Pace says how long things take that the function does not control.
type Pace struct {
	// Latency is that of EC2 calls. Moves is how long a dependent takes to move.
	Latency, Moves time.Duration
	// Limit is the function's timeout, Patience is CloudFormation's.
	Limit, Patience time.Duration
	// Waits limits the pauses of people, dependents and Lambda.
	Waits time.Duration
}

// Virtual is the pace for a virtual clock: everything takes as long as in AWS.
func Virtual() Pace {
	return Pace{Latency: 97 * time.Millisecond, Moves: 5 * time.Second, Limit: 10 * time.Minute, Patience: 1020 * time.Second, Waits: time.Hour}
}

// Real is a pace for a real clock, short enough to wait for.
func Real() Pace {
	return Pace{Moves: 50 * time.Millisecond, Limit: 45 * time.Second, Patience: time.Minute, Waits: 2 * time.Second}
}
