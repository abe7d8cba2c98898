package lint

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"sgchain/cdk/internal/template"
	"sgchain/lambda/chain"
)

// ofTier ends the attributes of tiers.
const ofTier = "SecurityGroupId"

// attributes returns those that a chain has in at least one of its variants. others reports whether
// it may have more: those of tiers with unknown names, or of variants that were not evaluated.
// Given parameters do not count, because they also decide about the resource that uses the
// attribute.
func (l *linter) attributes(state *chainState) (known []string, others bool) {
	all := map[string]bool{}
	variants := state.variants
	if len(l.values.Parameters) > 0 {
		variants = nil
		for _, evaluations := range l.template.Variants(template.Values{}, maxVariants, state.Chain) {
			variants = append(variants, newVariant(evaluations[0]))
		}
	}
	others = len(variants) == maxVariants
	for _, variant := range append(variants, state.variants...) {
		names, areAll := variant.tierNames()
		others = others || !areAll
		spec := chain.Spec{}
		for _, name := range names {
			spec.Tiers = append(spec.Tiers, chain.Tier{Name: name})
		}
		for attribute := range (chain.Answer{Spec: spec}).Attributes(chain.DefaultAnswerBytes) {
			all[attribute] = true
		}
	}
	return slices.Sorted(maps.Keys(all)), others
}

// tierNames returns the known names of the tiers.
func (v *variant) tierNames() (names []string, areAll bool) {
	tiers, isWritten := v.Properties["Tiers"].([]any)
	_, isText := v.Properties["Tiers"].(string)
	switch {
	case v.Properties == nil:
		return nil, false
	case v.spec != nil && (!isWritten || isText):
		for _, tier := range v.spec.Tiers {
			if v.standIns.texts[tier.Name] == "" {
				names = append(names, tier.Name)
			}
		}
		return names, !v.isWhollyUnsure("Tiers")
	case !isWritten:
		return nil, false
	}
	areAll = true
	for _, tier := range tiers {
		fields, _ := tier.(map[string]any)
		name, isName := fields["Name"].(string)
		if name = strings.TrimSpace(name); isName && tierPattern.MatchString(name) {
			names = append(names, name)
		} else {
			areAll = false
		}
	}
	return names, areAll
}

// references checks each place where the template uses a chain.
func (l *linter) references() {
	for _, reference := range l.template.References() {
		for _, state := range l.chains {
			if state.LogicalID != reference.LogicalID || len(state.variants) == 0 {
				continue
			}
			if state.known == nil {
				state.known, state.others = l.attributes(state)
			}
			if reference.Attribute == "" {
				l.refOfChain(state, reference)
				continue
			}
			l.attribute(state, reference)
			l.outsideRule(state, reference)
		}
	}
}

// around returns the resource that contains a reference, or an empty text in Outputs.
func around(reference template.Reference) string {
	rest, isIn := strings.CutPrefix(reference.Path, "Resources.")
	if !isIn {
		return ""
	}
	logicalID, _, _ := strings.Cut(rest, ".")
	return logicalID
}

func (l *linter) attribute(state *chainState, reference template.Reference) {
	if slices.Contains(state.known, reference.Attribute) {
		return
	}
	if tier, isOfTier := strings.CutSuffix(reference.Attribute, ofTier); state.others && isOfTier && tierPattern.MatchString(tier) {
		return // it may belong to a tier whose name is unknown
	}
	remedy := "It has " + strings.Join(state.known, ", ") + "."
	if near := nearest(reference.Attribute, state.known); near != "" {
		remedy = "Did you mean " + near + "?"
	}
	l.add(state.Chain, reference.At, Finding{
		Rule: RuleUnknownAttribute, Path: reference.Path, near: around(reference),
		Message: reference.Path + ": chain " + state.LogicalID + " has no attribute " + reference.Attribute, Remedy: remedy,
	})
}

