package template

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Position is a place in the text of a file. Lines and columns count from 1, columns in characters.
type Position struct{ Line, Column int }

// String returns the position as compilers print it: "12:7".
func (p Position) String() string { return strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column) }

// kind determines which field of a node counts.
type kind uint8

const (
	scalar kind = iota + 1
	list
	object
)

// node is a value of a template with its position. YAML's short tags and JSON are the same here:
// each intrinsic function is a map with one key. Nodes of aliases are shared.
type node struct {
	kind  kind
	at    Position
	value any     // of a scalar: a string, a bool, a json.Number, or nil
	items []*node // of a list
	pairs []pair  // of a map, each key once
	size  int     // the number of nodes in it, aliases expanded
	depth int
}

type pair struct {
	key  string
	at   Position
	node *node
}

// get returns the value of a key, or nil.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for _, one := range n.pairs {
		if one.key == key {
			return one.node
		}
	}
	return nil
}

// text returns a scalar as CloudFormation passes it on: every scalar is text there.
func (n *node) text() (text string, ok bool) {
	if n == nil || n.kind != scalar {
		return "", false
	}
	return TextOf(n.value)
}

// TextOf returns a scalar as CloudFormation passes it on: every scalar is text there. ok is false
// for an [Unknown], a list or a map.
func TextOf(value any) (text string, ok bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case bool:
		return strconv.FormatBool(value), true
	case json.Number:
		return value.String(), true
	default:
		return "", false
	}
}

// The limits of what is read. CloudFormation accepts templates of at most 1 MB and 500 resources
// (user guide, "Understand CloudFormation quotas"). A file far beyond these is no template.
const (
	maxBytes = 2 << 20
	maxNodes = 400_000
	maxDepth = 100
)

// measure records the size and the depth of a node whose children are complete. The error names the
// limit that it exceeds.
func (n *node) measure() error {
	n.size, n.depth = 1, 1
	add := func(child *node) {
		n.size += child.size
		n.depth = max(n.depth, child.depth+1)
	}
	for _, item := range n.items {
		add(item)
	}
	for _, one := range n.pairs {
		add(one.node)
	}
	switch {
	case n.depth > maxDepth:
		return &Error{At: n.at, Problem: fmt.Sprintf("is nested more than %d levels deep. Reduce the nesting", maxDepth)}
	case n.size > maxNodes:
		return &Error{At: n.at, Problem: fmt.Sprintf("has more than %d values, including those of aliases. Split it, or use fewer aliases", maxNodes)}
	}
	return nil
}

// Duplicate is a key that occurs twice in one map. The later value counts, as in CloudFormation.
type Duplicate struct {
	Key         string
	First, Then Position
}

// remarks are what a reader records besides the values.
type remarks struct {
	twice   []Duplicate
	aliases []Position // of aliases and merge keys
}

// entries collects the entries of a map, and records the keys that occur twice.
type entries struct {
	pairs  []pair
	places map[string]int
}

func (e *entries) add(one pair, twice *[]Duplicate) {
	if e.places == nil {
		e.places = map[string]int{}
	}
	place, exists := e.places[one.key]
	if !exists {
		e.places[one.key] = len(e.pairs)
		e.pairs = append(e.pairs, one)
		return
	}
	*twice = append(*twice, Duplicate{Key: one.key, First: e.pairs[place].at, Then: one.at})
	e.pairs[place] = one
}
