package template

import (
	"fmt"
	"strings"
)

// Inclusion says whether a template makes a resource.
type Inclusion uint8

// The inclusions.
const (
	Undecided Inclusion = iota // its condition depends on what is not known
	Included
	LeftOut
)

// Inclusion returns whether a resource is made under values: one without a condition always is.
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

// ChainUnder returns the chain of a logical ID, or where that is empty the only one that the template makes under values.
func (t *Template) ChainUnder(logicalID string, values Values) (Chain, error) {
	var made []Chain
	for _, one := range t.Chains() {
		if t.Inclusion(one, values) != LeftOut {
			made = append(made, one)
		}
	}
	if logicalID == "" && len(made) == 1 {
		return made[0], nil
	}
	one, err := t.Chain(logicalID)
	if err == nil && t.Inclusion(one, values) == LeftOut {
		return Chain{}, fmt.Errorf("%s leaves chain %s out: its condition %s is false. A deploy would delete the chain", t.Name, one.LogicalID, one.Condition)
	}
	return one, err
}

// Chain returns the chain of a logical ID, or the only one where that is empty.
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
		return Chain{}, fmt.Errorf("%s has no chain %s. Its chains are %s", t.Name, logicalID, strings.Join(ids, ", "))
	case len(chains) > 1:
		return Chain{}, fmt.Errorf("%s has %d chains. Add --chain with one of %s", t.Name, len(chains), strings.Join(ids, ", "))
	}
	return chains[0], nil
}
