package chain

import "fmt"

// Origin is the chain that MovedFrom names. The zero Origin is none.
type Origin struct {
	// Stack is the ID or the name of the stack that the chain is in; empty for the stack of the chain that names it.
	Stack     string
	LogicalID string
	// Provider is the stack ID of the provider that made the chain; empty for the provider of the chain that names it.
	Provider string
}

// String names the chain for messages.
func (o Origin) String() string {
	if o.Stack == "" {
		return o.LogicalID
	}
	return o.LogicalID + " of stack " + o.Stack
}

var (
	logicalIDPattern = lazily(`^[A-Za-z0-9]{1,180}$`) // CloudFormation takes 255: TagMovedFrom has an epoch beside it
	// stackPattern is a stack's name or its ID (API reference, CreateStack).
	stackPattern   = lazily(`^(?:[A-Za-z][-A-Za-z0-9]{0,127}|` + stackIDForm + `)$`)
	stackIDPattern = lazily(`^` + stackIDForm + `$`)
)

// What a text has to be, for messages.
const (
	logicalIDForm = "the logical ID of a chain, of at most 180 letters and digits"
	stackForm     = "the name or the ID of a stack"
	providerForm  = "the ID of a provider's stack: the value of the tag " + TagProvider + " on the groups"
)

const stackIDForm = `arn:[a-z-]+:cloudformation:[a-z0-9-]+:[0-9]{12}:stack/[A-Za-z][-A-Za-z0-9]{0,127}/[-A-Za-z0-9]+`

// movedFrom reads MovedFrom: a logical ID, or a map.
func (r *reader) movedFrom(path string, value any) Origin {
	object, isMap := value.(map[string]any)
	if !isMap {
		id, ok := r.scalar(path, value)
		if ok && id != "" {
			r.form(path, id, logicalIDPattern().MatchString, logicalIDForm+"; for a chain of another stack write a map of Stack and LogicalId")
		}
		return Origin{LogicalID: id}
	}
	r.object(path, object, movedKeys...)
	texts := map[string]string{}
	for _, key := range movedKeys {
		texts[key], _ = r.scalar(join(path, key), object[key])
	}
	origin := Origin{Stack: texts["Stack"], LogicalID: texts["LogicalId"], Provider: texts["Provider"]}
	if _, isWritten := object["LogicalId"]; isWritten && origin == (Origin{}) {
		return origin // a template's parameters that are empty
	}
	r.form(join(path, "LogicalId"), origin.LogicalID, logicalIDPattern().MatchString, logicalIDForm)
	if origin.Stack != "" {
		r.form(join(path, "Stack"), origin.Stack, stackPattern().MatchString, stackForm)
	}
	if origin.Provider != "" {
		r.form(join(path, "Provider"), origin.Provider, stackIDPattern().MatchString, providerForm)
	}
	return origin
}

// form holds a text against a form.
func (r *reader) form(path, text string, fits func(string) bool, form string) {
	switch {
	case text == "":
		r.problem(path, "is missing; write %s", form)
	case !fits(text) || len(text) > maxText:
		r.problem(path, "%s is not %s", quoted(text), form)
	}
}

// MovedMarks returns the marks of a group that was moved from a place, where it had the epoch.
func (e Epoch) MovedMarks(from Resource, provider string) map[string]string {
	marks := map[string]string{TagMovedFrom: fmt.Sprintf("%s %s", e, from.LogicalID), TagMovedFromStack: from.StackID}
	if provider != "" {
		marks[TagMovedFromProvider] = provider
	}
	return marks
}
