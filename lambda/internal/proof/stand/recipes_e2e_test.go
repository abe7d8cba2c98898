//go:build e2e

package stand_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

const (
	recipesPage  = "docs/operations.md"
	tutorialPage = "docs/tutorial.md"
)

// recipe is one section of the page, with its fenced blocks in order.
type recipe struct {
	file   string
	name   string
	prose  string
	blocks []block
}

// block is a fenced block: commands (sh), lines of a template (yaml), a policy (json), or the output
// of the previous commands (text).
type block struct {
	kind, text string
	line       int
}

// recipes reads the recipes, and the tutorial as one recipe more.
func recipes(t *testing.T, root string) []recipe {
	t.Helper()
	whole := recipe{file: tutorialPage, name: "Tutorial"}
	for _, section := range sections(t, root, tutorialPage) {
		whole.blocks = append(whole.blocks, section.blocks...)
	}
	return append(sections(t, root, recipesPage), whole)
}

// sections reads a page. Every section of it is a recipe. The text before the first section is not.
func sections(t *testing.T, root, page string) []recipe {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(page)))
	if err != nil {
		t.Fatal(err)
	}
	var found []recipe
	var open *block
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		name, isHeading := strings.CutPrefix(line, "## ")
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && open == nil:
			open = &block{kind: strings.TrimSpace(fence), line: number}
		case isFence:
			if len(found) > 0 {
				last := &found[len(found)-1]
				last.blocks = append(last.blocks, *open)
			} else if open.kind != "" {
				t.Fatalf("%s:%d: commands outside of every section", page, open.line)
			}
			open = nil
		case open != nil:
			open.text += line
		case isHeading:
			found = append(found, recipe{file: page, name: strings.TrimSpace(name)})
		case len(found) > 0:
			found[len(found)-1].prose += line
		}
	}
	if open != nil {
		t.Fatalf("%s:%d: a block without an end", page, open.line)
	}
	return found
}

// TestRecipes runs every recipe of the page with the page's own commands, all against one
// MiniStack. It fails if a recipe has no player, or if a block is not run.
func TestRecipes(t *testing.T) {
	t.Parallel()
	ctx, place := published(t)
	sgchainCommand(t)
	book := recipeBook{launchPad: place, tools: quickSleep(t), page: recipes(t, place.publisher.root)}
	provider := place.stack("SecurityGroupChainProvider", place.listed(t, providerFile), "")
	provider.launch(ctx, t, nil, cfntypes.StackStatusCreateComplete)

	// All in parallel, whatever the limit of parallel tests: they mostly wait.
	var played sync.WaitGroup
	left := recipePlayers()
	for _, one := range book.page {
		play := left[one.name]
		delete(left, one.name)
		played.Go(func() {
			t.Run(one.name, func(t *testing.T) { book.play(ctx, t, one, play) })
		})
	}
	played.Wait()
	for name := range left {
		t.Errorf("%s has no recipe %q", recipesPage, name)
	}
}

// player is the test of one recipe.
type player func(context.Context, *testing.T, *recipeRun)

// play runs one recipe, and checks that all of it was run.
func (b recipeBook) play(ctx context.Context, t *testing.T, one recipe, play player) {
	t.Helper()
	if play == nil {
		t.Fatalf("no test plays this recipe of %s", one.file)
	}
	run := b.begin(ctx, t, one)
	play(ctx, t, run)
	for _, unplayed := range one.blocks[run.next:] {
		t.Errorf("%s:%d: this block is run by no test", one.file, unplayed.line)
	}
}

// recipeBook is shared by all recipes.
type recipeBook struct {
	launchPad

	page []recipe
	// tools is a folder with a module that Python loads automatically.
	tools string
}

