package chain

import "slices"

// What the function, the construct and the templates have to agree on, spelt here once. The
// instruments that prove them have copies of their own: a second opinion.

// OwnershipPrefix begins the keys of the tags that say whose a group is.
const OwnershipPrefix = "sgchain:"

// The ownership tags. Nothing that lacks them is ever touched. They are set by
// the call that creates the group, so no group of ours is ever without them.
const (
	// TagProvider names the provider (its stack ID); the role of the function
	// may write to groups with its own value only.
	TagProvider = OwnershipPrefix + "provider"
	// TagStackID and TagLogicalID are the place of the chain: the resource that
	// CloudFormation knows.
	TagStackID   = OwnershipPrefix + "stack-id"
	TagLogicalID = OwnershipPrefix + "logical-id"
	// TagTier is the tier that the group stands for.
	TagTier = OwnershipPrefix + "tier"
	// TagChain is an [Epoch]: which physical ID the group belongs to. It is the
	// only one that is ever rewritten.
	TagChain = OwnershipPrefix + "chain"
	// TagAdopted is an [Adoption]. A group that has it was made by somebody else, and
	// is never deleted.
	TagAdopted = OwnershipPrefix + "adopted"
)

// The marks: tags of the chain's own that come and go with what happens to a group, and are a part of [Group.Tags]. None of
// them says whose the group is.
const (
	// TagStackTags records which of a group's tags came from its stack.
	TagStackTags = OwnershipPrefix + "stack-tags"
	// TagRelease has the value [ReleaseYes] on a group that left the chain by ReleaseTiers: the cleanup releases it.
	TagRelease = OwnershipPrefix + "release"
	// TagMovedFrom and TagMovedFromStack are the place from which a group was moved: "<epoch> <logical ID>" and the stack's ID; see [Former].
	// Once that chain is gone the first one is [MovedForGood], and stays: the group has the name that the other chain generated.
	TagMovedFrom      = OwnershipPrefix + "moved-from"
	TagMovedFromStack = OwnershipPrefix + "moved-from-stack"
	// TagMovedFromProvider is the provider of that place, where it is another one.
	TagMovedFromProvider = OwnershipPrefix + "moved-from-provider"
)

// Values of the marks.
const (
	ReleaseYes   = "yes"
	MovedForGood = "settled"
)

// Marks lists the keys of the marks.
func Marks() []string {
	return []string{TagStackTags, TagRelease, TagMovedFrom, TagMovedFromStack, TagMovedFromProvider}
}

// IsMark reports whether a key is that of a mark.
func IsMark(key string) bool { return slices.Contains(Marks(), key) }

// The function's environment, and the only value of those that switch something on.
const (
	EnvProvider       = "SGCHAIN_PROVIDER" // the value of TagProvider
	EnvGuardrails     = "SGCHAIN_GUARDRAILS"
	GuardrailsEnforce = "enforce" // chains that ask for warnings are refused all the same
	EnvRepair         = "SGCHAIN_REPAIR"
	RepairAllow       = "allow" // the action repair is served
	EnvMoves          = "SGCHAIN_MOVES"
	MovesAllow        = "allow" // MovedFrom is served
)

// The actions for which the function can be invoked by others than CloudFormation, a person or a schedule.
const (
	// ActionPlan says what an Update to the properties would do.
	ActionPlan = "plan"
	// ActionCheck says in what the chain deviates from the properties.
	ActionCheck = "check"
	// ActionRepair does away with that.
	ActionRepair = "repair"
)

// The results of actions.
const (
	ResultPlan      = "plan"       // what an update would do
	ResultRefused   = "refused"    // the update would be refused
	ResultInSync    = "in sync"    // nothing deviates
	ResultDrift     = "drift"      // something does
	ResultRepaired  = "repaired"   // something did
	ResultStoodBack = "stood back" // an operation of the stack is in progress
	ResultUnchecked = "unchecked"  // the stack is in a state in which nothing can be said
)

// The outputs by which a stack says whom to ask about its chain, and what. The published templates and the app have them.
const (
	OutputPayload  = "PlanPayload"      // the question, as JSON
	OutputFunction = "ProviderFunction" // the function's name
)

// The metrics. Those of a chain have the dimensions Stack and Chain, those of requests Operation.
const (
	MetricNamespace    = "SecurityGroupChain"
	MetricDrift        = "Drift"       // how many differences a check found
	MetricFailures     = "Failures"    // one for a request that failed, or a check that could not be made
	MetricUndelivered  = "Undelivered" // one for a request whose answer could not be delivered
	MetricDuration     = "Duration"    // milliseconds of a request
	MetricWrites       = "Writes"      // how many calls of a request changed something in EC2
	DimensionOperation = "Operation"   // Create, Update or Delete
	DimensionStack     = "Stack"       // the stack's name
	DimensionChain     = "Chain"       // the logical ID
)

// Times, in seconds. They belong together: the last run that can begin, at the greatest age of
// its event, still ends before CloudFormation loses patience.
const (
	FunctionTimeout = 600
	MaxEventAge     = 360
	DeliveryTime    = 60 // kept for the way of the answer
	ServiceTimeout  = MaxEventAge + FunctionTimeout + DeliveryTime
)
