package draw

import (
	"fmt"
	"strings"

	"sgchain/lambda/chain"
)

// width returns about how many pixels a text takes at a size in a sans-serif font. The figures are
// those of DejaVu Sans, which is the widest of the default fonts of systems.
func width(text string, size int, bold bool) int {
	thousandths := 0
	for _, r := range text {
		thousandths += advance(r)
	}
	if bold {
		thousandths = thousandths * 112 / 100
	}
	return (thousandths*size + 999) / 1000
}

// advance returns the width of a character, in thousandths of the font's size.
func advance(r rune) int {
	switch {
	case strings.ContainsRune("iIjl'|", r):
		return 340
	case strings.ContainsRune(" .,:;()[]{}/\\-!ftr", r):
		return 400
	case strings.ContainsRune("mwMW@%", r):
		return 990
	case r >= 'A' && r <= 'Z', strings.ContainsRune("+=~<>#&_", r):
		return 790
	case r < 0x1100:
		return 640
	default: // ideographs and most symbols are square
		return 1050
	}
}

const ellipsis = "…"

// cut shortens a text to a width, at the end of a character.
func cut(text string, size, most int, bold bool) string {
	if width(text, size, bold) <= most {
		return text
	}
	runes := []rune(text)
	kept := 0
	for kept < len(runes) && width(string(runes[:kept+1])+ellipsis, size, bold) <= most {
		kept++
	}
	return strings.TrimRight(string(runes[:kept]), " ") + ellipsis
}

// traffic returns the traffic of rules in a width. What is left out is counted: "tcp 80,443 and 12
// more".
func traffic(rules []chain.Rule, size, most int) string {
	best := 0
	for kept := 1; kept <= len(rules); kept++ {
		text := chain.TrafficList(rules[:kept]) // short: it ends at the width
		if width(text, size, false) > most {
			break
		}
		best = kept
	}
	if best == len(rules) {
		return chain.TrafficList(rules)
	}
	for kept := best; kept > 0; kept-- {
		text := chain.TrafficList(rules[:kept]) + fmt.Sprintf(" and %d more", len(rules)-kept)
		if width(text, size, false) <= most {
			return text
		}
	}
	return count(len(rules), "rule")
}
