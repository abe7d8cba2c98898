package provider

import (
	"log/slog"
	"slices"
	"time"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/fence"
	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/sg"
	"sgchain/lambda/plan"
)

// The results of actions.
const (
	ResultPlan      = "plan"       // what an update would do
	ResultRefused   = "refused"    // the update would be refused
	ResultInSync    = "in sync"    // nothing deviates
	ResultDrift     = "drift"      // something does
	ResultRepaired  = "repaired"   // something did
	ResultStoodBack = "stood back" // an operation of the stack is in progress
	ResultUnchecked = "unchecked"  // the stack is in a state in which nothing can be said
)

// Report is the answer to an action, for people and as data.
type Report struct {
	Action string `json:"action"`
	Result string `json:"result"`
	// Text says it in words, lines that end in line feeds.
	Text string `json:"text"`
	// PhysicalID is what the properties give the chain.
	PhysicalID string `json:"physicalId"`
	// Differences counts what deviates: rules, groups, tags.
	Differences int      `json:"differences"`
	Changes     []Change `json:"changes,omitempty"`
	Warnings    []string `json:"warnings,omitempty"`
	// Picture is the chain with the changes, for a terminal; Mermaid is the same as a
	// Mermaid flowchart.
	Picture string `json:"picture,omitempty"`
	Mermaid string `json:"mermaid,omitempty"`
}

// Change is a step of a plan.
type Change struct {
	Action    string   `json:"action"`
	Tier      string   `json:"tier"`
	GroupName string   `json:"groupName"`
	GroupID   string   `json:"groupId,omitempty"` // empty where the group is still to be made
	Rules     []string `json:"rules,omitempty"`
	Tags      []string `json:"tags,omitempty"` // keys
}

// standBack says why nothing was done.
func (r *Report) standBack(busy *fence.NotAtRestError) {
	r.Result = ResultUnchecked
	if busy.InProgress {
		r.Result = ResultStoodBack
	}
	r.Differences, r.Changes, r.Picture, r.Mermaid = 0, nil, "", ""
	r.Text = "Nothing was done: " + busy.Error() + ". " + busy.Remedy() + "\n"
}

// describe puts a plan into the report.
func (a *acting) describe(spec chain.Spec, want sg.Want, observed sg.Observed, todo plan.Plan) {
	drawing := drawn(spec, want, observed)
	a.report.Picture, a.report.Mermaid = drawing.String(), drawing.Mermaid()
	a.report.Changes, a.report.Differences = nil, 0
	for _, step := range todo.Steps {
		change := Change{
			Action: string(step.Action), Tier: step.Group.Tier, GroupName: step.Group.EC2Name(protocol.Resource(a.event)),
			GroupID: observed.GroupIDs[step.Group], Rules: ruleTexts(step.Rules),
		}
		for _, tag := range step.Tags {
			change.Tags = append(change.Tags, tag.Key)
		}
		a.report.Changes = append(a.report.Changes, change)
		a.report.Differences += max(1, len(step.Rules))
	}
	a.report.Warnings = append(a.report.Warnings, slices.Concat(kept(want, observed), want.Unserved)...)
}

// drawn is a chain as it is, and as a run leaves it.
func drawn(spec chain.Spec, want sg.Want, observed sg.Observed) plan.Drawing {
	drawing := plan.Drawing{Before: observed.State, After: want.Goal(observed.State), IDs: observed.GroupIDs, Notes: plan.Notes(spec)}
	for _, group := range observed.State.Groups {
		if want.Chains.Standing(group.Identity) == plan.Retired {
			drawing.Retired = append(drawing.Retired, group.Identity)
		}
		if group.Adoption.IsForeign() {
			drawing.Notes[group.Identity] = append(drawing.Notes[group.Identity], "adopted")
		}
	}
	return drawing
}

// The dimensions of the metrics of a chain.
const (
	dimensionStack = "Stack"
	dimensionChain = "Chain"
)

// measureDrift puts out what a check found: how many differences, and whether it could be
// made. One that stood back says nothing.
func measureDrift(log *slog.Logger, action protocol.Action, report Report, failed error) {
	if failed == nil && report.Result == ResultStoodBack {
		return
	}
	metrics := []metric{{"Failures", "Count"}}
	values := []any{slog.Int("Failures", one(failed != nil || report.Result == ResultUnchecked))}
	if failed == nil && report.Result != ResultUnchecked {
		metrics = append(metrics, metric{"Drift", "Count"})
		values = append(values, slog.Int("Drift", report.Differences))
	}
	format := embedded{Timestamp: time.Now().UnixMilli(), CloudWatchMetrics: []directive{{
		Namespace: namespace, Dimensions: [][]string{{dimensionStack, dimensionChain}}, Metrics: metrics,
	}}}
	values = append(values, slog.Any("_aws", format), slog.String(dimensionStack, chain.Resource{StackID: action.StackID}.StackName()), slog.String(dimensionChain, action.LogicalResourceID))
	log.Info("metrics", values...)
}
