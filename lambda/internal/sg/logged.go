package sg

import (
	"log/slog"

	"sgchain/lambda/plan"
)

// Logged is a text for the log, cut to a size. It is made only where the log is written.
func Logged(text func() string, size int) slog.LogValuer { return logged{text, size} }

type logged struct {
	text func() string
	size int
}

// LogValue is the text.
func (l logged) LogValue() slog.Value { return slog.StringValue(plan.Cut(l.text(), l.size)) }
