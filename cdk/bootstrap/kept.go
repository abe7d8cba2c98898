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

// kept is what the last build of an architecture left in the user's cache: linking and packing are most of a synth's time, and
// mostly come to what they came to before. Nothing depends on it being there, or writable, or right: the go command looks at the
// binary's build ID, a binary counts only where its hash names a zip, and a zip only where it holds the binary to the byte.
type kept struct{ folder string }

// keptFor is that of an architecture; one without a folder keeps nothing.
func keptFor(architecture string) kept {
	cache, err := os.UserCacheDir()
	if err != nil {
		return kept{} // no home
	}
	return kept{filepath.Join(cache, "sgchain", architecture)}
}

// seed puts the last binary where the next one goes, so that the go command links only what has changed.
func (k kept) seed(binary string) {
	if k.folder == "" {
		return
	}
	content, err := os.ReadFile(filepath.Join(k.folder, Name))
	if err != nil {
		return // none yet
	}
	// The go command believes the build ID of what is there, whatever else is in it.
	if _, err := os.Stat(filepath.Join(k.folder, zipName(content))); err != nil {
		return
	}
	_ = os.WriteFile(binary, content, 0o755)
}

// zip is the zip of a binary, where it was packed before.
func (k kept) zip(binary []byte) []byte {
	if k.folder == "" {
		return nil
	}
	packed, err := os.ReadFile(filepath.Join(k.folder, zipName(binary)))
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

// keep keeps a binary and its zip, and nothing of before. Where that cannot be, the next build takes longer.
func (k kept) keep(binary, packed []byte) {
	if k.folder == "" {
		return
	}
	if err := os.MkdirAll(k.folder, 0o755); err != nil {
		return
	}
	name := zipName(binary)
	if Write(filepath.Join(k.folder, Name), binary) != nil || Write(filepath.Join(k.folder, name), packed) != nil {
		return
	}
	old, err := filepath.Glob(filepath.Join(k.folder, "*.zip"))
	if err != nil {
		return
	}
	for _, path := range old {
		if filepath.Base(path) != name {
			_ = os.Remove(path)
		}
	}
}

// zipName is of the binary, and of how this release packs.
func zipName(binary []byte) string {
	sample, err := Pack([]byte(Name))
	if err != nil {
		return "" // a name that no file has
	}
	sum := sha256.Sum256(append(sample, binary...))
	return hex.EncodeToString(sum[:8]) + ".zip"
}
