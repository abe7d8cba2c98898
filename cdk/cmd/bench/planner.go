package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// stopMost is how long the planner may run after its time is up, in ms.
const stopMost = 100

// planned is the planner's cost for one shape and one number of rules. ofHalf is the multiple of
// the cost of half as many rules, zero for the first.
type planned struct {
	shape             string
	rules             int
	cpu, ofHalf, stop float64 // ms, multiple, ms
}

// planner runs the planner's benchmark in dir, which measures CPU time.
func planner(ctx context.Context, out io.Writer, dir string) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "Fit$", "-benchtime", "20x", "./lambda/plan")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	// With a larger change, the collector runs more often on a heap of a few MiB, and finds more of
	// it alive. Together that is n·n until the heap is large. The events above include it. Here it
	// would hide how the planner grows.
	cmd.Env = append(os.Environ(), "GOGC=off", "GOMEMLIMIT=512MiB")
	output, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("running the planner's benchmark: %w\n%s", err, output)
	}
	return reportPlanner(out, plannedOf(string(output)))
}

// plannedOf parses the output of go test -bench.
func plannedOf(output string) []planned {
	var all []planned
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		shape, isOurs := strings.CutPrefix(fields[0], "BenchmarkFit/")
		if !isOurs {
			continue
		}
		shape = strings.ReplaceAll(beforeLast(shape, "-"), "_", " ") // without the number of CPUs
		metric := func(name string) float64 {
			at := slices.Index(fields, name)
			if at < 1 {
				return 0
			}
			value, _ := strconv.ParseFloat(fields[at-1], 64) // go test wrote it
			return value
		}
		for _, rules := range []int{60, 120, 240, 480} {
			number := strconv.Itoa(rules)
			all = append(all, planned{shape, rules, metric("ms-of-" + number), metric("x-of-" + number), metric("ms-to-stop")})
		}
	}
	return all
}

// beforeLast returns a text up to its last separator.
func beforeLast(text, separator string) string {
	if at := strings.LastIndex(text, separator); at >= 0 {
		return text[:at]
	}
	return text
}

func reportPlanner(out io.Writer, all []planned) error {
	text := &strings.Builder{}
	fmt.Fprintf(text, "\nplanner at the quota, all rules replaced, room for two: least CPU time in ms (median times that of half as many)\n%-24s%16s%16s%16s%16s   stops after at most", "", "60", "120", "240", "480")
	var problems []error
	shape, stop := "", 0.0
	for _, one := range all {
		if one.shape != shape {
			shape, stop = one.shape, 0
			fmt.Fprintf(text, "\n%-24s", shape)
		}
		times := "       "
		if one.ofHalf > 0 {
			times = fmt.Sprintf(" (%.2f)", one.ofHalf)
		}
		fmt.Fprintf(text, "%9.2f%s", one.cpu, times)
		stop = max(stop, one.stop)
		if one.rules == 480 {
			fmt.Fprintf(text, "   %5.2f ms", stop)
		}
		if one.ofHalf > growth {
			problems = append(problems, fmt.Errorf("planner, %s: %d rules take %.2f times the CPU of half of them, at most %.1f is allowed", shape, one.rules, one.ofHalf, growth))
		}
		if one.stop > stopMost {
			problems = append(problems, fmt.Errorf("planner, %s: with %d rules it runs for %.0f ms after its time is up, at most %d is allowed", shape, one.rules, one.stop, stopMost))
		}
	}
	if len(all) == 0 || slices.ContainsFunc(all, func(one planned) bool { return one.cpu == 0 }) {
		problems = append(problems, errors.New("the planner's benchmark printed nothing"))
	}
	fmt.Fprintf(text, "\nat most %.1f times for each doubling; at most %d ms to stop (CPU time between two checks of its context)\n", growth, stopMost)
	_, err := io.WriteString(out, text.String())
	return errors.Join(append(problems, err)...)
}
