// Package lint finds mistakes in the chains of CloudFormation templates before they are deployed.
// It uses the function's own parser and guardrails. What is known only at deployment never causes a
// finding.
package lint

import (
	"cmp"
	"slices"
	"strings"

	"sgchain/cdk/internal/template"
)

// Severity is how bad a finding is.
type Severity string

// The severities.
const (
	// Error is what CloudFormation, EC2 or the function refuses, or what has no effect.
	Error Severity = "error"
	// Warning is allowed and probably a mistake.
	Warning Severity = "warning"
)

// Finding is what a rule finds at a place of a file.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Column   int      `json:"column"`
	// Resource is the logical ID of the chain.
	Resource string `json:"resource"`
	// Path is the property, as in "Tiers[1].Ports[0]", or where the template uses the chain, as in "Outputs.Alb.Value".
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
	Remedy  string `json:"remedy"`

	// near is the logical ID of the resource that contains the finding, if that is not the chain.
	near string
}

// maxVariants is how many combinations of conditions are checked for each chain.
const maxVariants = 16

// linter collects the findings of one template.
type linter struct {
	template  *template.Template
	values    template.Values
	chains    []*chainState
	resources map[string]template.Resource
	findings  []Finding
}

// chainState is what is known of a chain.
type chainState struct {
	template.Chain

	variants []variant
	known    []string // its attributes
	others   bool     // it may have more of them
}

// Lint returns the mistakes in the chains of a template, in the order of the file. Only given
// values decide a condition. For others, both branches are checked.
func Lint(read *template.Template, values template.Values) []Finding {
	l := &linter{template: read, values: values, resources: map[string]template.Resource{}}
	for _, resource := range read.Resources() {
		l.resources[resource.LogicalID] = resource
	}
	l.types()
	for _, resource := range read.Chains() {
		state := &chainState{Chain: resource}
		for _, evaluations := range read.Variants(values, maxVariants, resource) {
			state.variants = append(state.variants, newVariant(evaluations[0]))
		}
		l.chains = append(l.chains, state)
		l.chain(state)
	}
	if len(l.chains) > 0 {
		l.duplicates()
		l.aliases()
		l.references()
		l.names()
		l.moves()
	}
	return l.done()
}

// chain checks one chain by itself.
func (l *linter) chain(state *chainState) {
	for _, variant := range state.variants {
		l.properties(state, variant)
		l.guardrails(state, variant)
		l.serviceTimeout(state, variant)
		l.serviceToken(state, variant)
	}
	l.nulls(state)
	l.policies(state)
}

// add adds a finding of a chain at a position.
func (l *linter) add(state template.Resource, at template.Position, finding Finding) {
	finding.File, finding.Line, finding.Column = l.template.Name, at.Line, at.Column
	finding.Resource = state.LogicalID
	finding.Severity = cmp.Or(finding.Severity, severityOf(finding.Rule))
	l.findings = append(l.findings, finding)
}

// done returns the sorted findings without duplicates and without those that the template ignores.
func (l *linter) done() []Finding {
	ignored := l.ignored()
	var kept []Finding
	seen := map[Finding]bool{}
	for _, finding := range l.findings {
		key := finding
		key.Severity = ""
		if seen[key] || ignored[finding.Resource][finding.Rule] || ignored[finding.near][finding.Rule] {
			continue
		}
		seen[key] = true
		kept = append(kept, finding)
	}
	slices.SortStableFunc(kept, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), strings.Compare(a.Rule, b.Rule), strings.Compare(a.Message, b.Message))
	})
	return kept
}
