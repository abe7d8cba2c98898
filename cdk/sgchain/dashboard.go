package sgchain

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"sgchain/lambda/chain"
)

// longRequest is the duration, in milliseconds, of the alarm that docs/monitoring.md recommends: a delete
// that takes longer is about to give up.
const longRequest = 500_000

// widget is a widget of a dashboard (CloudWatch API reference, "Dashboard body structure and syntax").
type widget struct {
	Type       string         `json:"type"`
	Width      int            `json:"width"`
	Height     int            `json:"height"`
	Properties map[string]any `json:"properties"`
}

// newDashboard creates the dashboard of a provider. The metrics of requests have no dimension for the
// provider, so they include those of every provider in the account and Region. Drift is that of the
// chains which this provider serves, and the writes come from its own log.
func newDashboard(p *provider) {
	ofStack := ""
	if !p.shared {
		ofStack = ` Stack="${AWS::StackName}"`
	}
	// CloudWatch searches the metrics when the dashboard is opened, so a new chain needs no change here.
	search := func(metric, label string) any {
		return []any{map[string]any{
			"expression": fmt.Sprintf(`SEARCH('{%s,%s,%s} MetricName="%s"%s', 'Maximum', 300)`, chain.MetricNamespace, chain.DimensionStack, chain.DimensionChain, metric, ofStack),
			"id":         label,
		}}
	}
	duration := byOperation("Longest request in milliseconds", chain.MetricDuration, "Maximum")
	duration.Properties["annotations"] = map[string]any{"horizontal": []any{map[string]any{"label": "about to give up", "value": longRequest}}}
	body, err := json.Marshal(map[string]any{"widgets": []widget{
		byOperation("Stack operations on chains", chain.MetricFailures, "SampleCount"),
		byOperation("Failed stack operations", chain.MetricFailures, "Sum"),
		byOperation("Undelivered answers", chain.MetricUndelivered, "Sum"),
		duration,
		graph("Drift: differences and failed checks", "Maximum", search(chain.MetricDrift, "drift"), search(chain.MetricFailures, "failures")),
		{"log", 12, 6, map[string]any{
			"title": "Writes in EC2 by chain", "region": "${AWS::Region}", "view": "table",
			"query": "SOURCE '${LogGroup}' | filter ispresent(" + chain.MetricWrites + ") | stats sum(" + chain.MetricWrites + ") as writes, count(*) as operations by stack, resource | sort writes desc",
		}},
	}})
	if err != nil {
		panic(fmt.Errorf("writing a dashboard (%s): %w", *p.Node().Path(), err)) // strings and numbers can always be encoded
	}
	awscloudwatch.NewCfnDashboard(p, jsii.String("Dashboard"), &awscloudwatch.CfnDashboardProps{
		DashboardBody: awscdk.Fn_Sub(jsii.String(string(body)), &map[string]*string{"LogGroup": p.logGroup.LogGroupName()}),
	})
}

// byOperation shows a metric of requests with a line for each operation. "..." repeats every value of the
// metric above but the last.
func byOperation(title, metric, statistic string) widget {
	return graph(title, statistic, []any{chain.MetricNamespace, metric, chain.DimensionOperation, "Create"}, []any{"...", "Update"}, []any{"...", "Delete"})
}

func graph(title, statistic string, metrics ...any) widget {
	return widget{"metric", 12, 6, map[string]any{
		"title": title, "region": "${AWS::Region}", "view": "timeSeries", "period": 300, "stat": statistic, "metrics": metrics,
	}}
}
