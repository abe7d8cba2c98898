// Command nag checks the CDK construct against all packs of cdk-nag, and the published templates
// against its AwsSolutions rules. It fails on every finding that the resource does not suppress
// with a reason. It also fails on rules that could not be evaluated, and on suppressions that
// suppress nothing.
//
//	go -C .ci/nag run . ../../template/*.json
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/cloudformationinclude"
	"github.com/aws/aws-cdk-go/awscdk/v2/cxapi"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "nag: no templates; use nag FILE...")
		os.Exit(2)
	}
	defer jsii.Close()
	failed, all := false, 0
	report := func(what string, findings []string, held int, err error) {
		if err != nil {
			fmt.Fprintf(os.Stderr, "checking %s: %v\n", what, err)
			os.Exit(1)
		}
		fmt.Printf("cdk-nag: %s: %d rules pass, %d findings\n", what, held, len(findings))
		all += held
		for _, finding := range findings {
			fmt.Fprintln(os.Stderr, "  "+finding)
			failed = true
		}
	}
	for _, file := range os.Args[1:] {
		findings, held, err := checkTemplate(file)
		report(filepath.Base(file), findings, held, err)
	}
	for _, one := range constructs() {
		findings, held, err := one.check()
		report(one.name, findings, held, err)
	}
	if all == 0 {
		fmt.Fprintln(os.Stderr, "nag: no rule was checked")
		os.Exit(1)
	}
	if failed {
		fmt.Fprintln(os.Stderr, "Fix these, or suppress them in the resource's metadata (cdk_nag: rules_to_suppress) with a reason.")
		os.Exit(1)
	}
}

// line is one rule for one resource in a report of cdk-nag.
type line struct {
	RuleID     string `json:"ruleId"`
	ResourceID string `json:"resourceId"`
	Compliance string `json:"compliance"`
}

// checkTemplate returns the findings on a template, and how many rules passed or have suppressed
// findings.
func checkTemplate(file string) (findings []string, held int, err error) {
	absolute, err := filepath.Abs(file)
	if err != nil {
		return nil, 0, err
	}
	return check(packs()[:1], func(stack awscdk.Stack) {
		cloudformationinclude.NewCfnInclude(stack, jsii.String("File"), &cloudformationinclude.CfnIncludeProps{TemplateFile: &absolute})
	})
}

// pack is a pack of rules of cdk-nag.
type pack struct {
	name string
	of   func(*cdknag.NagPackProps) awscdk.IAspect
}

// packs returns the packs for the construct. The first one is also for the templates.
func packs() []pack {
	return []pack{
		{"AwsSolutions", func(p *cdknag.NagPackProps) awscdk.IAspect { return cdknag.NewAwsSolutionsChecks(p) }},
		{"HIPAA.Security", func(p *cdknag.NagPackProps) awscdk.IAspect { return cdknag.NewHIPAASecurityChecks(p) }},
		{"NIST.800.53.R5", func(p *cdknag.NagPackProps) awscdk.IAspect { return cdknag.NewNIST80053R5Checks(p) }},
		{"PCI.DSS.321", func(p *cdknag.NagPackProps) awscdk.IAspect { return cdknag.NewPCIDSS321Checks(p) }},
	}
}