// quickSleep shortens the waits of the AWS CLI. deploy and wait poll every 30 s, which is right for AWS.
// They poll about 60 times at most, and a move takes 5 s.
func quickSleep(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text := "import time\nwhole = time.sleep\nsetattr(time, 'sleep', lambda seconds: whole(min(seconds, 0.5)))\n"
	if err := os.WriteFile(filepath.Join(dir, "sitecustomize.py"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// recipeRun is one run of a recipe.
type recipeRun struct {
	recipeBook
	recipe

	next int // the index of the next block
	dir  string
	vpc  string
	// examples are the values on the page, each followed by the test's own value.
	examples []string
	// environment has the commands' variables, besides MiniStack's own.
	environment []string
}

// begin gives the recipe its own VPC and stack.
func (b recipeBook) begin(ctx context.Context, t *testing.T, one recipe) *recipeRun {
	t.Helper()
	r := &recipeRun{recipeBook: b, recipe: one, dir: t.TempDir(), vpc: b.vpc(ctx, t)}
	r.environment = []string{"PYTHONPATH=" + b.tools}
	r.names(t, map[string]string{
		"CHAIN": "Chain", "PROVIDER": "SecurityGroupChainProvider", "PUBLISHED": "published-us-east-1", "VERSION": b.version(t),
	})
	r.at(t, b.stack(regexp.MustCompile(`[^A-Za-z]+`).ReplaceAllString(one.name, "-"), "", r.vpc))
	return r
}

// version returns the published version.
func (b recipeBook) version(t *testing.T) string {
	t.Helper()
	parts := strings.Split(b.listed(t, providerFile), "/")
	return parts[len(parts)-2]
}

// names sets shell variables, as a reader does before the first command.
func (r *recipeRun) names(t *testing.T, values map[string]string) {
	t.Helper()
	kept, err := os.OpenFile(filepath.Join(r.dir, "names.sh"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, err := fmt.Fprintf(kept, "%s='%s'\n", name, values[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := kept.Close(); err != nil {
		t.Fatal(err)
	}
}

// at selects the stack of the next commands.
func (r *recipeRun) at(t *testing.T, s launched) {
	t.Helper()
	r.vpc = s.vpc
	r.names(t, map[string]string{"STACK": s.name})
}

// filled replaces the page's example values in a text by the test's own.
func (r *recipeRun) filled(text string) string {
	return strings.NewReplacer(append([]string{"vpc-0123456789abcdef0", r.vpc}, r.examples...)...).Replace(text)
}

// take returns the next block of the recipe, which must be of a kind.
func (r *recipeRun) take(t *testing.T, kind string) block {
	t.Helper()
	if r.next == len(r.blocks) || r.blocks[r.next].kind != kind {
		t.Fatalf("%s: block %d of %q is no %s: %+v", r.file, r.next, r.name, kind, r.blocks[r.next:])
	}
	r.next++
	return r.blocks[r.next-1]
}

// sh runs the next commands, which must succeed. It compares their output with the page, and
// returns it.
func (r *recipeRun) sh(ctx context.Context, t *testing.T) string {
	t.Helper()
	return r.run(ctx, t, r.take(t, "sh"), true)
}

// fails runs the next commands, which must fail.
func (r *recipeRun) fails(ctx context.Context, t *testing.T) string {
	t.Helper()
	return r.run(ctx, t, r.take(t, "sh"), false)
}

func (r *recipeRun) run(ctx context.Context, t *testing.T, commands block, succeeds bool) string {
	t.Helper()
	output, err := r.script(ctx, t, commands.text)
	if (err == nil) != succeeds {
		failures, _ := r.script(ctx, t, `aws cloudformation describe-stack-events --stack-name "$STACK" --query 'StackEvents[?ResourceStatusReason].[LogicalResourceId,ResourceStatusReason]' --output text`)
		t.Fatalf("%s:%d: got %v, want success: %v\n%s%s%s", r.file, commands.line, err, succeeds, commands.text, output, failures)
	}
	if r.next < len(r.blocks) && r.blocks[r.next].kind == "text" {
		text := r.take(t, "text")
		if want := r.filled(text.text); !shows(output, want) {
			t.Errorf("%s:%d: the commands print\n%s\nwhere the page has\n%s", r.file, text.line, output, want)
		}
	}
	return output
}

var assignment = regexp.MustCompile(`(?m)^([A-Z][A-Z_]*)=`)

// script runs shell commands in the recipe's folder. The next commands have the variables.
func (r *recipeRun) script(ctx context.Context, t *testing.T, commands string) (string, error) {
	t.Helper()
	names := map[string]bool{}
	for _, one := range r.page {
		for _, block := range one.blocks {
			for _, found := range assignment.FindAllStringSubmatch(block.text, -1) {
				names[found[1]] = true
			}
		}
	}
	text := "set -euo pipefail\nPATH='" + filepath.Dir(r.publisher.cli()) + ":" + filepath.Dir(sgchainCommand(t)) + "':$PATH\n. ./names.sh\n" + r.filled(commands) +
		"\ndeclare -p " + strings.Join(slices.Sorted(maps.Keys(names)), " ") + " >names.next 2>/dev/null || true\nmv names.next names.sh\n"
	var output bytes.Buffer
	cmd := r.emulator.Command(ctx, r.dir, []string{"bash", "-c", text}, r.environment...)
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	return output.String(), err
}

// variable returns the value of a shell variable that the page's commands set.
func (r *recipeRun) variable(ctx context.Context, t *testing.T, name string) string {
	t.Helper()
	output, err := r.script(ctx, t, `printf %s "$`+name+`"`)
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, output)
	}
	return output
}

var (
	someID   = regexp.MustCompile(`sg-[0-9a-f]{17}|~[0-9a-f]{6}`)
	anything = regexp.MustCompile(`\\\.\\\.\\\.`)
	blanks   = regexp.MustCompile(`\s+`)
)

// shows reports whether an output contains the page's lines, adjacent and in order. Three dots match
// any text, and on a line of their own any lines. IDs match any IDs.
func shows(output, page string) bool {
	lines := strings.Split(output, "\n")
	skips := true
	for want := range strings.Lines(page) {
		want = strings.TrimRight(want, "\n")
		if want == "..." {
			skips = true
			continue
		}
		at := slices.IndexFunc(lines, expected(want).MatchString)
		if at < 0 || (at > 0 && !skips) {
			return false
		}
		lines, skips = lines[at+1:], false
	}
	return true
}

// expected returns the expression that a line of the page matches.
func expected(line string) *regexp.Regexp {
	pattern := blanks.ReplaceAllString(regexp.QuoteMeta(someID.ReplaceAllString(line, "\x00")), `\s+`)
	// JSON may have a blank after a colon.
	pattern = strings.ReplaceAll(pattern, `":"`, `":\s*"`)
	pattern = strings.ReplaceAll(anything.ReplaceAllString(pattern, ".*"), "\x00", "(?:"+someID.String()+")")
	return regexp.MustCompile("^" + pattern + "$")
}

// base returns the chain that the recipes change.
func (b recipeBook) base(t *testing.T) string {
	t.Helper()
	return b.shared(t, "yaml", "Resources:")
}

// shared returns the block of the first recipe that contains some words.
func (b recipeBook) shared(t *testing.T, kind, words string) string {
	t.Helper()
	for _, one := range b.page[0].blocks {
		if one.kind == kind && strings.Contains(one.text, words) {
			return one.text
		}
	}
	t.Fatalf("%s: %q has no %s with %q", recipesPage, b.page[0].name, kind, words)
	return ""
}

// yaml writes the next lines of a template into template.yaml. They replace the properties that they
// name, or the whole template.
func (r *recipeRun) yaml(t *testing.T) {
	t.Helper()
	lines := r.take(t, "yaml").text
	if strings.HasPrefix(lines, "Resources:") {
		r.write(t, "template.yaml", lines)
		return
	}
	whole := r.base(t)
	for _, property := range regexp.MustCompile(`(?m)^\w+:`).FindAllString(lines, -1) {
		// A property is its line and the more indented ones after it.
		whole = regexp.MustCompile(`(?m)^ {6}`+property+`.*\n(?:^ {7,}.*\n)*`).ReplaceAllString(whole, "")
	}
	for line := range strings.Lines(lines) {
		whole += "      " + line
	}
	r.write(t, "template.yaml", whole)
}

// json writes the next policy into a file of the page, and returns it.
func (r *recipeRun) json(t *testing.T, file string) string {
	t.Helper()
	text := r.take(t, "json").text
	if !strings.Contains(r.prose, "`"+file+"`") {
		t.Errorf("%q does not say to save %s", r.name, file)
	}
	r.write(t, file, text)
	return text
}

func (r *recipeRun) write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, file), []byte(r.filled(text)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// deploy lints, plans and deploys template.yaml with the commands of the first recipe.
func (r *recipeRun) deploy(ctx context.Context, t *testing.T) {
	t.Helper()
	output, err := r.script(ctx, t, r.shared(t, "sh", "--template-file template.yaml"))
	if err != nil {
		t.Fatalf("%q: deploying: %v\n%s", r.name, err, output)
	}
}

// served creates the recipe's stack with the page's chain, and returns it.
func (r *recipeRun) served(ctx context.Context, t *testing.T) launched {
	t.Helper()
	s := r.stack(r.variable(ctx, t, "STACK"), "", r.vpc)
	text := r.filled(r.base(t))
	_, err := r.emulator.CloudFormation().CreateStack(ctx, &cloudformation.CreateStackInput{StackName: &s.name, TemplateBody: aws.String(text)}, once)
	begun(t, err)
	s.settle(ctx, t, cfntypes.StackStatusCreateComplete)
	return s
}
