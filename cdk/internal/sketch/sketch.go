// Package sketch turns a template, a deployed stack or a VPC into a drawing of its security groups,
// and of the effect of a change.
package sketch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"slices"
	"strings"

	"sgchain/cdk/internal/ask"
	"sgchain/cdk/internal/draw"
	"sgchain/cdk/internal/lint"
	"sgchain/cdk/internal/template"
	"sgchain/lambda/chain"
	"sgchain/lambda/describe"
	"sgchain/lambda/inventory"
	"sgchain/lambda/plan"
)

// Sketch is a drawing with its texts.
type Sketch struct {
	draw.Page

	// named replaces stand-ins with the words of a template. It is nil without stand-ins.
	named func(text string, word func(string) string) string
}

// Formats lists the formats of [Sketch.As], for a terminal first.
func Formats() []string { return []string{"text", "mermaid", "dot", "svg", "html"} }

// As returns the sketch in one of the [Formats].
func (s Sketch) As(format string) (string, error) {
	var text string
	word := func(text string) string { return text }
	switch format {
	case "text":
		text = s.text()
	case "mermaid":
		text, word = s.Drawing.Mermaid(), plan.MermaidText
	case "dot":
		text, word = draw.DOT(s.Drawing, s.Title), func(text string) string { return strings.ReplaceAll(text, `"`, `\"`) }
	case "svg":
		text, word = draw.SVG(s.Drawing, s.Title), html.EscapeString
	case "html":
		text, word = draw.HTML(s.Page), html.EscapeString
	default:
		return "", fmt.Errorf("unknown format %q; use %s", format, strings.Join(Formats(), ", "))
	}
	if s.named != nil {
		text = s.named(text, word)
	}
	return text, nil
}

func (s Sketch) text() string {
	var text strings.Builder
	for _, line := range []string{s.Title, s.Subject, s.Line} {
		if line != "" {
			text.WriteString(line + "\n")
		}
	}
	text.WriteString("\n" + s.Drawing.String())
	for _, warning := range s.Warnings {
		text.WriteString("warning: " + warning + "\n")
	}
	return text.String()
}

// Version is a template at one time.
type Version struct {
	Template *template.Template
	Values   template.Values
}

// OfTemplate returns a sketch of a chain of a template. With an older version of the template, the
// sketch shows the change. id is the chain's logical ID, and may be empty if the template has one
// chain.
func OfTemplate(now Version, before *Version, id string) (Sketch, error) {
	spec, naming, err := now.spec(id)
	if err != nil {
		return Sketch{}, err
	}
	s := ofSpec(now.Template.Name, spec, naming)
	s.named = naming.Named
	if before == nil {
		return s, nil
	}
	was, wasNaming, err := before.spec(id)
	if err != nil {
		return Sketch{}, err
	}
	s.Title = before.Template.Name + " to " + now.Template.Name
	s.Drawing.Before = worded(chain.Desired(was), wasNaming)
	s.named = func(text string, word func(string) string) string {
		return naming.Named(wasNaming.Named(text, word), word)
	}
	return s, nil
}

func (v Version) spec(id string) (chain.Spec, lint.Naming, error) {
	one, err := v.Template.ChainUnder(id, v.Values)
	if err != nil {
		return chain.Spec{}, lint.Naming{}, err
	}
	spec, naming, err := lint.Draft(v.Template.Evaluate(one, v.Values))
	if problems, isProblems := errors.AsType[chain.Problems](err); isProblems && len(problems) > 1 {
		return chain.Spec{}, lint.Naming{}, fmt.Errorf("%s: chain %s:\n  %s", v.Template.Name, one.LogicalID, strings.Join(problems.Lines(), "\n  "))
	}
	if err != nil {
		return chain.Spec{}, lint.Naming{}, fmt.Errorf("%s: chain %s: %w", v.Template.Name, one.LogicalID, err)
	}
	return spec, naming, nil
}

// worded returns a state whose peers and descriptions have the words of the template, so that a
// drawing reserves space for them.
func worded(state chain.State, naming lint.Naming) chain.State {
	plain := func(text string) string { return naming.Named(text, func(word string) string { return word }) }
	groups := slices.Clone(state.Groups)
	for i, group := range groups {
		groups[i].Rules = slices.Clone(group.Rules)
		for j, rule := range groups[i].Rules {
			groups[i].Rules[j].Description = plain(rule.Description)
			if rule.Peer.Kind == chain.PeerGroup {
				groups[i].Rules[j].Peer.ID = plain(rule.Peer.ID)
			}
		}
	}
	return chain.State{Groups: groups}
}

