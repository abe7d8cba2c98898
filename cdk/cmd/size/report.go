package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
)

// runtimeActions are allowed, but not called by the Lambda's own code: Lambda writes the function's
// log with them.
var runtimeActions = []string{"logs:CreateLogStream", "logs:PutLogEvents"}

type measured struct {
	what         string
	bytes, limit int
}

type report struct {
	sizes                   []measured
	called, linked, allowed []string // IAM actions, sorted
	forbidden               []string // packages
}

func (r report) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(table, format+"\n", args...) } // Flush returns the error
	line("size\tbytes\tlimit\tof it\t")
	for _, size := range r.sizes {
		line("%s\t%s\t%s\t%.1f %%\t", size.what, thousands(size.bytes), thousands(size.limit), 100*float64(size.bytes)/float64(size.limit))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("printing sizes: %w", err)
	}
	table = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line("\nAWS operation\tcalled\tlinked\tallowed")
	for _, action := range r.actions() {
		line("%s\t%s\t%s\t%s", action,
			mark(slices.Contains(r.called, action)), mark(slices.Contains(r.linked, action)), mark(slices.Contains(r.allowed, action)))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("printing operations: %w", err)
	}
	_, err := fmt.Fprintf(w, "\n%d operations called, %d linked; %d more are allowed for Lambda's own log.\n",
		len(r.called), len(r.linked), len(runtimeActions))
	if err != nil {
		return fmt.Errorf("printing operations: %w", err)
	}
	return nil
}

// verdict returns an error for each limit and each action that is wrong.
func (r report) verdict() error {
	var problems []error
	for _, size := range r.sizes {
		if size.bytes > size.limit {
			problems = append(problems, fmt.Errorf("size: %s has %s bytes, %s over its limit", size.what, thousands(size.bytes), thousands(size.bytes-size.limit)))
		}
	}
	for _, name := range r.forbidden {
		problems = append(problems, fmt.Errorf("size: package %s is linked, which keeps unused code in the binary", name))
	}
	for _, action := range r.actions() {
		called, linked, allowed := slices.Contains(r.called, action), slices.Contains(r.linked, action), slices.Contains(r.allowed, action)
		switch {
		case slices.Contains(runtimeActions, action):
			if !allowed {
				problems = append(problems, fmt.Errorf("size: %s is not allowed, so the function would have no log", action))
			}
		case called && !linked:
			problems = append(problems, fmt.Errorf("size: %s is in an interface API, but nothing calls it", action))
		case linked && !called:
			problems = append(problems, fmt.Errorf("size: %s is in the binary, but in no interface API", action))
		case called && !allowed:
			problems = append(problems, fmt.Errorf("size: %s is called, but the role does not allow it", action))
		case allowed && !called:
			problems = append(problems, fmt.Errorf("size: %s is allowed by the role, but nothing calls it", action))
		}
	}
	return errors.Join(problems...)
}

// actions returns every action that is called, linked or allowed.
func (r report) actions() []string {
	all := slices.Concat(r.called, r.linked, r.allowed, runtimeActions)
	slices.Sort(all)
	return slices.Compact(all)
}

func mark(there bool) string {
	if there {
		return "yes"
	}
	return "-"
}

func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
