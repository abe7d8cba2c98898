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

// planFile writes what a chain will be beside the template that holds it, as text and as a
// page: cdk diff sees the properties of a custom resource, not what they make.
type planFile struct {
	stack awscdk.Stack
	chain *securityGroupChain
	vpc   any // as the template has it
}

// write writes both files, into a folder that is there since the app or stage was constructed.
func (f *planFile) write() error {
	folder, name := *awscdk.Stage_Of(f.chain).Outdir(), planFileName(*f.chain.Node().Path(), *f.chain.Node().Addr())
	for end, text := range map[string]func() string{".txt": f.text, ".html": f.html} {
		path := filepath.Join(folder, name+end)
		if err := os.WriteFile(path, []byte(text()), 0o644); err != nil {
			return fmt.Errorf("writing the plan of the chain (%s): %w", path, err)
		}
	}
	return nil
}

var plainPath = regexp.MustCompile(`^[A-Za-z0-9_/-]+$`)

// planFileName is the construct's path with dots: "Shop/Chain" is Shop.Chain.plan, to which the
// ends of the files come.
// Paths with other characters get a part of the construct's unique address as well,
// so that no two chains share a file.
func planFileName(path, address string) string {
	name := strings.ReplaceAll(path, "/", ".")
	if !plainPath.MatchString(path) {
		name = regexp.MustCompile(`[^A-Za-z0-9_.-]`).ReplaceAllString(name, "_") + "-" + address[:8]
	}
	return name + ".plan"
}

// whatChanges says how to read the difference of two plan files. What a group of the stack
// that is there becomes is not known at synth.
const whatChanges = `
An update keeps a group whose line stays. Another line is another group: the update creates it
and retires the old one, and its cleanup, once every consumer has moved, deletes that one (or
releases it, if the chain adopted it or ReleaseTiers names its tier). "make plan" asks the function what that is now.
`

// text is the chain in one line, its picture, and what a plan from nothing leads to:
// every group with every rule, each on a line of its own.
func (f *planFile) text() string {
	spec := f.chain.settled.spec
	desired := chain.Desired(spec)
	goal := plan.Goal(plan.Change{New: desired}, chain.State{}, chain.Epoch{})
	return "Chain " + *f.chain.Node().Path() + " in VPC " + f.vpcWord() + "\n" +
		f.named(chain.Summary(spec)+"\n\n"+plan.Drawing{Before: desired, After: desired, Notes: plan.Notes(spec)}.String()+"\n"+goal.String()) + whatChanges
}

// html is the chain as one page. The words for tokens come before the drawing, which makes
// room for them and escapes them.
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
	warnings, _ := chain.Guard(spec, false) // what is refused fails the synth
	for i := range warnings {
		warnings[i] = f.named(warnings[i])
	}
	return draw.HTML(draw.Page{
		Title: "Chain " + *f.chain.Node().Path(), Subject: "VPC " + f.vpcWord(), Line: f.named(chain.Summary(spec)), Warnings: warnings,
		Drawing: plan.Drawing{Before: desired, After: desired, Notes: plan.Notes(spec)},
	})
}

// named puts the words for tokens into a text.
func (f *planFile) named(text string) string { return f.chain.settled.facts.named(text, f.word) }

// vpcWord is the VPC, as the template refers to it.
func (f *planFile) vpcWord() string {
	vpc, _ := f.vpc.(string)
	if isToken(vpc) {
		return f.word(vpc)
	}
	return vpc
}

// mermaid is the chain as a flowchart. The words for tokens come into its labels after
// the rest, and have to be fit for them.
func (f *planFile) mermaid() string {
	desired := chain.Desired(f.chain.settled.spec)
	return f.chain.settled.facts.named(plan.Drawing{Before: desired, After: desired, Notes: plan.Notes(f.chain.settled.spec)}.Mermaid(), func(token string) string {
		return plan.MermaidText(f.word(token))
	})
}

// word is how the template refers to what is known at deploy time: ${Vpc},
// ${Vpc.CidrBlock}, or the function as JSON.
func (f *planFile) word(token string) string {
	resolved := f.stack.Resolve(jsii.String(token))
	function, _ := resolved.(map[string]any)
	if name, isRef := function["Ref"].(string); isRef {
		return "${" + name + "}"
	}
	if get, _ := function["Fn::GetAtt"].([]any); len(get) == 2 {
		return fmt.Sprintf("${%v.%v}", get[0], get[1])
	}
	if text, isText := resolved.(string); isText {
		return text // a Lazy, or a token of a value that is known after all
	}
	encoded, err := json.Marshal(resolved)
	if err != nil {
		panic(fmt.Errorf("printing what is known at deploy time: %w", err)) // decoded JSON always encodes
	}
	return string(encoded)
}
