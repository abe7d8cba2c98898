package provider_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/internal/proof/world"
	"sgchain/lambda/internal/protocol"
)

// The phases of an operation, as the headings of docs/messages.md have them.
const (
	phaseProperties = "Properties"
	phaseGuardrails = "Guardrails"
	phasePlanning   = "Planning"
	phaseCalls      = "EC2 calls"
	phaseDeletes    = "Deletes"
	phaseAdoption   = "Adoption and release"
	phaseMoves      = "Moves"
	phaseOperations = "Stack operations"
	phaseActions    = "Actions"
	phaseEvents     = "Events and environment"
	phaseWarnings   = "Warnings"
)

// phases are in the order of the page, each with what its messages have in common.
func phases() [][2]string {
	return [][2]string{
		{phaseProperties, "The properties are read before anything is called. All problems are reported at once, each with its\npath, and nothing is changed."},
		{phaseGuardrails, "Guardrails check the properties before anything is called. See [guardrails.md](guardrails.md)."},
		{phasePlanning, "A peer does not exist, a quota is too low, a name is taken, or a replaced group keeps its name.\nMost of these appear before the first change."},
		{phaseCalls, "EC2 refuses a call, throttles it or fails. After the name of the error code, the text is EC2's own."},
		{phaseDeletes, "A security group of the chain cannot be deleted."},
		{phaseAdoption, "A security group cannot be adopted or released. See [adoption.md](adoption.md)."},
		{phaseMoves, "`MovedFrom` cannot take over the security groups of another chain. See [moves.md](moves.md)."},
		{phaseOperations, "The operation of the stack, its status or its time ends the request."},
		{phaseActions, "Answers to `plan`, `check` and `repair`. See [asking.md](asking.md)."},
		{phaseEvents, "The event, the function or its environment is wrong."},
		{phaseWarnings, "The operation succeeds, and the attribute `Warnings` has one of these on each line. The answer to an\naction and the log have them as well."},
	}
}

// pageWidth is the longest line of a page in docs.
const pageWidth = 100

// logTail ends every failure.
const logTail = " Log: CloudWatch log group /aws/lambda/Provider, stream 1."

// maxWords is how many words of a message a reader gets: the cause and what to do.
const maxWords = 40

// message is a situation and what the function said in it.
type message struct {
	title, text string
}

// family returns the start of a title that several messages share.
func (m message) family() string {
	family, _, _ := strings.Cut(m.title, ": ")
	return family
}

// section writes the messages of one phase. Neighbors of one family with the same remedy share it.
func section(all []message) string {
	var page strings.Builder
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].family() == all[0].family() && remedyOf(all[:n+1]) != "" {
			n++
		}
		shared := remedyOf(all[:n])
		if n == 1 {
			page.WriteString("**" + all[0].title + "**\n\n" + fenced(all[0].text, "") + "\n")
		} else {
			page.WriteString("**" + all[0].family() + "**\n\nWhat to do, at the end of each message:\n\n" + fenced(shared, "") + "\nCauses:\n\n")
			for _, one := range all[:n] {
				cause := strings.TrimSuffix(one.text, shared)
				page.WriteString("- " + strings.TrimPrefix(one.title, one.family()+": ") + ":\n\n" + fenced(strings.TrimSpace(cause), "  ") + "\n")
			}
		}
		all = all[n:]
	}
	return page.String()
}

// remedyOf returns the sentences with which several messages end.
func remedyOf(all []message) string {
	if len(all) < 2 {
		return ""
	}
	end := all[0].text
	for _, one := range all[1:] {
		for !strings.HasSuffix(one.text, end) {
			end = end[1:]
		}
	}
	_, sentences, found := strings.Cut(end, ". ")
	if !found || !strings.HasSuffix(end, ".") {
		return ""
	}
	return sentences
}

// fenced returns lines of text as a block of code, wrapped to the width of a page.
func fenced(text, indent string) string {
	block := indent + "```text\n"
	for line := range strings.SplitSeq(text, "\n") {
		block += wrapped(line, indent)
	}
	return block + indent + "```\n"
}

func wrapped(line, indent string) string {
	var text string
	row := indent
	for i, word := range strings.Split(line, " ") {
		switch {
		case i == 0:
			row += word
		case len(row)+1+len(word) > pageWidth:
			text += row + "\n"
			if row = indent + "  " + word; len(row) > pageWidth {
				row = indent + word // it cannot be broken
			}
		default:
			row += " " + word
		}
	}
	return text + row + "\n"
}

// anchor returns the link to a heading.
func anchor(heading string) string {
	return "[" + heading + "](#" + strings.ReplaceAll(strings.ToLower(heading), " ", "-") + ")"
}

// said collects what EC2 and CloudFormation said in a situation.
type said struct {
	mu    sync.Mutex
	texts []string
}

func (s *said) note(call world.Call) {
	noteCall(call)
	if refused, ok := errors.AsType[*world.APIError](call.Err); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		message, _, _ := strings.Cut(refused.Message, " Encoded authorization failure message")
		s.texts = append(s.texts, strings.TrimSuffix(message, "."))
	}
}

// without removes what AWS said from a message.
func (s *said) without(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.texts {
		text = strings.ReplaceAll(text, one, "")
	}
	return saidByCloudFormation.ReplaceAllString(text, "$1:")
}

