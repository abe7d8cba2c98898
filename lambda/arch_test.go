package main_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// module is this module's path, root its directory relative to the test.
const (
	module = "sgchain"
	root   = ".."
)

// homes lists the packages that may import each external package. There is one home for each,
// so that replacing it changes one place.
func homes() map[string][]string {
	return map[string][]string{
		"github.com/aws/aws-lambda-go/lambda":                 {"lambda", "cdk/cmd/bench/hello"},
		"github.com/aws/aws-lambda-go/lambdacontext":          {"lambda"},
		"github.com/aws/aws-lambda-go/cfn":                    {"lambda/internal/protocol", "lambda/internal/provider", "lambda/internal/proof/lifecycle"},
		"github.com/aws/aws-sdk-go-v2/service/ec2":            {"lambda/internal/sg", "lambda/internal/clients", "lambda/inventory", "lambda/internal/proof/world", "lambda/internal/proof/lifecycle", "lambda/internal/proof/stand", "cdk/cmd/sgchain"},
		"github.com/aws/aws-sdk-go-v2/service/cloudformation": {"cdk/internal/ask", "cdk/cmd/sgchain", "lambda/internal/fence", "lambda/internal/clients", "lambda/internal/proof/lifecycle", "lambda/internal/proof/stand"},
		"github.com/aws/aws-sdk-go-v2/config":                 {"cdk/internal/account"},
		"github.com/aws/aws-sdk-go-v2/service/lambda":         {"cdk/internal/ask", "cdk/cmd/sgchain"},
		"github.com/aws/aws-sdk-go-v2/service/s3":             {"cdk/internal/publish", "cdk/cmd/sgchain"},
		"github.com/aws/aws-sdk-go-v2/aws":                    {"cdk/cmd/sgchain", "cdk/internal", "lambda/inventory", "lambda/internal/sg", "lambda/internal/fence", "lambda/internal/clients", "lambda/internal/proof/world", "lambda/internal/proof/lifecycle", "lambda/internal/proof/stand"},
		"github.com/aws/smithy-go":                            {"lambda/internal/proof/stand", "cdk/internal"},
		"github.com/mattn/go-isatty":                          {"cdk/internal/terminal"},
		"github.com/klauspost/compress":                       {"cdk/bootstrap"}, // a better deflate than the standard library's: 16 KB of the zip
		"github.com/owenrumney/go-sarif":                      {"cdk/internal/lint"},
		"github.com/spf13/pflag":                              {"cdk/cmd/sgchain"},
		"github.com/spf13/cobra":                              {"cdk/cmd/sgchain"},
		"go.yaml.in/yaml":                                     {"cdk/internal/template", "cdk/internal/importer"},
		"github.com/aws/aws-cdk-go/awscdk":                    {"cdk"},
		"github.com/aws/constructs-go/constructs":             {"cdk"},
		"github.com/aws/jsii-runtime-go":                      {"cdk"},
	}
}

// layers lists the packages of this module that each package may import. A package without
// an entry may import none of them.
func layers() map[string][]string {
	return map[string][]string{
		"lambda":                            {"lambda/chain", "lambda/internal/clients", "lambda/internal/protocol", "lambda/internal/provider", "lambda/internal/sg"},
		"lambda/plan":                       {"lambda/chain"},
		"lambda/describe":                   {"lambda/chain"},
		"lambda/inventory":                  {"lambda/chain", "lambda/internal/sg"},
		"lambda/internal/sg":                {"lambda/chain", "lambda/plan", "lambda/internal/task"},
		"lambda/internal/fence":             {"lambda/chain", "lambda/internal/task"},
		"lambda/internal/protocol":          {"lambda/chain", "lambda/internal/task"},
		"lambda/internal/provider":          {"lambda/chain", "lambda/plan", "lambda/internal/sg", "lambda/internal/fence", "lambda/internal/protocol", "lambda/internal/task"},
		"lambda/internal/clients":           {"lambda/internal/sg"},
		"lambda/internal/proof/lifecycle":   {"lambda/internal/proof/world"},
		"lambda/internal/proof/stand":       {"lambda/chain", "lambda/plan"},
		"lambda/internal/proof/stand/smoke": {"lambda/internal/proof/stand"},
		"lambda/internal/proof/stand/demo":  {"lambda/chain", "lambda/plan", "lambda/internal/proof/stand", "cdk/bootstrap"},
		"cdk":                               {"lambda/chain", "lambda/plan", "lambda/describe", "lambda/inventory", "cdk"},
	}
}

