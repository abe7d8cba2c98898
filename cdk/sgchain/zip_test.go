package sgchain

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeZip makes a zip with one file, the least that passes for a bootstrap.
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
		"missing":              {filepath.Join(dir, "none.zip"), "x86_64", "is missing (" + dir + "/none.zip); build it with make build ARCH=amd64 (in another module: go run sgchain/cdk/bundle -arch amd64), or set Code"},
		"other machine":        {intel, "arm64", "is built for EM_X86_64, and the function runs on arm64; build it with make build ARCH=arm64"},
		"no bootstrap":         {other, "arm64", "holds no file bootstrap"},
		"no zip":               {text, "arm64", "not a valid zip"},
		"no binary":            {script, "arm64", "no Linux binary"},
		"unknown architecture": {arm, "riscv", `architecture "riscv" is not known`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := checkZip(test.path, test.architecture)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error: got %v, want one that says %q", err, test.want)
			}
		})
	}
}
