package template

import (
	"slices"
	"strconv"
	"strings"
)

// pieces splits the text of Fn::Sub. The name of a variable is the text within ${...}, and ${!text}
// is the text ${text}.
func pieces(text string, literal func(string), variable func(name string)) {
	for {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			literal(text)
			return
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			literal(text)
			return
		}
		literal(before)
		if bare, isLiteral := strings.CutPrefix(name, "!"); isLiteral {
			literal("${" + bare + "}")
		} else {
			variable(strings.TrimSpace(name))
		}
		text = after
	}
}

// subArguments returns the text of Fn::Sub and its own variables.
func subArguments(argument *node) (text string, own *node, ok bool) {
	if text, isText := argument.text(); isText {
		return text, nil, true
	}
	if argument.kind != list || len(argument.items) == 0 || len(argument.items) > 2 {
		return "", nil, false
	}
	if len(argument.items) == 2 {
		own = argument.items[1]
	}
	text, ok = argument.items[0].text()
	return text, own, ok
}

func (e *evaluator) sub(from, argument *node) *result {
	text, own, ok := subArguments(argument)
	if !ok || strings.Contains(text, "{{resolve:") {
		return nil
	}
	var built strings.Builder
	isKnown := true
	known := map[string]*result{} // each variable once: they nest, and a name may occur many times
	pieces(text, func(piece string) { built.WriteString(piece) }, func(name string) {
		if !isKnown {
			return
		}
		if _, exists := known[name]; !exists {
			known[name] = e.variable(from, own, name)
		}
		value := known[name]
		if value == nil {
			isKnown = false
			return
		}
		piece, isText := value.text()
		if !isText || built.Len()+len(piece) > maxBytes {
			isKnown = false
			return
		}
		built.WriteString(piece)
	})
	if !isKnown {
		return nil
	}
	return &result{at: argument.at, plain: built.String()}
}

// variable returns the value of ${name}.
func (e *evaluator) variable(from, own *node, name string) *result {
	if mine := own.get(name); mine != nil {
		return e.value(mine)
	}
	if strings.Contains(name, ".") {
		return textFrom(e.values.Attributes, name, from.at)
	}
	return e.ref(from, &node{kind: scalar, value: name, at: from.at})
}

// arguments evaluates a list of arguments, or returns nil if their number is another one.
func (e *evaluator) arguments(argument *node, count int) []*result {
	if argument.kind != list || len(argument.items) != count {
		return nil
	}
	evaluated := make([]*result, 0, count)
	for _, item := range argument.items {
		evaluated = append(evaluated, e.value(item))
	}
	return evaluated
}

func (e *evaluator) join(from, argument *node) *result {
	arguments := e.arguments(argument, 2)
	if arguments == nil || !arguments[1].isList {
		return nil
	}
	delimiter, isText := arguments[0].text()
	if !isText {
		return nil
	}
	var parts []string
	size := 0
	for _, item := range arguments[1].items {
		part, isText := item.text()
		if size += len(part) + len(delimiter); !isText || size > maxBytes {
			return nil
		}
		parts = append(parts, part)
	}
	return &result{at: from.at, plain: strings.Join(parts, delimiter)}
}

func (e *evaluator) split(from, argument *node) *result {
	arguments := e.arguments(argument, 2)
	if arguments == nil {
		return nil
	}
	delimiter, isText := arguments[0].text()
	text, isKnown := arguments[1].text()
	if !isText || !isKnown || delimiter == "" {
		return nil
	}
	evaluated := &result{at: from.at, isList: true}
	for part := range strings.SplitSeq(text, delimiter) {
		evaluated.items = append(evaluated.items, &result{at: arguments[1].at, plain: part})
	}
	return evaluated
}

func (e *evaluator) selected(argument *node) *result {
	arguments := e.arguments(argument, 2)
	if arguments == nil || !arguments[1].isList {
		return nil
	}
	text, _ := arguments[0].text()
	place, err := strconv.Atoi(text)
	if err != nil || place < 0 || place >= len(arguments[1].items) {
		return nil
	}
	return arguments[1].items[place]
}

func (e *evaluator) findInMap(argument *node) *result {
	if argument.kind != list || len(argument.items) < 3 || len(argument.items) > 4 {
		return nil
	}
	here := e.template.root.get("Mappings")
	for _, item := range argument.items[:3] {
		key, isText := e.value(item).text()
		if !isText {
			return nil
		}
		if here = here.get(key); here == nil {
			break
		}
	}
	switch {
	case here != nil:
		return e.mapped(here)
	case len(argument.items) == 4: // the language extensions have a fourth argument
		if fallback := argument.items[3].get("DefaultValue"); fallback != nil {
			return e.value(fallback)
		}
	}
	return nil
}

// mapped returns a value of Mappings: text, or a list of texts. CloudFormation evaluates no
// intrinsic functions there (user guide, "Mappings"), and evaluating one could recurse forever.
func (e *evaluator) mapped(here *node) *result {
	isNested := func(one *node) bool { return one.kind != scalar }
	if here.kind == object || slices.ContainsFunc(here.items, isNested) {
		return nil
	}
	return e.value(here)
}

// textOfNode prints a value in YAML with short tags, on one line.
func textOfNode(from *node) string {
	switch function, argument := functionOf(from); {
	case from == nil:
		return ""
	case function == "Fn::GetAtt":
		if resource, attribute, ok := getAtt(argument); ok {
			return "!GetAtt " + resource + "." + attribute
		}
		return "!GetAtt " + textOfNode(argument)
	case function != "":
		return "!" + strings.TrimPrefix(function, "Fn::") + " " + textOfNode(argument)
	}
	var parts []string
	switch from.kind {
	case list:
		for _, item := range from.items {
			parts = append(parts, textOfNode(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case object:
		for _, one := range from.pairs {
			parts = append(parts, one.key+": "+textOfNode(one.node))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		text, _ := from.text()
		return text
	}
}
