package template

import (
	"encoding/json"
	"slices"
	"strings"
)

// noValue is the pseudo parameter that removes a property.
const noValue = "AWS::NoValue"

// evaluator evaluates values of a template under one set of values.
type evaluator struct {
	template *Template
	values   Values
	// assumed has the assumptions of a variant. It is nil outside of variants.
	assumed *assumption
	// conditions has those that were evaluated, and deciding those that are being evaluated.
	conditions map[string]truth
	deciding   map[string]bool
	// depth is how many values are being evaluated, each within the previous one.
	depth int
}

func newEvaluator(template *Template, values Values) *evaluator {
	return &evaluator{template: template, values: values, conditions: map[string]truth{}, deciding: map[string]bool{}}
}

// functionOf returns the intrinsic function of a value: a map with one key.
func functionOf(from *node) (function string, argument *node) {
	if from == nil || from.kind != object || len(from.pairs) != 1 {
		return "", nil
	}
	key := from.pairs[0].key
	if key == "Ref" || key == "Condition" || (strings.HasPrefix(key, "Fn::") && !strings.HasPrefix(key, "Fn::ForEach::")) {
		return key, from.pairs[0].node
	}
	return "", nil
}

func (e *evaluator) unknown(from *node) *result {
	return &result{at: from.at, plain: Unknown{Text: textOfNode(from), At: from.at, List: e.template.isList(from)}}
}

// isList reports whether a function returns a list, whatever its arguments.
func (t *Template) isList(from *node) bool {
	switch function, argument := functionOf(from); function {
	case "Fn::Split", "Fn::GetAZs", "Fn::Cidr":
		return true
	case "Ref":
		name, _ := argument.text()
		kind, _ := t.root.get("Parameters").get(name).get("Type").text()
		kind = strings.TrimPrefix(kind, "AWS::SSM::Parameter::Value<")
		return strings.HasPrefix(kind, "List<") || strings.HasPrefix(kind, "CommaDelimitedList")
	default:
		return false
	}
}

// mostNested is more than the combined depth of a template and its conditions.
const mostNested = 10 * maxDepth

func (e *evaluator) value(from *node) *result {
	if e.depth == mostNested { // its text may be infinite, too
		return &result{at: from.at, plain: Unknown{Text: "a value that is nested too deep", At: from.at}}
	}
	e.depth++
	defer func() { e.depth-- }()
	if function, argument := functionOf(from); function != "" {
		return e.call(from, function, argument)
	}
	switch from.kind {
	case list:
		evaluated := &result{at: from.at, isList: true}
		for _, item := range from.items {
			if one := e.value(item); !one.isOmitted {
				evaluated.items = append(evaluated.items, one)
			}
		}
		return evaluated
	case object:
		evaluated := &result{at: from.at, fields: map[string]*field{}}
		for _, one := range from.pairs {
			if one.key == "Fn::Transform" || strings.HasPrefix(one.key, "Fn::ForEach::") {
				return e.unknown(from) // it adds unknown keys
			}
			if value := e.value(one.node); !value.isOmitted {
				evaluated.fields[one.key] = &field{at: one.at, value: value}
			}
		}
		return evaluated
	default:
		if text, isText := from.value.(string); isText && strings.Contains(text, "{{resolve:") {
			return e.unknown(from)
		}
		return &result{at: from.at, plain: from.value}
	}
}

// call evaluates an intrinsic function. The result is unknown if a value is, or if the function is
// malformed.
func (e *evaluator) call(from *node, function string, argument *node) *result {
	var evaluated *result
	switch function {
	case "Ref":
		evaluated = e.ref(from, argument)
	case "Fn::If":
		evaluated = e.branch(argument)
	case "Fn::Sub":
		evaluated = e.sub(from, argument)
	case "Fn::Join":
		evaluated = e.join(from, argument)
	case "Fn::Split":
		evaluated = e.split(from, argument)
	case "Fn::Select":
		evaluated = e.selected(argument)
	case "Fn::FindInMap":
		evaluated = e.findInMap(argument)
	case "Fn::ImportValue":
		if name, isText := e.value(argument).text(); isText {
			evaluated = textFrom(e.values.Exports, name, from.at)
		}
	case "Fn::GetAtt":
		if resource, attribute, ok := getAtt(argument); ok {
			evaluated = textFrom(e.values.Attributes, resource+"."+attribute, from.at)
		}
	case "Fn::ToJsonString":
		evaluated = e.toJSON(from, argument)
	}
	if evaluated == nil {
		return e.unknown(from)
	}
	return evaluated
}

