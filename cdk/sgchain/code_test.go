package sgchain

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
)

// writeZip writes a zip with one file, a minimal header that passes as a bootstrap.
func writeZip(t *testing.T, path, name string, machine elf.Machine) {
	t.Helper()
	header := make([]byte, 64)
	copy(header, elf.ELFMAG)
	header[18], header[19] = byte(machine), byte(machine>>8)
	writeFile(t, path, name, header)
}

func writeFile(t *testing.T, path, name string, content []byte) {
	t.Helper()
	var buffer bytes.Buffer
	writer := zip.NewWriter(&buffer)
	file, err := writer.Create(name)
	if err == nil {
		_, err = file.Write(content)
	}
	if err == nil {
		err = writer.Close()
	}
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = os.WriteFile(path, buffer.Bytes(), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestCheckZip(t *testing.T) {
	dir := t.TempDir()
	arm, intel, other := filepath.Join(dir, "arm.zip"), filepath.Join(dir, "intel.zip"), filepath.Join(dir, "other.zip")
	text, script := filepath.Join(dir, "text.zip"), filepath.Join(dir, "script.zip")
	writeZip(t, arm, "bootstrap", elf.EM_AARCH64)
	writeZip(t, intel, "bootstrap", elf.EM_X86_64)
	writeZip(t, other, "main", elf.EM_AARCH64)
	if err := os.WriteFile(text, []byte("no zip"), 0o600); err != nil {
		t.Fatal(err)
	}
	writeFile(t, script, "bootstrap", []byte("#!/bin/sh\nexec something\n"))

	tests := map[string]struct{ path, architecture, want string }{
		"arm64":                {arm, "arm64", ""},
		"x86_64":               {intel, "x86_64", ""},
		"missing":              {filepath.Join(dir, "none.zip"), "x86_64", "the function's zip (" + dir + "/none.zip) does not exist. Build it (" + bundleCommand("amd64") + "), or remove Code to compile it at synth."},
		"other machine":        {intel, "arm64", "is built for EM_X86_64, but the function runs on arm64. Build it (" + bundleCommand("arm64") + ")"},
		"no bootstrap":         {other, "arm64", "has no file named bootstrap"},
		"no zip":               {text, "arm64", "not a valid zip"},
		"no binary":            {script, "arm64", "is not a Linux binary"},
		"unknown architecture": {arm, "riscv", `unknown architecture "riscv"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := checkZip(test.path, test.architecture)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error: got %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestCodeFromZip(t *testing.T) {
	stack := newStack(t)
	t.Chdir(t.TempDir())
	writeZip(t, "arm.zip", "bootstrap", elf.EM_AARCH64)
	NewProvider(stack, jsii.String("Fits"), &ProviderProps{Code: CodeFromZip("arm.zip")})
	for id, test := range map[string]struct {
		props ProviderProps
		want  string
	}{
		"Other":   {ProviderProps{Code: CodeFromZip("arm.zip"), Architecture: awslambda.Architecture_X86_64()}, "is built for EM_AARCH64, but the function runs on x86_64"},
		"Missing": {ProviderProps{Code: CodeFromZip("none.zip")}, "none.zip) does not exist"},
	} {
		err := panics(t, func() { NewProvider(stack, jsii.String(id), &test.props) })
		if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "Stack/"+id) {
			t.Errorf("%s: got %q, want an error with %q", id, err, test.want)
		}
	}
}

// A process builds the function once for each architecture, for any number of providers, stages and apps.
// The zip is in the folder from which its template is deployed.
func TestFunctionIsBuiltOncePerArchitecture(t *testing.T) {
	built := map[string]int{}
	former := lambdas
	lambdas = &builds{build: func(architecture string) ([]byte, error) {
		built[architecture]++
		return former.build(architecture)
	}}
	t.Cleanup(func() { lambdas = former })
	for range 2 {
		app := newApp(t, map[string]any{architectureContext: "amd64"})
		stack := awscdk.NewStack(app, jsii.String("Stack"), nil)
		NewProvider(stack, jsii.String("First"), nil)
		NewProvider(stack, jsii.String("Second"), &ProviderProps{Architecture: awslambda.Architecture_ARM_64()})
		inner := awscdk.NewStage(awscdk.NewStage(app, jsii.String("Outer"), nil), jsii.String("Inner"), nil)
		NewProvider(awscdk.NewStack(inner, jsii.String("Stack"), nil), jsii.String("Third"), nil)
		folder := *app.Synth(nil).Directory()
		for name, architecture := range map[string]string{"amd64": "x86_64", "arm64": "arm64"} {
			if err := checkZip(filepath.Join(folder, "sgchain-lambda-"+name+".zip"), architecture); err != nil {
				t.Error(err)
			}
		}
		if assets, err := filepath.Glob(filepath.Join(folder, "asset.*.zip")); err != nil || len(assets) != 2 {
			t.Errorf("assets: got %v, error %v, want one for each architecture", assets, err)
		}
	}
	if built["arm64"] != 1 || built["amd64"] != 1 {
		t.Errorf("builds: got %v, want one for each architecture", built)
	}
}

func TestFailedBuildOfFunctionIsRefused(t *testing.T) {
	former := lambdas
	lambdas = &builds{build: func(string) ([]byte, error) { return nil, errors.New("running go list: no module") }}
	t.Cleanup(func() { lambdas = former })
	err := panics(t, func() { NewSecurityGroupChain(newStack(t), jsii.String("Chain"), anyVpc()) })
	for _, want := range []string{"creating provider (Stack/" + singletonID + "): running go list: no module\n", bundleCommand("arm64"), "CodeFromZip"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error: got %q, want one with %q", err, want)
		}
	}
	app := newApp(t, map[string]any{architectureContext: "x86_64"})
	err = panics(t, func() { NewProvider(awscdk.NewStack(app, jsii.String("Stack"), nil), jsii.String("Provider"), nil) })
	if want := `reading context sgchain:arch: architecture "x86_64" is not known: write arm64 or amd64`; !strings.Contains(err.Error(), want) {
		t.Errorf("error: got %q, want one with %q", err, want)
	}
}