// ofSpec draws a chain that is not deployed.
func ofSpec(title string, spec chain.Spec, naming lint.Naming) Sketch {
	desired := worded(chain.Desired(spec), naming)
	warnings, refused := chain.Guard(spec, false)
	if refused != nil {
		for _, finding := range refused.Findings {
			warnings = append(warnings, finding.String()+". "+finding.Remedy)
		}
	}
	return Sketch{Page: draw.Page{
		Title: title, Subject: "VPC " + spec.VPCID, Line: chain.Summary(spec), Warnings: warnings,
		Drawing: plan.Drawing{Before: desired, After: desired, Notes: plan.Notes(spec)},
	}}
}

// OfStack returns a sketch of the groups in EC2 of a stack's chain. If the question has a file, the
// sketch shows the change to it.
func OfStack(ctx context.Context, deployed ask.Deployed, api inventory.API, question ask.Question) (Sketch, error) {
	question.Action = chain.ActionPlan
	target, err := deployed.Find(ctx, question)
	if err != nil {
		return Sketch{}, err
	}
	spec, err := specOf(target.Properties)
	if err != nil {
		return Sketch{}, fmt.Errorf("reading chain %s of stack %s: %w", target.LogicalID, question.Stack, err)
	}
	o := ofStack{spec: spec, resource: chain.Resource{StackID: target.StackID, LogicalID: target.LogicalID}, region: deployed.Region}
	if err := o.read(ctx, api); err != nil {
		return Sketch{}, err
	}
	order := spec.Identities()
	slices.SortStableFunc(o.current.Groups, func(a, b chain.Group) int { return cmp.Compare(place(order, a), place(order, b)) })
	if len(o.current.Groups) == 0 {
		return Sketch{}, fmt.Errorf("stack %s has no security groups of chain %s", question.Stack, target.LogicalID)
	}
	s := Sketch{Page: draw.Page{
		Title: "Chain " + target.LogicalID + " of stack " + question.Stack, Subject: "VPC " + spec.VPCID, Line: chain.Summary(spec),
		Drawing: plan.Drawing{Before: o.current, After: o.current, IDs: o.ids, Notes: plan.Notes(spec)},
	}}
	if question.File == nil {
		return s, nil
	}
	s.Title += ", and what " + question.File.Name + " changes"
	return s, o.change(ctx, api, &s)
}

// ofStack collects what a sketch of a deployed chain needs.
type ofStack struct {
	spec     chain.Spec
	resource chain.Resource
	region   string
	account  string
	current  chain.State
	ids      map[chain.Identity]string
}

// read reads the groups of the chain, and those that it may adopt.
func (o *ofStack) read(ctx context.Context, api inventory.API) error {
	o.ids = map[chain.Identity]string{}
	selections := []inventory.Selection{{Tag: chain.TagStackID + "=" + o.resource.StackID, Region: o.region}}
	if o.spec.Adopt {
		selections = append(selections, inventory.Selection{VPCID: o.spec.VPCID, Region: o.region})
	}
	for i, selection := range selections {
		read, err := inventory.Read(ctx, api, selection)
		if _, isEmpty := errors.AsType[*inventory.SelectionError](err); isEmpty && i == 0 {
			continue // it never created anything
		}
		if err != nil {
			return err
		}
		o.account = read.Found.Account
		for _, group := range read.Groups {
			o.add(group)
		}
	}
	o.current = o.current.WithMembers(o.ids)
	return nil
}

