package stand

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Screen is the output of a command: one line for each step, then aligned tables.
type Screen struct {
	out *os.File
	// live is set if the line of a running step can be rewritten every second.
	live bool
}

// NewScreen returns a screen that writes to a terminal or a file.
func NewScreen(out *os.File) *Screen {
	info, err := out.Stat()
	return &Screen{out: out, live: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// Print writes one line.
func (s *Screen) Print(format string, args ...any) { _, _ = fmt.Fprintf(s.out, format+"\n", args...) }

// Step runs a long step, and shows its duration.
func (s *Screen) Step(what string, do func() error) error {
	begun := time.Now()
	line := fmt.Sprintf("  %-52s", what)
	_, _ = fmt.Fprint(s.out, line)
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if !s.live {
			return
		}
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				_, _ = fmt.Fprintf(s.out, "\r%s %4.0f s", line, time.Since(begun).Seconds())
			}
		}
	}()
	err := do()
	close(done)
	<-ended
	if s.live {
		_, _ = fmt.Fprintf(s.out, "\r%s", line)
	}
	if err != nil {
		word := "failed"
		if errors.Is(err, context.Canceled) {
			word = "interrupted"
		}
		s.Print(" %s after %.0f s", word, time.Since(begun).Seconds())
		return err
	}
	s.Print(" %4.0f s", time.Since(begun).Seconds())
	return nil
}

// Heading writes the heading of a part.
func (s *Screen) Heading(text string) { s.Print("\n%s", text) }

// Table prints rows in aligned columns, indented like the steps.
func (s *Screen) Table(rows [][]string) {
	widths := make(map[int]int)
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			fmt.Fprintf(&line, "  %-*s", widths[i], cell)
		}
		s.Print("%s", strings.TrimRight(line.String(), " "))
	}
}
