package chain

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
)

// TagCount returns how many tags EC2 counts on a group of a chain: its own, and those that say whose it is.
func (g Group) TagCount() int {
	if g.Adoption.IsForeign() {
		return len(g.Tags) + ownershipTags + 1
	}
	return len(g.Tags) + ownershipTags
}

// StackTags returns the tags of a stack that its chain's groups get, unless the author has said otherwise: all but AWS's own, the chain's
// own, and Name, which is the group's and not the stack's.
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

// IsOfStack reports whether a group's tag came from its stack, as the record among the tags ([TagStackTags]) says.
func IsOfStack(tags map[string]string, key string) bool {
	record := tags[TagStackTags]
	return record != "" && strings.Contains(record, keyDigest(key)) // digests are equally long, with blanks between them
}

// StackTagsRecord returns the value of [TagStackTags] for the keys of tags that came from the stack: a digest of each. Fifty of them fit
// into a tag, as fifty keys do not.
func StackTagsRecord(keys []string) string {
	digests := make([]string, 0, len(keys))
	for _, key := range keys {
		digests = append(digests, keyDigest(key))
	}
	slices.Sort(digests)
	return strings.Join(digests, " ")
}

// keyDigest is four characters, and no blank. It is frozen: groups have it.
func keyDigest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(sum[:3])
}
