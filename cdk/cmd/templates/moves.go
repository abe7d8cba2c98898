package main

const movesLabel = "Move from another chain"

// The parameters of a move. If they are empty, the chain is not moved.
const (
	movedFromID       = "MovedFromLogicalId"
	movedFromStack    = "MovedFromStack"
	movedFromProvider = "MovedFromProvider"
)

// movesGroup returns the fields of a chain that takes over the groups of another chain. The
// all-in-one lacks them: it has no room, and its provider serves no other stack.
func movesGroup() group {
	return group{movesLabel, []parameter{
		{movedFromID, "Logical ID of the old chain", object{
			"Type": "String", "Default": "", "AllowedPattern": logicalIDPattern(), "ConstraintDescription": "must be at most 180 letters and digits, or empty",
			"Description": "Creating this stack takes over the security groups of that chain, with their IDs and rules, instead of new ones. All other fields have to describe the old chain. The provider needs AllowMoves. Empty: new groups.",
		}},
		{movedFromStack, "Stack of the old chain", object{
			"Type": "String", "Default": "", "AllowedPattern": stackPattern(), "ConstraintDescription": "must be the name or the ID of a stack, or empty",
			"Description": "The name or the ID of the old chain's stack. Empty: this stack.",
		}},
		{movedFromProvider, "Provider of the old chain", object{
			"Type": "String", "Default": "", "AllowedPattern": providerPattern(), "ConstraintDescription": "must be the ID of a stack, the value of the tag sgchain:provider on the groups, or empty",
			"Description": "Only if the old chain's provider no longer exists: the ID of its stack. The provider needs it as FormerProvider.",
		}},
	}}
}

// movedFrom returns the property MovedFrom, which only a Create reads.
func movedFrom() object {
	return object{"MovedFrom": object{"LogicalId": ref(movedFromID), "Stack": ref(movedFromStack), "Provider": ref(movedFromProvider)}}
}

// moveRules refuse a stack or a provider without the logical ID of the chain.
func moveRules() object {
	nameless := func(name string) object {
		return rule(not(equals(ref(name), "")), assertion(not(equals(ref(movedFromID), "")),
			name+" has no effect without "+movedFromID+". Set "+movedFromID+" to the logical ID of the old chain, or leave "+name+" at its default (empty)."))
	}
	return object{"StackOfMoveNeedsChain": nameless(movedFromStack), "ProviderOfMoveNeedsChain": nameless(movedFromProvider)}
}