// pure lists the packages that only compute: no clock, environment, network, randomness
// or log.
func pure() []string { return []string{"lambda/chain", "lambda/plan", "lambda/describe"} }

func impure() []string {
	return []string{"context", "time", "os", "log", "log/slog", "net/http", "math/rand", "math/rand/v2", "text/template", "html/template"}
}

type goPackage struct {
	dir     string
	imports []string
	docs    int
}

// packages reads every package of the module, without tests.
func packages(t *testing.T) []goPackage {
	t.Helper()
	found := map[string]*goPackage{}
	for _, file := range goFiles(t) {
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		dir := path.Dir(file)
		if found[dir] == nil {
			found[dir] = &goPackage{dir: dir}
		}
		for _, one := range parsed.Imports {
			found[dir].imports = append(found[dir].imports, strings.Trim(one.Path.Value, `"`))
		}
		if parsed.Doc != nil {
			found[dir].docs++
		}
	}
	var all []goPackage
	for _, one := range found {
		all = append(all, *one)
	}
	if len(all) < 8 {
		t.Fatalf("found only %d packages", len(all))
	}
	return all
}

// under reports whether a directory is one of others or inside one of them.
func under(dir string, others []string) bool {
	return slices.ContainsFunc(others, func(other string) bool { return dir == other || strings.HasPrefix(dir, other+"/") })
}

func TestEveryImportHasOneHome(t *testing.T) {
	t.Parallel()
	for _, one := range packages(t) {
		for _, imported := range one.imports {
			if host, _, _ := strings.Cut(imported, "/"); !strings.Contains(host, ".") {
				continue // the standard library or this module
			}
			home, known := homeOf(imported)
			switch {
			case !known:
				t.Errorf("%s imports %s, which has no home in homes()", one.dir, imported)
			case !under(one.dir, home):
				t.Errorf("%s imports %s, whose home is %s", one.dir, imported, strings.Join(home, ", "))
			}
		}
	}
}

// homeOf returns the home of an import: that of the longest matching path.
func homeOf(imported string) (home []string, known bool) {
	longest := ""
	for prefix, dirs := range homes() {
		if under(imported, []string{prefix}) && len(prefix) > len(longest) {
			longest, home, known = prefix, dirs, true
		}
	}
	return home, known
}

func TestImportsFollowTheLayers(t *testing.T) {
	t.Parallel()
	for _, one := range packages(t) {
		allowed := layers()[one.dir]
		if under(one.dir, []string{"cdk"}) {
			allowed = layers()["cdk"]
		}
		for _, imported := range one.imports {
			if inside, isOurs := strings.CutPrefix(imported, module+"/"); isOurs && !under(inside, allowed) {
				t.Errorf("%s may not import %s; it may import %s", one.dir, inside, strings.Join(allowed, ", "))
			}
		}
	}
}

func TestPurePackages(t *testing.T) {
	t.Parallel()
	for _, one := range packages(t) {
		for _, imported := range one.imports {
			if slices.Contains(pure(), one.dir) && slices.Contains(impure(), imported) {
				t.Errorf("%s is pure and imports %s", one.dir, imported)
			}
			if path.Base(imported) == "template" && strings.HasPrefix(one.dir, "lambda") {
				t.Errorf("%s imports %s, which makes the linker keep every operation of the SDK", one.dir, imported)
			}
		}
	}
}

