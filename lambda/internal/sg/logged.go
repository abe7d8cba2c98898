package sg

import (
	"log/slog"

	"sgchain/lambda/plan"
)

// Logged returns a log value that truncates a text to a size. The text is only built if the
// line is logged.
func Logged(text func() string, size int) slog.LogValuer { return logged{text, size} }

type logged struct {
	text func() string
	size int
}

// LogValue returns the truncated text.
func (l logged) LogValue() slog.Value { return slog.StringValue(plan.Cut(l.text(), l.size)) }
