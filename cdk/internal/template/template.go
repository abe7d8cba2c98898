// Package template reads CloudFormation templates, JSON and YAML, and evaluates what is known of a
// resource's properties before they are deployed. Every value keeps its position in the file.
package template

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"sgchain/lambda/chain"
)

// ResourceType is the type of the custom resource of chains.
const ResourceType = chain.ResourceType

// ErrNotTemplate reports a readable file that is no CloudFormation template, such as a manifest of
// Kubernetes.
var ErrNotTemplate = errors.New("is no CloudFormation template: it has no Resources with a Type")

// Error is a problem with a file, and its position.
type Error struct {
	File    string
	At      Position
	Problem string
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%s: %s", e.File, e.At, e.Problem) }

// Template is a template that was read.
type Template struct {
	// Name is the file's, as it was given.
	Name string
	// Duplicates are the keys that occur twice in a map of the template, in the order of the file.
	Duplicates []Duplicate
	// Aliases are the positions of YAML's aliases, which CloudFormation refuses and aws
	// cloudformation package expands.
	Aliases []Position

	root *node
}

// Resource is a resource of a template.
type Resource struct {
	LogicalID string
	Type      string
	Condition string   // the name of its condition, or empty
	At        Position // of the logical ID
	node      *node
}

// Chain is a resource of the type [ResourceType].
type Chain = Resource

// Read reads a template. The name is for errors, and its ending is the format of a text that is
// neither valid JSON nor YAML. The error is an [*Error], or wraps [ErrNotTemplate].
func Read(name string, text []byte) (*Template, error) {
	root, noted, err := read(name, text)
	if err != nil {
		if placed, isPlaced := errors.AsType[*Error](err); isPlaced {
			placed.File = name
			return nil, placed
		}
		return nil, fmt.Errorf("%s %w", name, err)
	}
	slices.SortStableFunc(noted.twice, func(a, b Duplicate) int {
		return cmp.Or(cmp.Compare(a.Then.Line, b.Then.Line), cmp.Compare(a.Then.Column, b.Then.Column))
	})
	return &Template{Name: name, Duplicates: noted.twice, Aliases: noted.aliases, root: root}, nil
}

func read(name string, text []byte) (root *node, noted remarks, err error) {
	start := Position{1, 1}
	if len(text) > maxBytes {
		return nil, remarks{}, &Error{At: start, Problem: fmt.Sprintf("has %d bytes, but CloudFormation accepts at most 1 MB. Split it", len(text))}
	}
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return nil, remarks{}, &Error{At: start, Problem: "is UTF-16. Save it as UTF-8"}
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if trimmed := bytes.TrimSpace(text); len(trimmed) == 0 {
		return nil, remarks{}, ErrNotTemplate
	} else if trimmed[0] == '{' || trimmed[0] == '[' {
		root, noted, err = readJSON(text)
		if err == nil || !isYAML(name) {
			return checked([]*node{root}, noted, err)
		}
	}
	documents, noted, err := readYAML(text) // YAML may begin with a brace too
	return checked(documents, noted, err)
}

func isYAML(name string) bool {
	ending := strings.ToLower(filepath.Ext(name))
	return ending == ".yaml" || ending == ".yml"
}

// checked returns the one document that is a template.
func checked(documents []*node, noted remarks, err error) (root *node, kept remarks, failed error) {
	if err != nil {
		return nil, remarks{}, err
	}
	for i, document := range documents {
		switch {
		case !isTemplate(document):
		case len(documents) > 1:
			at := documents[min(1, len(documents)-1)].at
			return nil, remarks{}, &Error{At: at, Problem: fmt.Sprintf("has %d YAML documents, and number %d is a template. Write each template to a file of its own", len(documents), i+1)}
		default:
			return document, noted, nil
		}
	}
	return nil, remarks{}, ErrNotTemplate
}

// isTemplate reports whether a document declares itself a template, or has resources like one.
func isTemplate(document *node) bool {
	if document == nil || document.kind != object {
		return false
	}
	if document.get("AWSTemplateFormatVersion") != nil {
		return true
	}
	resources := document.get("Resources")
	if resources == nil || resources.kind != object {
		return false
	}
	for _, one := range resources.pairs {
		if kind, isText := one.node.get("Type").text(); (isText && strings.Contains(kind, "::")) || strings.HasPrefix(one.key, "Fn::ForEach::") {
			return true
		}
	}
	return false
}

// MayBeTemplate reports whether a text that cannot be read was meant to be a template.
func MayBeTemplate(text []byte) bool {
	return bytes.Contains(text, []byte("AWSTemplateFormatVersion")) || bytes.Contains(text, []byte(ResourceType))
}

// Resources returns the resources in the order of the file.
func (t *Template) Resources() []Resource {
	var all []Resource
	resources := t.root.get("Resources")
	if resources == nil {
		return nil
	}
	for _, one := range resources.pairs {
		kind, isText := one.node.get("Type").text()
		if !isText {
			continue
		}
		condition, _ := one.node.get("Condition").text()
		all = append(all, Resource{LogicalID: one.key, Type: kind, Condition: condition, At: one.at, node: one.node})
	}
	return all
}

// Chains returns the resources of the type [ResourceType] in the order of the file.
func (t *Template) Chains() []Chain {
	var chains []Chain
	for _, resource := range t.Resources() {
		if resource.Type == ResourceType {
			chains = append(chains, resource)
		}
	}
	return chains
}

// Parameters returns the names of the parameters in the order of the file.
func (t *Template) Parameters() []string {
	var names []string
	if parameters := t.root.get("Parameters"); parameters != nil {
		for _, one := range parameters.pairs {
			names = append(names, one.key)
		}
	}
	return names
}
