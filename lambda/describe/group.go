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
	// Manager is the software that creates and changes the group according to its tags, or empty. CloudFormation and chains are recognized by
	// the tags themselves.
	Manager string
}

// Options select the groups that become tiers.
type Options struct {
	// Account is the account that owns the chain.
	Account string
	// Exclude lists the IDs of groups that stay outside of the chain.
	Exclude []string
	// Retained accepts groups with the tags of a CloudFormation stack: the stack was deleted, or it has retained them.
	Retained bool
}

// Refusal is a group that cannot become a tier, or that was excluded.
type Refusal struct{ ID, Name, Why string }

func (r Refusal) String() string { return fmt.Sprintf("%s (%s): %s", r.ID, r.Name, r.Why) }

// The tags that CloudFormation sets on what a stack creates ("Resource tags", CloudFormation user guide).
const (
	stackNameTag = "aws:cloudformation:stack-name"
	stackIDTag   = "aws:cloudformation:stack-id"
	logicalTag   = "aws:cloudformation:logical-id"
)

// The limit of tags of a group (EC2 user guide, "Tag restrictions"), and the number of tags that an adoption adds besides Name.
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

// refusal returns why the provider would not adopt a group, or "".
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
		return "it is the default group of its VPC, which every resource without another group uses"
	case group.OwnerID != options.Account:
		return "it belongs to account " + group.OwnerID
	case ofChain:
		resource := chain.Resource{StackID: group.Tags[chain.TagStackID], LogicalID: group.Tags[chain.TagLogicalID]}
		return fmt.Sprintf("it already belongs to chain %s of stack %s", resource.LogicalID, cmp.Or(resource.StackName(), resource.StackID))
	case isOfStack && !options.Retained:
		name := cmp.Or(group.Tags[stackNameTag], chain.Resource{StackID: stackID}.StackName(), stackID)
		return fmt.Sprintf("it belongs to the CloudFormation stack %s (resource %s). Set its DeletionPolicy to Retain and update the stack, remove it from that template, then import with --retained", name, group.Tags[logicalTag])
	case group.Manager != "":
		return group.Manager + " manages it"
	case tags > maxTags:
		return fmt.Sprintf("with the tags of an adoption it would have %d tags, and EC2 allows %d. Remove %d of its tags", tags, maxTags, tags-maxTags)
	default:
		return ""
	}
}
