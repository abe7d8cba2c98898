package lint

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"sgchain/cdk/internal/template"
)

// all returns the findings of every broken template.
func all(t *testing.T) []Finding {
	t.Helper()
	names, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal(err)
	}
	var findings []Finding
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		read, err := template.Read(name, text)
		if err != nil {
			t.Fatal(err)
		}
		findings = append(findings, Lint(read, template.Values{})...)
	}
	return findings
}

func TestSARIFIsValid(t *testing.T) {
	t.Parallel()
	findings := all(t)
	var written bytes.Buffer
	if err := WriteSARIF(&written, findings, "/work", "1.2.3"); err != nil {
		t.Fatal(err)
	}
	report, err := sarif.FromBytes(written.Bytes(), sarif.WithStrictValidation())
	if err != nil {
		t.Fatal(err)
	}
	if err := report.Validate(); err != nil {
		t.Error(err)
	}
	run := report.Runs[0]
	if len(run.Results) != len(findings) || len(run.Tool.Driver.Rules) != len(Rules()) {
		t.Errorf("got %d results and %d rules", len(run.Results), len(run.Tool.Driver.Rules))
	}
	fingerprints := map[string]bool{}
	for i, result := range run.Results {
		place := result.Locations[0].PhysicalLocation
		if *result.RuleID != findings[i].Rule || *run.Tool.Driver.Rules[result.RuleIndex].ID != findings[i].Rule || result.Level != string(findings[i].Severity) ||
			*place.Region.StartLine != findings[i].Line || *place.Region.StartColumn != findings[i].Column || *place.ArtifactLocation.URI != findings[i].File {
			t.Errorf("finding %d: got %+v", i, result)
		}
		fingerprints[result.PartialFingerprints["primaryLocationLineHash"]] = true
	}
	if len(fingerprints) != len(findings) {
		t.Errorf("%d findings have %d fingerprints", len(findings), len(fingerprints))
	}
}

// TestFingerprintsSurviveAddedLines checks that lines added above a finding do not change its
// fingerprint.
func TestFingerprintsSurviveAddedLines(t *testing.T) {
	t.Parallel()
	before := all(t)
	after := make([]Finding, len(before))
	for i, finding := range before {
		finding.Line += 10
		after[i] = finding
	}
	read := func(findings []Finding) []string {
		report, err := sarifOf(findings, "/work", "1.2.3")
		if err != nil {
			t.Fatal(err)
		}
		var prints []string
		for _, result := range report.Runs[0].Results {
			prints = append(prints, result.PartialFingerprints["primaryLocationLineHash"])
		}
		return prints
	}
	one, other := read(before), read(after)
	for i := range one {
		if one[i] != other[i] {
			t.Errorf("%v: %s and %s", before[i], one[i], other[i])
		}
	}
}

func TestURIsAreRelativeWithSlashes(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(string(filepath.Separator), "a", "b")
	for name, want := range map[string]string{
		filepath.Join("x", "y z.yaml"):                 "x/y%20z.yaml",
		filepath.Join(".", "t.json"):                   "t.json",
		filepath.Join(folder, "c", "t.json"):           "c/t.json",
		filepath.Join("..", "t.json"):                  "file:///a/t.json",
		"a:b.yaml":                                     "./a:b.yaml",
		"<stdin>":                                      "stdin",
		filepath.Join("..t", "u.json"):                 "..t/u.json",
		filepath.Join(string(filepath.Separator), "t"): "file:///t",
	} {
		if got, err := uriOf(name, folder); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, want)
		}
	}
}

func TestJSONHasEveryField(t *testing.T) {
	t.Parallel()
	var written bytes.Buffer
	if err := WriteJSON(&written, nil); err != nil || written.String() != "{\n  \"findings\": []\n}\n" {
		t.Errorf("got %q, %v", written.String(), err)
	}
	written.Reset()
	findings := all(t)
	if err := WriteJSON(&written, findings); err != nil {
		t.Fatal(err)
	}
	var read struct{ Findings []Finding }
	if err := json.Unmarshal(written.Bytes(), &read); err != nil || len(read.Findings) != len(findings) {
		t.Fatalf("got %d, %v", len(read.Findings), err)
	}
	for i, finding := range read.Findings {
		finding.near = findings[i].near
		if finding != findings[i] {
			t.Errorf("got %+v, want %+v", finding, findings[i])
		}
	}
}

// TestTextHasNoControlCharacters checks that a text of a template cannot add lines or colors to the
// output.
func TestTextHasNoControlCharacters(t *testing.T) {
	t.Parallel()
	if got := oneLine("a\n\x1b[31mb\u009b"); got != "a  [31mb " {
		t.Errorf("got %q", got)
	}
}