// textFrom returns the text of a name in a map, or nil.
func textFrom(values map[string]string, name string, at Position) *result {
	text, isKnown := values[name]
	if !isKnown {
		return nil
	}
	return &result{at: at, plain: text}
}

func (e *evaluator) ref(from, argument *node) *result {
	name, isText := argument.text()
	if !isText {
		return nil
	}
	if name == noValue {
		return &result{at: from.at, isOmitted: true}
	}
	if parameter := e.template.root.get("Parameters").get(name); parameter != nil {
		return e.parameter(from, name, parameter)
	}
	if strings.HasPrefix(name, "AWS::") {
		if text, isKnown := e.pseudo(name); isKnown {
			return &result{at: from.at, plain: text}
		}
		return nil
	}
	return textFrom(e.values.Refs, name, from.at)
}

func (e *evaluator) pseudo(name string) (text string, isKnown bool) {
	if text, isKnown := e.values.Pseudo[name]; isKnown {
		return text, true
	}
	if e.assumed != nil {
		if choice, isChosen := e.assumed.choices[name]; isChosen && !choice.other {
			return choice.text, true
		}
	}
	return "", false
}

// parameter returns the value of a parameter: given, assumed, or its Default.
func (e *evaluator) parameter(from *node, name string, parameter *node) *result {
	kind, _ := parameter.get("Type").text()
	if stored, isStored := strings.CutPrefix(kind, "AWS::SSM::Parameter::Value<"); isStored {
		if text, isKnown := e.values.Resolved[name]; isKnown {
			return parameterValue(text, stored, from.at, from.at)
		}
		return nil
	}
	if text, isKnown := e.values.Parameters[name]; isKnown {
		return parameterValue(text, kind, from.at, from.at)
	}
	if e.values.Hidden[name] {
		return nil
	}
	if e.assumed != nil {
		if choice, isChosen := e.assumed.choices[name]; isChosen && !choice.other {
			at := from.at
			if choice.isDefault {
				at = parameter.get("Default").at
			}
			return parameterValue(choice.text, kind, from.at, at)
		} else if isChosen || e.assumed.blurred[name] {
			return nil
		}
	}
	fallback := parameter.get("Default")
	if text, isText := fallback.text(); isText && !e.values.NoDefaults && !strings.Contains(text, "{{resolve:") {
		return parameterValue(text, kind, from.at, fallback.at)
	}
	return nil
}

// parameterValue returns the text of a parameter as its type reads it. CloudFormation trims the
// blanks around the entries of a list, and an empty text is a list of one empty text (user guide,
// "Parameters section"). used is the place where the parameter is used, and at the place of its
// text.
func parameterValue(text, kind string, used, at Position) *result {
	if !strings.HasPrefix(kind, "List<") && !strings.HasPrefix(kind, "CommaDelimitedList") {
		return &result{at: at, plain: text}
	}
	evaluated := &result{at: used, isList: true}
	for entry := range strings.SplitSeq(text, ",") {
		evaluated.items = append(evaluated.items, &result{at: at, plain: strings.TrimSpace(entry)})
	}
	return evaluated
}

// branch returns the branch of Fn::If that its condition selects, or nil if that is not known.
func (e *evaluator) branch(argument *node) *result {
	if argument.kind != list || len(argument.items) != 3 {
		return nil
	}
	name, isText := argument.items[0].text()
	if !isText {
		return nil
	}
	switch e.condition(name) {
	case isTrue:
		return e.value(argument.items[1])
	case isFalse:
		return e.value(argument.items[2])
	default:
		return nil
	}
}

// toJSON returns the text of a value as the language extensions write it.
func (e *evaluator) toJSON(from, argument *node) *result {
	evaluated := e.value(argument)
	var unknowns []Unknown
	plain := plainOf("", evaluated, &unknowns)
	if len(unknowns) > 0 || evaluated.isOmitted {
		return nil
	}
	text, err := json.Marshal(plain)
	if err != nil {
		return nil
	}
	return &result{at: from.at, plain: string(text)}
}

// getAtt reads the argument of Fn::GetAtt: a list of texts, or one text with a dot.
func getAtt(argument *node) (resource, attribute string, ok bool) {
	if text, isText := argument.text(); isText {
		return strings.Cut(text, ".")
	}
	if argument.kind != list || len(argument.items) < 2 {
		return "", "", false
	}
	var parts []string
	for _, item := range argument.items {
		text, isText := item.text()
		if !isText {
			return "", "", false
		}
		parts = append(parts, text)
	}
	return parts[0], strings.Join(slices.Clone(parts[1:]), "."), true
}
