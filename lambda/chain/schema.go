package chain

import "maps"

// node is a part of a JSON Schema.
type node = map[string]any

// Schema returns a JSON Schema of CloudFormation templates. It constrains the properties of each
// [ResourceType], and nothing else of a template. [Parse] refuses everything that the schema
// refuses. Only Parse refuses problems that involve several values: names of tiers that do not
// exist, duplicate rules, attributes that do not fit.
//
// The schema is of draft-07, the newest draft that VS Code supports fully. It needs no $id,
// because all its references are internal: it works at any address or path.
//
// The keys, words, patterns and limits are the parser's own. The function does not use this code,
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
			object(ingressKeys, entryNodes("Sources", "sources of inbound traffic"), "Ports", "Sources")),
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

// function returns the schema of an intrinsic function, which CloudFormation replaces before the
// parser reads it. A map that has the key of a function among others (Fn::Transform, Fn::ForEach)
// counts as one: only CloudFormation knows its final keys.
//
// Editors that read YAML take a value with a short tag such as !Sub for the text or list after
// the tag. If their settings say that the tag stands for an object, they compare only the type of
// this schema.
func function() node {
	return node{
		"type": "object",
		"anyOf": []any{
			node{"required": []any{"Ref"}, "maxProperties": 1},
			node{"not": node{"propertyNames": node{"not": node{"pattern": "^Fn::"}}}},
		},
	}
}

// value returns the schema of a value that may also be a function. Hints are for people: editors
// take their suggestions from them.
func value(hints, rules node) node {
	hints["if"], hints["else"] = ref("Function"), rules
	return hints
}

// object returns the schema of a map that has only known keys. Nodes has the schema of each key.
func object(known []string, nodes node, required ...any) node {
	properties := node{}
	for _, key := range known {
		properties[key] = nodes[key]
	}
	return node{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

// list returns the schema of a list that is not empty, or of a single entry instead of a list.
func list(entry string) node {
	return value(node{}, node{
		"if":   node{"type": "array"},
		"then": node{"minItems": 1, "items": ref(entry), "errorMessage": "is an empty list. Add an entry, or remove the key to use the default."},
		"else": ref(entry),
	})
}

// absent also accepts null, which counts as an absent key.
func absent(rules node) node {
	return node{"if": node{"type": "null"}, "else": rules}
}

func tierNode() node {
	rules := object(tierKeys, tierNodes(), "Name")
	missing := node{
		"if":   node{"required": []any{"Sources"}, "properties": node{"Sources": node{"type": []any{"string", "number", "boolean", "array"}}}},
		"then": node{"required": []any{"Ports"}, "errorMessage": "Ports is missing. Add the ports that the Sources may reach, or remove Sources."},
	}
	beside := value(node{}, node{"type": "null", "errorMessage": "cannot be combined with Ingress. Move it into an entry of Ingress, or remove Ingress."})
	rules["allOf"] = []any{missing, node{
		"if":   node{"required": []any{"Ingress"}, "properties": node{"Ingress": node{"type": "array"}}},
		"then": node{"properties": node{"Ports": beside, "Sources": maps.Clone(beside)}},
	}}
	tier := written("One security group of the chain.", "tier", newTier("${1:App}", "${2:443}"), rules)
	tier["title"] = "Tier"
	return tier
}

func egressEntry() node {
	entry := object(egressKeys, entryNodes("Destinations", "destinations of outbound traffic"), "Ports", "Destinations")
	return value(offering(node{"title": "Outbound rules"}, texts(egressWords)), node{
		"if":   node{"type": "object"},
		"then": entry,
		"else": node{
			"type": "string", "pattern": spaced(anyCase(oneOf(egressWords))),
			"errorMessage": "Write all, chain or none, or a list of these words and of {Ports, Destinations}.",
		},
	})
}

// tagsNode returns the schema of a map of tags, a list of tags, or either as JSON text.
func tagsNode() node {
	const most = MaxGroupTags - ownershipTags
	return value(node{"title": "Tags"}, node{
		"type":          []any{"object", "array", "string", "null"},
		"propertyNames": tagKeyRules(), "additionalProperties": ref("TagValue"), "maxProperties": most,
		"items": ref("Tag"), "maxItems": most, "pattern": `^$|^[\x09\x0a\x0d ]*[\[{]`,
		"errorMessage": `Write a map of tags, a list of maps with Key and Value, or either as JSON text: {"Team": "shop"}.`,
	})
}

func texts(words []string) []any {
	list := make([]any, len(words))
	for i, word := range words {
		list[i] = word
	}
	return list
}
