package stand_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sgchain/lambda/internal/proof/stand"
)

// TestPrerequisites runs .ci/prerequisites with small scripts in place of the programs.
func TestPrerequisites(t *testing.T) {
	t.Parallel()
	root, err := stand.Root()
	if err != nil {
		t.Fatal(err)
	}
	good := map[string]string{
		"go":      "echo go version go1.26.0 linux/amd64",
		"node":    "echo v20.1.0",
		"npm":     "echo 10.0.0",
		"python3": `case "$2" in *version*) echo 3 11;; esac`,
		"make":    "echo GNU Make 3.81",
	}
	cases := map[string]struct {
		changes map[string]string // "" removes the program
		want    []string          // each in the output, which is empty if the machine is ready
	}{
		"ready":                {},
		"newer versions":       {changes: map[string]string{"go": "echo go version go2.1 linux/amd64", "node": "echo v100.0.0", "python3": `case "$2" in *version*) echo 4 0;; esac`}},
		"a future Go":          {changes: map[string]string{"go": "echo go version devel go1.30-0123abc linux/amd64"}},
		"everything is absent": {changes: map[string]string{"go": "", "node": "", "npm": "", "python3": "", "make": ""}, want: []string{"Go is missing", "Node is missing", "Python is missing", "make is missing"}},
		"everything is too old": {
			changes: map[string]string{"go": "echo go version go1.25.9 linux/amd64", "node": "echo v18.20.0", "python3": `case "$2" in *version*) echo 3 9;; esac`, "make": "echo pmake"},
			want:    []string{"Go is 1.25:", "Node is 18:", "is 3.9:", "not GNU make"},
		},
		"Python without venv": {changes: map[string]string{"python3": `case "$2" in *version*) echo 3 12;; *) exit 1;; esac`}, want: []string{"has no venv module"}},
		"Node without npm":    {changes: map[string]string{"npm": ""}, want: []string{"npm is missing"}},
		"programs that fail":  {changes: map[string]string{"go": "exit 1", "node": "exit 1", "python3": "exit 1"}, want: []string{"Go does not report", "Node does not report", "does not run"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bin := t.TempDir()
			for _, tool := range []string{"sed", "tr", "grep"} {
				path, err := exec.LookPath(tool)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
					t.Fatal(err)
				}
			}
			for program, script := range good {
				if changed, ok := c.changes[program]; ok {
					script = changed
				}
				if script == "" {
					continue
				}
				// Another process writes it. This one could not run a file that it has open for
				// writing while it forks elsewhere (ETXTBSY).
				write := exec.CommandContext(t.Context(), "/bin/sh", "-c", `cat >"$0" && chmod +x "$0"`, filepath.Join(bin, program))
				write.Stdin = strings.NewReader("#!/bin/sh\n" + script + "\n")
				if said, err := write.CombinedOutput(); err != nil {
					t.Fatalf("writing %s: %v\n%s", program, err, said)
				}
			}
			cmd := exec.CommandContext(t.Context(), "/bin/sh", filepath.Join(root, ".ci", "prerequisites"))
			cmd.Env = []string{"PATH=" + bin}
			said, err := cmd.CombinedOutput()
			if ready := len(c.want) == 0; ready != (err == nil) || ready != (len(said) == 0) {
				t.Fatalf("got %v and said:\n%s", err, said)
			}
			for _, words := range c.want {
				if !strings.Contains(string(said), words) {
					t.Errorf("does not say %q:\n%s", words, said)
				}
			}
			if problems := strings.Count(string(said), "  - "); problems != len(c.want) {
				t.Errorf("got %d problems, want %d:\n%s", problems, len(c.want), said)
			}
		})
	}
}
