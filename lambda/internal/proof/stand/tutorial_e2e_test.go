//go:build e2e

package stand_test

import (
	"context"
	"runtime"
	"testing"
)

// playTutorial runs every command of docs/tutorial.md in its order. What a reader would check by eye
// is in the outputs that the page shows.
func playTutorial(ctx context.Context, t *testing.T, r *recipeRun) {
	t.Helper()
	r.examples = append(r.examples,
		"example-eu-central-1", "published-us-east-1",
		"STACK=Shop", "STACK=Tutorial",
		"VERSION=0.1.0", "VERSION="+r.version(t),
	)
	if runtime.GOARCH == "amd64" {
		// The emulator runs the function on this machine.
		r.examples = append(r.examples, `"VpcId=$VPC"`, `"VpcId=$VPC" Architecture=x86_64`)
	}
	for r.next < len(r.blocks) {
		r.sh(ctx, t)
	}
	r.stack("Tutorial", "", r.vpc).has(ctx, t, "after the tutorial", "")
}
