package provider

import (
	"cmp"
	"log/slog"
	"time"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/protocol"
)

// embedded makes CloudWatch Logs read metrics from a line of the log (CloudWatch user guide,
// "Specification: Embedded metric format").
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

// measure writes the metrics of a request: its duration, whether it failed, whether its answer was
// delivered, and how many EC2 calls changed something.
func measure(log *slog.Logger, event protocol.Event, result outcome, delivered bool, took time.Duration) {
	format := embedded{Timestamp: time.Now().UnixMilli(), CloudWatchMetrics: []directive{{
		Namespace: chain.MetricNamespace, Dimensions: [][]string{{chain.DimensionOperation}},
		Metrics: []metric{{chain.MetricDuration, "Milliseconds"}, {chain.MetricFailures, "Count"}, {chain.MetricUndelivered, "Count"}, {chain.MetricWrites, "Count"}},
	}}}
	log.Info("metrics", slog.Any("_aws", format), slog.String(chain.DimensionOperation, cmp.Or(string(event.RequestType), "Unknown")),
		slog.Int64(chain.MetricDuration, took.Milliseconds()), slog.Int(chain.MetricFailures, one(result.err != nil)),
		slog.Int(chain.MetricUndelivered, one(!delivered)), slog.Int64(chain.MetricWrites, result.writes))
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
