package sgchain

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
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
	Name string
	// GroupName is the security group's name in EC2, unique in the VPC.
	// Default: a generated name.
	GroupName string
	// Description is the security group's description, at most 255 characters. EC2
	// can not change it, so another one makes another group.
	// Default: one that names the tier.
	Description string
	// Ports is what comes in. Default: nothing. A list that is empty and not nil is refused, here
	// and in every list below: it is neither nothing nor the default.
	Ports []Port
	// Sources is who comes in. Default: the internet for the first tier, the previous
	// tier for the others.
	Sources []Peer
	// Ingress is the long form: doors with ports and sources of their own.
	Ingress []Ingress
	// Egress is where the tier may go. Default: [EgressAll] where EgressTo is not given.
	Egress EgressPolicy
	// EgressTo lists where the tier may go, beside what Egress says. What [EgressAll] covers anyway
	// is refused.
	EgressTo []Egress
	// AllowPublic lets the tier be open to the world though it is not the first.
	AllowPublic bool
	// Tags are those of the group; they win over the chain's, an empty value too. Nil is an empty
	// value.
	Tags map[string]*string
}

// cloned is tiers that do not change when the author goes on using theirs.
func cloned(tiers []Tier) []Tier {
	tiers = slices.Clone(tiers)
	for i := range tiers {
		tier := &tiers[i]
		tier.Ports, tier.Sources, tier.Tags = slices.Clone(tier.Ports), slices.Clone(tier.Sources), maps.Clone(tier.Tags)
		tier.Ingress, tier.EgressTo = slices.Clone(tier.Ingress), slices.Clone(tier.EgressTo)
		for j := range tier.Ingress {
			door := &tier.Ingress[j]
			door.Ports, door.Sources = slices.Clone(door.Ports), slices.Clone(door.Sources)
		}
		for j := range tier.EgressTo {
			way := &tier.EgressTo[j]
			way.Ports, way.Destinations = slices.Clone(way.Ports), slices.Clone(way.Destinations)
		}
	}
	return tiers
}

// EgressPolicy is where a tier may go without a list of its own.
type EgressPolicy string

// The policies.
const (
	// EgressAll is everywhere, which is EC2's own default.
	EgressAll EgressPolicy = "all"
	// EgressChain is only what other tiers of the chain take from this one.
	EgressChain EgressPolicy = "chain"
	// EgressNone is nowhere. EgressTo can not stand beside it.
	EgressNone EgressPolicy = "none"
)

// Egress is one way out of a tier.
type Egress struct {
	// Ports is what goes out. Required.
	Ports []Port
	// Destinations is where it goes. Required.
	Destinations []Peer
	// Description is that of the rules, at most 255 characters.
	// Default: one that names the tiers and the traffic.
	Description string
}

// Ingress is one door of a tier.
type Ingress struct {
	// Ports is what comes in. Required.
	Ports []Port
	// Sources is who comes in. Required.
	Sources []Peer
	// Description is that of the rules, at most 255 characters.
	// Default: one that names the tiers and the traffic.
	Description string
}

// TiersFromJSON reads a list of tiers as the template's property Tiers has it:
//
//	[{"Name": "Alb", "Ports": [80, 443]}, {"Name": "Fargate", "Ports": [6060]}]
//
// The error names everything that is wrong, each with its path.
func TiersFromJSON(text string) ([]Tier, error) {
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
	if path := chain.Duplicate([]byte(text), list); path != "" {
		return nil, fmt.Errorf("reading Tiers: Tiers%s: is there twice in the text; keep one of them", path)
	}
	if _, err := newKnown(nil).check(map[string]any{"VpcId": someVPC, "Tiers": list}); err != nil {
		return nil, fmt.Errorf("reading Tiers: %w", err)
	}
	tiers := make([]Tier, 0, len(list))
	for _, value := range list {
		tiers = append(tiers, tierOf(value))
	}
	return tiers, nil
}

// tierOf and the functions below it take over what chain.Parse has accepted, so
// the values have the shapes that it asks for.
func tierOf(value any) Tier {
	object, _ := value.(map[string]any)
	tier := Tier{
		Name: textOf(object["Name"]), GroupName: textOf(object["GroupName"]), Description: textOf(object["Description"]),
		Ports: portsOf(object["Ports"]), Sources: peersOf(object["Sources"]), Tags: tagsOf(object["Tags"]),
		AllowPublic: strings.EqualFold(textOf(object["AllowPublic"]), "true"),
	}
	tier.Egress, tier.EgressTo = egressOf(object["Egress"])
	if isAbsent(object["Ingress"]) {
		return tier
	}
	tier.Ingress = []Ingress{}
	for _, value := range listOf(object["Ingress"]) {
		door, _ := value.(map[string]any)
		tier.Ingress = append(tier.Ingress, Ingress{
			Ports: portsOf(door["Ports"]), Sources: peersOf(door["Sources"]), Description: textOf(door["Description"]),
		})
	}
	return tier
}

