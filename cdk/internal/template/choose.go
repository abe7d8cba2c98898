package template

import (
	"fmt"
	"strings"
)

// Inclusion is whether a stack of the template has a resource.
type Inclusion uint8

// The inclusions.
const (
	Undecided Inclusion = iota // its condition depends on what is not known
	Included
	LeftOut
)

// Inclusion returns whether a resource exists under values. One without a condition always does.
func (t *Template) Inclusion(resource Resource, values Values) Inclusion {
	if resource.Condition == "" {
		return Included
	}
	switch newEvaluator(t, values).condition(resource.Condition) {
	case isTrue:
		return Included
	case isFalse:
		return LeftOut
	case undecided:
	}
	return Undecided
}

// ChainUnder returns the chain of a logical ID. If that is empty, it returns the only chain that
// exists under values.
func (t *Template) ChainUnder(logicalID string, values Values) (Chain, error) {
	var existing []Chain
	for _, one := range t.Chains() {
		if t.Inclusion(one, values) != LeftOut {
			existing = append(existing, one)
		}
	}
	if logicalID == "" && len(existing) == 1 {
		return existing[0], nil
	}
	one, err := t.Chain(logicalID)
	if err == nil && t.Inclusion(one, values) == LeftOut {
		return Chain{}, fmt.Errorf("%s excludes chain %s: its condition %s is false. Deploying it would delete the chain", t.Name, one.LogicalID, one.Condition)
	}
	return one, err
}

// Chain returns the chain of a logical ID, or the only one if that is empty.
func (t *Template) Chain(logicalID string) (Chain, error) {
	chains := t.Chains()
	ids := make([]string, 0, len(chains))
	for _, one := range chains {
		if one.LogicalID == logicalID {
			return one, nil
		}
		ids = append(ids, one.LogicalID)
	}
	switch {
	case len(chains) == 0:
		return Chain{}, fmt.Errorf("%s has no resource of type %s", t.Name, ResourceType)
	case logicalID != "":
		return Chain{}, fmt.Errorf("%s has no chain %s; use one of %s", t.Name, logicalID, strings.Join(ids, ", "))
	case len(chains) > 1:
		return Chain{}, fmt.Errorf("%s has %d chains; add --chain with one of %s", t.Name, len(chains), strings.Join(ids, ", "))
	}
	return chains[0], nil
}
