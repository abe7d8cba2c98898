package bootstrap

import (
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestZipIsReproducible builds from two copies of the sources in two folders.
func TestZipIsReproducible(t *testing.T) {
	dir, err := ModuleDir(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var zips [2][]byte
	for i := range zips {
		output := filepath.Join(t.TempDir(), "deeper", "lambda.zip")
		size, err := Zip(t.Context(), copySources(t, dir), "arm64", output)
		if err != nil {
			t.Fatal(err)
		}
		if zips[i], err = os.ReadFile(output); err != nil {
			t.Fatal(err)
		}
		if size != int64(len(zips[i])) {
			t.Errorf("size: got %d, want %d", size, len(zips[i]))
		}
		if left, err := os.ReadDir(filepath.Dir(output)); err != nil || len(left) != 1 {
			t.Errorf("the zip's folder: got %v, error %v, want only the zip", left, err)
		}
	}
	if !bytes.Equal(zips[0], zips[1]) {
		t.Error("two copies of the same sources gave different bytes")
	}
	if content := unpack(t, zips[0]); bytes.Contains(content, []byte(dir)) {
		t.Errorf("the binary names the folder it was built from (%s)", dir)
	}
}

// copySources copies the sources of ./lambda into a new folder.
func copySources(t *testing.T, dir string) string {
	t.Helper()
	copied := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum"} {
		copyFile(t, filepath.Join(dir, name), filepath.Join(copied, name))
	}
	err := filepath.WalkDir(filepath.Join(dir, "lambda"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		relative, err := filepath.Rel(dir, path)
		if err == nil {
			copyFile(t, path, filepath.Join(copied, relative))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return copied
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// unpack checks that a zip contains the program that Lambda starts, and returns it.
func unpack(t *testing.T, packed []byte) []byte {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	if len(archive.File) != 1 {
		t.Fatalf("files in the zip: got %d, want 1", len(archive.File))
	}
	header := archive.File[0]
	if header.Name != "bootstrap" || header.Mode() != 0o755 || header.Method != zip.Deflate {
		t.Errorf("file in the zip: got %s, mode %v, method %d", header.Name, header.Mode(), header.Method)
	}
	if year := header.Modified.UTC().Year(); year != 1980 {
		t.Errorf("time stamp in the zip: got %v, want one that is always the same", header.Modified)
	}
	file, err := header.Open()
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestPack(t *testing.T) {
	if got := unpack(t, pack(t, "a binary")); string(got) != "a binary" {
		t.Errorf("unpacked: got %q", got)
	}
	if bytes.Equal(pack(t, "a binary"), pack(t, "another")) {
		t.Error("different binaries gave the same zip")
	}
}

func pack(t *testing.T, text string) []byte {
	t.Helper()
	packed, err := Pack([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// TestFailedBuildKeepsOldZip: a deploy during a failing build must not find a partial
// file, or none.
func TestFailedBuildKeepsOldZip(t *testing.T) {
	dir := t.TempDir()
	output := filepath.Join(dir, "lambda.zip")
	if err := os.WriteFile(output, []byte("the old one"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ arch, definition, want string }{
		"unknown architecture": {"riscv64", "module sgchain\ntoolchain go1.26.8\n", "write arm64 or amd64"},
		"no toolchain":         {"arm64", "module sgchain\n\ngo 1.26.0\n", "no toolchain line"},
		"no module":            {"arm64", "", "go.mod"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			source := t.TempDir()
			if test.definition != "" {
				if err := os.WriteFile(filepath.Join(source, "go.mod"), []byte(test.definition), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Zip(t.Context(), source, test.arch, output)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error: got %v, want one that says %q", err, test.want)
			}
			if kept, err := os.ReadFile(output); err != nil || string(kept) != "the old one" {
				t.Errorf("the old zip: got %q, error %v", kept, err)
			}
		})
	}
}

// TestFailedWriteLeavesNoFile: a file that cannot be renamed is removed.
func TestFailedWriteLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "lambda.zip")
	if err := os.MkdirAll(filepath.Join(taken, "a folder is in the way"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(taken, []byte("new")); err == nil {
		t.Error("a folder was replaced by a file")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: got %v, error %v, want only what was there", left, err)
	}
}

// TestModuleDir finds the sources from an app of another module, however that refers to
// them.
func TestModuleDir(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	const (
		module  = "module app\n\ngo 1.26.0\n"
		require = module + "\nrequire sgchain v0.0.0\n"
	)
	replace := require + "\nreplace sgchain => " + root + "\n"
	tests := map[string]struct {
		files map[string]string
		want  string // in the error; empty if the module is found
	}{
		"replace": {map[string]string{"go.mod": replace}, ""},
		// A vendor folder only has what the app imports, not the function.
		"vendor": {map[string]string{
			"go.mod":                               replace,
			"vendor/modules.txt":                   "# sgchain v0.0.0 => " + root + "\n## explicit; go 1.26.0\nsgchain/lambda/chain\n# sgchain => " + root + "\n",
			"vendor/sgchain/lambda/chain/chain.go": "package chain\n",
		}, ""},
		"workspace":    {map[string]string{"go.mod": module, "go.work": "go 1.26.0\n\nuse (\n\t.\n\t" + root + "\n)\n"}, ""},
		"not required": {map[string]string{"go.mod": module}, "sgchain"},
		"no module":    {nil, "go.mod"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			for path, content := range test.files {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			dir, err := ModuleDir(t.Context())
			switch {
			case test.want == "" && (err != nil || dir != root):
				t.Errorf("got %s, error %v, want %s", dir, err, root)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), "finding module (sgchain): ") || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error: got %v, want one about %s", err, test.want)
			}
		})
	}
}
