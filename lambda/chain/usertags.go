package chain

import (
	"maps"
	"strings"
	"unicode/utf8"
)

// The limits of EC2 for tags (EC2 user guide, "Tag restrictions"). Of a group's 50
// tags five are for ownership, and one is its Name.
const (
	maxTagKey   = 128
	maxTagValue = 256
	maxTags     = 44
)

// OwnershipPrefix begins the keys of the tags that say whose a group is.
const OwnershipPrefix = "sgchain:"

// tags reads a map of tags, or a list of maps with Key and Value as CloudFormation's
// own resources have it.
func (r *reader) tags(path string, value any) map[string]string {
	read := map[string]string{}
	add := func(path, key string, value any) {
		text, ok := r.scalar(path, value)
		if ok && text != "" && r.tag(path, key, text) { // without a value it is left out
			if _, twice := read[key]; twice {
				r.problem(path, "the key %q is there twice; keep one", key)
			}
			read[key] = text
		}
	}
	if object, isMap := value.(map[string]any); isMap {
		for _, key := range sortedKeys(object) {
			add(join(path, key), key, object[key])
		}
	} else {
		for i, entry := range r.list(path, value) {
			if object := r.object(index(path, i), entry, "Key", "Value"); object != nil {
				if key, ok := r.scalar(index(path, i)+".Key", object["Key"]); ok {
					add(index(path, i), key, object["Value"])
				}
			}
		}
	}
	if len(read) == 0 {
		return nil
	}
	return read
}

func (r *reader) tag(path, key, value string) bool {
	lower := strings.ToLower(key)
	switch {
	case key == "":
		r.problem(path, "has no key; write Key and Value")
	case strings.HasPrefix(lower, "aws:") || strings.HasPrefix(lower, OwnershipPrefix):
		r.problem(path, "the key %q begins with a prefix that is reserved; choose another key", key)
	case utf8.RuneCountInString(key) > maxTagKey:
		r.problem(path, "the key has %d characters; EC2 takes at most %d", utf8.RuneCountInString(key), maxTagKey)
	case utf8.RuneCountInString(value) > maxTagValue:
		r.problem(path, "the value has %d characters; EC2 takes at most %d", utf8.RuneCountInString(value), maxTagValue)
	default:
		return true
	}
	return false
}

// mergeTags is the tags of the chain and of one tier; the tier's win.
func (r *reader) mergeTags(path string, ofChain, ofTier map[string]string) map[string]string {
	if len(ofChain) == 0 && len(ofTier) == 0 {
		return nil
	}
	merged := maps.Clone(ofChain)
	if merged == nil {
		merged = map[string]string{}
	}
	maps.Copy(merged, ofTier)
	if len(merged) > maxTags {
		r.problem(path, "a group of this tier would have %d tags; use at most %d, those of the chain included", len(merged), maxTags)
	}
	return merged
}
