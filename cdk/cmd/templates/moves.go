package main

const movesLabel = "Move from another chain"

// The parameters of a move. An empty one is none.
const (
	movedFromID       = "MovedFromLogicalId"
	movedFromStack    = "MovedFromStack"
	movedFromProvider = "MovedFromProvider"
)

// movesGroup is the fields of a chain that takes over the groups of another one. The all-in-one has no room for them, and its provider
// serves no other stack.
func movesGroup() group {
	return group{movesLabel, []parameter{
		{movedFromID, "Logical ID of the old chain", object{
			"Type": "String", "Default": "", "AllowedPattern": logicalIDPattern(), "ConstraintDescription": "must be at most 180 letters and digits, or empty",
			"Description": "When this stack is created it takes over the security groups of that chain, with their IDs and rules, and makes none. Every other field has to say what the old chain is. The provider needs AllowMoves. Empty: new groups.",
		}},
		{movedFromStack, "Stack of the old chain", object{
			"Type": "String", "Default": "", "AllowedPattern": stackPattern(), "ConstraintDescription": "must be the name or the ID of a stack, or empty",
			"Description": "The name or the ID of the stack that the old chain is in. Empty: this stack.",
		}},
		{movedFromProvider, "Provider of the old chain", object{
			"Type": "String", "Default": "", "AllowedPattern": providerPattern(), "ConstraintDescription": "must be the ID of a stack, the value of the tag sgchain:provider on the groups, or empty",
			"Description": "Only where the old chain's provider is gone: the ID of that one's stack. The provider needs it as FormerProvider.",
		}},
	}}
}

// movedFrom is the property, which has an effect on a Create only.
func movedFrom() object {
	return object{"MovedFrom": object{"LogicalId": ref(movedFromID), "Stack": ref(movedFromStack), "Provider": ref(movedFromProvider)}}
}

// moveRules refuse a stack or a provider without the chain.
func moveRules() object {
	nameless := func(name string) object {
		return rule(not(equals(ref(name), "")), assertion(not(equals(ref(movedFromID), "")),
			name+" has no effect without "+movedFromID+". Set "+movedFromID+" to the logical ID of the old chain, or leave "+name+" at its default (empty)."))
	}
	return object{"StackOfMoveNeedsChain": nameless(movedFromStack), "ProviderOfMoveNeedsChain": nameless(movedFromProvider)}
}
