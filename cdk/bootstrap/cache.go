package bootstrap

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
)

// cache is the last build of an architecture, in the user's cache. Linking and packing take most of
// a synth's time, and the result is mostly the same as before.
//
// The cache may be missing, read-only or wrong. The go command checks the binary's build ID. A
// binary is only used if its hash names a zip, and a zip only if it contains exactly the binary.
type cache struct{ folder string }

// cacheFor returns the cache of an architecture. A cache without a folder stores nothing.
func cacheFor(architecture string) cache {
	folder, err := os.UserCacheDir()
	if err != nil {
		return cache{} // no home
	}
	return cache{filepath.Join(folder, "sgchain", architecture)}
}

// seed copies the last binary to the path of the next one, so that the go command only links if
// something has changed.
func (c cache) seed(binary string) {
	if c.folder == "" {
		return
	}
	content, err := os.ReadFile(filepath.Join(c.folder, Name))
	if err != nil {
		return // none yet
	}
	// The go command only checks the build ID of an existing file, so the hash must match too.
	if _, err := os.Stat(filepath.Join(c.folder, zipName(content))); err != nil {
		return
	}
	_ = os.WriteFile(binary, content, 0o755)
}

// zip returns the zip of a binary, or nil if the cache does not have it.
func (c cache) zip(binary []byte) []byte {
	if c.folder == "" {
		return nil
	}
	packed, err := os.ReadFile(filepath.Join(c.folder, zipName(binary)))
	if err != nil {
		return nil
	}
	archive, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil || len(archive.File) != 1 || archive.File[0].Name != Name || archive.File[0].Mode() != 0o755 {
		return nil
	}
	file, err := archive.File[0].Open()
	if err != nil {
		return nil
	}
	defer func() { _ = file.Close() }()
	if content, err := io.ReadAll(file); err != nil || !bytes.Equal(content, binary) {
		return nil
	}
	return packed
}

// store stores a binary and its zip, and removes earlier ones. If it fails, the next build only takes
// longer.
func (c cache) store(binary, packed []byte) {
	if c.folder == "" {
		return
	}
	if err := os.MkdirAll(c.folder, 0o755); err != nil {
		return
	}
	name := zipName(binary)
	if Write(filepath.Join(c.folder, Name), binary) != nil || Write(filepath.Join(c.folder, name), packed) != nil {
		return
	}
	old, err := filepath.Glob(filepath.Join(c.folder, "*.zip"))
	if err != nil {
		return
	}
	for _, path := range old {
		if filepath.Base(path) != name {
			_ = os.Remove(path)
		}
	}
}

// zipName returns the file name of a binary's zip. It depends on how this release packs.
func zipName(binary []byte) string {
	sample, err := Pack([]byte(Name))
	if err != nil {
		return "" // a name that no file has
	}
	sum := sha256.Sum256(append(sample, binary...))
	return hex.EncodeToString(sum[:8]) + ".zip"
}
