package sgchain

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"sgchain/lambda/chain"
)

// someVPC replaces the ID of a VPC that is known only at deployment. No check at synth depends on
// the VPC.
const someVPC = "vpc-0123456789abcdef0"

// known checks properties as far as they are known at synth. It replaces tokens by placeholders:
// by a group for a peer, and by any text for the value of a tag. A token in another place is a
// problem, because it can be neither checked nor part of a name.
type known struct {
	tiers        []string
	placeholders map[string]string // by token
	problems     chain.Problems
}

func newKnown(tiers []Tier) *known {
	k := &known{placeholders: map[string]string{}}
	for i, tier := range tiers {
		k.tiers = append(k.tiers, tier.Name)
		if tier.EgressTo != nil && len(tier.EgressTo) == 0 { // chain.Parse refuses the other empty lists
			k.problem("Tiers["+strconv.Itoa(i)+"].EgressTo", "is an empty list. Add an outbound rule, or remove EgressTo.")
		}
	}
	return k
}

// check parses the properties as the function does first.
func (k *known) check(template map[string]any) (chain.Spec, error) {
	properties := maps.Clone(template)
	for _, key := range []string{"Tiers", "Tags", "MovedFrom"} {
		if template[key] != nil {
			properties[key] = k.in(key, key, template[key])
		}
	}
	if id, _ := template["VpcId"].(string); isToken(id) {
		properties["VpcId"] = someVPC
	}
	spec, err := chain.Parse(properties, chain.DefaultAnswerBytes)
	if len(k.problems) == 0 {
		return spec, err
	}
	all := k.problems
	if problems, ok := errors.AsType[chain.Problems](err); ok {
		for _, problem := range problems {
			// A value that was left out here would be reported as missing again.
			if !slices.ContainsFunc(k.problems, func(own chain.FieldError) bool { return own.Path == problem.Path }) {
				all = append(all, problem)
			}
		}
	}
	return chain.Spec{}, all
}

// isToken reports whether a text has a token of the CDK in it.
func isToken(text string) bool { return strings.Contains(text, "${Token[") }

func (k *known) in(path, key string, value any) any {
	isPeer := key == "Sources" || key == "Destinations"
	switch value := value.(type) {
	case Peer:
		return k.peer(path, value)
	case string:
		switch {
		case !isToken(value):
			return value
		case isPeer || key == "Tags":
			return k.placeholder(value)
		}
		if key == "Ports" {
			k.problem(path, "is known only at deployment (a token), and the chain is deployed before what listens on the port. Write the number in both places.")
			return nil
		}
		k.problem(path, "is known only at deployment (a token). Write the value itself.")
		return nil
	case []any:
		list := make([]any, len(value))
		for i, entry := range value {
			list[i] = k.in(path+"["+strconv.Itoa(i)+"]", key, entry)
		}
		return list
	case map[string]any:
		object := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(value)) {
			inner := name
			if key == "Tags" {
				inner = key
			}
			object[name] = k.in(path+"."+name, inner, value[name])
		}
		return object
	default:
		return value
	}
}

func (k *known) peer(path string, peer Peer) string {
	if isToken(peer.text) {
		return k.placeholder(peer.text)
	}
	if problem := peer.problem(k.tiers); problem != "" {
		k.problem(path, problem)
		return k.placeholder(peer.text) // so that it is not reported twice
	}
	return peer.text
}

// placeholder returns a text in the form of a group ID that no group has, because it is not hexadecimal.
func (k *known) placeholder(text string) string {
	if k.placeholders[text] == "" {
		k.placeholders[text] = fmt.Sprintf("sg-token%04d", len(k.placeholders)+1)
	}
	return k.placeholders[text]
}

func (k *known) problem(path, problem string) {
	k.problems = append(k.problems, chain.FieldError{Path: path, Problem: problem})
}

// named replaces the placeholders in a text by words for their tokens.
func (k *known) named(text string, word func(token string) string) string {
	var pairs []string
	for token, placeholder := range k.placeholders {
		pairs = append(pairs, placeholder, word(token))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// plain returns properties in the form of the template: with the text of each Peer.
func plain(value any) any {
	switch value := value.(type) {
	case Peer:
		return value.text
	case []any:
		list := make([]any, len(value))
		for i, entry := range value {
			list[i] = plain(entry)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(value))
		for key, entry := range value {
			object[key] = plain(entry)
		}
		return object
	default:
		return value
	}
}
