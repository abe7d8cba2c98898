package chain

import "slices"

// The names that the function, the construct and the templates must agree on. The instruments
// that check these programs have copies of their own, as a second opinion.

// OwnershipPrefix is the prefix of the ownership tags' keys.
const OwnershipPrefix = "sgchain:"

// The ownership tags. The function never changes a group that lacks them. The call that creates
// a group sets them, so that no group of a chain is ever without them.
const (
	// TagProvider is the provider's stack ID. The function's role may write only to groups
	// that have its own ID.
	TagProvider = OwnershipPrefix + "provider"
	// TagStackID and TagLogicalID are the place of the chain: its resource in CloudFormation.
	TagStackID   = OwnershipPrefix + "stack-id"
	TagLogicalID = OwnershipPrefix + "logical-id"
	// TagTier is the name of the group's tier.
	TagTier = OwnershipPrefix + "tier"
	// TagChain is an [Epoch]: the physical ID that the group belongs to. No other ownership tag
	// is ever rewritten.
	TagChain = OwnershipPrefix + "chain"
	// TagAdopted is an [Adoption]. Another owner created a group that has it, so the chain never
	// deletes the group.
	TagAdopted = OwnershipPrefix + "adopted"
)

// The marks: tags that the chain sets and removes over a group's lifetime. They are part of
// [Group.Tags], and do not establish ownership.
const (
	// TagStackTags records which of a group's tags came from its stack.
	TagStackTags = OwnershipPrefix + "stack-tags"
	// TagRelease has the value [ReleaseYes] on a group that left the chain by ReleaseTiers. The
	// cleanup releases the group.
	TagRelease = OwnershipPrefix + "release"
	// TagMovedFrom and TagMovedFromStack are the place from which a group was moved: "<epoch>
	// <logical ID>" and the stack's ID. See [Former]. Once that chain no longer exists,
	// TagMovedFrom is [MovedForGood] and stays: the group's name is one that the other chain
	// generated.
	TagMovedFrom      = OwnershipPrefix + "moved-from"
	TagMovedFromStack = OwnershipPrefix + "moved-from-stack"
	// TagMovedFromProvider is the provider of that place, if it is another provider.
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

// IsMark reports whether a key is the key of a mark.
func IsMark(key string) bool { return slices.Contains(Marks(), key) }

// The variables of the function's environment. A switch has only one value, which turns it on.
const (
	EnvProvider       = "SGCHAIN_PROVIDER" // the value of TagProvider
	EnvGuardrails     = "SGCHAIN_GUARDRAILS"
	GuardrailsEnforce = "enforce" // guardrails refuse a chain even if it sets Guardrails to warn
	EnvRepair         = "SGCHAIN_REPAIR"
	RepairAllow       = "allow" // the action repair is allowed
	EnvMoves          = "SGCHAIN_MOVES"
	MovesAllow        = "allow" // MovedFrom is allowed
)

// The actions for which a person or a schedule can invoke the function, without CloudFormation.
const (
	// ActionPlan reports what an Update to the properties would do.
	ActionPlan = "plan"
	// ActionCheck reports how the chain differs from the properties.
	ActionCheck = "check"
	// ActionRepair corrects these differences.
	ActionRepair = "repair"
)

// The results of actions.
const (
	ResultPlan      = "plan"       // the steps of an update
	ResultRefused   = "refused"    // the update would be refused
	ResultInSync    = "in sync"    // no drift
	ResultDrift     = "drift"      // the chain differs from the properties
	ResultRepaired  = "repaired"   // there was drift, and it is repaired
	ResultStoodBack = "stood back" // an operation of the stack is in progress
	ResultUnchecked = "unchecked"  // the stack's status allows no check
)

// The outputs by which a stack tells which function to invoke for a plan of its chain, and with
// which payload. The published templates and the app have them.
const (
	OutputPayload  = "PlanPayload"      // JSON
	OutputFunction = "ProviderFunction" // the function's name
)

// The metrics. Metrics of a chain have the dimensions Stack and Chain, metrics of requests have
// Operation.
const (
	MetricNamespace    = "SecurityGroupChain"
	MetricDrift        = "Drift"       // the differences that a check found
	MetricFailures     = "Failures"    // 1 for each failed request and each check that could not run
	MetricUndelivered  = "Undelivered" // 1 for each request whose answer could not be delivered
	MetricDuration     = "Duration"    // milliseconds of a request
	MetricWrites       = "Writes"      // the calls of a request that changed something in EC2
	DimensionOperation = "Operation"   // Create, Update or Delete
	DimensionStack     = "Stack"       // the stack's name
	DimensionChain     = "Chain"       // the logical ID
)

// Times, in seconds. They depend on each other: a run that begins at the maximum age of its event
// still ends before CloudFormation's timeout.
const (
	FunctionTimeout = 600
	MaxEventAge     = 360
	DeliveryTime    = 60 // reserved for delivering the answer
	ServiceTimeout  = MaxEventAge + FunctionTimeout + DeliveryTime
)
