package describe

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"sgchain/lambda/chain"
)

// maxTierName is the longest name of a tier, which Parse enforces.
const maxTierName = 64

// tierNames chooses the names of tiers, by the groups' IDs. It takes the name that an earlier chain wrote into descriptions, or derives one
// from the tag Name or from the group's name. Names differ in more than case, since the names of attributes begin with them.
func tierNames(groups []Group) map[string]string {
	names, taken := map[string]string{}, map[string]bool{}
	for _, group := range groups {
		plain := cmp.Or(earlierName(group), tierName(group.Tags[chain.NameTag]), tierName(group.Name), "Group")
		name := plain
		for n := 2; taken[strings.ToLower(name)]; n++ {
			number := strconv.Itoa(n)
			name = plain[:min(len(plain), maxTierName-len(number))] + number
		}
		names[group.ID], taken[strings.ToLower(name)] = name, true
	}
	return names
}

// earlierName returns the tier's name from the descriptions of a chain that was deleted or has released the group, or "".
func earlierName(group Group) string {
	name, isOwn := strings.CutPrefix(group.Description, descriptionHead)
	for _, rule := range group.Rules {
		head, isOfTraffic := strings.CutSuffix(rule.Description, ": "+chain.Traffic(rule.Protocol, rule.Ports))
		if _, end, isPair := strings.Cut(head, " to "); !isOwn && isOfTraffic && isPair && rule.Direction == chain.Ingress {
			name, isOwn = end, true
		}
	}
	if valid := tierName(name); valid != name {
		return ""
	}
	return name
}

// descriptionHead begins the description that a chain gives to a group of a tier.
const descriptionHead = "Security group of tier "

// tierName makes the name of a tier from a text, "ShopAlb" from "shop-alb-sg". It returns "" if no character of the text is allowed in one.
func tierName(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return !isLetter(r) && !isDigit(r) })
	bare := slices.DeleteFunc(slices.Clone(words), func(word string) bool { return strings.EqualFold(word, "sg") })
	if joined := strings.Join(bare, ""); joined == "" || isDigit(rune(joined[0])) {
		bare = words
	}
	var joined strings.Builder
	for _, word := range bare {
		joined.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	name := joined.String()
	switch {
	case name == "":
		return ""
	case isDigit(rune(name[0])):
		name = "Group" + name
	case slices.Contains([]string{"internet", "self", "vpc"}, strings.ToLower(name)): // words for peers
		name += "Group"
	}
	return name[:min(len(name), maxTierName)]
}

func isLetter(r rune) bool { return ('a' <= r && r <= 'z') || ('A' <= r && r <= 'Z') }
func isDigit(r rune) bool  { return '0' <= r && r <= '9' }
