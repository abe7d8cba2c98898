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

// Tier is one security group of a chain. A tier takes either Ports and Sources, or Ingress.
//
// A value that is known only at deployment (a token) can be in Sources, in Destinations and in the
// values of Tags. Elsewhere it is refused, because synth cannot check it.
type Tier struct {
	// Name is unique in the chain: at most 64 letters and digits, a letter first. Another name
	// replaces the group. Required.
	Name string
	// GroupName is the security group's name in EC2, unique in the VPC regardless of case. Another
	// name replaces the group. Default: a generated name.
	GroupName string
	// Description is the security group's description, at most 255 characters. EC2 cannot change
	// it, so another description replaces the group. A tier with a GroupName then needs another
	// GroupName too. Default: "Security group of tier <Name>".
	Description string
	// Ports are the ports of the inbound rules. As with every list here, an empty one that is not nil
	// is refused, because it could mean the default or nothing.
	// Default: none, and the tier has no inbound rule unless Ingress is set.
	Ports []Port
	// Sources are the peers that Ports are open to. Sources needs Ports.
	// Default: [Internet] for the first tier, the previous tier for the others.
	Sources []Peer
	// Ingress are inbound rules, each with its own ports and sources, instead of Ports and Sources.
	// Default: none.
	Ingress []Ingress
	// Egress is what outbound traffic is allowed. Default: [EgressAll], or only EgressTo if that is
	// set.
	Egress EgressPolicy
	// EgressTo are outbound rules in addition to what Egress allows. A rule that [EgressAll] covers
	// is refused. Default: none.
	EgressTo []Egress
	// AllowPublic allows the tier to be open to the internet although it is not the first one
	// (guardrail public-tier). Default: false.
	AllowPublic bool
	// Tags are tags of this tier's group. They override the chain's, with an empty value too. A nil
	// value means an empty one. Default: none.
	Tags map[string]*string
}

// cloned returns a deep copy of tiers, so that a later change of the author's values does not change
// the chain.
func cloned(tiers []Tier) []Tier {
	tiers = slices.Clone(tiers)
	for i := range tiers {
		tier := &tiers[i]
		tier.Ports, tier.Sources, tier.Tags = slices.Clone(tier.Ports), slices.Clone(tier.Sources), maps.Clone(tier.Tags)
		tier.Ingress, tier.EgressTo = slices.Clone(tier.Ingress), slices.Clone(tier.EgressTo)
		for j := range tier.Ingress {
			ingress := &tier.Ingress[j]
			ingress.Ports, ingress.Sources = slices.Clone(ingress.Ports), slices.Clone(ingress.Sources)
		}
		for j := range tier.EgressTo {
			egress := &tier.EgressTo[j]
			egress.Ports, egress.Destinations = slices.Clone(egress.Ports), slices.Clone(egress.Destinations)
		}
	}
	return tiers
}

// EgressPolicy is the outbound traffic that a tier allows in addition to its EgressTo.
type EgressPolicy string

// The values of EgressPolicy.
const (
	// EgressAll allows all outbound traffic, as EC2 does by default.
	EgressAll EgressPolicy = "all"
	// EgressChain allows only the traffic that inbound rules of other tiers accept from this tier.
	EgressChain EgressPolicy = "chain"
	// EgressNone allows no outbound traffic. It is refused together with EgressTo.
	EgressNone EgressPolicy = "none"
)

// Egress is an outbound rule for each of its ports and destinations.
type Egress struct {
	// Ports are the ports that the rules allow. Required.
	Ports []Port
	// Destinations are the peers that the tier can reach. Required.
	Destinations []Peer
	// Description is the description of the rules, at most 255 characters.
	// Default: the tiers or peers and the traffic, for example "App to Db: tcp 5432".
	Description string
}

