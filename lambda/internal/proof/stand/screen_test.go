package stand_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sgchain/lambda/internal/proof/stand"
)

// screen returns a screen, and what has been written to it.
func screen(t *testing.T) (s *stand.Screen, written func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "screen")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return stand.NewScreen(file), func() string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

// TestBeside: lists run beside one another, a list's steps in turn, each with its line.
func TestBeside(t *testing.T) {
	t.Parallel()
	s, written := screen(t)
	met := make(chan string) // unbuffered: either side waits for the other
	err := s.Beside(
		t.Context(),
		[]stand.Step{
			{What: "one", Do: func(context.Context) error { met <- "one"; return nil }},
			{What: "two", Do: func(context.Context) error { met <- "two"; return nil }},
		},
		nil,
		[]stand.Step{{What: "other", Do: func(context.Context) error {
			if first, second := <-met, <-met; first+second != "onetwo" {
				return errors.New(first + " before " + second)
			}
			return nil
		}}},
	)
	if err != nil {
		t.Error(err)
	}
	for _, what := range []string{"one", "two", "other"} {
		if lines := regexp.MustCompile(`(?m)^  `+what+` +0 s$`).FindAllString(written(), -1); len(lines) != 1 {
			t.Errorf("%s has %d lines in:\n%s", what, len(lines), written())
		}
	}
}

// TestBesideFailure: a failure cancels the other lists, and is the only one that is said.
func TestBesideFailure(t *testing.T) {
	t.Parallel()
	s, written := screen(t)
	cause := errors.New("the cause")
	err := s.Beside(
		t.Context(),
		[]stand.Step{{What: "fails", Do: func(context.Context) error { return cause }}, {What: "never", Do: func(context.Context) error {
			t.Error("the step after a failure ran")
			return nil
		}}},
		[]stand.Step{{What: "waits", Do: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}}},
	)
	if !errors.Is(err, cause) {
		t.Errorf("got %v, want %v", err, cause)
	}
	if text := written(); !strings.HasPrefix(text, "  fails ") || !strings.HasSuffix(text, " failed after 0 s\n") || strings.Count(text, "\n") != 1 {
		t.Errorf("got:\n%s", text)
	}
}

// TestTableFits: a row has at most the width of a screen, and says where it was cut.
func TestTableFits(t *testing.T) {
	t.Parallel()
	s, written := screen(t)
	s.Table([][]string{{"fits", strings.Repeat("x", 92)}, {"too", strings.Repeat("é", 93)}})
	want := "  fits  " + strings.Repeat("x", 92) + "\n  too   " + strings.Repeat("é", 89) + "...\n"
	if got := written(); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}
