package template

import (
	"slices"
	"strings"
)

// assumption is one combination of the conditions' outcomes.
type assumption struct {
	choices map[string]choice // of parameters and pseudo parameters
	truths  map[string]truth  // of independent comparisons, by their text
	blurred map[string]bool   // parameters whose Default would contradict the truths
}

// choice is a value of a parameter, or any value that no condition compares it with.
type choice struct {
	text      string
	isDefault bool
	other     bool
}

// equals decides a comparison under an assumption. A Default decides nothing here: it is one choice
// among others.
func (a *assumption) equals(e *evaluator, expression, argument *node) truth {
	for i, item := range argument.items {
		choice, isChosen := a.choices[e.template.refOf(item)]
		if !isChosen {
			continue
		}
		if text, isText := argument.items[1-i].text(); isText {
			return truthOf(!choice.other && choice.text == text)
		}
	}
	given := e.values
	given.NoDefaults = true
	inner := newEvaluator(e.template, given)
	inner.assumed, inner.depth = a, e.depth
	inner.conditions, inner.deciding = e.conditions, e.deciding // under an assumption, a condition depends on nothing else
	if decided := same(inner.value(argument.items[0]), inner.value(argument.items[1])); decided != undecided {
		return decided
	}
	return a.truths[textOfNode(expression)]
}

// variable is a parameter, or else a comparison, whose value an assumption chooses.
type variable struct {
	name    string
	choices []choice
	truths  []truth
	refs    []string // the parameters that a comparison depends on
	asGiven truth    // the result of a comparison with every Default
}

// Variants evaluates the properties of resources under each combination of the outcomes of the
// conditions that they use, up to a number of combinations. The first is that of the Defaults, if
// it is possible. Each variant has an Evaluation for each resource, and only variants with all of
// these resources are returned. A Default that contradicts a combination does not count in it.
func (t *Template) Variants(values Values, most int, resources ...Resource) [][]Evaluation {
	var variants [][]Evaluation
	isComplete := each(t.variables(values, resources), func(assumed *assumption) bool {
		e := newEvaluator(t, values)
		e.assumed = assumed
		for _, resource := range resources {
			if resource.Condition != "" && e.condition(resource.Condition) == isFalse {
				return true
			}
		}
		var variant []Evaluation
		for _, resource := range resources {
			variant = append(variant, e.properties(resource))
		}
		variants = append(variants, variant)
		return len(variants) < most
	})
	if len(variants) == 0 && !isComplete {
		e := newEvaluator(t, values)
		e.assumed = &assumption{} // nothing is decided
		var variant []Evaluation
		for _, resource := range resources {
			variant = append(variant, e.properties(resource))
		}
		variants = append(variants, variant)
	}
	return variants
}

// maxWays limits how many assumptions are tried.
const maxWays = 4096

// each calls a function with assumptions until it returns false. It begins with the first choices,
// then varies one variable at a time, then the rest. It reports whether all were used.
func each(variables []variable, use func(*assumption) bool) (isComplete bool) {
	ways := [][]int{make([]int, len(variables))}
	for i, one := range variables {
		for place := 1; place < one.count(); place++ {
			way := make([]int, len(variables))
			way[i] = place
			ways = append(ways, way)
		}
	}
	for _, way := range ways {
		if !use(assume(variables, way)) {
			return false
		}
	}
	way := make([]int, len(variables))
	for tried := 0; tried < maxWays; {
		place := 0
		for ; place < len(way); place++ {
			if way[place]++; way[place] < variables[place].count() {
				break
			}
			way[place] = 0
		}
		if place == len(way) {
			return true
		}
		if differing(way) < 2 {
			continue // it was among the first ones
		}
		tried++
		if !use(assume(variables, way)) {
			return false
		}
	}
	return false
}

func differing(way []int) int {
	count := 0
	for _, place := range way {
		if place != 0 {
			count++
		}
	}
	return count
}

func (v variable) count() int { return max(len(v.choices), len(v.truths)) }

func assume(variables []variable, way []int) *assumption {
	assumed := &assumption{choices: map[string]choice{}, truths: map[string]truth{}, blurred: map[string]bool{}}
	for i, one := range variables {
		if len(one.choices) > 0 {
			assumed.choices[one.name] = one.choices[way[i]]
			continue
		}
		assumed.truths[one.name] = one.truths[way[i]]
		if one.truths[way[i]] != one.asGiven {
			for _, name := range one.refs {
				assumed.blurred[name] = true
			}
		}
	}
	return assumed
}

// gatherer collects the variables of the conditions that resources use.
type gatherer struct {
	template  *Template
	values    Values
	given     *evaluator // with what is given
	likely    *evaluator // with every Default as well
	visited   map[string]bool
	variables []variable
}

