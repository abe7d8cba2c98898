package template

import (
	"strconv"
	"strings"
)

// Reference is a place where a template uses a resource by its logical ID, in Ref, Fn::GetAtt or Fn::Sub.
type Reference struct {
	Function  string // "Ref", "Fn::GetAtt" or "Fn::Sub"
	LogicalID string
	Attribute string // empty for the resource's Ref
	Path      string // of the value, as in "Outputs.Alb.Value"
	At        Position
}

// References returns every use of a logical ID below Resources and Outputs, in the order of the
// file. It leaves out those whose name is computed.
func (t *Template) References() []Reference {
	var all []Reference
	for _, section := range []string{"Resources", "Outputs"} {
		all = references(all, section, t.root.get(section))
	}
	return all
}

func references(all []Reference, path string, from *node) []Reference {
	if from == nil {
		return all
	}
	function, argument := functionOf(from)
	switch function {
	case "Ref":
		if name, isText := argument.text(); isText {
			all = append(all, Reference{Function: function, LogicalID: name, Path: path, At: from.at})
		}
	case "Fn::GetAtt":
		if resource, attribute, ok := getAtt(argument); ok {
			all = append(all, Reference{Function: function, LogicalID: resource, Attribute: attribute, Path: path, At: from.at})
		}
	case "Fn::Sub":
		if text, own, ok := subArguments(argument); ok {
			pieces(text, func(string) {}, func(name string) {
				if own.get(name) == nil {
					resource, attribute, _ := strings.Cut(name, ".")
					all = append(all, Reference{Function: function, LogicalID: resource, Attribute: attribute, Path: path, At: from.at})
				}
			})
		}
	}
	for i, item := range from.items {
		all = references(all, path+"["+strconv.Itoa(i)+"]", item)
	}
	for _, one := range from.pairs {
		all = references(all, path+"."+one.key, one.node)
	}
	return all
}

// Null is a value that is missing.
type Null struct {
	Path string // as in "Properties.Tiers[0].Ports"
	At   Position
}

// Nulls returns the null values of a resource, which CloudFormation refuses.
func (r Resource) Nulls() []Null { return nulls(nil, "", r.node) }

func nulls(all []Null, path string, from *node) []Null {
	if from.kind == scalar && from.value == nil {
		return append(all, Null{Path: path, At: from.at})
	}
	for i, item := range from.items {
		all = nulls(all, path+"["+strconv.Itoa(i)+"]", item)
	}
	for _, one := range from.pairs {
		inner := one.key
		if path != "" {
			inner = path + "." + one.key
		}
		all = nulls(all, inner, one.node)
	}
	return all
}

// Field returns a resource's field outside of its properties as text, such as DeletionPolicy, and
// its position.
func (r Resource) Field(name string) (text string, at Position, ok bool) {
	field := r.node.get(name)
	if text, ok = field.text(); ok {
		at = field.at
	}
	return text, at, ok
}

// Metadata evaluates an entry of a resource's Metadata, and returns its position. The value is nil
// if it does not exist.
func (t *Template) Metadata(resource Resource, name string) (value any, at Position) {
	entry := resource.node.get("Metadata").get(name)
	if entry == nil {
		return nil, Position{}
	}
	var unknowns []Unknown
	return plainOf("", newEvaluator(t, Values{}).value(entry), &unknowns), entry.at
}
