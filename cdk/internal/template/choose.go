package template

import (
	"fmt"
	"strings"
)

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
