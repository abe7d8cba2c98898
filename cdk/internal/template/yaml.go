package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// yamlReader turns YAML into nodes.
type yamlReader struct {
	done    map[*yaml.Node]*node
	within  map[*yaml.Node]bool // anchors that are being read, to detect one that contains itself
	remarks remarks
}

// readYAML returns the documents of a text.
func readYAML(text []byte) (documents []*node, noted remarks, err error) {
	reader := &yamlReader{done: map[*yaml.Node]*node{}, within: map[*yaml.Node]bool{}}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return documents, reader.remarks, nil
		}
		if err != nil {
			return nil, remarks{}, yamlError(err)
		}
		if len(document.Content) == 0 {
			continue
		}
		read, err := reader.node(document.Content[0], 1)
		if err != nil {
			return nil, remarks{}, err
		}
		documents = append(documents, read)
	}
}

var yamlLine = regexp.MustCompile(`^yaml: line ([0-9]+): (.*)$`) //nolint:gochecknoglobals // compiled once

// yamlError separates the line from the library's text.
func yamlError(err error) error {
	at, problem := Position{1, 1}, strings.TrimPrefix(err.Error(), "yaml: ")
	if match := yamlLine.FindStringSubmatch(err.Error()); match != nil {
		if line, err := strconv.Atoi(match[1]); err == nil {
			at.Line, problem = line, match[2]
		}
	}
	if strings.Contains(problem, "cannot start any token") {
		problem += " (a tab cannot indent YAML)"
	}
	return &Error{At: at, Problem: "is not valid YAML: " + problem}
}

func (r *yamlReader) node(from *yaml.Node, depth int) (*node, error) {
	at := Position{max(from.Line, 1), max(from.Column, 1)}
	if depth > maxDepth {
		return nil, &Error{At: at, Problem: fmt.Sprintf("is nested more than %d levels deep. Reduce the nesting", maxDepth)}
	}
	if from.Kind == yaml.AliasNode {
		r.remarks.aliases = append(r.remarks.aliases, at)
		from = from.Alias
		if from == nil || r.within[from] {
			return nil, &Error{At: at, Problem: "is an alias of a value that contains it. Write the value itself"}
		}
	}
	if read := r.done[from]; read != nil {
		return read, nil
	}
	r.within[from] = true
	read, err := r.content(from, depth)
	delete(r.within, from)
	if err != nil {
		return nil, err
	}
	if function := functionOfTag(from); function != "" {
		if read, err = tagged(function, read); err != nil {
			return nil, err
		}
	}
	r.done[from] = read
	return read, nil
}

func (r *yamlReader) content(from *yaml.Node, depth int) (*node, error) {
	read := &node{at: Position{max(from.Line, 1), max(from.Column, 1)}}
	switch from.Kind {
	case yaml.SequenceNode:
		read.kind = list
		for _, item := range from.Content {
			child, err := r.node(item, depth+1)
			if err != nil {
				return nil, err
			}
			read.items = append(read.items, child)
		}
	case yaml.MappingNode:
		read.kind = object
		pairs, err := r.pairs(from, depth)
		if err != nil {
			return nil, err
		}
		read.pairs = pairs
	default:
		read.kind, read.value = scalar, scalarOf(from)
	}
	return read, read.measure()
}

// pairs reads the entries of a map. Those of a merge key count if the map lacks the key.
func (r *yamlReader) pairs(from *yaml.Node, depth int) ([]pair, error) {
	var own entries
	var merged []*node
	for i := 0; i+1 < len(from.Content); i += 2 {
		key, at := from.Content[i], Position{from.Content[i].Line, from.Content[i].Column}
		value, err := r.node(from.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		if key.Kind == yaml.AliasNode && key.Alias != nil {
			key = key.Alias
		}
		switch {
		case key.Kind != yaml.ScalarNode:
			return nil, &Error{At: at, Problem: "is a key that is a list or a map. Write keys as text"}
		case key.ShortTag() == "!!merge" && value.kind == object:
			merged = append(merged, value)
		case key.ShortTag() == "!!merge" && value.kind == list:
			merged = append(merged, value.items...)
		default:
			own.add(pair{key: key.Value, at: at, node: value}, &r.remarks.twice)
		}
	}
	var none []Duplicate
	for _, value := range merged {
		for _, one := range value.pairs {
			if _, exists := own.places[one.key]; !exists {
				own.add(one, &none)
			}
		}
	}
	return own.pairs, nil
}

// scalarOf returns a scalar as JSON has it. Numbers keep their value, in decimal.
func scalarOf(from *yaml.Node) any {
	if from.Style&yaml.TaggedStyle != 0 && functionOfTag(from) != "" {
		return from.Value
	}
	if from.Style == 0 {
		// CloudFormation reads YAML 1.1 (user guide, "CloudFormation template formats"; pull request 5257 of the AWS CLI).
		switch from.Value {
		case "yes", "Yes", "YES", "on", "On", "ON":
			return true
		case "no", "No", "NO", "off", "Off", "OFF":
			return false
		}
	}
	switch from.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		var value bool
		if from.Decode(&value) == nil {
			return value
		}
	case "!!int":
		var value int64
		if from.Decode(&value) == nil {
			return json.Number(strconv.FormatInt(value, 10))
		}
	case "!!float":
		if json.Valid([]byte(from.Value)) {
			return json.Number(from.Value)
		}
	}
	return from.Value
}

// functionOfTag returns the long form of a short tag: "Fn::Sub" of !Sub.
func functionOfTag(from *yaml.Node) string {
	name, isLocal := strings.CutPrefix(from.Tag, "!")
	switch {
	case !isLocal || name == "" || strings.HasPrefix(name, "!"):
		return ""
	case name == "Ref" || name == "Condition":
		return name
	default:
		return "Fn::" + name
	}
}

// tagged returns the long form of a value with a short tag.
func tagged(function string, value *node) (*node, error) {
	if text, isText := value.text(); function == "Fn::GetAtt" && isText {
		if resource, attribute, found := strings.Cut(text, "."); found {
			halves := &node{kind: list, at: value.at}
			for _, half := range []string{resource, attribute} {
				halves.items = append(halves.items, &node{kind: scalar, at: value.at, value: half, size: 1, depth: 1})
			}
			if err := halves.measure(); err != nil {
				return nil, err
			}
			value = halves
		}
	}
	long := &node{kind: object, at: value.at, pairs: []pair{{key: function, at: value.at, node: value}}}
	return long, long.measure()
}
