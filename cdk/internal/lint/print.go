package lint

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"sgchain/cdk/internal/terminal"
)

// WriteText writes findings as compilers do, each with its remedy on a line of its own.
func WriteText(to io.Writer, findings []Finding, style terminal.Style) error {
	var text strings.Builder
	for _, finding := range findings {
		severity := style.Yellow(string(finding.Severity))
		if finding.Severity == Error {
			severity = style.Red(string(finding.Severity))
		}
		fmt.Fprintf(&text, "%s: %s: %s %s\n", style.Bold(fmt.Sprintf("%s:%d:%d", finding.File, finding.Line, finding.Column)), severity, oneLine(finding.Message), style.Faint("["+finding.Rule+"]"))
		if finding.Remedy != "" {
			fmt.Fprintf(&text, "    %s\n", oneLine(finding.Remedy))
		}
	}
	_, err := io.WriteString(to, text.String())
	return err
}

// oneLine removes line feeds and other control characters from a text, which may come from a
// template.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || (r >= 0x7f && r < 0xa0) {
			return ' '
		}
		return r
	}, text)
}

// WriteJSON writes findings as one JSON object.
func WriteJSON(to io.Writer, findings []Finding) error {
	if findings == nil {
		findings = []Finding{}
	}
	encoder := json.NewEncoder(to)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(map[string][]Finding{"findings": findings})
}

// WriteRules writes the rules as a table.
func WriteRules(to io.Writer) error {
	var text strings.Builder
	for _, rule := range Rules() {
		fmt.Fprintf(&text, "%-20s %-8s %s\n", rule.ID, rule.Severity, rule.Finds)
	}
	_, err := io.WriteString(to, text.String())
	return err
}