func (t *Template) variables(values Values, resources []Resource) []variable {
	given := values
	given.NoDefaults = true
	g := &gatherer{template: t, values: values, given: newEvaluator(t, given), likely: newEvaluator(t, values), visited: map[string]bool{}}
	for _, resource := range resources {
		g.condition(resource.Condition)
		walk(resource.node.get("Properties"), func(from *node) {
			if function, argument := functionOf(from); function == "Fn::If" && argument.kind == list && len(argument.items) > 0 {
				name, _ := argument.items[0].text()
				g.condition(name)
			}
		})
	}
	return g.variables
}

func (g *gatherer) condition(name string) {
	if name == "" || g.visited[name] {
		return
	}
	g.visited[name] = true
	walk(g.template.root.get("Conditions").get(name), func(from *node) {
		switch function, argument := functionOf(from); function {
		case "Condition":
			other, _ := argument.text()
			g.condition(other)
		case "Fn::Equals":
			if argument.kind == list && len(argument.items) == 2 {
				g.comparison(from, argument)
			}
		}
	})
}

func (g *gatherer) comparison(expression, argument *node) {
	if same(g.given.value(argument.items[0]), g.given.value(argument.items[1])) != undecided {
		return
	}
	for i, item := range argument.items {
		name := g.template.refOf(item)
		text, isText := argument.items[1-i].text()
		if name != "" && isText {
			g.choose(name, text)
			return
		}
	}
	text := textOfNode(expression)
	if slices.ContainsFunc(g.variables, func(one variable) bool { return one.name == text }) {
		return
	}
	one := variable{name: text, truths: []truth{isTrue, isFalse}}
	one.asGiven = same(g.likely.value(argument.items[0]), g.likely.value(argument.items[1]))
	if one.asGiven == isFalse {
		slices.Reverse(one.truths)
	}
	walk(argument, func(from *node) {
		one.refs = append(one.refs, refsIn(from)...)
	})
	g.variables = append(g.variables, one)
}

// refsIn returns the names that a value itself refers to.
func refsIn(from *node) []string {
	function, argument := functionOf(from)
	if name, isText := argument.text(); function == "Ref" && isText {
		return []string{name}
	}
	var names []string
	if function == "Fn::Sub" {
		if text, _, ok := subArguments(argument); ok {
			pieces(text, func(string) {}, func(name string) { names = append(names, name) })
		}
	}
	return names
}

// choose adds a value that a parameter is compared with to its choices.
func (g *gatherer) choose(name, text string) {
	place := slices.IndexFunc(g.variables, func(one variable) bool { return one.name == name && len(one.choices) > 0 })
	if place < 0 {
		g.variables = append(g.variables, variable{name: name, choices: g.firstChoices(name)})
		place = len(g.variables) - 1
	}
	one := &g.variables[place]
	allowed := g.allowed(name)
	isIt := func(choice choice) bool { return !choice.other && choice.text == text }
	switch isFirst := slices.IndexFunc(one.choices, isIt); {
	case isFirst == 0 && (allowed == nil || len(allowed) > 1):
		// The Default decides the comparison, so any other value is another outcome.
		if !slices.ContainsFunc(one.choices, func(choice choice) bool { return choice.other }) {
			one.choices = append(one.choices, choice{other: true})
		}
	case isFirst < 0 && (allowed == nil || slices.Contains(allowed, text)):
		one.choices = append(one.choices, choice{text: text})
	}
	if allowed != nil && len(one.choices) == len(allowed)+1 {
		// Every value that is allowed has a choice of its own.
		one.choices = slices.DeleteFunc(one.choices, func(choice choice) bool { return choice.other })
	}
}

// firstChoices returns the Default, or any value without one.
func (g *gatherer) firstChoices(name string) []choice {
	fallback := g.template.root.get("Parameters").get(name).get("Default")
	if text, isText := fallback.text(); isText && !g.values.NoDefaults && !strings.HasPrefix(name, "AWS::") {
		return []choice{{text: text, isDefault: true}}
	}
	return []choice{{other: true}}
}

func (g *gatherer) allowed(name string) []string {
	values := g.template.root.get("Parameters").get(name).get("AllowedValues")
	if values == nil || values.kind != list {
		return nil
	}
	var allowed []string
	for _, item := range values.items {
		if text, isText := item.text(); isText {
			allowed = append(allowed, text)
		}
	}
	return allowed
}

// walk calls a function with a value and all values in it.
func walk(from *node, visit func(*node)) {
	if from == nil {
		return
	}
	visit(from)
	for _, item := range from.items {
		walk(item, visit)
	}
	for _, one := range from.pairs {
		walk(one.node, visit)
	}
}
