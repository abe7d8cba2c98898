package lint

import (
	"maps"
	"slices"
	"strings"

	"sgchain/cdk/internal/template"
	"sgchain/lambda/chain"
)

// Naming replaces the stand-ins of values that are known only at deployment with the words of the
// template.
type Naming struct{ texts map[string]string } // by stand-in

// Named returns the text with the words, each as word writes it.
func (n Naming) Named(text string, word func(string) string) string {
	pairs := make([]string, 0, 2*len(n.texts))
	for _, standIn := range slices.Sorted(maps.Keys(n.texts)) {
		pairs = append(pairs, standIn, word(n.texts[standIn]))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// Draft returns the chain that the properties of a template describe, with stand-ins for what is
// unknown before it is deployed. The error is of the type [chain.Problems].
func Draft(evaluation template.Evaluation) (chain.Spec, Naming, error) {
	if evaluation.Properties == nil {
		return chain.Spec{}, Naming{}, chain.Problems{{Path: "Properties", Problem: "are known only at deployment."}}
	}
	standIns := newStandIns(false)
	spec, err := chain.Parse(standIns.properties(evaluation.Properties), chain.DefaultAnswerBytes)
	if err == nil {
		standIns.texts[spec.VPCID] = vpcText(evaluation.Properties["VpcId"])
		return spec, Naming{standIns.texts}, nil
	}
	if certain := newVariant(evaluation).problems; len(certain) > 0 {
		return chain.Spec{}, Naming{}, chain.Problems(certain)
	}
	problems := make(chain.Problems, 0, len(evaluation.Unknowns))
	for _, unknown := range evaluation.Unknowns {
		problems = append(problems, chain.FieldError{Path: unknown.Path, Problem: unknown.Text + " is known only at deployment. Set the parameters that it depends on with -p."})
	}
	return chain.Spec{}, Naming{}, problems
}

// vpcText returns the VPC as the template has it.
func vpcText(value any) string {
	if unknown, isUnknown := value.(template.Unknown); isUnknown {
		return unknown.Text
	}
	text, _ := value.(string)
	return text
}
