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

// someVPC stands for a VPC whose ID is known only at deploy time. Nothing that is
// checked at synth depends on which VPC it is.
const someVPC = "vpc-0123456789abcdef0"

// known is properties as far as they are known at synth. What is known only at deploy
// time, a text with the CDK's mark in it, is replaced by values that can be checked:
// groups for peers, anything for the values of tags. Elsewhere such a text can neither
// be checked nor stand in a name, and is a problem.
type known struct {
	tiers    []string
	standIns map[string]string // by the token's text; one token is one value
	problems chain.Problems
}

func newKnown(tiers []Tier) *known {
	k := &known{standIns: map[string]string{}}
	for i, tier := range tiers {
		k.tiers = append(k.tiers, tier.Name)
		if tier.EgressTo != nil && len(tier.EgressTo) == 0 { // of other lists chain.Parse says so
			k.problem("Tiers["+strconv.Itoa(i)+"].EgressTo", "is an empty list; list the ways out, or leave it out")
		}
	}
	return k
}

// check is what the function itself does first with the properties.
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
			// What is left out here looks as if it were missing.
			if !slices.ContainsFunc(k.problems, func(own chain.FieldError) bool { return own.Path == problem.Path }) {
				all = append(all, problem)
			}
		}
	}
	return chain.Spec{}, all
}

// isToken knows the CDK's mark for a text that is not known yet.
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
			return k.standIn(value)
		}
		if key == "Ports" {
			k.problem(path, "is a port that is known only when the stack is deployed (a token), and the chain is deployed before what listens on it; write the number, and give it to both")
			return nil
		}
		k.problem(path, "is known only when the stack is deployed (a token); write the value itself")
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
		return k.standIn(peer.text)
	}
	if problem := peer.problem(k.tiers); problem != "" {
		k.problem(path, problem)
		return k.standIn(peer.text) // so that it is not reported twice
	}
	return peer.text
}

// standIn looks like a group's ID, which EC2 never gives out: it is not hexadecimal.
func (k *known) standIn(text string) string {
	if k.standIns[text] == "" {
		k.standIns[text] = fmt.Sprintf("sg-token%04d", len(k.standIns)+1)
	}
	return k.standIns[text]
}

func (k *known) problem(path, problem string) {
	k.problems = append(k.problems, chain.FieldError{Path: path, Problem: problem})
}

// named puts words in the place of the stand-ins of a text.
func (k *known) named(text string, word func(token string) string) string {
	var pairs []string
	for token, standIn := range k.standIns {
		pairs = append(pairs, standIn, word(token))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// plain is the properties as the template has them: with the text of each Peer.
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
