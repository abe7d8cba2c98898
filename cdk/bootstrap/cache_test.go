package bootstrap_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"sgchain/cdk/bootstrap"
)

// TestCachedBuildIsIdentical: whatever happened to the cache, the next build gives the same zip.
func TestCachedBuildIsIdentical(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the user's cache is elsewhere")
	}
	compiled, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOCACHE", strings.TrimSpace(string(compiled))) // it is below the other one by default
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	folder := filepath.Join(cache, "sgchain", "arm64")
	build := func() []byte {
		t.Helper()
		dir, err := bootstrap.ModuleDir(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		packed, err := bootstrap.Build(t.Context(), dir, "arm64")
		if err != nil {
			t.Fatal(err)
		}
		return packed
	}
	zips := func() string {
		t.Helper()
		all, err := filepath.Glob(filepath.Join(folder, "*.zip"))
		if err != nil || len(all) != 1 {
			t.Fatalf("the cache has the zips %v, %v", all, err)
		}
		return all[0]
	}
	change := func(path string, at int64) {
		t.Helper()
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		content[at] ^= 1
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first := build()
	for name, meanwhile := range map[string]func(){
		"nothing":              func() {},
		"a byte of the binary": func() { change(filepath.Join(folder, bootstrap.Name), 4<<20) },
		"a byte of the zip":    func() { change(zips(), 1<<20) },
		"the cache":            func() { must(t, os.RemoveAll(cache)) },
		"the zip":              func() { must(t, os.Remove(zips())) },
		// A newly packed zip replaces all others in the cache. A zip from the cache does not.
		"a zip of another binary":  func() { must(t, os.Rename(zips(), filepath.Join(folder, "0000.zip"))) },
		"the right to write there": func() { must(t, os.RemoveAll(cache)); must(t, os.WriteFile(cache, nil, 0o600)) },
	} {
		meanwhile()
		if again := build(); !bytes.Equal(first, again) {
			t.Errorf("%s changed, and the next zip is another one", name)
		}
		if info, err := os.Stat(cache); err == nil && !info.IsDir() {
			must(t, os.Remove(cache))
			build()
		}
	}
	kept := zips()
	if content, err := os.ReadFile(kept); err != nil || !bytes.Equal(content, first) {
		t.Errorf("the cache keeps another zip: %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
