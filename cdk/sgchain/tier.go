package sgchain

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/jsii-runtime-go"

	"sgchain/lambda/chain"
)

// Tier is one security group of a chain. It takes either Ports and Sources, or
// Ingress. What is known only at deploy time (a token) may stand among Sources,
// Destinations and the values of Tags; elsewhere it can not be checked and is refused.
type Tier struct {
	// Name is unique in the chain: at most 64 letters and digits, a letter first.
	// Required.
	Name *string
	// GroupName is the security group's name in EC2, unique in the VPC.
	// Default: a generated name.
	GroupName *string
	// Description is the security group's description, at most 255 characters. EC2
	// can not change it, so another one makes another group.
	// Default: one that names the tier.
	Description *string
	// Ports is what comes in: "80", "8000-8010", "tcp/443", "udp/53", "icmp",
	// "icmp/3/4", "https", "all" and so on. Default: nothing.
	Ports *[]*string
	// Sources is who comes in: "internet", "internet-v4", "internet-v6", a CIDR, the
	// name of a tier, "self", "vpc", a security group ("sg-...", "123456789012/sg-..."), a
	// prefix list ("pl-...", "com.amazonaws.global.cloudfront.origin-facing").
	// Default: the internet for the first tier, the previous tier for the others.
	Sources *[]*string
	// Ingress is the long form: doors with ports and sources of their own.
	Ingress *[]*Ingress
	// Egress is "all", "chain" (only what other tiers take from this one) or "none", or
	// several of these with commas between them. Default: all where EgressTo is not given.
	Egress *string
	// EgressTo lists where the tier may go, beside what Egress says.
	EgressTo *[]*Egress
	// Tags are those of the group; they win over the chain's.
	Tags *map[string]*string
}

// Egress is one way out of a tier.
type Egress struct {
	// Ports is as in [Tier]. Required.
	Ports *[]*string
	// Destinations is as Sources in [Tier]. Required.
	Destinations *[]*string
	// Description is that of the rules, at most 255 characters.
	// Default: one that names the tiers and the traffic.
	Description *string
}

// Ingress is one door of a tier.
type Ingress struct {
	// Ports is as in [Tier]. Required.
	Ports *[]*string
	// Sources is as in [Tier]. Required.
	Sources *[]*string
	// Description is that of the rules, at most 255 characters.
	// Default: one that names the tiers and the traffic.
	Description *string
}

