package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// inventories are the interfaces that list the Lambda's calls, with the service's IAM prefix.
var inventories = []struct{ service, file string }{
	{"ec2", filepath.Join("lambda", "internal", "sg", "api.go")},
	{"cloudformation", filepath.Join("lambda", "internal", "fence", "api.go")},
}

// called returns the methods of the interfaces API, as IAM actions.
func called(dir string) ([]string, error) {
	var actions []string
	for _, inventory := range inventories {
		methods, err := methodsOfAPI(filepath.Join(dir, inventory.file))
		if err != nil {
			return nil, err
		}
		for _, method := range methods {
			actions = append(actions, inventory.service+":"+method)
		}
	}
	slices.Sort(actions)
	return actions, nil
}

func methodsOfAPI(path string) ([]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("reading interface API (%s): %w", path, err)
	}
	var methods []string
	ast.Inspect(file, func(node ast.Node) bool {
		spec, isType := node.(*ast.TypeSpec)
		if !isType || spec.Name.Name != "API" {
			return true
		}
		if api, isInterface := spec.Type.(*ast.InterfaceType); isInterface {
			for _, method := range api.Methods.List {
				for _, name := range method.Names {
					methods = append(methods, name.Name)
				}
			}
		}
		return false
	})
	if len(methods) == 0 {
		return nil, fmt.Errorf("reading interface API (%s): it does not exist, or has no methods", path)
	}
	return methods, nil
}

// operation is a method of one of the SDK's clients, as the linker names it.
var operation = regexp.MustCompile(`^github\.com/aws/aws-sdk-go-v2/service/(\w+)\.\(\*Client\)\.([A-Z]\w*)$`)

// tooLarge are packages that keep the linker from dropping unused code.
var tooLarge = []string{"text/template.", "net/rpc."}

// linked returns the AWS operations in a binary with symbols, as IAM actions, and the packages in
// it that are forbidden.
func linked(path string) (actions, forbidden []string, err error) {
	file, err := elf.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading symbols (%s): %w", path, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	symbols, err := file.Symbols()
	if err != nil {
		return nil, nil, fmt.Errorf("reading symbols (%s): %w", path, err)
	}
	names := make([]string, 0, len(symbols))
	for _, symbol := range symbols {
		names = append(names, symbol.Name)
	}
	actions, forbidden = read(names)
	return actions, forbidden, nil
}

func read(symbols []string) (actions, forbidden []string) {
	for _, name := range symbols {
		// Options is the one exported method that calls nothing.
		if match := operation.FindStringSubmatch(name); match != nil && match[2] != "Options" {
			actions = append(actions, match[1]+":"+match[2])
		}
		for _, prefix := range tooLarge {
			if strings.HasPrefix(name, prefix) {
				forbidden = append(forbidden, strings.TrimSuffix(prefix, "."))
			}
		}
	}
	slices.Sort(actions)
	slices.Sort(forbidden)
	return slices.Compact(actions), slices.Compact(forbidden)
}