// Ingress is an inbound rule for each of its ports and sources.
type Ingress struct {
	// Ports are the ports that the rules allow. Required.
	Ports []Port
	// Sources are the peers that the ports are open to. Required.
	Sources []Peer
	// Description is the description of the rules, at most 255 characters.
	// Default: the tiers or peers and the traffic, for example "App to Db: tcp 5432".
	Description string
}

// TiersFromJSON reads a list of tiers in the form of the template's property Tiers:
//
//	[{"Name": "Alb", "Ports": [80, 443]}, {"Name": "Fargate", "Ports": [6060]}]
//
// It returns an error that has every problem, each with its path. An empty list, null and a key that
// occurs twice in an object are errors too.
func TiersFromJSON(text string) ([]Tier, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var list []any
	err := decoder.Decode(&list)
	if err == nil {
		if _, err = decoder.Token(); !errors.Is(err, io.EOF) {
			err = errors.New("unexpected text after the list")
		} else {
			err = nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading Tiers (a JSON list of tiers): %w", err)
	}
	if list == nil {
		return nil, errors.New("reading Tiers (a JSON list of tiers): the value is null. Remove it for the default chain.")
	}
	if path := chain.Duplicate([]byte(text), list); path != "" {
		return nil, fmt.Errorf("reading Tiers: Tiers%s: occurs twice in the JSON text. Keep one of them.", path)
	}
	if _, err := newKnown(nil).check(map[string]any{"VpcId": someVPC, "Tiers": list}); err != nil {
		return nil, fmt.Errorf("reading Tiers: %w", onLines(err))
	}
	tiers := make([]Tier, 0, len(list))
	for _, value := range list {
		tiers = append(tiers, tierOf(value))
	}
	return tiers, nil
}

// tierOf converts a tier that chain.Parse has accepted. So do the functions below, which therefore
// need not check the types of values.
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
		ingress, _ := value.(map[string]any)
		tier.Ingress = append(tier.Ingress, Ingress{
			Ports: portsOf(ingress["Ports"]), Sources: peersOf(ingress["Sources"]), Description: textOf(ingress["Description"]),
		})
	}
	return tier
}

func egressOf(value any) (policy EgressPolicy, rules []Egress) {
	var words []string
	for _, entry := range listOf(value) {
		rule, isMap := entry.(map[string]any)
		switch {
		case isMap:
			rules = append(rules, Egress{
				Ports: portsOf(rule["Ports"]), Destinations: peersOf(rule["Destinations"]), Description: textOf(rule["Description"]),
			})
		case !isAbsent(entry):
			words = append(words, textOf(entry))
		}
	}
	return EgressPolicy(strings.Join(words, ",")), rules
}

func tagsOf(value any) map[string]*string {
	var tags map[string]*string
	add := func(key, value any) {
		if tags == nil {
			tags = map[string]*string{}
		}
		tags[textOf(key)] = jsii.String(textOf(value)) // empty if the tag has no value
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

// isAbsent reports whether a template leaves a property out.
func isAbsent(value any) bool { return value == nil || value == "" }

func textOf(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value) // string, json.Number or bool: each prints as it was written
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

// properties returns tiers in the form of the template, in which each Peer is still a Peer.
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
			rules := make([]any, 0, len(tier.Ingress))
			for _, ingress := range tier.Ingress {
				rules = append(rules, ruleObject(ingress.Ports, "Sources", ingress.Sources, ingress.Description))
			}
			object["Ingress"] = rules
		}
		list = append(list, object)
	}
	return list
}

// egressProperty returns the property Egress: a single word, or a list of words and rules. It returns
// nil if the tier sets neither Egress nor EgressTo.
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
	for _, egress := range tier.EgressTo {
		entries = append(entries, ruleObject(egress.Ports, "Destinations", egress.Destinations, egress.Description))
	}
	if entries == nil {
		return nil
	}
	return entries
}

func ruleObject(ports []Port, key string, peers []Peer, description string) map[string]any {
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
		property[key] = value(text) // empty if the tag has no value
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
