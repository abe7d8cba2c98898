package chain

import (
	"maps"
	"strings"
	"unicode/utf8"
)

// The limits of EC2 for tags (EC2 user guide, "Tag restrictions"). A key has at least one
// character, a value may have none, and EC2 keeps blanks around both.
const (
	maxTagKey   = 128
	maxTagValue = 256
	// MaxGroupTags is how many tags EC2 lets a group have, AWS's own not counted.
	MaxGroupTags = 50
	// ownershipTags is how many tags say whose a group is: of a made one, and one more of
	// an adopted one.
	ownershipTags = 5
	// maxBuiltTags is how many of the author's tags earlier releases took for any group.
	maxBuiltTags = 44
)

// reservedTag begins the keys of AWS's own tags.
const reservedTag = "aws:"

// tags reads a map of tags, or a list of maps with Key and Value as CloudFormation's
// own resources have it, or either of them as JSON in a string. A tag without a value has
// the empty one.
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

// tag adds one tag to those that were read.
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
		r.problem(path, "the key %s is there twice; keep one", quoted(key))
	}
	if r.tagFits(path, key, text) {
		read[key] = text
	}
}

// builtTag adds one as earlier releases did, and with an empty value where it can be one.
func (r *reader) builtTag(read map[string]string, path, key, text string) {
	bare := strings.TrimSpace(text)
	if bare == "" {
		quiet := reader{built: true}
		if _, isThere := read[key]; !isThere && quiet.tagFits(path, key, text) {
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
		r.problem(path, "the key %s is there twice; keep one", quoted(key))
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
		r.problem(path, "has no key; write Key and Value")
	case strings.HasPrefix(lower, reservedTag) || strings.HasPrefix(lower, OwnershipPrefix):
		r.problem(path, "the key %s begins with a prefix that is reserved; choose another key", quoted(key))
	case utf8.RuneCountInString(key) > maxTagKey:
		r.problem(path, "the key has %d characters; EC2 takes at most %d", utf8.RuneCountInString(key), maxTagKey)
	case utf8.RuneCountInString(value) > maxTagValue:
		r.problem(path, "the value has %d characters; EC2 takes at most %d", utf8.RuneCountInString(value), maxTagValue)
	default:
		return true
	}
	return false
}

// mergeTags is the tags of the chain and of one tier; the tier's win. Adopts is true for
// a tier whose group may be an adopted one.
func (r *reader) mergeTags(path string, ofChain, ofTier map[string]string, adopts bool) map[string]string {
	count := len(ofChain)
	for key := range ofTier {
		if _, isThere := ofChain[key]; !isThere {
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
	added, room := "five tags of ownership", MaxGroupTags-ownershipTags
	if adopts {
		added, room = added+", sgchain:adopted", room-1
	}
	if !named {
		added, room = added+", Name", room-1
	}
	if r.built && count > room {
		// Only an earlier release can have built this, and it left out empty values.
		ofChain, ofTier = valued(ofChain), valued(ofTier)
		if count, room = len(ofChain)+len(ofTier), maxBuiltTags; count == 0 {
			return nil
		}
		for key := range ofTier {
			if _, isThere := ofChain[key]; isThere {
				count--
			}
		}
	}
	if count > room {
		r.problem(path, "a group of this tier would have %d tags; use at most %d, those of the chain included: with what is added to them (%s) it would have %d, and EC2 takes %d", count, room, added, count+MaxGroupTags-room, MaxGroupTags)
		return nil
	}
	merged := make(map[string]string, count)
	maps.Copy(merged, ofChain)
	maps.Copy(merged, ofTier)
	return merged
}

// valued is the tags that have a value, without blanks around it.
func valued(tags map[string]string) map[string]string {
	with := map[string]string{}
	for key, value := range tags {
		if bare := strings.TrimSpace(value); bare != "" {
			with[key] = bare
		}
	}
	return with
}
