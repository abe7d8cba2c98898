package chain

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// ResourceType is the one type of custom resource that this provider serves.
const ResourceType = "Custom::SecurityGroupChain"

// Identity is what never changes in a group. EC2 fixes VPC, name and description (VPC user guide:
// "You can't change the name and description of a security group after it is created"). The tier
// is the chain's own. A chain cannot have two groups with the same
// identity, because names are unique in a VPC.
type Identity struct {
	VPCID string
	Tier  string
	// GroupName is the author's name for the group; empty if the name is generated.
	GroupName   string
	Description string
}

// CompareIdentities orders identities by tier, then name, description and VPC.
func CompareIdentities(a, b Identity) int {
	return cmp.Or(
		strings.Compare(a.Tier, b.Tier),
		strings.Compare(a.GroupName, b.GroupName),
		strings.Compare(a.Description, b.Description),
		strings.Compare(a.VPCID, b.VPCID),
	)
}

// String returns a short name that differs for two groups of one tier: "Alb(ALB-SG)" for the
// author's name, "Alb~1f0c9a" for a generated one.
func (i Identity) String() string {
	switch {
	case i == Identity{}:
		return ""
	case i.GroupName != "":
		return i.Tier + "(" + i.GroupName + ")"
	default:
		return i.Tier + "~" + digest("sgchain label", i.fields()...)[:6]
	}
}

func (i Identity) fields() []string {
	return []string{i.VPCID, i.Tier, i.GroupName, i.Description}
}

// Resource is the place of a chain: the custom resource in its stack.
type Resource struct {
	StackID   string // the stack's ARN
	LogicalID string
}

const (
	physicalIDPrefix = "sgchain-"
	physicalIDHex    = 40
	generatedWord    = "sgchain" // begins a generated name
	generatedHex     = 16
)

// lazily compiles an expression at its first use, which keeps the function's start short.
func lazily(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// PhysicalID returns the physical resource ID of a chain: a pure function of its place and the
// set of its identities. The algorithm must never change: every existing chain would look
// replaced.
func PhysicalID(resource Resource, identities []Identity) string {
	set := slices.Compact(Sorted(identities, CompareIdentities))
	fields := []string{resource.StackID, resource.LogicalID}
	for _, identity := range set {
		fields = append(fields, identity.fields()...)
	}
	return physicalIDPrefix + digest("sgchain physical id 1", fields...)[:physicalIDHex]
}

// IsPhysicalID reports whether an ID has the form of [PhysicalID]. CloudFormation generates IDs of
// another form, "<stack>-<logical ID>-<suffix>", for a Create that never answered (aws-cdk
// CustomResource README, "CREATE cancelled").
func IsPhysicalID(id string) bool {
	digits, found := strings.CutPrefix(id, physicalIDPrefix)
	return found && len(digits) == physicalIDHex && strings.Trim(digits, "0123456789abcdef") == ""
}

// GeneratedName returns the name of a group without a GroupName. The hash differs between two
// chains and between two generations of one tier. The words before it are for people. The name
// never begins with "sg-", which EC2 refuses, and stays below EC2's 255 characters. Like
// [PhysicalID], it must never change.
func GeneratedName(resource Resource, identity Identity) string {
	fields := append([]string{resource.StackID, resource.LogicalID}, identity.fields()...)
	words := []string{generatedWord}
	if name := resource.StackName(); name != "" {
		words = append(words, name)
	}
	words = append(words, identity.Tier, digest("sgchain group name 1", fields...)[:generatedHex])
	return strings.Join(words, "-")
}

// StackName returns the name in the stack's ARN (arn:aws:cloudformation:R:A:stack/NAME/UUID), or
// "" if it has no name.
func (r Resource) StackName() string {
	_, rest, found := strings.Cut(r.StackID, ":stack/")
	if !found {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// EC2Name returns the name that a group of this identity has in EC2.
func (i Identity) EC2Name(resource Resource) string {
	if i.GroupName != "" {
		return i.GroupName
	}
	return GeneratedName(resource, i)
}

// ObservedIdentity returns the identity of a group that EC2 shows. Its name counts as the
// author's unless it equals the generated name.
func ObservedIdentity(resource Resource, vpcID, tier, ec2Name, description string) Identity {
	generated := Identity{VPCID: vpcID, Tier: tier, Description: description}
	if GeneratedName(resource, generated) == ec2Name {
		return generated
	}
	generated.GroupName = ec2Name
	return generated
}

// digest hashes fields. Each is written after its length, so that two different lists never have
// the same encoding.
func digest(purpose string, fields ...string) string {
	text := append(binary.BigEndian.AppendUint64(make([]byte, 0, 512), uint64(len(purpose))), purpose...)
	for _, field := range fields {
		text = append(binary.BigEndian.AppendUint64(text, uint64(len(field))), field...)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