// TiersFromJSON reads a list of tiers as the template's property Tiers has it:
//
//	[{"Name": "Alb", "Ports": [80, 443]}, {"Name": "Fargate", "Ports": [6060]}]
//
// The error names everything that is wrong, each with its path.
func TiersFromJSON(text string) (*[]*Tier, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var list []any
	err := decoder.Decode(&list)
	if err == nil {
		if _, err = decoder.Token(); !errors.Is(err, io.EOF) {
			err = errors.New("there is more after the list")
		} else {
			err = nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading Tiers (a JSON list of tiers): %w", err)
	}
	if list == nil {
		return nil, errors.New("reading Tiers (a JSON list of tiers): it is null; leave it out for the default chain")
	}
	if _, err := check(map[string]any{"VpcId": someVPC, "Tiers": list}); err != nil {
		return nil, fmt.Errorf("reading Tiers: %w", err)
	}
	tiers := make([]*Tier, 0, len(list))
	for _, value := range list {
		tiers = append(tiers, tierOf(value))
	}
	return &tiers, nil
}

// tierOf and the functions below it take over what chain.Parse has accepted, so
// the values have the shapes that it asks for.
func tierOf(value any) *Tier {
	object, _ := value.(map[string]any)
	tier := &Tier{
		Name: textOf(object["Name"]), GroupName: textOf(object["GroupName"]), Description: textOf(object["Description"]),
		Ports: textsOf(object["Ports"]), Sources: textsOf(object["Sources"]), Tags: tagsOf(object["Tags"]),
	}
	tier.Egress, tier.EgressTo = egressOf(object["Egress"])
	if object["Ingress"] == nil || object["Ingress"] == "" {
		return tier
	}
	var doors []*Ingress
	for _, value := range listOf(object["Ingress"]) {
		door, _ := value.(map[string]any)
		doors = append(doors, &Ingress{
			Ports: textsOf(door["Ports"]), Sources: textsOf(door["Sources"]), Description: textOf(door["Description"]),
		})
	}
	tier.Ingress = &doors
	return tier
}

func egressOf(value any) (word *string, ways *[]*Egress) {
	var words []string
	for _, entry := range listOf(value) {
		way, isMap := entry.(map[string]any)
		switch {
		case isMap && ways == nil:
			ways = &[]*Egress{}
			fallthrough
		case isMap:
			*ways = append(*ways, &Egress{
				Ports: textsOf(way["Ports"]), Destinations: textsOf(way["Destinations"]), Description: textOf(way["Description"]),
			})
		case entry != nil && entry != "":
			words = append(words, fmt.Sprint(entry))
		}
	}
	if len(words) == 0 {
		return nil, ways
	}
	return jsii.String(strings.Join(words, ",")), ways
}

func tagsOf(value any) *map[string]*string {
	tags := map[string]*string{}
	switch value := value.(type) {
	case map[string]any:
		for key, text := range value {
			tags[key] = textOf(text)
		}
	case []any:
		for _, entry := range value {
			tag, _ := entry.(map[string]any)
			tags[fmt.Sprint(tag["Key"])] = textOf(tag["Value"])
		}
	}
	if len(tags) == 0 {
		return nil
	}
	return &tags
}

func textOf(value any) *string {
	if value == nil || value == "" {
		return nil
	}
	return jsii.String(fmt.Sprint(value)) // text, json.Number or bool: each prints as it was written
}

func textsOf(value any) *[]*string {
	if value == nil || value == "" {
		return nil
	}
	texts := []*string{}
	for _, entry := range listOf(value) {
		texts = append(texts, jsii.String(fmt.Sprint(entry)))
	}
	return &texts
}

func listOf(value any) []any {
	if list, ok := value.([]any); ok {
		return list
	}
	return []any{value}
}

// properties is the tiers as the template has them.
func properties(tiers *[]*Tier) []any {
	list := make([]any, 0, len(*tiers))
	for _, tier := range *tiers {
		if tier == nil {
			list = append(list, nil) // chain.Parse says so, with the place
			continue
		}
		object := map[string]any{}
		put(object, "Name", tier.Name)
		put(object, "GroupName", tier.GroupName)
		put(object, "Description", tier.Description)
		putList(object, "Ports", tier.Ports)
		putList(object, "Sources", tier.Sources)
		if egress := egressProperty(tier); egress != nil {
			object["Egress"] = egress
		}
		if tier.Tags != nil {
			object["Tags"] = tagProperty(*tier.Tags)
		}
		if tier.Ingress != nil {
			doors := make([]any, 0, len(*tier.Ingress))
			for _, ingress := range *tier.Ingress {
				if ingress == nil {
					doors = append(doors, nil)
					continue
				}
				door := map[string]any{}
				putList(door, "Ports", ingress.Ports)
				putList(door, "Sources", ingress.Sources)
				put(door, "Description", ingress.Description)
				doors = append(doors, door)
			}
			object["Ingress"] = doors
		}
		list = append(list, object)
	}
	return list
}

// egressProperty is a word, or a list where there are several or ways of their own.
func egressProperty(tier *Tier) any {
	var words []any
	if tier.Egress != nil {
		for word := range strings.SplitSeq(*tier.Egress, ",") {
			words = append(words, strings.TrimSpace(word))
		}
	}
	if tier.EgressTo == nil {
		if len(words) == 1 {
			return words[0]
		}
		if words == nil {
			return nil
		}
		return words
	}
	for _, way := range *tier.EgressTo {
		if way == nil {
			words = append(words, nil) // chain.Parse says so, with the place
			continue
		}
		object := map[string]any{}
		putList(object, "Ports", way.Ports)
		putList(object, "Destinations", way.Destinations)
		put(object, "Description", way.Description)
		words = append(words, object)
	}
	return words
}

func tagProperty(tags map[string]*string) map[string]any {
	object := map[string]any{}
	for key, value := range tags {
		put(object, key, value)
	}
	return object
}

func put(object map[string]any, key string, value *string) {
	if value != nil {
		object[key] = *value
	}
}

func putList(object map[string]any, key string, values *[]*string) {
	if values == nil {
		return
	}
	list := make([]any, 0, len(*values))
	for _, value := range *values {
		if value == nil {
			list = append(list, nil)
			continue
		}
		list = append(list, *value)
	}
	object[key] = list
}

// standIns puts values that can be checked in the place of what is known only at deploy
// time, the CDK's mark in a text: groups for peers, anything for the values of tags.
// Elsewhere such a text can neither be checked nor stand in a name, and is a problem.
type standIns struct {
	problems chain.Problems
	count    int
}

func (s *standIns) in(path, key string, value any) any {
	switch value := value.(type) {
	case string:
		switch {
		case !strings.Contains(value, "${Token["):
			return value
		case key == "Sources" || key == "Destinations":
			s.count++
			return fmt.Sprintf("sg-%08x", s.count)
		case key == "Tags":
			return "known later"
		}
		s.problems = append(s.problems, chain.FieldError{
			Path: path, Problem: "is known only when the stack is deployed (a token); write the value itself",
		})
		return value
	case []any:
		list := make([]any, len(value))
		for i, entry := range value {
			list[i] = s.in(path+"["+strconv.Itoa(i)+"]", key, entry)
		}
		return list
	case map[string]any:
		object := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(value)) {
			inner := name
			if key == "Tags" {
				inner = key
			}
			object[name] = s.in(path+"."+name, inner, value[name])
		}
		return object
	default:
		return value
	}
}