var saidByCloudFormation = regexp.MustCompile(`(AccessDenied|Throttling): (User: .*? is not authorized to perform: [\w:]+|Rate exceeded)`)

// keepsRules checks a message as its reader sees it: one line of at most 40 words, with a cause, what to
// do, and the log.
func keepsRules(t *testing.T, phase, text string, aws *said) {
	t.Helper()
	if strings.Contains(text, "\n") {
		t.Errorf("more than one line: %q", text)
	}
	if text == "" || strings.TrimSpace(text) != text {
		t.Errorf("no message, or one with space around it: %q", text)
	}
	whole, hasLog := strings.CutSuffix(text, logTail)
	if !hasLog && !slices.Contains([]string{phaseProperties, phaseActions, phaseWarnings}, phase) {
		t.Errorf("a failure without the place of its log: %s", text)
	}
	whole = aws.without(whole)
	for _, one := range numberedParts(whole) {
		if n := words(one); n > maxWords {
			t.Errorf("%d words, want at most %d: %s", n, maxWords, one)
		}
	}
	if cause, remedy := halves(whole); phase != phaseWarnings && (cause == "" || remedy == "") {
		t.Errorf("the cause is %q and the remedy %q: %s", cause, remedy, whole)
	}
}

// numberedParts returns the problems of a message, the first one with what comes before them.
func numberedParts(text string) []string {
	lead, rest, several := strings.Cut(text, " problems: (1) ")
	if !several {
		return []string{text}
	}
	parts := problemNumber.Split(rest, -1)
	parts[0] = lead + " problems: " + parts[0]
	return parts
}

var problemNumber = regexp.MustCompile(` \(\d+\) `)

// halves splits a message after the cause. "Nothing was changed." belongs to neither.
func halves(text string) (cause, remedy string) {
	sentences := sentenceEnd.Split(text, -1)
	cause = sentences[0]
	for _, sentence := range sentences[1:] {
		if sentence = strings.Trim(sentence, ". "); sentence != "Nothing was changed" {
			remedy += sentence
		}
	}
	return cause, remedy
}

var sentenceEnd = regexp.MustCompile(`[.?] `)

// words counts the words of the cause and of what to do. A command, an ID and an ARN are one word each.
// If items of a list differ only in these, the first one counts.
func words(text string) int {
	text = command.ReplaceAllString(operation.ReplaceAllString(text, ""), "($1)")
	text = strings.Replace(text, "Nothing was changed.", "", 1)
	known, count := map[string]bool{}, 0
	for _, item := range listItem.Split(text, -1) {
		if like := identifier.ReplaceAllString(item, "#"); !known[like] {
			known[like] = true
			count += len(strings.Fields(item))
		}
	}
	return count
}

var (
	// operation is the step before the cause: "creating security group (web): ".
	operation  = regexp.MustCompile(`^(An update to these properties would be refused: )?([a-z]+ing [^:(]*(\([^)]*\))?[^:]*: )?(the \w+ request is over: )?`)
	command    = regexp.MustCompile(`\((aws) [^()]*\)`)
	listItem   = regexp.MustCompile(`[:;,.?] | and `)
	identifier = regexp.MustCompile(`\S*\d\S*`)
)

// fits fails for each answer that CloudFormation would not accept.
func (m *mailbox) fits(t *testing.T) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, body := range m.bodies {
		if len(body) > protocol.MaxBody {
			t.Errorf("an answer of %d bytes", len(body))
		}
		if answer := m.answers[i]; answer.Status == cfn.StatusFailed && (answer.Reason == "" || strings.Contains(answer.Reason, "\n")) {
			t.Errorf("the reason is %q", answer.Reason)
		}
	}
}

// topics are the parts of a chain's properties, with the keys that belong to each.
func topics() []struct{ title, keys string } {
	return []struct{ title, keys string }{
		{"Unknown or repeated properties", "unknown property|twice in the"},
		{"Settings of the chain", `^(VpcId|IpFamilies|RuleQuota|UnmanagedRules|Guardrails)\b`},
		{"Adoption and release", `^(AdoptExisting|ReleaseTiers)\b`},
		{"Moved chains", `^MovedFrom\b`},
		{"Tags", `^(Tags|Tiers\[\d+\]\.Tags)\b`},
		{"Tier names, group names and descriptions", `^Tiers\[\d+\]\.(Name|GroupName|Description)\b`},
		{"Ports", `\.Ports(\[\d+\])?: `},
		{"Peers", `\.(Sources|Destinations)(\[\d+\])?: `},
		{"Entries of Ingress and Egress", `\.(Ingress|Egress)\b`},
		{"Tiers", ""},
	}
}

// propertyProblems writes problems with properties, each kind by itself.
func propertyProblems(problems []string) string {
	var page strings.Builder
	for _, topic := range topics() {
		var lines []string
		keys := regexp.MustCompile(topic.keys)
		problems = slices.DeleteFunc(problems, func(problem string) bool {
			if !keys.MatchString(problem) {
				return false
			}
			lines = append(lines, problem)
			return true
		})
		if len(lines) > 0 {
			fmt.Fprintf(&page, "**%s**\n\n%s\n", topic.title, fenced(strings.Join(lines, "\n"), ""))
		}
	}
	return page.String()
}
