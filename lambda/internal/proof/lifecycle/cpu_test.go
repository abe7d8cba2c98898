//go:build unix

package lifecycle_test

import (
	"fmt"
	"syscall"
	"time"
)

// used returns the CPU time that this process has consumed.
func used() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// cost formats the cost of histories since a moment, for comparisons between versions.
func cost(histories, violations int, since time.Duration) string {
	took := used() - since
	return fmt.Sprintf("%d histories, %d violations, %.1f CPU seconds (%.2f ms each)",
		histories, violations, took.Seconds(), 1000*took.Seconds()/float64(max(histories, 1)))
}
