package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

const (
	// synthLimit is the most that the synth of an app with a chain may take, as a multiple of the
	// same app without it.
	synthLimit  = 1.3
	synthRounds = 3
)

// synth compares a warm synth of an app with that of the same app without a chain, in alternation.
// The function is built already, and the CDK validates the templates, as it does by default.
func synth(ctx context.Context, out io.Writer, folder, dir string) error {
	apps := []string{".", "./bare"}
	for i, app := range apps {
		build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(folder, fmt.Sprintf("app%d", i)), app)
		build.Dir = filepath.Join(dir, "cdk", "sgchain", "testdata", "app")
		if output, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("building the app (%s): %w\n%s", app, err, output)
		}
	}
	var ratios []float64
	var last [2]time.Duration
	for round := range synthRounds + 1 { // the first one warms up
		for i := range apps {
			took, err := synthOnce(ctx, folder, i)
			if err != nil {
				return err
			}
			last[i] = took
		}
		if round > 0 {
			ratios = append(ratios, last[0].Seconds()/last[1].Seconds())
		}
	}
	slices.Sort(ratios)
	median := ratios[len(ratios)/2]
	if _, err := fmt.Fprintf(out, "\na warm synth with a chain takes %.2f times as long as without (%.1f s and %.1f s, median of %d rounds), at most %.2f is allowed\n",
		median, last[0].Seconds(), last[1].Seconds(), synthRounds, synthLimit); err != nil {
		return err
	}
	if median > synthLimit {
		return fmt.Errorf("a synth with a chain takes %.2f times as long as without, at most %.2f is allowed", median, synthLimit)
	}
	return nil
}

func synthOnce(ctx context.Context, folder string, i int) (time.Duration, error) {
	run := exec.CommandContext(ctx, filepath.Join(folder, fmt.Sprintf("app%d", i)))
	run.Dir = folder
	run.Env = append(os.Environ(), "CDK_OUTDIR="+filepath.Join(folder, fmt.Sprintf("out%d", i)), "CDK_VALIDATION=")
	began := time.Now()
	if output, err := run.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("synthesizing an app: %w\n%s", err, output)
	}
	return time.Since(began), nil
}
