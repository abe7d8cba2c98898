package describe

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"sgchain/lambda/chain"
)

// maxTierName is the longest name of a tier; Parse holds it.
const maxTierName = 64

// tierNames names the tiers of groups, by the groups' IDs: as an earlier chain named them in its descriptions, or after the tag Name, or
// after the group's name. Names differ in more than their case, since they begin the names of attributes.
func tierNames(groups []Group) map[string]string {
	names, taken := map[string]string{}, map[string]bool{}
	for _, group := range groups {
		plain := cmp.Or(earlierName(group), tierName(group.Tags[chain.NameTag]), tierName(group.Name), "Group")
		name := plain
		for turn := 2; taken[strings.ToLower(name)]; turn++ {
			number := strconv.Itoa(turn)
			name = plain[:min(len(plain), maxTierName-len(number))] + number
		}
		names[group.ID], taken[strings.ToLower(name)] = name, true
	}
	return names
}

// earlierName is the name that a chain has for a group which it describes: that of a chain that was deleted or has released the group.
func earlierName(group Group) string {
	name, isOwn := strings.CutPrefix(group.Description, descriptionHead)
	for _, rule := range group.Rules {
		head, isOfTraffic := strings.CutSuffix(rule.Description, ": "+chain.Traffic(rule.Protocol, rule.Ports))
		if _, end, isPair := strings.Cut(head, " to "); !isOwn && isOfTraffic && isPair && rule.Direction == chain.Ingress {
			name, isOwn = end, true
		}
	}
	if made := tierName(name); made != name {
		return ""
	}
	return name
}

// descriptionHead begins the description that a chain gives to a group of a tier.
const descriptionHead = "Security group of tier "

// tierName makes a name of a tier from a text, "shop-alb-sg" to "ShopAlb"; empty where nothing of the text can stand in one.
func tierName(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return !isLetter(r) && !isDigit(r) })
	bare := slices.DeleteFunc(slices.Clone(words), func(word string) bool { return strings.EqualFold(word, "sg") })
	if joined := strings.Join(bare, ""); joined == "" || isDigit(rune(joined[0])) {
		bare = words
	}
	var name strings.Builder
	for _, word := range bare {
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	made := name.String()
	switch {
	case made == "":
		return ""
	case isDigit(rune(made[0])):
		made = "Group" + made
	case slices.Contains([]string{"internet", "self", "vpc"}, strings.ToLower(made)): // words for peers
		made += "Group"
	}
	return made[:min(len(made), maxTierName)]
}

func isLetter(r rune) bool { return ('a' <= r && r <= 'z') || ('A' <= r && r <= 'Z') }
func isDigit(r rune) bool  { return '0' <= r && r <= '9' }