func TestOnePackageComment(t *testing.T) {
	t.Parallel()
	for _, one := range packages(t) {
		if one.docs != 1 {
			t.Errorf("%s has %d package comments, want 1", one.dir, one.docs)
		}
	}
}

// TestEnvironmentIsReadInMain checks that only main packages read the environment, so that a
// function's dependencies are in one place.
func TestEnvironmentIsReadInMain(t *testing.T) {
	t.Parallel()
	for _, one := range packages(t) {
		if slices.Contains(one.imports, "os") && under(one.dir, []string{"lambda/chain", "lambda/plan", "lambda/internal/sg", "lambda/internal/fence", "lambda/internal/protocol", "lambda/internal/provider", "lambda/internal/clients", "lambda/internal/task"}) {
			t.Errorf("%s imports os", one.dir)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
}

// The limits of a function's lines and parameters and of a file's lines, outside of tests. Longer
// code does more than one thing.
const (
	mostLines      = 60
	mostFileLines  = 350
	mostParameters = 5
)

// large lists the files that may be longer, each with its reason.
func large() map[string]string {
	return map[string]string{
		"lambda/internal/proof/world/world.go":  "the state of EC2 and what prints it are read together",
		"lambda/internal/proof/world/api.go":    "a method for each operation of EC2, one like the other",
		"lambda/internal/proof/world/client.go": "the lifecycle of a call, from its arrival to its effect",
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	files := 0
	for _, file := range goFiles(t) {
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, filepath.Join(root, file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files++
		lines := set.File(parsed.Pos()).LineCount()
		if why := large()[file]; lines > mostFileLines && why == "" {
			t.Errorf("%s has %d lines, at most %d are allowed", file, lines, mostFileLines)
		} else if lines <= mostFileLines && why != "" {
			t.Errorf("%s has %d lines and needs no exception", file, lines)
		}
		for _, declared := range parsed.Decls {
			function, ok := declared.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if length := set.Position(function.End()).Line - set.Position(function.Pos()).Line + 1; length > mostLines {
				t.Errorf("%s: %s has %d lines, at most %d are allowed", file, function.Name.Name, length, mostLines)
			}
			if count := function.Type.Params.NumFields(); count > mostParameters {
				t.Errorf("%s: %s has %d parameters, at most %d are allowed", file, function.Name.Name, count, mostParameters)
			}
		}
	}
	if files < 150 {
		t.Errorf("found only %d files", files)
	}
}

// goFiles lists the Go files of the module relative to its root, without tests and their data.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && file != root && isOutside(entry.Name()) {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		relative, err := filepath.Rel(root, file)
		files = append(files, filepath.ToSlash(relative))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// isOutside reports whether a directory has no code of the module.
func isOutside(name string) bool {
	return strings.HasPrefix(name, ".") || slices.Contains([]string{"build", "testdata", "node_modules", "cdk.out"}, name)
}

// TestArchitecturePage checks that every path in docs/architecture.md exists, and that the
// diffs on that page apply.
func TestArchitecturePage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	places := regexp.MustCompile("`((?:lambda|cdk)(?:/[a-z0-9_.]+)*)`").FindAllStringSubmatch(string(page), -1)
	for _, place := range places {
		if _, err := os.Stat(filepath.Join(root, place[1])); err != nil {
			t.Errorf("it names %s: %v", place[1], err)
		}
	}
	changes := regexp.MustCompile("(?s)```diff\n(.*?\n)```").FindAllStringSubmatch(string(page), -1)
	if len(places) < 20 || len(changes) != 3 {
		t.Errorf("it names %d paths and shows %d diffs", len(places), len(changes))
	}
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed, so the diffs are not applied")
	}
	for _, change := range changes {
		apply := exec.CommandContext(t.Context(), "git", "apply", "--check")
		apply.Dir, apply.Stdin = root, strings.NewReader(change[1])
		if output, err := apply.CombinedOutput(); err != nil {
			t.Errorf("%v: %s\n%s", err, output, change[1])
		}
	}
}
