// Package terminal describes where a command prints: whether a person reads it, whether colors
// help, and how long that person has waited.
package terminal

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
)

// Patience is how long a command works before it reports progress.
const Patience = 2 * time.Second

// IsTerminal reports whether a writer is a terminal, not a file or a pipe.
func IsTerminal(writer io.Writer) bool {
	file, isFile := writer.(*os.File)
	return isFile && (isatty.IsTerminal(file.Fd()) || isatty.IsCygwinTerminal(file.Fd()))
}

// Style colors text by the escape codes of ECMA-48. The zero Style leaves text as it is.
type Style struct{ colored bool }

// StyleOf returns the style for a writer: colored if that is a terminal and the user did not
// disable colors (NO_COLOR, no-color.org; TERM=dumb).
func StyleOf(writer io.Writer, getenv func(string) string) Style {
	return Style{colored: IsTerminal(writer) && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"}
}

// Red returns the text in red, for failures.
func (s Style) Red(text string) string { return s.with("31", text) }

// Yellow returns the text in yellow, for warnings.
func (s Style) Yellow(text string) string { return s.with("33", text) }

// Green returns the text in green, for success.
func (s Style) Green(text string) string { return s.with("32", text) }

// Bold returns the text in bold.
func (s Style) Bold(text string) string { return s.with("1", text) }

// Faint returns the text fainter than the rest.
func (s Style) Faint(text string) string { return s.with("2", text) }

func (s Style) with(code, text string) string {
	if !s.colored || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Progress writes the current task on a line of its own once that has taken longer than [Patience].
// It repeats the line every ten times as long. The returned function ends it, and may be called
// several times.
func Progress(writer io.Writer, doing string) (done func()) {
	return progress(writer, doing, Patience)
}

func progress(writer io.Writer, doing string, patience time.Duration) (done func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		timer := time.NewTimer(patience)
		defer timer.Stop()
		text := doing + " ...\n"
		for {
			select {
			case <-over:
				return
			case <-timer.C:
				if _, err := io.WriteString(writer, text); err != nil {
					return // nobody reads it
				}
				text = "still " + doing + " ...\n"
				timer.Reset(10 * patience)
			}
		}
	}()
	var once sync.Once
	return func() {
		once.Do(func() { close(over) })
		<-ended
	}
}
