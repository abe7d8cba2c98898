package lint

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
)

// WriteSARIF writes findings in the Static Analysis Results Interchange Format 2.1.0. Names of
// files below folder become relative to it.
func WriteSARIF(to io.Writer, findings []Finding, folder, version string) error {
	report, err := sarifOf(findings, folder, version)
	if err != nil {
		return err
	}
	if err := report.PrettyWrite(to); err != nil {
		return err
	}
	_, err = io.WriteString(to, "\n")
	return err
}

func sarifOf(findings []Finding, folder, version string) (*sarif.Report, error) {
	driver := sarif.NewToolComponent().WithName("sgchain lint").WithSemanticVersion(version)
	places := map[string]int{}
	for i, rule := range Rules() {
		places[rule.ID] = i
		driver.AddRule(sarif.NewRule(rule.ID).
			WithShortDescription(message(rule.Finds)).
			WithHelp(message(rule.Remedy).WithMarkdown("Finds " + rule.Finds + ".\n\n" + rule.Remedy)).
			WithDefaultConfiguration(sarif.NewReportingConfiguration().WithLevel(string(rule.Severity))))
	}
	run := sarif.NewRun().WithTool(sarif.NewTool().WithDriver(driver)).WithColumnKind("unicodeCodePoints")
	seen := map[string]int{}
	for _, finding := range findings {
		text := finding.Message
		if finding.Remedy != "" {
			text += ". " + finding.Remedy
		}
		uri, err := uriOf(finding.File, folder)
		if err != nil {
			return nil, err
		}
		region := sarif.NewRegion().WithStartLine(finding.Line).WithStartColumn(finding.Column)
		place := sarif.NewPhysicalLocation().WithArtifactLocation(sarif.NewArtifactLocation().WithURI(uri)).WithRegion(region)
		run.AddResult(sarif.NewRuleResult(finding.Rule).
			WithRuleIndex(places[finding.Rule]).
			WithLevel(string(finding.Severity)).
			WithMessage(sarif.NewTextMessage(text)).
			AddLocation(sarif.NewLocation().WithPhysicalLocation(place)).
			WithPartialFingerprints(map[string]string{"primaryLocationLineHash": fingerprint(finding, uri, seen)}))
	}
	return sarif.NewReport().AddRun(run), nil
}

func message(text string) *sarif.MultiformatMessageString {
	return sarif.NewMultiformatMessageString().WithText(text)
}

// fingerprint identifies a finding, also after lines above it change. It has the form of GitHub's
// own: a hash, and a number among the findings with this hash.
func fingerprint(finding Finding, uri string, seen map[string]int) string {
	hash := sha256.Sum256([]byte(strings.Join([]string{finding.Rule, uri, finding.Resource, finding.Path, finding.Message}, "\x00")))
	text := hex.EncodeToString(hash[:8])
	seen[text]++
	return text + ":" + strconv.Itoa(seen[text])
}

// uriOf returns a file's name as a URI, relative to folder if it is below it.
func uriOf(name, folder string) (string, error) {
	if name == "<stdin>" {
		return "stdin", nil
	}
	absolute := name
	if !filepath.IsAbs(absolute) {
		absolute = filepath.Join(folder, name)
	}
	relative, err := filepath.Rel(folder, absolute)
	if err != nil {
		return "", err
	}
	if relative == ".." || strings.HasPrefix(relative, ".."+string(filepath.Separator)) {
		return (&url.URL{Scheme: "file", Path: filepath.ToSlash(absolute)}).String(), nil
	}
	return (&url.URL{Path: filepath.ToSlash(relative)}).String(), nil
}
