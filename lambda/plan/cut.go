package plan

import (
	"fmt"
	"strings"
)

// LogBytes limits how much of a plan or a picture a log line holds. A log event has at most 1 MB
// (API reference of CloudWatch Logs, PutLogEvents), in some partitions still 256 KB (that of
// China). One line may hold two such texts, as JSON.
const LogBytes = 100_000

// Cut shortens a text of many lines to about a size, at the end of a line, and appends the
// number of omitted lines.
func Cut(text string, size int) string {
	if len(text) <= size {
		return text
	}
	kept := text[:strings.LastIndexByte(text[:size], '\n')+1]
	left := strings.Count(strings.TrimSuffix(text[len(kept):], "\n"), "\n") + 1
	return fmt.Sprintf("%s... and %d more lines\n", kept, left)
}
