//go:build unix

package lifecycle_test

import (
	"fmt"
	"syscall"
	"time"
)

// used is the CPU time that this process has used so far.
func used() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// cost tells what histories cost since a moment, to be compared from one version to the next.
func cost(histories, violations int, since time.Duration) string {
	took := used() - since
	return fmt.Sprintf("%d histories, %d violations, %.1f CPU seconds (%.2f ms each)",
		histories, violations, took.Seconds(), 1000*took.Seconds()/float64(max(histories, 1)))
}
