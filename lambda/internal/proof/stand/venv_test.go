package stand_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sgchain/lambda/internal/proof/stand"
)

// TestVenv runs .ci/venv with a Python that only notes how it is called: with a pip that can install for another Python, and without.
func TestVenv(t *testing.T) {
	t.Parallel()
	root, err := stand.Root()
	if err != nil {
		t.Fatal(err)
	}
	const python = `#!/bin/sh
echo "$(basename "$0") $*" >>calls
case "$*" in
*--version) exit "$NO_PIP" ;;
"-m venv"*) mkdir -p env/bin && cp "$0" env/bin/python ;;
esac
`
	const pins = " --no-compile --disable-pip-version-check --require-hashes --only-binary :all:\n"
	cases := map[string]struct {
		mode, noPip, want string
	}{
		"new": {"new", "0", "base -m venv --without-pip env\nbase -m pip --python env/bin/python --version\n" +
			"base -m pip --python env/bin/python install -r pins" + pins},
		"new, no pip": {"new", "1", "base -m venv --without-pip env\nbase -m pip --python env/bin/python --version\n" +
			"python -m ensurepip\npython -m pip install -r pins" + pins},
		"old": {"old", "0", "base -m pip --python env/bin/python --version\nbase -m pip --python env/bin/python install -r pins" + pins},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			// Written by another process: see TestPrerequisites.
			write := exec.CommandContext(t.Context(), "/bin/sh", "-c", "mkdir -p env/bin && cat >base && chmod +x base")
			write.Dir, write.Stdin = dir, strings.NewReader(python)
			if said, err := write.CombinedOutput(); err != nil {
				t.Fatalf("writing base: %v\n%s", err, said)
			}
			cmd := exec.CommandContext(t.Context(), filepath.Join(root, ".ci", "venv"), "env", c.mode, "-r", "pins")
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PYTHON="+filepath.Join(dir, "base"), "NO_PIP="+c.noPip)
			if said, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			calls, err := os.ReadFile(filepath.Join(dir, "calls"))
			if err != nil {
				t.Fatal(err)
			}
			if string(calls) != c.want {
				t.Errorf("got:\n%swant:\n%s", calls, c.want)
			}
		})
	}
}
