package describe

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sgchain/lambda/chain"
)

// Group is a security group as EC2 shows it.
type Group struct {
	ID, VPCID, OwnerID, Name, Description string
	// Tags are all of its tags, AWS's own included.
	Tags map[string]string
	// Rules name other groups by their IDs.
	Rules []chain.Rule
	// Manager is who else makes and changes the group, as its tags say; empty where they do not. CloudFormation and chains are told from
	// the tags themselves.
	Manager string
}

// Options say which groups become tiers.
type Options struct {
	// Account is the account that owns the chain.
	Account string
	// Exclude lists the IDs of groups that stay outside of the chain.
	Exclude []string
	// Retained takes groups that have the tags of a CloudFormation stack: the stack is gone, or it has let go of them.
	Retained bool
}

// Refusal is a group that cannot become a tier, or that nobody wants as one.
type Refusal struct{ ID, Name, Why string }

func (r Refusal) String() string { return fmt.Sprintf("%s (%s): %s", r.ID, r.Name, r.Why) }

// The tags by which CloudFormation marks what a stack made ("Resource tags", CloudFormation user guide).
const (
	stackNameTag = "aws:cloudformation:stack-name"
	stackIDTag   = "aws:cloudformation:stack-id"
	logicalTag   = "aws:cloudformation:logical-id"
)

// The tags of a group: how many EC2 lets it have (EC2 user guide, "Tag restrictions"), and how many an adoption adds beside Name.
const (
	maxTags      = 50
	adoptionTags = 6
)

// Choose splits groups into those that a chain can adopt and the others, each with its reason. Both keep the order of the groups.
func Choose(groups []Group, options Options) (tiers []Group, refused []Refusal) {
	for _, group := range groups {
		why := refusal(group, options)
		if slices.Contains(options.Exclude, group.ID) {
			why = "it is excluded"
		}
		if why != "" {
			refused = append(refused, Refusal{ID: group.ID, Name: group.Name, Why: why})
			continue
		}
		tiers = append(tiers, group)
	}
	return tiers, refused
}

// refusal is why the provider would not adopt a group, or empty.
func refusal(group Group, options Options) string {
	stackID, isOfStack := group.Tags[stackIDTag]
	ofChain := slices.ContainsFunc(keys(group.Tags), func(key string) bool { return strings.HasPrefix(key, chain.OwnershipPrefix) })
	tags := adoptionTags
	for key := range group.Tags {
		if !strings.HasPrefix(key, "aws:") && !strings.HasPrefix(key, chain.OwnershipPrefix) {
			tags++
		}
	}
	if _, isNamed := group.Tags[chain.NameTag]; !isNamed {
		tags++
	}
	switch {
	case strings.EqualFold(group.Name, "default"):
		return "it is the default group of its VPC, which everything without a group of its own is in"
	case group.OwnerID != options.Account:
		return "it belongs to account " + group.OwnerID
	case ofChain:
		resource := chain.Resource{StackID: group.Tags[chain.TagStackID], LogicalID: group.Tags[chain.TagLogicalID]}
		return fmt.Sprintf("it belongs to the chain %s of stack %s already", resource.LogicalID, cmp.Or(resource.StackName(), resource.StackID))
	case isOfStack && !options.Retained:
		name := cmp.Or(group.Tags[stackNameTag], chain.Resource{StackID: stackID}.StackName(), stackID)
		return fmt.Sprintf("it belongs to the CloudFormation stack %s (resource %s). Take it out of that template first, with DeletionPolicy: Retain, then import it with --retained", name, group.Tags[logicalTag])
	case group.Manager != "":
		return group.Manager + " manages it"
	case tags > maxTags:
		return fmt.Sprintf("with the tags that an adoption adds it would have %d, and EC2 takes %d. Remove %d of its tags", tags, maxTags, tags-maxTags)
	default:
		return ""
	}
}
