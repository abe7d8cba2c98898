package chain

import "maps"

// node is a part of a JSON Schema.
type node = map[string]any

// Schema returns a JSON Schema of CloudFormation templates: it constrains the properties of each
// [ResourceType], and nothing else of a template. What it refuses [Parse] refuses as well. Of what
// Parse refuses it passes what takes more than one value to see: names of tiers that are not there,
// rules that are there twice, attributes that do not fit.
//
// It is of draft-07, the newest draft that VS Code supports whole. It has no $id, because every
// reference in it stays inside it: it works under whatever address or path it is published.
//
// The keys, words, patterns and limits are the parser's own. The function does not reach this code,
// so that the linker leaves it out.
func Schema() map[string]any {
	return node{
		"$schema":     draft,
		"title":       "CloudFormation template with chains of security groups",
		"description": "Constrains the properties of each " + ResourceType + ", and nothing else of a template.",
		"properties": node{"Resources": node{"additionalProperties": node{
			"if":         node{"type": "object", "required": []any{"Type"}, "properties": node{"Type": node{"const": ResourceType}}},
			"then":       node{"required": []any{"Properties"}, "properties": node{"Properties": ref("Properties")}},
			"properties": node{"Type": node{"examples": []any{ResourceType}}},
		}}},
		"definitions": definitions(),
	}
}

// PropertiesSchema returns the schema of the properties alone: see [Schema].
func PropertiesSchema() map[string]any {
	return node{"$schema": draft, "allOf": []any{ref("Properties")}, "definitions": definitions()}
}

const draft = "http://json-schema.org/draft-07/schema#"

func ref(name string) node { return node{"$ref": "#/definitions/" + name} }

func definitions() node {
	return node{
		"Function":   function(),
		"Properties": value(node{"title": ResourceType}, object(propertyKeys, propertyNodes(), "VpcId")),
		"Tier":       tierNode(),
		"IngressEntry": value(node{"title": "Inbound rules"},
			object(ingressKeys, doorNodes("Sources", "sources of inbound traffic"), "Ports", "Sources")),
		"EgressEntry":  egressEntry(),
		"Port":         value(offering(node{"title": "Port"}, portOffers()), portRules()),
		"Peer":         value(offering(node{"title": "Peer"}, peerOffers()), peerRules()),
		"Tag":          value(node{"title": "Tag"}, object(tagKeys, tagNodes(), "Key")),
		"TagValue":     value(node{"title": "Value of a tag"}, tagValueRules()),
		"ListOfPorts":  list("Port"),
		"ListOfPeers":  list("Peer"),
		"TagsOfGroups": tagsNode(),
	}
}

// function returns the schema of an intrinsic function: CloudFormation gives the parser what it
// stands for. A map with a key of a function beside others (Fn::Transform, Fn::ForEach) is one as
// well: only CloudFormation knows the keys that it has in the end.
//
// Editors that read YAML take a short tag such as !Sub for what it stands on, a text or a list, unless
// they are told that it stands for an object. Then of this schema only the type is compared.
func function() node {
	return node{
		"type": "object",
		"anyOf": []any{
			node{"required": []any{"Ref"}, "maxProperties": 1},
			node{"not": node{"propertyNames": node{"not": node{"pattern": "^Fn::"}}}},
		},
	}
}

// value returns the schema of a value that a function may stand for. Hints are for people, and are
// where editors look for what to offer.
func value(hints, rules node) node {
	hints["if"], hints["else"] = ref("Function"), rules
	return hints
}

// object returns the schema of a map that has some keys and no others. Nodes has one for each.
func object(known []string, nodes node, required ...any) node {
	properties := node{}
	for _, key := range known {
		properties[key] = nodes[key]
	}
	return node{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

// list returns the schema of a list that is not empty, or of one entry in its place.
func list(entry string) node {
	return value(node{}, node{
		"if":   node{"type": "array"},
		"then": node{"minItems": 1, "items": ref(entry), "errorMessage": "an empty list is refused; leave the key out for the default"},
		"else": ref(entry),
	})
}

// absent adds that null counts as a key that is not there.
func absent(rules node) node {
	return node{"if": node{"type": "null"}, "else": rules}
}

func tierNode() node {
	rules := object(tierKeys, tierNodes(), "Name")
	missing := node{
		"if":   node{"required": []any{"Sources"}, "properties": node{"Sources": node{"type": []any{"string", "number", "boolean", "array"}}}},
		"then": node{"required": []any{"Ports"}, "errorMessage": "Ports is missing; Sources says who may come in, Ports says to which ports"},
	}
	beside := value(node{}, node{"type": "null", "errorMessage": "stands beside Ingress; write it inside Ingress, or leave Ingress out"})
	rules["allOf"] = []any{missing, node{
		"if":   node{"required": []any{"Ingress"}, "properties": node{"Ingress": node{"type": "array"}}},
		"then": node{"properties": node{"Ports": beside, "Sources": maps.Clone(beside)}},
	}}
	tier := written("One security group of the chain.", "tier", newTier("${1:App}", "${2:443}"), rules)
	tier["title"] = "Tier"
	return tier
}

func egressEntry() node {
	door := object(egressKeys, doorNodes("Destinations", "destinations of outbound traffic"), "Ports", "Destinations")
	return value(offering(node{"title": "Outbound rules"}, texts(egressWords)), node{
		"if":   node{"type": "object"},
		"then": door,
		"else": node{
			"type": "string", "pattern": spaced(anyCase(oneOf(egressWords))),
			"errorMessage": "write all, chain or none, or a list of these words and of {Ports, Destinations}",
		},
	})
}

// tagsNode returns the schema of a map of tags, of a list of them, or of either as JSON in a text.
func tagsNode() node {
	const most = MaxGroupTags - ownershipTags
	return value(node{"title": "Tags"}, node{
		"type":          []any{"object", "array", "string", "null"},
		"propertyNames": tagKeyRules(), "additionalProperties": ref("TagValue"), "maxProperties": most,
		"items": ref("Tag"), "maxItems": most, "pattern": `^$|^[\x09\x0a\x0d ]*[\[{]`,
		"errorMessage": `write a map of tags, a list of maps with Key and Value, or either as JSON in a text: {"Team": "shop"}`,
	})
}

func texts(words []string) []any {
	list := make([]any, len(words))
	for i, word := range words {
		list[i] = word
	}
	return list
}
