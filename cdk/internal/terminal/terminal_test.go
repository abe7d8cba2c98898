package terminal

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestNoColorWithoutTerminal(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for name, writer := range map[string]io.Writer{"buffer": &bytes.Buffer{}, "file": file} {
		if got := StyleOf(writer, func(string) string { return "" }).Red("no"); got != "no" {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if got := (Style{colored: true}).Bold("yes"); got != "\x1b[1myes\x1b[0m" {
		t.Errorf("got %q", got)
	}
}

// first is a writer that signals its first line.
type first struct{ lines chan string }

func (f first) Write(text []byte) (int, error) {
	f.lines <- string(text)
	return len(text), nil
}

func TestProgressStartsAfterPatience(t *testing.T) {
	t.Parallel()
	writer := first{make(chan string, 2)}
	done := progress(writer, "reading", time.Millisecond)
	if got := <-writer.lines; got != "reading ...\n" {
		t.Errorf("got %q", got)
	}
	if got := <-writer.lines; got != "still reading ...\n" {
		t.Errorf("got %q", got)
	}
	done()
	done()
	quiet := &bytes.Buffer{}
	Progress(quiet, "reading")()
	if quiet.Len() > 0 {
		t.Errorf("it spoke at once: %q", quiet)
	}
}