func egressOf(value any) (policy EgressPolicy, ways []Egress) {
	var words []string
	for _, entry := range listOf(value) {
		way, isMap := entry.(map[string]any)
		switch {
		case isMap:
			ways = append(ways, Egress{
				Ports: portsOf(way["Ports"]), Destinations: peersOf(way["Destinations"]), Description: textOf(way["Description"]),
			})
		case !isAbsent(entry):
			words = append(words, textOf(entry))
		}
	}
	return EgressPolicy(strings.Join(words, ",")), ways
}

func tagsOf(value any) map[string]*string {
	var tags map[string]*string
	add := func(key, value any) {
		if tags == nil {
			tags = map[string]*string{}
		}
		tags[textOf(key)] = jsii.String(textOf(value)) // empty where the tag has no value
	}
	switch value := value.(type) {
	case map[string]any:
		for key, text := range value {
			add(key, text)
		}
	case []any:
		for _, entry := range value {
			tag, _ := entry.(map[string]any)
			add(tag["Key"], tag["Value"])
		}
	}
	return tags
}

// isAbsent is how a template leaves a property out.
func isAbsent(value any) bool { return value == nil || value == "" }

func textOf(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value) // text, json.Number or bool: each prints as it was written
}

func portsOf(value any) []Port {
	return each(value, func(text string) Port { return Port{text} })
}

func peersOf(value any) []Peer {
	return each(value, func(text string) Peer { return Peer{anyPeer, text} })
}

func each[T any](value any, of func(string) T) []T {
	if isAbsent(value) {
		return nil
	}
	list := []T{}
	for _, entry := range listOf(value) {
		list = append(list, of(textOf(entry)))
	}
	return list
}

func listOf(value any) []any {
	if list, ok := value.([]any); ok {
		return list
	}
	return []any{value}
}

// properties is the tiers as the template has them, with each Peer still in its place.
func properties(tiers []Tier) []any {
	list := make([]any, 0, len(tiers))
	for _, tier := range tiers {
		object := map[string]any{}
		put(object, "Name", tier.Name)
		put(object, "GroupName", tier.GroupName)
		put(object, "Description", tier.Description)
		putPorts(object, tier.Ports)
		putPeers(object, "Sources", tier.Sources)
		if egress := egressProperty(tier); egress != nil {
			object["Egress"] = egress
		}
		if tier.AllowPublic {
			object["AllowPublic"] = "true"
		}
		putTags(object, tier.Tags)
		if tier.Ingress != nil {
			doors := make([]any, 0, len(tier.Ingress))
			for _, ingress := range tier.Ingress {
				doors = append(doors, door(ingress.Ports, "Sources", ingress.Sources, ingress.Description))
			}
			object["Ingress"] = doors
		}
		list = append(list, object)
	}
	return list
}

// egressProperty is a word, or a list where there are several or ways of their own.
func egressProperty(tier Tier) any {
	var entries []any
	if tier.Egress != "" {
		for word := range strings.SplitSeq(string(tier.Egress), ",") {
			entries = append(entries, word)
		}
	}
	if len(entries) == 1 && len(tier.EgressTo) == 0 {
		return entries[0]
	}
	for _, way := range tier.EgressTo {
		entries = append(entries, door(way.Ports, "Destinations", way.Destinations, way.Description))
	}
	if entries == nil {
		return nil
	}
	return entries
}

func door(ports []Port, key string, peers []Peer, description string) map[string]any {
	object := map[string]any{}
	putPorts(object, ports)
	putPeers(object, key, peers)
	put(object, "Description", description)
	return object
}

func put(object map[string]any, key, value string) {
	if value != "" {
		object[key] = value
	}
}

func putTags(object map[string]any, tags map[string]*string) {
	if tags == nil {
		return
	}
	property := map[string]any{}
	for key, text := range tags {
		property[key] = value(text) // empty where the tag has no value
	}
	object["Tags"] = property
}

func putPorts(object map[string]any, ports []Port) {
	if ports == nil {
		return
	}
	list := make([]any, 0, len(ports))
	for _, port := range ports {
		list = append(list, port.text)
	}
	object["Ports"] = list
}

func putPeers(object map[string]any, key string, peers []Peer) {
	if peers == nil {
		return
	}
	list := make([]any, 0, len(peers))
	for _, peer := range peers {
		list = append(list, peer)
	}
	object[key] = list
}