// check checks what fill adds to a stack against packs of rules.
func check(packs []pack, fill func(stack awscdk.Stack)) (findings []string, held int, err error) {
	folder, err := os.MkdirTemp("", "sgchain-nag-")
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false), Outdir: jsii.String(folder), Context: &map[string]any{
		"aws:cdk:enable-path-metadata": true, // reports name resources by their paths
	}})
	stack := awscdk.NewStack(app, jsii.String("Template"), nil)
	fill(stack)
	for _, pack := range packs {
		awscdk.Aspects_Of(stack).Add(pack.of(&cdknag.NagPackProps{ReportFormats: &[]cdknag.NagReportFormat{cdknag.NagReportFormat_JSON}}), nil)
	}
	artifact := app.Synth(nil).GetStackArtifact(stack.ArtifactId())
	findings = messages(artifact.Messages(), packs)
	unused, err := suppressions(*artifact.TemplateFullPath(), packs)
	if err != nil {
		return nil, 0, err
	}
	ids, err := logicalIDs(*artifact.TemplateFullPath())
	if err != nil {
		return nil, 0, err
	}
	broken := 0
	for _, pack := range packs {
		reports, err := filepath.Glob(filepath.Join(folder, pack.name+"-*-NagReport.json"))
		if err != nil || len(reports) != 1 {
			return nil, 0, fmt.Errorf("cdk-nag wrote %d reports of %s, want 1: %v", len(reports), pack.name, err)
		}
		var report struct{ Lines []line }
		if err := read(reports[0], &report); err != nil {
			return nil, 0, err
		}
		for _, one := range report.Lines {
			switch one.Compliance {
			case "N/A":
			case "Compliant":
				held++
			case "Suppressed":
				held++
				delete(unused, cmp.Or(ids[one.ResourceID], one.ResourceID[strings.LastIndex(one.ResourceID, "/")+1:])+": "+one.RuleID)
			default: // Non-Compliant, or UNKNOWN for a rule that could not be evaluated
				broken++
			}
		}
	}
	if broken != len(findings) {
		return nil, 0, fmt.Errorf("cdk-nag reported %d findings and wrote %d messages", broken, len(findings))
	}
	for one := range unused {
		findings = append(findings, one+" is suppressed, but not found; remove the suppression")
	}
	return findings, held, nil
}

// messages returns those of cdk-nag, which name what exactly was found: a suppression can be for
// that alone (applies_to).
func messages(all *[]*cxapi.SynthesisMessage, packs []pack) []string {
	var found []string
	for _, message := range *all {
		text := fmt.Sprint(message.Entry.Data)
		if rule, _, isFinding := strings.Cut(text, ": "); isFinding && (isOf(rule, packs) || strings.HasPrefix(rule, "CdkNag")) {
			found = append(found, (*message.Id)[strings.LastIndex(*message.Id, "/")+1:]+": "+strings.TrimSpace(text))
		}
	}
	return found
}

// isOf reports whether a rule belongs to some packs.
func isOf(rule string, packs []pack) bool {
	return slices.ContainsFunc(packs, func(pack pack) bool { return strings.HasPrefix(rule, pack.name+"-") })
}

// logicalIDs returns the resources of a template by path, as reports name them. A resource that was
// included from a file has no path in the template. In reports its path ends with the logical ID.
func logicalIDs(file string) (map[string]string, error) {
	var template struct {
		Resources map[string]struct{ Metadata map[string]any }
	}
	if err := read(file, &template); err != nil {
		return nil, err
	}
	ids := map[string]string{}
	for id, resource := range template.Resources {
		if path, isPath := resource.Metadata["aws:cdk:path"].(string); isPath {
			ids[path] = id
		}
	}
	return ids, nil
}

// suppressions returns those of a template as "logical ID: rule", for the given packs. One without
// a reason is an error.
func suppressions(file string, packs []pack) (map[string]bool, error) {
	var template struct {
		Resources map[string]struct {
			Metadata struct {
				Nag struct {
					Rules []struct{ ID, Reason string } `json:"rules_to_suppress"`
				} `json:"cdk_nag"`
			}
		}
	}
	if err := read(file, &template); err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for id, resource := range template.Resources {
		for _, rule := range resource.Metadata.Nag.Rules {
			if strings.TrimSpace(rule.Reason) == "" {
				return nil, fmt.Errorf("%s suppresses %s without a reason", id, rule.ID)
			}
			if isOf(rule.ID, packs) {
				found[id+": "+rule.ID] = true
			}
		}
	}
	return found, nil
}

func read(file string, into any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
