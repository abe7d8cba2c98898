// Command templates writes the published templates and their schema, which are committed. The
// provider's resources come from the CDK construct, so that its role and its function are defined
// once. Everything else is written here as in a template.
//
//	go run ./cdk/cmd/templates -o template
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/jsii-runtime-go"

	"sgchain/cdk/internal/release"
	"sgchain/cdk/internal/schema"
)

func main() {
	folder := flag.String("o", release.Folder, "the `folder` to write to")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "templates: unknown argument %q; use only -o\n", flag.Arg(0))
		os.Exit(2)
	}
	if err := write(*folder); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(folder string) error {
	defer jsii.Close()
	texts, err := generate()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("writing templates: %w", err)
	}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			return fmt.Errorf("writing template (%s): %w", name, err)
		}
	}
	return nil
}

// generate returns the templates and the schema by file name.
func generate() (texts map[string][]byte, err error) {
	own, err := providerResources(false)
	if err != nil {
		return nil, err
	}
	shared, err := providerResources(true)
	if err != nil {
		return nil, err
	}
	example, err := parent()
	if err != nil {
		return nil, err
	}
	templates := map[string]template{
		release.AllInOne: allInOne(own, vpcOfForm()), release.AllInOneSSM: allInOne(own, vpcOfParameterStore()),
		release.Provider: sharedProvider(shared), release.Chain: nestedChain(), release.Parent: example,
	}
	texts = map[string][]byte{}
	for name, one := range templates {
		text, failed := release.Encode(one.whole())
		texts[name], err = text, errors.Join(err, failed)
	}
	text, failed := schema.Template()
	texts[release.Schema] = text
	return texts, errors.Join(err, failed)
}
