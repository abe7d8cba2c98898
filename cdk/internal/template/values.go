package template

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Values are what is known besides the template.
type Values struct {
	// Parameters are values of parameters by name, as text: lists joined by commas.
	Parameters map[string]string
	// Resolved are the values of parameters of the type AWS::SSM::Parameter::Value, whose own
	// values are names.
	Resolved map[string]string
	// Pseudo are the pseudo parameters that are known, such as AWS::Region.
	Pseudo map[string]string
	// Refs are physical IDs of resources by logical ID, and Attributes their attributes by "LogicalID.Attribute".
	Refs, Attributes map[string]string
	// Exports are what other stacks export, by name.
	Exports map[string]string
	// Hidden are parameters whose value is not shown: those with NoEcho of a deployed stack.
	Hidden map[string]bool
	// NoDefaults makes parameters without a value unknown. Otherwise they have their Default.
	NoDefaults bool
}

// Unknown replaces, in a property, what is known only at deployment.
type Unknown struct {
	Text string // as in "!Ref Vpc"
	Path string // as in "Tiers[1].Sources[0]"; empty if the properties as a whole are unknown
	List bool   // it is a list with unknown entries
	At   Position
}

func (u Unknown) String() string { return u.Text }

// Properties returns the properties of a resource, evaluated as far as they are known, and the
// unknown parts, sorted by path. Values are text, bool, json.Number, nil, []any, map[string]any and
// [Unknown]. If the properties as a whole are unknown, the map is nil.
func (t *Template) Properties(resource Resource, values Values) (map[string]any, []Unknown) {
	evaluation := t.Evaluate(resource, values)
	return evaluation.Properties, evaluation.Unknowns
}

// At returns the position of a property, as in "Tiers[1].Ports[0]", or that of the nearest value
// around it. The position of a value from a parameter's Default is there.
func (t *Template) At(resource Resource, path string) Position {
	return t.Evaluate(resource, Values{}).At(path)
}

// Evaluation has the properties of a resource under one set of values.
type Evaluation struct {
	Properties map[string]any
	Unknowns   []Unknown

	resource Resource
	root     *result
}

// Evaluate evaluates the properties of a resource.
func (t *Template) Evaluate(resource Resource, values Values) Evaluation {
	return newEvaluator(t, values).properties(resource)
}

func (e *evaluator) properties(resource Resource) Evaluation {
	evaluation := Evaluation{resource: resource, Properties: map[string]any{}}
	properties := resource.node.get("Properties")
	if properties == nil {
		return evaluation
	}
	root := e.value(properties)
	evaluation.root = root
	switch plain := plainOf("", root, &evaluation.Unknowns).(type) {
	case map[string]any:
		evaluation.Properties = plain
	case Unknown:
		evaluation.Properties = nil
	}
	return evaluation
}

// result is an evaluated value with its original position.
type result struct {
	at        Position
	plain     any // a scalar or an [Unknown]; nil for lists and maps
	isList    bool
	items     []*result
	fields    map[string]*field // not nil for maps
	isOmitted bool              // AWS::NoValue
}

type field struct {
	at    Position // of the key
	value *result
}

// text returns a scalar as text.
func (r *result) text() (text string, ok bool) {
	if r.isList || r.fields != nil || r.isOmitted {
		return "", false
	}
	return TextOf(r.plain)
}

// plainOf returns a result without positions, and adds what is unknown in it to unknowns.
func plainOf(path string, from *result, unknowns *[]Unknown) any {
	switch {
	case from.isList:
		items := make([]any, len(from.items))
		for i, item := range from.items {
			items[i] = plainOf(path+"["+strconv.Itoa(i)+"]", item, unknowns)
		}
		return items
	case from.fields != nil:
		fields := make(map[string]any, len(from.fields))
		for _, key := range slices.Sorted(maps.Keys(from.fields)) {
			inner := key
			if path != "" {
				inner = path + "." + key
			}
			fields[key] = plainOf(inner, from.fields[key].value, unknowns)
		}
		return fields
	}
	if unknown, isUnknown := from.plain.(Unknown); isUnknown {
		unknown.Path = path
		*unknowns = append(*unknowns, unknown)
		return unknown
	}
	return from.plain
}

// At returns the position of a property, or that of the nearest value around it.
func (v Evaluation) At(path string) Position {
	at := v.resource.At
	if v.root == nil {
		return at
	}
	if path == "" {
		return at
	}
	here := v.root
	at = Position{}
	for path != "" {
		next, place, rest := step(here, path)
		if next == nil {
			break
		}
		here, at, path = next, place, rest
	}
	if at == (Position{}) {
		return v.resource.At // a property that is missing
	}
	return at
}

// step follows one step of a path. A key of a map may contain dots, and the parser shortens long
// ones.
func step(from *result, path string) (next *result, at Position, rest string) {
	if from.isList {
		number, rest, found := strings.Cut(strings.TrimPrefix(path, "["), "]")
		place, err := strconv.Atoi(number)
		if !found || err != nil || place < 0 || place >= len(from.items) {
			return nil, Position{}, ""
		}
		return from.items[place], from.items[place].at, strings.TrimPrefix(rest, ".")
	}
	for _, key := range slices.Sorted(maps.Keys(from.fields)) { // of two keys that fit, the longer one is the later one
		tail, isKey := afterKey(path, key)
		if !isKey {
			continue
		}
		one := from.fields[key]
		next, at, rest = one.value, one.value.at, strings.TrimPrefix(tail, ".")
		if one.value.isList || one.value.fields != nil || one.value.plain == nil {
			at = one.at // a list or map often begins on the line below
		}
	}
	return next, at, rest
}

// afterKey removes a key from the start of a path.
func afterKey(path, key string) (rest string, isKey bool) {
	if rest, isKey = strings.CutPrefix(path, key); isKey && (rest == "" || rest[0] == '.' || rest[0] == '[') {
		return rest, true
	}
	if cut, rest, found := strings.Cut(path, "..."); found && cut != "" && len(key) > len(cut) && strings.HasPrefix(key, cut) {
		return rest, true
	}
	return "", false
}
