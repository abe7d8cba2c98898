package plan

import (
	"fmt"
	"strings"
)

// LogBytes is how much of a plan or a picture a log line holds. CloudWatch Logs took events of
// up to 256 KB for a long time, and takes 1 MB since 2025 (user guide, "CloudWatch Logs
// quotas"); a line may hold two of them, as JSON.
const LogBytes = 100_000

// Cut shortens a text of many lines to about a size, at the end of a line, and says how many
// lines are left out.
func Cut(text string, size int) string {
	if len(text) <= size {
		return text
	}
	kept := text[:strings.LastIndexByte(text[:size], '\n')+1]
	left := strings.Count(strings.TrimSuffix(text[len(kept):], "\n"), "\n") + 1
	return fmt.Sprintf("%s... and %d more lines\n", kept, left)
}
