package chain

import (
	"fmt"
	"strings"
)

// Origin is the chain that MovedFrom names. The zero Origin means no chain.
type Origin struct {
	// Stack is the ID or the name of the chain's stack; empty for the stack of the chain that
	// has the MovedFrom.
	Stack     string
	LogicalID string
	// Provider is the stack ID of the chain's provider; empty for the provider of the chain
	// that has the MovedFrom.
	Provider string
}

// String returns the chain's name for messages.
func (o Origin) String() string {
	if o.Stack == "" {
		return o.LogicalID
	}
	return o.LogicalID + " of stack " + o.Stack
}

var (
	logicalIDPattern = lazily(`^[A-Za-z0-9]{1,180}$`) // CloudFormation allows 255, but TagMovedFrom also has an epoch
	// stackPattern matches a stack's name or its ID (API reference, CreateStack).
	stackPattern   = lazily(`^(?:[A-Za-z][-A-Za-z0-9]{0,127}|` + stackIDForm + `)$`)
	stackIDPattern = lazily(`^` + stackIDForm + `$`)
)

// The forms of texts, for messages.
const (
	logicalIDForm = "the logical ID of a chain (at most 180 letters and digits)"
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
			r.form(path, id, logicalIDPattern().MatchString, logicalIDForm+", or a map of Stack and LogicalId for a chain of another stack")
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
		return origin // the template's parameters are empty
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

// IsStackID reports whether a text has the form of a stack's ID.
func IsStackID(text string) bool { return stackIDPattern().MatchString(text) && len(text) <= maxText }

// form checks whether a text has a form.
func (r *reader) form(path, text string, fits func(string) bool, form string) {
	switch {
	case text == "":
		r.problem(path, "is missing. Write %s.", form)
	case !fits(text) || len(text) > maxText:
		r.problem(path, "%s is invalid. Write %s.", quoted(text), form)
	}
}

// Former is the place that a group was moved from.
type Former struct {
	Resource

	Epoch    Epoch  // of the group in that place
	Provider string // empty for the group's current provider
	// Gone means that the chain had no stack when the group was moved: a deletion had retained it.
	Gone bool
}

// Origin returns the place in the form of MovedFrom.
func (f Former) Origin() Origin { return Origin{Stack: f.StackID, LogicalID: f.LogicalID} }

// goneWord ends the mark of a group whose chain had no stack.
const goneWord = " gone"

// Marks returns the marks of a group that was moved from the place.
func (f Former) Marks() map[string]string {
	marks := map[string]string{TagMovedFrom: fmt.Sprintf("%s %s", f.Epoch, f.LogicalID), TagMovedFromStack: f.StackID}
	if f.Gone {
		marks[TagMovedFrom] += goneWord
	}
	if f.Provider != "" {
		marks[TagMovedFromProvider] = f.Provider
	}
	return marks
}

// FormerOf reads the marks among a group's tags. If they name no place, ok is false: the group was
// never moved, or was moved for good.
func FormerOf(tags map[string]string) (from Former, ok bool) {
	epoch, logicalID, found := strings.Cut(tags[TagMovedFrom], " ")
	logicalID, isGone := strings.CutSuffix(logicalID, goneWord)
	from = Former{Resource: Resource{StackID: tags[TagMovedFromStack], LogicalID: logicalID}, Epoch: ParseEpoch(epoch), Provider: tags[TagMovedFromProvider], Gone: isGone}
	return from, found && from.StackID != "" && logicalID != ""
}

// IsGenerated reports whether a name has the form of [GeneratedName] for a tier. A moved group
// allows no stricter check: its name has the hash of a place that may no longer exist.
func IsGenerated(name, tier string) bool {
	cut := max(len(name)-generatedHex-1, 0)
	rest, hash := name[:cut], strings.TrimPrefix(name[cut:], "-")
	return strings.HasPrefix(name, generatedWord+"-") && strings.HasSuffix(rest, "-"+tier) &&
		len(hash) == generatedHex && strings.Trim(hash, "0123456789abcdef") == ""
}
