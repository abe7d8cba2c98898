// Package bootstrap builds the Lambda: the binary that the function runs, and its
// zip. The same sources always give the same bytes, so that a deploy uploads nothing
// if nothing has changed.
package bootstrap

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/flate"
)

// Name is the program that the runtime provided.al2023 starts, and the only file in the zip.
const Name = "bootstrap"

// module is the module path of the Lambda's sources.
const module = "sgchain"

// epoch is the timestamp of the file in the zip: the earliest that the format
// supports without a time zone.
var epoch = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

var toolchainLine = regexp.MustCompile(`(?m)^toolchain\s+(\S+)`)

// Architectures returns the GOARCH values that Lambda supports, the default first.
func Architectures() []string { return []string{"arm64", "amd64"} }

// CheckArchitecture returns an error for a value that is not one of [Architectures].
func CheckArchitecture(architecture string) error {
	if !slices.Contains(Architectures(), architecture) {
		return fmt.Errorf("architecture %q is not known: write %s", architecture, strings.Join(Architectures(), " or "))
	}
	return nil
}

// ModuleDir returns the folder of this module's sources, as the go command finds it
// from the working directory. It is the repository itself, or a copy that another
// module requires.
func ModuleDir(ctx context.Context) (string, error) {
	// Without readonly, the go command would use a vendor folder. That only has the
	// packages that the app imports, and the function is not among them.
	said, err := run(exec.CommandContext(ctx, "go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module))
	if err != nil {
		return "", fmt.Errorf("finding module (%s): %w", module, err)
	}
	dir := strings.TrimSpace(said)
	if dir == "" {
		return "", fmt.Errorf("finding module (%s): the go command knows no folder of it; go mod download %s", module, module)
	}
	return dir, nil
}

// Binary compiles ./lambda of the module in dir for Linux on an architecture, into
// the file output. The shipped binary is stripped. One that is not has symbols, which
// show what was linked.
func Binary(ctx context.Context, dir, architecture, output string, stripped bool) error {
	return Program{Dir: dir, Package: "./lambda", Architecture: architecture, Stripped: stripped}.Compile(ctx, output)
}

// Program is a program of this module that is compiled as the Lambda is, to compare the two. Dir is
// the module's folder. See [Binary] for Stripped.
type Program struct {
	Dir, Package, Architecture string
	Stripped                   bool
}

// Compile compiles the program for Linux into the file output.
func (p Program) Compile(ctx context.Context, output string) error {
	if err := CheckArchitecture(p.Architecture); err != nil {
		return err
	}
	definition, err := os.ReadFile(filepath.Join(p.Dir, "go.mod"))
	if err != nil {
		return fmt.Errorf("building %s (%s): %w", Name, p.Architecture, err)
	}
	toolchain := toolchainLine.FindSubmatch(definition)
	if toolchain == nil {
		return fmt.Errorf("building %s (%s): go.mod has no toolchain line, so the bytes would depend on the machine", Name, p.Architecture)
	}
	args := []string{"build", "-tags", tags, "-gcflags", gcflags, "-gcflags", httpFlags, "-gcflags", x509Flags, "-gcflags", slogFlags, "-gcflags", ownFlags, "-trimpath", "-buildvcs=false"}
	if p.Stripped {
		args = append(args, "-ldflags=-s -w")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "-o", output, p.Package)...)
	cmd.Dir = p.Dir
	// These override the user's own settings. An empty variable would not override the value from
	// go env -w, so GOFLAGS has the value that is the default here.
	cmd.Env = append(os.Environ(),
		"GOTOOLCHAIN="+string(toolchain[1]), "GOOS=linux", "GOARCH="+p.Architecture, "CGO_ENABLED=0",
		"GOFLAGS=-mod=readonly", "GOWORK=off", "GOEXPERIMENT=", "GOFIPS140=off", "GOARM64=v8.0", "GOAMD64=v1",
	)
	if _, err := run(cmd); err != nil {
		return fmt.Errorf("building %s (%s): %w", Name, p.Architecture, err)
	}
	return nil
}

// Zip compiles the Lambda as it is shipped and writes the zip to output, completely
// or not at all. It returns the number of bytes.
func Zip(ctx context.Context, dir, architecture, output string) (size int64, err error) {
	packed, err := Build(ctx, dir, architecture)
	if err != nil {
		return 0, err
	}
	if err := Write(output, packed); err != nil {
		return 0, fmt.Errorf("writing zip (%s): %w", output, err)
	}
	return int64(len(packed)), nil
}

// Build compiles the Lambda as it is shipped and returns the zip. It does not write to
// dir, which may be the read-only module cache. The user's cache keeps the last build.
func Build(ctx context.Context, dir, architecture string) (packed []byte, err error) {
	work, err := os.MkdirTemp("", "sgchain-bootstrap-")
	if err != nil {
		return nil, fmt.Errorf("making a folder to build in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	binary, last := filepath.Join(work, Name), cacheFor(architecture)
	last.seed(binary)
	if err := Binary(ctx, dir, architecture, binary, true); err != nil {
		return nil, err
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", Name, err)
	}
	if packed := last.zip(content); packed != nil {
		return packed, nil
	}
	packed, err = Pack(content)
	if err == nil {
		last.store(content, packed)
	}
	return packed, err
}

// tags exclude what the function never uses. One is the RPC mode of older runtimes,
// whose reflection would link every operation of the SDK. The other is HTTP/2, a
// twentieth of the binary, which EC2, CloudFormation and S3 do not support.
const tags = "lambda.norpc,nethttpomithttp2"

// gcflags disable inlining in the SDK, which saves a thirtieth of the zip. The cost is
// negligible compared with a round trip. They also omit what a debugger needs, which is a tenth of
// the time to compile the SDK. The shipped binary is stripped of it anyway.
const gcflags = "github.com/aws/...=-l -dwarf=false"

// These do the same for parts of the standard library whose time is negligible too. They save
// 35 KB of the zip. Others, such as net and regexp, would save as much again. But they would add
// to the memory at the start (make bench), which reads the table of all functions.
const (
	httpFlags = "net/http/...=-l"
	x509Flags = "crypto/x509/...=-l"
	slogFlags = "log/slog/...=-l"
)

// ownFlags do the same for the function's own calls, a sixtieth of the zip.
const ownFlags = "sgchain/...=-l"

// Pack returns the zip of a binary. This compressor's zip is half a percent smaller than the
// standard library's best, in the same time.
func Pack(binary []byte) ([]byte, error) {
	var buffer bytes.Buffer
	writer := zip.NewWriter(&buffer)
	writer.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestCompression)
	})
	header := &zip.FileHeader{Name: Name, Method: zip.Deflate, Modified: epoch}
	header.SetMode(0o755)
	file, err := writer.CreateHeader(header)
	if err == nil {
		_, err = file.Write(binary)
	}
	if err = errors.Join(err, writer.Close()); err != nil {
		return nil, fmt.Errorf("packing %s: %w", Name, err)
	}
	return buffer.Bytes(), nil
}

// Write writes a temporary file and renames it to path, so that no reader ever sees
// a part of it.
func Write(path string, content []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temporary.Name()))
		}
	}()
	_, err = temporary.Write(content)
	if err = errors.Join(err, temporary.Chmod(0o644), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

// run returns a command's output. If it fails, the error has its standard error.
func run(cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("running %s: %w\n%s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}