// add adds a group of the chain, or one that it would adopt. The description of the latter may
// differ from the chain's.
func (o *ofStack) add(group inventory.Group) {
	tier, adoption := group.Tags[chain.TagTier], chain.Adoption(group.Tags[chain.TagAdopted])
	isOwn := group.Tags[chain.TagStackID] == o.resource.StackID && group.Tags[chain.TagLogicalID] == o.resource.LogicalID
	if !isOwn && group.Tags[chain.TagStackID] != "" {
		return // another chain's
	}
	if !isOwn {
		adoption = chain.Adoptable
	}
	identity := chain.ObservedIdentity(o.resource, group.VPCID, tier, group.Name, group.Description)
	if adoption.IsForeign() {
		named := slices.IndexFunc(o.spec.Identities(), func(one chain.Identity) bool {
			return one.VPCID == group.VPCID && one.GroupName == group.Name && (!isOwn || one.Tier == tier)
		})
		if named < 0 && !isOwn {
			return
		}
		if named >= 0 {
			identity = o.spec.Identities()[named]
		}
	}
	if _, exists := o.ids[identity]; exists {
		return
	}
	o.ids[identity] = group.ID
	one := chain.Group{Identity: identity, Rules: group.Rules, Adoption: adoption, Epoch: chain.ParseEpoch(group.Tags[chain.TagChain])}
	if adoption == chain.Adoptable {
		one.Unmanaged = group.Rules // the run that adopts only adds rules
	}
	o.current.Groups = append(o.current.Groups, one)
}

// change draws the effect of an update to the spec on the groups. As in the provider, retired
// groups stay until the cleanup.
func (o *ofStack) change(ctx context.Context, api inventory.API, s *Sketch) error {
	desired := chain.Desired(o.spec)
	found, err := inventory.LookUp(ctx, api, chain.Wanted(o.region, o.account, desired))
	if err != nil {
		return err
	}
	found.Account, found.Region = o.account, o.region
	resolved, problems := desired.Resolve(found)
	for _, problem := range problems {
		s.Warnings = append(s.Warnings, problem.Error())
	}
	if o.spec.KeepUnmanaged {
		s.Warnings = append(s.Warnings, "UnmanagedRules is keep: rules that the chain did not create are drawn as removed, but stay")
	}
	change := plan.Change{New: resolved, Old: plan.AsBuilt(o.current).Releasing(o.spec.ReleaseTiers), AdoptedBy: chain.AdoptedBy("draw", "")}
	s.Drawing.After = plan.Goal(change, o.current, chain.Epoch{})
	for _, group := range o.current.Groups {
		if change.Standing(group.Identity) == plan.Retired {
			s.Drawing.Retired = append(s.Drawing.Retired, group.Identity)
		}
	}
	return nil
}

func specOf(properties json.RawMessage) (chain.Spec, error) {
	decoder := json.NewDecoder(strings.NewReader(string(properties)))
	decoder.UseNumber()
	var all map[string]any
	if err := decoder.Decode(&all); err != nil {
		return chain.Spec{}, err
	}
	return chain.Parse(all, chain.DefaultAnswerBytes)
}

// place returns the position of a group in a chain. Groups that the chain lacks come last.
func place(order []chain.Identity, group chain.Group) int {
	if found := slices.Index(order, group.Identity); found >= 0 {
		return found
	}
	return len(order)
}

// OfVPC returns a sketch of all security groups of a VPC, first those with inbound rules for
// others. Each group of a chain or of a stack has a note with its owner.
func OfVPC(ctx context.Context, api inventory.API, selection inventory.Selection) (Sketch, error) {
	read, err := inventory.Read(ctx, api, selection)
	if err != nil {
		return Sketch{}, err
	}
	state, ids := read.State()
	byID := make(map[string]chain.Group, len(state.Groups))
	for _, group := range state.Groups {
		byID[ids[group.Identity]] = group
	}
	described := make([]describe.Group, 0, len(read.Groups))
	for _, group := range read.Groups {
		described = append(described, describe.Group(group))
	}
	drawing := plan.Drawing{IDs: ids, Notes: map[chain.Identity][]string{}}
	for _, group := range describe.Outermost(described) {
		one := byID[group.ID]
		drawing.After.Groups = append(drawing.After.Groups, one)
		if owner := ownerOf(group.Tags); owner != "" {
			drawing.Notes[one.Identity] = []string{owner}
		}
	}
	drawing.Before = drawing.After
	return Sketch{Page: draw.Page{Title: "VPC " + selection.VPCID, Subject: "Region " + selection.Region, Drawing: drawing}}, nil
}

// ownerOf returns the owner of a group according to its tags.
func ownerOf(tags map[string]string) string {
	stack := chain.Resource{StackID: tags[chain.TagStackID]}.StackName()
	if stack != "" && tags[chain.TagLogicalID] != "" {
		return "chain " + tags[chain.TagLogicalID] + " of stack " + stack
	}
	if name := tags["aws:cloudformation:stack-name"]; name != "" {
		return "of stack " + name
	}
	return ""
}
