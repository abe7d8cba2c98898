package provider

import (
	"cmp"
	"log/slog"
	"time"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/protocol"
)

// operation is the one dimension of the metrics of requests: Create, Update or Delete.
const operation = "Operation"

// embedded is what makes CloudWatch Logs read metrics out of a line of the log (CloudWatch
// user guide, "Specification: Embedded metric format").
type embedded struct {
	Timestamp         int64 // milliseconds since 1970
	CloudWatchMetrics []directive
}

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []metric
}

type metric struct{ Name, Unit string }

// measure puts out the metrics of a request: how long it took, whether it failed, whether
// its answer was delivered, and how many calls changed something in EC2.
func measure(log *slog.Logger, event protocol.Event, result outcome, delivered bool, took time.Duration) {
	format := embedded{Timestamp: time.Now().UnixMilli(), CloudWatchMetrics: []directive{{
		Namespace: chain.MetricNamespace, Dimensions: [][]string{{operation}},
		Metrics: []metric{{"Duration", "Milliseconds"}, {chain.MetricFailures, "Count"}, {"Undelivered", "Count"}, {"Writes", "Count"}},
	}}}
	log.Info("metrics", slog.Any("_aws", format), slog.String(operation, cmp.Or(string(event.RequestType), "Unknown")),
		slog.Int64("Duration", took.Milliseconds()), slog.Int(chain.MetricFailures, one(result.err != nil)),
		slog.Int("Undelivered", one(!delivered)), slog.Int64("Writes", result.writes))
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
