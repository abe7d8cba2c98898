package chain

import (
	"maps"
	"strings"
	"unicode/utf8"
)

// EC2's limits for tags (EC2 user guide, "Tag restrictions"). A key has at least one character, a
// value may be empty, and EC2 keeps blanks around both.
const (
	maxTagKey   = 128
	maxTagValue = 256
	// MaxGroupTags is how many tags EC2 allows on a group, not counting AWS's own.
	MaxGroupTags = 50
	// ownershipTags is the number of ownership tags on a group that the chain created. An
	// adopted group has one more.
	ownershipTags = 5
	// maxBuiltTags is how many of the author's tags earlier releases allowed on any group.
	maxBuiltTags = 44
)

// reservedTag begins the keys of AWS's own tags.
const reservedTag = "aws:"

// tags reads a map of tags, or a list of maps with Key and Value as in CloudFormation's own
// resources. Either may be JSON text. A tag without a value has the empty value.
func (r *reader) tags(path string, value any) map[string]string {
	value = r.tagsFromJSON(path, value)
	read := map[string]string{}
	if object, isMap := value.(map[string]any); isMap {
		for _, key := range sortedKeys(object) {
			r.tag(read, join(path, key), key, object[key])
		}
	} else {
		for i, entry := range r.list(path, value) {
			if object := r.object(index(path, i), entry, tagKeys...); object != nil {
				if key, ok := r.verbatim(index(path, i)+".Key", object["Key"]); ok {
					r.tag(read, index(path, i), key, object["Value"])
				}
			}
		}
	}
	if len(read) == 0 {
		return nil
	}
	return read
}

// tag adds one tag to the tags that were read.
func (r *reader) tag(read map[string]string, path, key string, value any) {
	text, ok := r.verbatim(path, value)
	if !ok {
		return
	}
	if r.built {
		r.builtTag(read, path, key, text)
		return
	}
	if _, twice := read[key]; twice {
		r.problem(path, "the key %s occurs twice. Keep one.", quoted(key))
	}
	if r.tagFits(path, key, text) {
		read[key] = text
	}
}

// builtTag adds one tag as earlier releases did, and also a valid tag with an empty value.
func (r *reader) builtTag(read map[string]string, path, key, text string) {
	bare := strings.TrimSpace(text)
	if bare == "" {
		quiet := reader{built: true}
		if _, exists := read[key]; !exists && quiet.tagFits(path, key, text) {
			read[key] = text
		}
		return
	}
	if utf8.RuneCountInString(text) > maxTagValue {
		text = bare
	}
	if utf8.RuneCountInString(key) > maxTagKey {
		key = strings.TrimSpace(key)
	}
	if strings.TrimSpace(read[key]) != "" {
		r.problem(path, "the key %s occurs twice. Keep one.", quoted(key))
	}
	if r.tagFits(path, key, text) {
		read[key] = text
	}
}

func (r *reader) tagFits(path, key, value string) bool {
	lower := strings.ToLower(key)
	if !r.built {
		lower = strings.TrimSpace(lower)
	}
	switch {
	case lower == "":
		r.problem(path, "has no key. Write Key and Value.")
	case strings.HasPrefix(lower, reservedTag) || strings.HasPrefix(lower, OwnershipPrefix):
		r.problem(path, "the key %s begins with a reserved prefix. Use another key.", quoted(key))
	case utf8.RuneCountInString(key) > maxTagKey:
		r.problem(path, "the key has %d characters. Use at most %d.", utf8.RuneCountInString(key), maxTagKey)
	case utf8.RuneCountInString(value) > maxTagValue:
		r.problem(path, "the value has %d characters. Use at most %d.", utf8.RuneCountInString(value), maxTagValue)
	default:
		return true
	}
	return false
}

// mergeTags returns the tags of the chain and of one tier. For the same key, the tier's tag takes
// precedence. Adopts is true if the tier's group may be adopted.
func (r *reader) mergeTags(path string, ofChain, ofTier map[string]string, adopts bool) map[string]string {
	count := len(ofChain)
	for key := range ofTier {
		if _, exists := ofChain[key]; !exists {
			count++
		}
	}
	if count == 0 {
		return nil
	}
	_, named := ofChain[NameTag]
	if _, namesItself := ofTier[NameTag]; namesItself {
		named = true
	}
	added, room := "five ownership tags", MaxGroupTags-ownershipTags
	if adopts {
		added, room = added+", sgchain:adopted", room-1
	}
	if !named {
		added, room = added+", Name", room-1
	}
	if r.built && count > room {
		// Only an earlier release can have deployed this, and it left out empty values.
		ofChain, ofTier = valued(ofChain), valued(ofTier)
		if count, room = len(ofChain)+len(ofTier), maxBuiltTags; count == 0 {
			return nil
		}
		for key := range ofTier {
			if _, exists := ofChain[key]; exists {
				count--
			}
		}
	}
	if count > room {
		r.problem(path, "the tier's group would have %d tags, and %d with those that the chain adds (%s), but EC2 allows %d. Use at most %d, counting those of the chain's Tags.", count, count+MaxGroupTags-room, added, MaxGroupTags, room)
		return nil
	}
	merged := make(map[string]string, count)
	maps.Copy(merged, ofChain)
	maps.Copy(merged, ofTier)
	return merged
}

// valued returns the tags that have a value, without blanks around it.
func valued(tags map[string]string) map[string]string {
	with := map[string]string{}
	for key, value := range tags {
		if bare := strings.TrimSpace(value); bare != "" {
			with[key] = bare
		}
	}
	return with
}
