// Command mutants plants known bugs, one at a time, in a copy of the code. A promise,
// row or protocol test must catch each of them. A golden file or a build that breaks does
// not count: a test must detect what the bug does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// plant is a bug, as a patch. Its name is the file's.
type plant struct{ name, patch string }

// folder contains the bugs.
const folder = "lambda/internal/proof/mutants/testdata/plants"

// plants returns the bugs below the module's root.
func plants(root string) ([]plant, error) {
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(folder), "*.patch"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("there are no patches in %s", folder)
	}
	var all []plant
	for _, file := range files {
		patch, errPath := filepath.Abs(file)
		if errPath != nil {
			return nil, errPath
		}
		all = append(all, plant{name: strings.ReplaceAll(strings.TrimSuffix(filepath.Base(file), ".patch"), "-", " "), patch: patch})
	}
	return all, err
}

// apply plants a bug in the module in dir. With --check, it only reports whether that is possible.
func (p plant) apply(ctx context.Context, dir string, args ...string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "git", append(append([]string{"apply"}, args...), p.patch)...)
	cmd.Dir = dir
	// Paths are relative to dir, even if that is in a repository.
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: git apply: %w\n%s", p.name, err, output)
	}
	return nil
}

// packages returns the packages that a bug changes.
func (p plant) packages() ([]string, error) {
	text, err := os.ReadFile(p.patch)
	if err != nil {
		return nil, err
	}
	var packages []string
	for _, file := range changed.FindAllStringSubmatch(string(text), -1) {
		packages = append(packages, "./"+filepath.ToSlash(filepath.Dir(file[1])))
	}
	return packages, nil
}

var changed = regexp.MustCompile(`(?m)^\+\+\+ b/(\S+)`)

// catchers are the tests that count, the quick ones first. Those that compare a golden file or a page
// are skipped: they would catch any change.
var catchers = []struct{ dir, run, skip string }{
	{"./lambda/internal/protocol", ".", "Room|Size"},
	{"./lambda/internal/fence", ".", "^$"},
	{"./lambda/chain", ".", "Golden|Schema|Grows"},
	{"./lambda/plan", ".", "Drawing|Drawn|Picture|Notes|Cut|F9"},
	{"./lambda/internal/proof/lifecycle", "Test(Rows|HistoriesThatFailed)$", "^$"},
	{"./lambda/internal/provider", ".", "Counts$|Messages|Throttled|RecordedEvents"},
	{"./lambda/internal/proof/lifecycle", "Test(SmallScope|Move[A-Za-z]+|Histories)$", "^$"},
}

func main() {
	only := flag.String("run", ".", "plant only bugs whose name matches this expression")
	work := flag.String("o", filepath.Join("build", "mutants"), "where the copies are made")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) //nolint:forbidigo // a program begins here
	err := run(ctx, os.Stdout, *only, *work)
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, only, work string) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	all, err := plants(".")
	if err != nil {
		return err
	}
	chosen := slices.DeleteFunc(all, func(p plant) bool { return !wanted.MatchString(p.name) })
	if err := stale(ctx, ".", chosen); err != nil {
		return err
	}
	defer os.RemoveAll(work) //nolint:errcheck // it is below build/
	if by, err := try(ctx, plant{name: "nothing"}, filepath.Join(work, "none")); err != nil || by != "" {
		return fmt.Errorf("the code does not pass as it is: %s %w", by, err)
	}
	var count tally
	next := make(chan int)
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for i := range next {
				by, err := try(ctx, chosen[i], filepath.Join(work, strconv.Itoa(i)))
				count.add(out, chosen[i], by, err)
			}
		})
	}
	for i := range chosen {
		next <- i
	}
	close(next)
	workers.Wait()
	_, _ = fmt.Fprintf(out, "caught/planted: %d/%d\n", count.caught, len(chosen))
	if count.caught < len(chosen) {
		return fmt.Errorf("%d were missed, %d do not compile, vet or end in a test", len(chosen)-count.caught-count.broken, count.broken)
	}
	return nil
}

// tally counts the results of the plants.
type tally struct {
	mu             sync.Mutex
	caught, broken int
}

func (t *tally) add(out io.Writer, bug plant, by string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err != nil:
		t.broken++
		_, _ = fmt.Fprintf(out, "ERROR   %s: %v\n", bug.name, err)
	case by == "":
		_, _ = fmt.Fprintf(out, "MISSED  %s\n", bug.name)
	default:
		t.caught++
		_, _ = fmt.Fprintf(out, "caught  %s: %s\n", bug.name, by)
	}
}

// stale returns an error for the plants that no longer apply.
func stale(ctx context.Context, root string, all []plant) error {
	var problems []error
	for _, one := range all {
		problems = append(problems, one.apply(ctx, root, "--check"))
	}
	return errors.Join(problems...)
}

// try plants a bug in a copy and returns the test that caught it.
func try(ctx context.Context, bug plant, dir string) (string, error) {
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is below build/
	if err := copyModule(dir); err != nil {
		return "", err
	}
	if bug.patch != "" {
		if err := bug.apply(ctx, dir); err != nil {
			return "", err
		}
		packages, err := bug.packages()
		if err != nil {
			return "", err
		}
		for _, args := range [][]string{{"build", "./lambda/..."}, append([]string{"vet"}, packages...)} {
			if output, err := command(ctx, dir, args...); err != nil {
				return "", fmt.Errorf("go %s: %w\n%s", args[0], err, output)
			}
		}
	}
	for _, one := range catchers {
		// Results are cached for packages without the bug, and vet has already checked the bug. Linking
		// takes half as long without debug information.
		output, err := command(ctx, dir, "test", "-vet=off", "-ldflags=-s -w", "-timeout=4m", "-v", "-run", one.run, "-skip", one.skip, one.dir)
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if err == nil {
			continue
		}
		if name := catcher(output); name != "" {
			return name, nil
		}
		return "", fmt.Errorf("%s failed and no test of it: %s", one.dir, output)
	}
	return "", nil
}

var (
	failed  = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	started = regexp.MustCompile(`(?m)^=== (?:RUN|NAME|CONT)\s+(\S+)`)
)

// catcher returns the name of the innermost test that failed. If the test binary ended
// early, it returns the test that was running.
func catcher(output string) string {
	names := failed.FindAllStringSubmatch(output, -1)
	if len(names) > 0 {
		return names[len(names)-1][1]
	}
	before, _, ended := strings.Cut(output, "\npanic: ")
	if all := started.FindAllStringSubmatch(before, -1); ended && len(all) > 0 {
		return all[len(all)-1][1] + " (it did not end)"
	}
	return ""
}

func command(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "SOAK_HISTORIES=2500")
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// copyModule copies the sources of the Lambda and its tests, and the build of it that the demo uses.
func copyModule(dir string) error {
	for _, name := range []string{"go.mod", "go.sum"} {
		if err := copyFile(name, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	for _, folder := range []string{"lambda", filepath.Join("cdk", "bootstrap")} {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			return copyFile(path, filepath.Join(dir, path))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600) //nolint:gosec // the same
}
