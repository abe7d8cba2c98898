package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// dryRun runs make -n, which runs no command, without the options of a make that runs this test.
func dryRun(t *testing.T, environment []string, arguments ...string) (output string, refused bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "make", append([]string{"-n"}, arguments...)...)
	cmd.Dir = ".."
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(one string) bool {
		return strings.HasPrefix(one, "MAKE") || strings.HasPrefix(one, "MFLAGS")
	}), environment...)
	text, err := cmd.CombinedOutput()
	return string(text), err != nil
}

// An option on make's command line that no goal reads is an error, which names the option and the
// targets that read it.
func TestMakeRefusesOptionsWithoutEffect(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"plan STACK=Shop ACTION=check TIERS=[] VPC=vpc-1 GUARDRAILS=warn": "",
		"deploy STACK=Shop TIERS=[] VPC=new GUARDRAILS=warn YES=1":        "",
		"destroy STACK=Shop YES=1":                                        "",
		"build ARCH=amd64":                                                "",
		"smoke VPC=vpc-1":                                                 "",
		"publish BUCKET=example REGIONS=eu-central-1":                     "",
		"soak HISTORIES=5 SEED=2":                                         "",
		"test HISTORIES=5 SEED=2":                                         "",
		"check build ARCH=amd64":                                          "",
		"check PYTHON=python3.12 GOPROXY=off":                             "",
		"plan ARCH=amd64":                                                 "make plan takes no ARCH (for make build deploy): leave it out",
		"plan YES=1":                                                      "make plan takes no YES (for make deploy destroy): leave it out",
		"deploy ACTION=plan":                                              "make deploy takes no ACTION (for make plan)",
		"destroy TIERS=[]":                                                "make destroy takes no TIERS (for make deploy plan)",
		"smoke STACK=Shop":                                                "make smoke takes no STACK (for make deploy plan destroy)",
		"test check STACK=Shop":                                           "make test check takes no STACK (",
		"demo VPC=new TIERS=[]":                                           "make demo takes no TIERS (for make deploy plan) VPC (for make deploy plan smoke)",
		"check SEED=1":                                                    "make check takes no SEED (for make soak test)",
		"mutants HISTORIES=5":                                             "make mutants takes no HISTORIES (",
		"template BUCKET=example":                                         "make template takes no BUCKET (for make publish)",
		"size REGIONS=":                                                   "make size takes no REGIONS (for make publish)",
		"GUARDRAILS=warn":                                                 "make help takes no GUARDRAILS (",
	} {
		output, refused := dryRun(t, nil, strings.Fields(given)...)
		if refused != (want != "") || !strings.Contains(output, want) {
			t.Errorf("make %s: refused: %t, want %q; output: %s", given, refused, want, output)
		}
	}
	if output, refused := dryRun(t, []string{"STACK=Shop"}, "check"); refused {
		t.Errorf("make refused an option of the environment: %s", output)
	}
}

// The Makefile lists the targets that read each option. They must exist and accept it.
func TestMakeTargetsAcceptTheirOptions(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	options := 0
	for line := range strings.Lines(text) {
		option, targets, isOption := strings.Cut(strings.TrimSpace(line), ".for := ")
		if !isOption {
			continue
		}
		options++
		for target := range strings.FieldsSeq(targets) {
			if !strings.Contains(text, "\n"+target+":") {
				t.Errorf("%s names make %s, which is not a target", option, target)
			}
			if output, refused := dryRun(t, nil, target, option+"=x"); refused {
				t.Errorf("make %s %s=x: %s", target, option, output)
			}
		}
	}
	_, all, _ := strings.Cut(text, "OPTIONS := ")
	all, _, _ = strings.Cut(all, "\n")
	if named := len(strings.Fields(all)); named != options || options == 0 {
		t.Errorf("OPTIONS has %d options, but %d have targets", named, options)
	}
}
