package draw

import (
	"fmt"
	"strings"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// totals counts what a drawing has.
type totals struct {
	groups, rules, world                      int // as they are after the change
	created, removed, retired, added, revoked int
}

func totalsOf(groups []group) totals {
	var t totals
	for _, one := range groups {
		switch one.fate {
		case "created":
			t.created++
		case "removed":
			t.removed++
		case "retired":
			t.retired++
		}
		if one.fate != "removed" {
			t.groups++
		}
		for _, rule := range one.rules {
			switch rule.Mark {
			case plan.Added:
				t.added++
			case plan.Removed:
				t.revoked++
				continue
			}
			t.rules++
			if rule.Direction == chain.Ingress && chain.IsInternet(rule.Peer) {
				t.world++
			}
		}
	}
	return t
}

// nothing is the summary of a drawing without groups.
const nothing = "No security groups."

// summaryOf describes a drawing in two or three sentences.
func summaryOf(groups []group) string {
	t := totalsOf(groups)
	if len(groups) == 0 {
		return nothing
	}
	text := fmt.Sprintf("%s with %s. ", count(t.groups, "security group"), count(t.rules, "rule"))
	switch t.world {
	case 0:
		text += "No inbound rule is open to the world."
	case 1:
		text += "1 inbound rule is open to the world."
	default:
		text += fmt.Sprintf("%d inbound rules are open to the world.", t.world)
	}
	if !isChange(groups) {
		return text
	}
	var parts []string
	for _, one := range []struct {
		number     int
		verb, noun string
	}{
		{t.created, "creates", "group"}, {t.retired, "retires", "group"}, {t.removed, "removes", "group"}, {t.added, "adds", "rule"}, {t.revoked, "removes", "rule"},
	} {
		if one.number > 0 {
			parts = append(parts, one.verb+" "+count(one.number, one.noun))
		}
	}
	return text + " The change " + list(parts) + "."
}

// list joins parts of a sentence: "a, b and c".
func list(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}
