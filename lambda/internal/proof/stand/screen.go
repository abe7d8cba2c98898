package stand

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
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
	s.end(err, time.Since(begun))
	return err
}

// end ends the line of a step.
func (s *Screen) end(err error, took time.Duration) {
	switch {
	case err == nil:
		s.Print(" %4.0f s", took.Seconds())
	case errors.Is(err, context.Canceled):
		s.Print(" interrupted after %.0f s", took.Seconds())
	default:
		s.Print(" failed after %.0f s", took.Seconds())
	}
}

// Step is one step of several that [Screen.Beside] runs.
type Step struct {
	What string
	Do   func(context.Context) error
}

// Beside runs lists of steps beside one another, the steps of a list in turn. The line of a step
// comes when it ends. The first failure is returned, when the context of the others has been
// canceled and they have ended.
func (s *Screen) Beside(ctx context.Context, lists ...[]Step) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		running sync.WaitGroup
		line    sync.Mutex
		failure error
	)
	for _, list := range lists {
		running.Go(func() {
			for _, step := range list {
				begun := time.Now()
				err := step.Do(ctx)
				line.Lock()
				if failure == nil { // or it was stopped for that one's sake
					_, _ = fmt.Fprintf(s.out, "  %-52s", step.What)
					s.end(err, time.Since(begun))
					failure = err
				}
				stop := failure != nil
				line.Unlock()
				if stop {
					cancel()
					return
				}
			}
		})
	}
	running.Wait()
	return failure
}

// Heading writes the heading of a part.
func (s *Screen) Heading(text string) { s.Print("\n%s", text) }

// columns is the width of a screen that everything fits on.
const columns = 100

// Table prints rows in aligned columns, indented like the steps. Longer lines are truncated.
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
		text := []rune(strings.TrimRight(line.String(), " "))
		if len(text) > columns {
			text = append(text[:columns-3], []rune("...")...)
		}
		s.Print("%s", string(text))
	}
}
