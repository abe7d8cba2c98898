// Command nag holds the published templates against cdk-nag's AwsSolutions rules. It
// fails on every finding that the template itself does not suppress with a reason, on
// rules that could not be evaluated, and on suppressions that suppress nothing.
//
//	go -C .ci/nag run . ../../template/*.json
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/cloudformationinclude"
	"github.com/aws/aws-cdk-go/awscdk/v2/cxapi"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "nag: which templates? nag FILE...")
		os.Exit(2)
	}
	defer jsii.Close()
	failed, all := false, 0
	for _, file := range os.Args[1:] {
		findings, held, err := check(file)
		if err != nil {
			fmt.Fprintf(os.Stderr, "checking %s: %v\n", file, err)
			os.Exit(1)
		}
		fmt.Printf("cdk-nag: %s: %d rules hold, %d findings\n", filepath.Base(file), held, len(findings))
		all += held
		for _, finding := range findings {
			fmt.Fprintln(os.Stderr, "  "+finding)
			failed = true
		}
	}
	if all == 0 {
		fmt.Fprintln(os.Stderr, "nag: no rule was checked at all")
		os.Exit(1)
	}
	if failed {
		fmt.Fprintln(os.Stderr, "Mend these, or suppress them in the resource's metadata (cdk_nag: rules_to_suppress) with a reason.")
		os.Exit(1)
	}
}

// line is one rule for one resource in a report of cdk-nag.
type line struct {
	RuleID     string `json:"ruleId"`
	ResourceID string `json:"resourceId"`
	Compliance string `json:"compliance"`
}

// check returns what is wrong with a template, and how many rules hold, those with
// suppressed findings included.
func check(file string) (findings []string, held int, err error) {
	folder, err := os.MkdirTemp("", "sgchain-nag-")
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	absolute, err := filepath.Abs(file)
	if err != nil {
		return nil, 0, err
	}
	unused, err := suppressions(absolute)
	if err != nil {
		return nil, 0, err
	}
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false), Outdir: jsii.String(folder)})
	stack := awscdk.NewStack(app, jsii.String("Template"), nil)
	cloudformationinclude.NewCfnInclude(stack, jsii.String("File"), &cloudformationinclude.CfnIncludeProps{TemplateFile: &absolute})
	awscdk.Aspects_Of(stack).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{
		ReportFormats: &[]cdknag.NagReportFormat{cdknag.NagReportFormat_JSON},
	}), nil)
	findings = messages(app.Synth(nil).GetStackArtifact(stack.ArtifactId()).Messages())

	reports, err := filepath.Glob(filepath.Join(folder, "AwsSolutions-*-NagReport.json"))
	if err != nil || len(reports) != 1 {
		return nil, 0, fmt.Errorf("cdk-nag wrote %d reports, want 1: %v", len(reports), err)
	}
	var report struct{ Lines []line }
	if err := read(reports[0], &report); err != nil {
		return nil, 0, err
	}
	broken := 0
	for _, one := range report.Lines {
		logicalID := one.ResourceID[strings.LastIndex(one.ResourceID, "/")+1:]
		switch one.Compliance {
		case "N/A":
		case "Compliant":
			held++
		case "Suppressed":
			held++
			delete(unused, logicalID+": "+one.RuleID)
		default: // Non-Compliant, and UNKNOWN where a rule could not be evaluated
			broken++
		}
	}
	if broken != len(findings) {
		return nil, 0, fmt.Errorf("cdk-nag reported %d findings and wrote %d messages", broken, len(findings))
	}
	for one := range unused {
		findings = append(findings, one+" is suppressed and not found: take the suppression out")
	}
	return findings, held, nil
}

// messages are cdk-nag's, which name what exactly was found: a suppression can be for
// that alone (applies_to).
func messages(all *[]*cxapi.SynthesisMessage) []string {
	var found []string
	for _, message := range *all {
		text := fmt.Sprint(message.Entry.Data)
		if rule, _, isFinding := strings.Cut(text, ": "); isFinding && (strings.HasPrefix(rule, "AwsSolutions-") || strings.HasPrefix(rule, "CdkNag")) {
			found = append(found, (*message.Id)[strings.LastIndex(*message.Id, "/")+1:]+": "+strings.TrimSpace(text))
		}
	}
	return found
}

// suppressions lists those of a template as "logical ID: rule". One without a reason
// is an error.
func suppressions(file string) (map[string]bool, error) {
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
			found[id+": "+rule.ID] = true
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
