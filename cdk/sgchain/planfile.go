package sgchain

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"sgchain/cdk/internal/draw"
	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// planFile writes the groups and rules of a chain beside its template, as text and as a page. cdk
// diff shows only the properties of a custom resource, not its effect.
type planFile struct {
	stack awscdk.Stack
	chain *securityGroupChain
	vpc   any // as in the template
}

// write writes both files, into the folder that the app or stage has created.
func (f *planFile) write() error {
	folder, name := *awscdk.Stage_Of(f.chain).Outdir(), planFileName(*f.chain.Node().Path(), *f.chain.Node().Addr())
	for end, text := range map[string]func() string{".txt": f.text, ".html": f.html} {
		path := filepath.Join(folder, name+end)
		if err := os.WriteFile(path, []byte(text()), 0o644); err != nil {
			return fmt.Errorf("writing plan of chain (%s): %w", path, err)
		}
	}
	return nil
}

var plainPath = regexp.MustCompile(`^[A-Za-z0-9_/-]+$`)

// planFileName returns the name of the files without their extension: the construct's path with
// dots, for example Shop.Chain.plan for "Shop/Chain". A path with other characters gets a part of
// the construct's unique address too, so that each chain has its own files.
func planFileName(path, address string) string {
	name := strings.ReplaceAll(path, "/", ".")
	if !plainPath.MatchString(path) {
		name = regexp.MustCompile(`[^A-Za-z0-9_.-]`).ReplaceAllString(name, "_") + "-" + address[:8]
	}
	return name + ".plan"
}

// planLegend explains how to read the difference of two plan files. Synth does not know the existing
// groups of the stack, so it cannot say what happens to each.
const planLegend = `
An update keeps a group if its first line stays the same. If that line differs, the update creates
a new group and retires the old one. Once every consumer has moved, the cleanup deletes the retired
group, or releases it if the chain adopted it or ReleaseTiers names its tier. To see what an update
would change now, run "make plan".
`

// text returns the chain in one line, its drawing, and every group and rule, each on a line of its
// own.
func (f *planFile) text() string {
	spec := f.chain.settled.spec
	desired := chain.Desired(spec)
	goal := plan.Goal(plan.Change{New: desired}, chain.State{}, chain.Epoch{})
	return "Chain " + *f.chain.Node().Path() + " in VPC " + f.vpcName() + "\n" +
		f.named(chain.Summary(spec)+"\n\n"+plan.Drawing{Before: desired, After: desired, Notes: plan.Notes(spec)}.String()+"\n"+goal.String()) + planLegend
}

// html returns the chain as a page. Tokens are replaced before the page is drawn, because the
// drawing escapes texts and makes room for them.
func (f *planFile) html() string {
	spec := f.chain.settled.spec
	desired := chain.Desired(spec)
	for i, group := range desired.Groups {
		rules := slices.Clone(group.Rules)
		for j := range rules {
			rules[j].Description = f.named(rules[j].Description)
			if rules[j].Peer.Kind == chain.PeerGroup {
				rules[j].Peer.ID = f.named(rules[j].Peer.ID)
			}
		}
		desired.Groups[i].Rules = rules
	}
	warnings, _ := chain.Guard(spec, false) // a refused chain fails the synth
	for i := range warnings {
		warnings[i] = f.named(warnings[i])
	}
	return draw.HTML(draw.Page{
		Title: "Chain " + *f.chain.Node().Path(), Subject: "VPC " + f.vpcName(), Line: f.named(chain.Summary(spec)), Warnings: warnings,
		Drawing: plan.Drawing{Before: desired, After: desired, Notes: plan.Notes(spec)},
	})
}

// named replaces the placeholders in a text by the names of their tokens.
func (f *planFile) named(text string) string { return f.chain.settled.facts.named(text, f.tokenName) }

// vpcName returns the VPC as the template refers to it.
func (f *planFile) vpcName() string {
	vpc, _ := f.vpc.(string)
	if isToken(vpc) {
		return f.tokenName(vpc)
	}
	return vpc
}

// mermaid returns the chain as a flowchart. Tokens are replaced in the finished flowchart, so their
// names must be escaped.
func (f *planFile) mermaid() string {
	desired := chain.Desired(f.chain.settled.spec)
	return f.chain.settled.facts.named(plan.Drawing{Before: desired, After: desired, Notes: plan.Notes(f.chain.settled.spec)}.Mermaid(), func(token string) string {
		return plan.MermaidText(f.tokenName(token))
	})
}

// tokenName returns how the template refers to a token: ${Vpc}, ${Vpc.CidrBlock}, or the function as
// JSON.
func (f *planFile) tokenName(token string) string {
	resolved := f.stack.Resolve(jsii.String(token))
	function, _ := resolved.(map[string]any)
	if name, isRef := function["Ref"].(string); isRef {
		return "${" + name + "}"
	}
	if get, _ := function["Fn::GetAtt"].([]any); len(get) == 2 {
		return fmt.Sprintf("${%v.%v}", get[0], get[1])
	}
	if text, isText := resolved.(string); isText {
		return text // a Lazy, or a token whose value is known
	}
	encoded, err := json.Marshal(resolved)
	if err != nil {
		panic(fmt.Errorf("printing token: %w", err)) // decoded JSON always encodes
	}
	return string(encoded)
}
