package sgchain

import (
	"archive/zip"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"sgchain/cdk/bootstrap"
)

// CodeFromZip is the function's code as a ready zip, for [ProviderProps]: what
// "sgchain bundle" writes. The provider checks that it is there and is built
// for its architecture.
func CodeFromZip(path string) awslambda.Code {
	absolute, err := filepath.Abs(path) // the CDK's own process may see it from another folder
	if err != nil {
		panic(fmt.Errorf("finding the function's zip (%s): %w", path, err))
	}
	return &zipCode{Code: awslambda.Code_FromAsset(jsii.String(absolute), nil), path: absolute}
}

type zipCode struct {
	awslambda.Code
	path string
}

// builds is the zips that this process has built, by architecture as Go names it: an
// app may have many providers. They are kept as bytes, since each app has a folder of its own.
type builds struct {
	mutex sync.Mutex
	zips  map[string][]byte
	build func(architecture string) ([]byte, error)
}

var lambdas = &builds{build: buildLambda}

func (b *builds) zip(architecture string) ([]byte, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if zip, done := b.zips[architecture]; done {
		return zip, nil
	}
	zip, err := b.build(architecture)
	if err != nil {
		return nil, err
	}
	if b.zips == nil {
		b.zips = map[string][]byte{}
	}
	b.zips[architecture] = zip
	return zip, nil
}

// buildLambda compiles the function from this module's sources, wherever the go
// command has them.
func buildLambda(architecture string) ([]byte, error) {
	// Constructs have no context. An interrupt reaches the go command as it reaches the app.
	ctx := context.Background() //nolint:forbidigo // the same
	dir, err := bootstrap.ModuleDir(ctx)
	if err != nil {
		return nil, err
	}
	return bootstrap.Build(ctx, dir, architecture)
}

// builtCode is the function's code, compiled now and put into the cloud assembly, where
// it stays for those who deploy from there.
func builtCode(scope constructs.Construct, architecture string) (awslambda.Code, error) {
	target, known := machines[architecture]
	if !known {
		return nil, unknownArchitecture(architecture)
	}
	zip, err := lambdas.zip(target.name)
	if err != nil {
		return nil, fmt.Errorf("%w\nThe function is compiled in the app's own module, by the go command; where that can not be, build the zip elsewhere (%s) and set Code to sgchain.CodeFromZip(\"lambda.zip\")",
			err, bundleCommand(target.name))
	}
	stage := awscdk.Stage_Of(scope)
	for stage.ParentStage() != nil { // the app has the assets of all stages
		stage = stage.ParentStage()
	}
	path := filepath.Join(*stage.Outdir(), "sgchain-lambda-"+target.name+".zip")
	if err := bootstrap.Write(path, zip); err != nil {
		return nil, fmt.Errorf("writing the function's zip (%s): %w", path, err)
	}
	return awslambda.Code_FromAsset(jsii.String(path), nil), nil
}

// bundleCommand runs in the module's own folder: an app's go.sum need not have what the command is made of.
func bundleCommand(architecture string) string {
	return `go -C "$(go list -mod=readonly -m -f {{.Dir}} sgchain)" run ./cdk/cmd/sgchain bundle --arch ` + architecture + ` --output "$PWD/lambda.zip"`
}

func unknownArchitecture(architecture string) error {
	return fmt.Errorf("architecture %q is not known to Lambda; use arm64 or x86_64", architecture)
}

// machines says by Lambda's name of an architecture what the binary must be for,
// and how Go and make call it.
var machines = map[string]struct {
	machine elf.Machine
	name    string
}{
	"arm64":  {elf.EM_AARCH64, "arm64"},
	"x86_64": {elf.EM_X86_64, "amd64"},
}

// checkZip refuses a zip that is not there, or that the function could not start:
// Lambda itself says so only when the first event arrives, by a stack that hangs.
func checkZip(path, architecture string) error {
	want, known := machines[architecture]
	if !known {
		return unknownArchitecture(architecture)
	}
	advice := "build it (" + bundleCommand(want.name) + "), or leave Code out and have it built"
	machine, err := bootstrapMachine(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the function's zip is missing (%s); %s", path, advice)
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
