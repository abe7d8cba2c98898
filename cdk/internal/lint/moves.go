package lint

import (
	"sgchain/cdk/internal/template"
	"sgchain/lambda/chain"
)

// originOf returns the chain that MovedFrom names, and where that is written; false where there is none, or it is known only at deployment.
func originOf(evaluation template.Evaluation) (from chain.Origin, path string, isKnown bool) {
	value := evaluation.Properties["MovedFrom"]
	fields, isMap := value.(map[string]any)
	if !isMap {
		id, _ := template.TextOf(value)
		return chain.Origin{LogicalID: id}, "MovedFrom", id != ""
	}
	texts := map[string]string{}
	for _, key := range []string{"Stack", "LogicalId"} {
		field, isThere := fields[key]
		text, isText := template.TextOf(field)
		if isThere && !isText {
			return chain.Origin{}, "", false
		}
		texts[key] = text
	}
	return chain.Origin{Stack: texts["Stack"], LogicalID: texts["LogicalId"]}, "MovedFrom.LogicalId", texts["LogicalId"] != ""
}

// moves reports chains that are moved from a resource which the template still has, or from one from which another chain is moved.
func (l *linter) moves() {
	for i, state := range l.chains {
		told := map[string]bool{} // by what is said: conditions may come out in several ways
		for _, variant := range state.variants {
			from, _, isKnown := originOf(variant.Evaluation)
			if old, isThere := l.resources[from.LogicalID]; isKnown && isThere && from.Stack == "" {
				l.movedFromHere(state, old, told)
			}
		}
		for _, first := range l.chains[:i] {
			l.movedTwice(first, state, told)
		}
	}
}

// movedFromHere reports a chain that is there together with the resource that it is moved from.
func (l *linter) movedFromHere(state *chainState, old template.Resource, told map[string]bool) {
	for _, both := range l.template.Variants(l.values, maxVariants, old, state.Chain) {
		from, path, isKnown := originOf(both[1])
		if !isKnown || from != (chain.Origin{LogicalID: old.LogicalID}) || told[old.LogicalID] {
			continue
		}
		told[old.LogicalID] = true
		finding := Finding{
			Rule: RuleMovedFrom, Path: path, Message: path + ": chain " + old.LogicalID + " is still in this template",
			Remedy: "Remove " + old.LogicalID + " from the template in the same update, or leave MovedFrom out.",
		}
		switch {
		case old.LogicalID == state.LogicalID:
			finding.Message, finding.Remedy = path+": "+old.LogicalID+" is this chain itself", "Write the logical ID that the chain had before, or leave MovedFrom out."
		case old.Type != template.ResourceType:
			finding.Message, finding.Remedy = path+": "+old.LogicalID+" is of type "+old.Type+", and no chain", "Write the logical ID that the chain had before, or leave MovedFrom out."
		}
		l.add(state.Chain, both[1].At(path), finding)
	}
}

// movedTwice reports two chains that are there together and moved from the same place.
func (l *linter) movedTwice(first, second *chainState, told map[string]bool) {
	for _, both := range l.template.Variants(l.values, maxVariants, first.Chain, second.Chain) {
		taken, _, isTaken := originOf(both[0])
		from, path, isKnown := originOf(both[1])
		what := first.LogicalID + " " + from.String()
		if !isTaken || !isKnown || taken != from || told[what] {
			continue
		}
		told[what] = true
		l.add(second.Chain, both[1].At(path), Finding{
			Rule: RuleMovedFrom, Path: path, near: first.LogicalID,
			Message: path + ": chain " + first.LogicalID + " of this template is moved from " + from.String() + " too",
			Remedy:  "Leave MovedFrom out of one of them.",
		})
	}
}
