package sgchain

import (
	"archive/zip"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
)

// DefaultZip is where the function's zip is looked for, from the app's folder.
const DefaultZip = "build/lambda.zip"

// machines says by Lambda's name of an architecture what the binary must be for,
// and how Go and make call it.
var machines = map[string]struct {
	machine elf.Machine
	name    string
}{
	"arm64":  {elf.EM_AARCH64, "arm64"},
	"x86_64": {elf.EM_X86_64, "amd64"},
}

// findZip returns the absolute path of the zip, which the CDK's own process may
// see from another folder.
func findZip(architecture string) (string, error) {
	if err := checkZip(DefaultZip, architecture); err != nil {
		return "", err
	}
	path, err := filepath.Abs(DefaultZip)
	if err != nil {
		return "", fmt.Errorf("finding the function's zip (%s): %w", DefaultZip, err)
	}
	return path, nil
}

// checkZip refuses a zip that is not there, or that the function could not start:
// Lambda itself says so only when the first event arrives, by a stack that hangs.
func checkZip(path, architecture string) error {
	want, known := machines[architecture]
	if !known {
		return fmt.Errorf("architecture %q is not known to Lambda; use arm64 or x86_64", architecture)
	}
	advice := fmt.Sprintf("build it with make build ARCH=%s (in another module: go run sgchain/cdk/bundle -arch %s)", want.name, want.name)
	machine, err := bootstrapMachine(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the function's zip is missing (%s); %s, or set Code", path, advice)
	case err != nil:
		return fmt.Errorf("reading the function's zip (%s): %w; %s", path, err, advice)
	case machine != want.machine:
		return fmt.Errorf("the function's zip (%s) is built for %v, and the function runs on %s; %s", path, machine, architecture, advice)
	default:
		return nil
	}
}

// bootstrapMachine reads which machine the binary in the zip is for: the field
// e_machine of its ELF header, bytes 18 and 19.
func bootstrapMachine(path string) (machine elf.Machine, err error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	file, err := archive.Open("bootstrap")
	if err != nil {
		return 0, errors.New("it holds no file bootstrap")
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	header := make([]byte, 20)
	if _, err := io.ReadFull(file, header); err != nil || string(header[:4]) != elf.ELFMAG {
		return 0, errors.New("its bootstrap is no Linux binary")
	}
	return elf.Machine(binary.LittleEndian.Uint16(header[18:])), nil
}
