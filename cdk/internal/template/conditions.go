package template

import "strings"

// truth is what is known of a condition.
type truth uint8

const (
	undecided truth = iota
	isTrue
	isFalse
)

func truthOf(value bool) truth {
	if value {
		return isTrue
	}
	return isFalse
}

func (t truth) not() truth {
	switch t {
	case isTrue:
		return isFalse
	case isFalse:
		return isTrue
	default:
		return undecided
	}
}

// condition evaluates a condition by its name. One that does not exist, or depends on itself, is
// undecided.
func (e *evaluator) condition(name string) truth {
	if known, isKnown := e.conditions[name]; isKnown {
		return known
	}
	expression := e.template.root.get("Conditions").get(name)
	if expression == nil || e.deciding[name] {
		return undecided
	}
	e.deciding[name] = true
	decided := e.decide(expression)
	delete(e.deciding, name)
	e.conditions[name] = decided
	return decided
}

func (e *evaluator) decide(expression *node) truth {
	function, argument := functionOf(expression)
	switch function {
	case "Condition":
		name, _ := argument.text()
		return e.condition(name)
	case "Fn::Not":
		if argument.kind == list && len(argument.items) == 1 {
			return e.decide(argument.items[0]).not()
		}
	case "Fn::And":
		return e.all(argument, isTrue)
	case "Fn::Or":
		return e.all(argument, isFalse)
	case "Fn::Equals":
		return e.equals(expression, argument)
	}
	return undecided
}

// all evaluates Fn::And if wanted is isTrue: true if all arguments are, and false if one is not. If
// wanted is isFalse, it evaluates Fn::Or.
func (e *evaluator) all(argument *node, wanted truth) truth {
	if argument.kind != list || len(argument.items) == 0 {
		return undecided
	}
	decided := wanted
	for _, item := range argument.items {
		if one := e.decide(item); one == wanted.not() {
			return one
		} else if one == undecided {
			decided = undecided
		}
	}
	return decided
}

func (e *evaluator) equals(expression, argument *node) truth {
	if argument.kind != list || len(argument.items) != 2 {
		return undecided
	}
	if e.assumed != nil {
		return e.assumed.equals(e, expression, argument)
	}
	return same(e.value(argument.items[0]), e.value(argument.items[1]))
}

// same compares two values as Fn::Equals does: as text.
func same(a, b *result) truth {
	textA, isTextA := a.text()
	textB, isTextB := b.text()
	if !isTextA || !isTextB {
		return undecided
	}
	return truthOf(textA == textB)
}

// refOf returns the name of the parameter or pseudo parameter that a value refers to, or an empty
// text.
func (t *Template) refOf(from *node) string {
	function, argument := functionOf(from)
	name, isText := argument.text()
	if function != "Ref" || !isText {
		return ""
	}
	parameter := t.root.get("Parameters").get(name)
	kind, _ := parameter.get("Type").text()
	switch {
	case strings.HasPrefix(name, "AWS::") && name != noValue:
		return name
	case parameter == nil, strings.HasPrefix(kind, "List<"), strings.HasPrefix(kind, "CommaDelimitedList"), strings.HasPrefix(kind, "AWS::SSM::Parameter::Value<"):
		return ""
	default:
		return name
	}
}
