package chain

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
)

// TagCount returns how many tags EC2 counts on a group of a chain, including the ownership tags.
func (g Group) TagCount() int {
	if g.Adoption.IsForeign() {
		return len(g.Tags) + ownershipTags + 1
	}
	return len(g.Tags) + ownershipTags
}

// StackTags returns the stack's tags that the chain's groups get, or nil if the author sets
// StackTags to false. It leaves out AWS's own tags, the chain's own, and Name, which names the
// stack and not the group.
func (s Spec) StackTags(ofStack map[string]string) map[string]string {
	if s.NoStackTags {
		return nil
	}
	tags := map[string]string{}
	for key, value := range ofStack {
		lower := strings.ToLower(key)
		if key != NameTag && !strings.HasPrefix(lower, reservedTag) && !strings.HasPrefix(lower, OwnershipPrefix) {
			tags[key] = value
		}
	}
	return tags
}

// IsOfStack reports whether a group's tag came from its stack, according to the record in its
// tags ([TagStackTags]).
func IsOfStack(tags map[string]string, key string) bool {
	record := tags[TagStackTags]
	return record != "" && strings.Contains(record, keyDigest(key)) // digests have the same length, and blanks between them
}

// StackTagsRecord returns the value of [TagStackTags] for the keys of tags that came from the
// stack: a digest of each. Fifty digests fit into one tag, but fifty keys do not.
func StackTagsRecord(keys []string) string {
	digests := make([]string, 0, len(keys))
	for _, key := range keys {
		digests = append(digests, keyDigest(key))
	}
	slices.Sort(digests)
	return strings.Join(digests, " ")
}

// keyDigest returns four characters without a blank. It must never change: existing groups have
// it in their tags.
func keyDigest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(sum[:3])
}
