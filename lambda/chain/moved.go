package chain

import (
	"fmt"
	"strings"
)

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

// IsStackID reports whether a text has the form of a stack's ID.
func IsStackID(text string) bool { return stackIDPattern().MatchString(text) && len(text) <= maxText }

// form holds a text against a form.
func (r *reader) form(path, text string, fits func(string) bool, form string) {
	switch {
	case text == "":
		r.problem(path, "is missing; write %s", form)
	case !fits(text) || len(text) > maxText:
		r.problem(path, "%s is not %s", quoted(text), form)
	}
}

// Former is the place that a group was moved from.
type Former struct {
	Resource

	Epoch    Epoch  // that the group had there
	Provider string // empty for the provider that the group has
	// Gone says that no stack had the chain any more when the group was moved: it had been kept.
	Gone bool
}

// Origin is the place as MovedFrom names it.
func (f Former) Origin() Origin { return Origin{Stack: f.StackID, LogicalID: f.LogicalID} }

// goneWord ends the mark of a group whose chain was gone.
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

// FormerOf reads the marks among a group's tags; ok is false where they name no place: the group was never moved, or for good.
func FormerOf(tags map[string]string) (from Former, ok bool) {
	epoch, logicalID, found := strings.Cut(tags[TagMovedFrom], " ")
	logicalID, isGone := strings.CutSuffix(logicalID, goneWord)
	from = Former{Resource: Resource{StackID: tags[TagMovedFromStack], LogicalID: logicalID}, Epoch: ParseEpoch(epoch), Provider: tags[TagMovedFromProvider], Gone: isGone}
	return from, found && from.StackID != "" && logicalID != ""
}

// IsGenerated reports whether a name has the form of [GeneratedName] for a tier. Of a group that was moved that is all that can be told:
// the hash in its name is of a place that may be gone.
func IsGenerated(name, tier string) bool {
	cut := max(len(name)-generatedHex-1, 0)
	rest, hash := name[:cut], strings.TrimPrefix(name[cut:], "-")
	return strings.HasPrefix(name, generatedWord+"-") && strings.HasSuffix(rest, "-"+tier) &&
		len(hash) == generatedHex && strings.Trim(hash, "0123456789abcdef") == ""
}
