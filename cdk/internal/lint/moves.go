package lint

import (
	"sgchain/cdk/internal/template"
	"sgchain/lambda/chain"
)

// originOf returns the chain that MovedFrom names, and its path. It returns false without
// MovedFrom, or if its values are known only at deployment.
func originOf(evaluation template.Evaluation) (from chain.Origin, path string, isKnown bool) {
	value := evaluation.Properties["MovedFrom"]
	fields, isMap := value.(map[string]any)
	if !isMap {
		id, _ := template.TextOf(value)
		return chain.Origin{LogicalID: id}, "MovedFrom", id != ""
	}
	texts := map[string]string{}
	for _, key := range []string{"Stack", "LogicalId"} {
		field, exists := fields[key]
		text, isText := template.TextOf(field)
		if exists && !isText {
			return chain.Origin{}, "", false
		}
		texts[key] = text
	}
	return chain.Origin{Stack: texts["Stack"], LogicalID: texts["LogicalId"]}, "MovedFrom.LogicalId", texts["LogicalId"] != ""
}

// moves reports chains that are moved from a resource which the template still has, and chains that
// are moved from the same resource.
func (l *linter) moves() {
	for i, state := range l.chains {
		reported := map[string]bool{} // by message: several variants of the conditions give the same
		for _, variant := range state.variants {
			from, _, isKnown := originOf(variant.Evaluation)
			if old, exists := l.resources[from.LogicalID]; isKnown && exists && from.Stack == "" {
				l.movedFromHere(state, old, reported)
			}
		}
		for _, first := range l.chains[:i] {
			l.movedTwice(first, state, reported)
		}
	}
}

// movedFromHere reports a chain that exists together with the resource that it is moved from.
func (l *linter) movedFromHere(state *chainState, old template.Resource, reported map[string]bool) {
	for _, both := range l.template.Variants(l.values, maxVariants, old, state.Chain) {
		from, path, isKnown := originOf(both[1])
		if !isKnown || from != (chain.Origin{LogicalID: old.LogicalID}) || reported[old.LogicalID] {
			continue
		}
		reported[old.LogicalID] = true
		finding := Finding{
			Rule: RuleMovedFrom, Path: path, Message: path + ": chain " + old.LogicalID + " is still in this template",
			Remedy: "Remove " + old.LogicalID + " from the template in the same update, or remove MovedFrom.",
		}
		switch {
		case old.LogicalID == state.LogicalID:
			finding.Message, finding.Remedy = path+": "+old.LogicalID+" is this chain itself", "Write the chain's previous logical ID, or remove MovedFrom."
		case old.Type != template.ResourceType:
			finding.Message, finding.Remedy = path+": "+old.LogicalID+" is of type "+old.Type+", not a chain", "Write the chain's previous logical ID, or remove MovedFrom."
		}
		l.add(state.Chain, both[1].At(path), finding)
	}
}

// movedTwice reports two chains that exist together and are moved from the same origin.
func (l *linter) movedTwice(first, second *chainState, reported map[string]bool) {
	for _, both := range l.template.Variants(l.values, maxVariants, first.Chain, second.Chain) {
		taken, _, isTaken := originOf(both[0])
		from, path, isKnown := originOf(both[1])
		what := first.LogicalID + " " + from.String()
		if !isTaken || !isKnown || taken != from || reported[what] {
			continue
		}
		reported[what] = true
		l.add(second.Chain, both[1].At(path), Finding{
			Rule: RuleMovedFrom, Path: path, near: first.LogicalID,
			Message: path + ": chain " + first.LogicalID + " of this template is also moved from " + from.String(),
			Remedy:  "Remove MovedFrom from one of them.",
		})
	}
}