// nearest returns the attribute that was probably meant, or an empty text.
func nearest(written string, known []string) string {
	const near = 3
	best, least := "", near+1
	for _, candidate := range known {
		if gap := chain.Distance(strings.ToLower(written), strings.ToLower(candidate)); gap < least {
			best, least = candidate, gap
		}
	}
	if best != "" {
		return best
	}
	for _, candidate := range known { // the tier exists, and the rest is abbreviated or misspelled
		tier, isOfTier := strings.CutSuffix(candidate, ofTier)
		if isOfTier && tier != "" && len(candidate) > len(best) && strings.HasPrefix(strings.ToLower(written), strings.ToLower(tier)) {
			best = candidate
		}
	}
	return best
}

// wantsGroup matches the places where a security group's ID is required.
var wantsGroup = regexp.MustCompile(`(SecurityGroup|GroupId|GroupSet)[A-Za-z]*(\[\d+\])*(\.Fn::[A-Za-z]+(\[\d+\])*)*$`) //nolint:gochecknoglobals // compiled once

// refOfChain reports the physical ID of a chain where a group's ID is required.
func (l *linter) refOfChain(state *chainState, reference template.Reference) {
	if strings.Contains(reference.Path, ".Metadata.") {
		return
	}
	severity, what := Warning, "uses the physical ID of chain "+state.LogicalID+", which changes with the set of security groups"
	if strings.HasPrefix(reference.Path, "Resources.") && wantsGroup.MatchString(reference.Path) {
		severity, what = Error, "is the physical ID of chain "+state.LogicalID+", not a security group"
	}
	text := "!Ref " + state.LogicalID
	if reference.Function == "Fn::Sub" {
		text = "${" + state.LogicalID + "}"
	}
	l.add(state.Chain, reference.At, Finding{
		Rule: RuleRefOfChain, Severity: severity, Path: reference.Path, near: around(reference), Message: reference.Path + ": " + text + " " + what,
		Remedy: "Use an attribute: !GetAtt " + state.LogicalID + "." + state.example() + ", or ${" + state.LogicalID + "." + state.example() + "} in Fn::Sub.",
	})
}

// example returns an attribute of a chain.
func (s *chainState) example() string {
	for _, variant := range s.variants {
		if names, _ := variant.tierNames(); len(names) > 0 {
			return names[0] + ofTier
		}
	}
	return "SecurityGroupIds"
}

// outsideRule reports a rule resource of the template on a group of the chain.
func (l *linter) outsideRule(state *chainState, reference template.Reference) {
	resource, exists := l.resources[around(reference)]
	isRule := resource.Type == "AWS::EC2::SecurityGroupIngress" || resource.Type == "AWS::EC2::SecurityGroupEgress"
	if !exists || !isRule || !strings.HasSuffix(reference.Attribute, ofTier) && reference.Attribute != "SecurityGroupIds" {
		return
	}
	if path := "Resources." + resource.LogicalID + ".Properties.GroupId"; !isWithin(reference.Path, path) {
		return // it is the source or the destination
	}
	for _, both := range l.template.Variants(l.values, maxVariants, state.Chain, resource) {
		if kept := both[0].Properties["UnmanagedRules"]; kept != nil {
			text, isText := kept.(string)
			if !isText || strings.EqualFold(strings.TrimSpace(text), "keep") {
				continue
			}
		} else if both[0].Properties == nil {
			continue
		}
		key := "Sources"
		if resource.Type == "AWS::EC2::SecurityGroupEgress" {
			key = "Egress"
		}
		l.add(state.Chain, reference.At, Finding{
			Rule: RuleForeignRule, Path: reference.Path, near: resource.LogicalID,
			Message: resource.LogicalID + " adds a rule to a security group of chain " + state.LogicalID + ". The chain's next update revokes it",
			Remedy:  "Add the rule to the tier (" + key + "), or set UnmanagedRules: keep on the chain.",
		})
		return
	}
}
