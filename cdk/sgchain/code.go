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

// CodeFromZip returns the function's code from a zip that "sgchain bundle" wrote, for the Code of
// [ProviderProps]. A relative path starts at the working directory. The provider checks that the zip
// exists and is built for its architecture, and panics otherwise.
func CodeFromZip(path string) awslambda.Code {
	absolute, err := filepath.Abs(path) // the CDK's own process can have another working directory
	if err != nil {
		panic(fmt.Errorf("finding the function's zip (%s): %w", path, err))
	}
	return &zipCode{Code: awslambda.Code_FromAsset(jsii.String(absolute), nil), path: absolute}
}

type zipCode struct {
	awslambda.Code
	path string
}

// builds caches the zips that this process has built, by Go's name of the architecture, because an app
// can have many providers. It keeps bytes, because each app has its own output folder.
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

// buildLambda compiles the function from this module's sources, which the go command finds.
func buildLambda(architecture string) ([]byte, error) {
	// Constructs have no context. An interrupt reaches the go command too.
	ctx := context.Background() //nolint:forbidigo // see above
	dir, err := bootstrap.ModuleDir(ctx)
	if err != nil {
		return nil, err
	}
	return bootstrap.Build(ctx, dir, architecture)
}

// builtCode compiles the function and writes its zip into the cloud assembly, from which it can be
// deployed later.
func builtCode(scope constructs.Construct, architecture string) (awslambda.Code, error) {
	target, known := machines[architecture]
	if !known {
		return nil, unknownArchitecture(architecture)
	}
	zip, err := lambdas.zip(target.name)
	if err != nil {
		return nil, fmt.Errorf("%w\nThe go command compiles the function in the app's module. If that is not possible, build the zip elsewhere (%s) and set Code to sgchain.CodeFromZip(\"lambda.zip\").",
			err, bundleCommand(target.name))
	}
	stage := awscdk.Stage_Of(scope)
	for stage.ParentStage() != nil { // an app has the assets of all its stages
		stage = stage.ParentStage()
	}
	path := filepath.Join(*stage.Outdir(), "sgchain-lambda-"+target.name+".zip")
	if err := bootstrap.Write(path, zip); err != nil {
		return nil, fmt.Errorf("writing the function's zip (%s): %w", path, err)
	}
	return awslambda.Code_FromAsset(jsii.String(path), nil), nil
}

// bundleCommand returns the command that builds the zip. It runs in the folder of this module, because an app's go.sum can lack
// dependencies of the command.
func bundleCommand(architecture string) string {
	return `go -C "$(go list -mod=readonly -m -f {{.Dir}} sgchain)" run ./cdk/cmd/sgchain bundle --arch ` + architecture + ` --output "$PWD/lambda.zip"`
}

func unknownArchitecture(architecture string) error {
	return fmt.Errorf("unknown architecture %q. Use arm64 or x86_64.", architecture)
}

// machines maps Lambda's name of an architecture to the machine of the binary and to Go's name.
var machines = map[string]struct {
	machine elf.Machine
	name    string
}{
	"arm64":  {elf.EM_AARCH64, "arm64"},
	"x86_64": {elf.EM_X86_64, "amd64"},
}

// checkZip returns an error if the zip does not exist or the function could not start. Lambda would fail
// only on the first event, with a stack operation that hangs.
func checkZip(path, architecture string) error {
	want, known := machines[architecture]
	if !known {
		return unknownArchitecture(architecture)
	}
	remedy := "Build it (" + bundleCommand(want.name) + "), or remove Code to compile it at synth."
	machine, err := bootstrapMachine(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the function's zip (%s) does not exist. %s", path, remedy)
	case err != nil:
		return fmt.Errorf("reading the function's zip (%s): %w. %s", path, err, remedy)
	case machine != want.machine:
		return fmt.Errorf("the function's zip (%s) is built for %v, but the function runs on %s. %s", path, machine, architecture, remedy)
	default:
		return nil
	}
}

// bootstrapMachine returns the machine of the binary in the zip: e_machine, bytes 18 and 19 of its ELF
// header.
func bootstrapMachine(path string) (machine elf.Machine, err error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	file, err := archive.Open("bootstrap")
	if err != nil {
		return 0, errors.New("it has no file named bootstrap")
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	header := make([]byte, 20)
	if _, err := io.ReadFull(file, header); err != nil || string(header[:4]) != elf.ELFMAG {
		return 0, errors.New("its bootstrap is not a Linux binary")
	}
	return elf.Machine(binary.LittleEndian.Uint16(header[18:])), nil
}
