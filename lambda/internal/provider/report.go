package provider

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"sgchain/lambda/chain"
	"sgchain/lambda/internal/fence"
	"sgchain/lambda/internal/protocol"
	"sgchain/lambda/internal/sg"
	"sgchain/lambda/plan"
)

// Report is the answer to an action, as text and as data.
type Report struct {
	Action string `json:"action"`
	Result string `json:"result"`
	// Text describes the result. Its lines end in line feeds.
	Text string `json:"text"`
	// PhysicalID is the chain's physical ID according to the properties.
	PhysicalID string `json:"physicalId"`
	// CurrentID is the physical ID that CloudFormation has recorded. Replaces means that an update
	// changes it, so that consumers have to follow. Both are for plans.
	CurrentID string `json:"currentPhysicalId,omitempty"`
	Replaces  bool   `json:"replaces,omitempty"`
	// Differences counts the rules, groups and tags that deviate.
	Differences int      `json:"differences"`
	Changes     []Change `json:"changes,omitempty"`
	// Cleanup is what follows an update after every consumer has moved. Groups has the fate of each
	// group. Refused lists everything that an update would be refused for. All are for plans.
	Cleanup  []Change  `json:"cleanup,omitempty"`
	Groups   []Group   `json:"groups,omitempty"`
	Refused  []Refusal `json:"refused,omitempty"`
	Warnings []string  `json:"warnings,omitempty"`
	// Picture shows the chain and its changes for a terminal. Mermaid is the same as a Mermaid
	// flowchart.
	Picture string `json:"picture,omitempty"`
	Mermaid string `json:"mermaid,omitempty"`
}

// Change is a step of a plan.
type Change struct {
	Action    string   `json:"action"`
	Tier      string   `json:"tier"`
	GroupName string   `json:"groupName"`
	GroupID   string   `json:"groupId,omitempty"` // empty if the group does not exist yet
	Rules     []string `json:"rules,omitempty"`
	Tags      []string `json:"tags,omitempty"`      // keys
	MoreRules int      `json:"moreRules,omitempty"` // how many a long answer leaves out
}

// Group is the fate of a security group: create, adopt, keep, retire (until the cleanup), or left
// over (from an interrupted operation).
type Group struct {
	Tier      string `json:"tier"`
	GroupName string `json:"groupName"`
	GroupID   string `json:"groupId,omitempty"`
	Fate      string `json:"fate"`
	// Last is what the cleanup does to a group that leaves: delete group or release group.
	Last string `json:"last,omitempty"`
}

// Refusal is a reason for which an update would be refused.
type Refusal struct {
	Tier   string `json:"tier,omitempty"` // empty if it is about the whole chain
	Reason string `json:"reason"`
	Remedy string `json:"remedy,omitempty"`
}

// The answer to an invocation has at most 6 MB (Lambda developer guide, "Lambda quotas"). These
// limits are for each text and for the rules in each list of changes.
const (
	reportBytes = 250_000
	changeBytes = 1_000_000
	// warningBytes limits one warning: some name every rule of a group.
	warningBytes = 10_000
)

// brief cuts warnings that are too many or too long for an answer, and adds how much it left out.
func brief(warnings []string) []string {
	all, room := []string(nil), reportBytes
	for i, text := range warnings {
		if len(text) > warningBytes {
			text = strings.ToValidUTF8(text[:warningBytes], "") + fmt.Sprintf("... and %d more bytes", len(text)-warningBytes)
		}
		if room -= len(text); room < 0 {
			return append(all, fmt.Sprintf("and %d more warnings", len(warnings)-i))
		}
		all = append(all, text)
	}
	return all
}

// standBack reports why nothing was done.
func (r *Report) standBack(busy *fence.BusyError) {
	r.Result = chain.ResultUnchecked
	if busy.InProgress {
		r.Result = chain.ResultStoodBack
	}
	r.Differences, r.Changes, r.Picture, r.Mermaid = 0, nil, "", ""
	r.Text = "Nothing was done: " + busy.Error() + ". " + busy.Remedy() + "\n"
}

// describe adds a plan to the report.
func (a *acting) describe(observed sg.Observed, todo plan.Plan) {
	target := a.looked.target
	drawing := drawn(a.asked.spec, target, observed)
	a.report.Picture, a.report.Mermaid = plan.Cut(drawing.String(), reportBytes), plan.Cut(drawing.Mermaid(), reportBytes)
	a.report.Changes, a.report.Differences = a.changes(observed, todo, changeBytes), 0
	for _, step := range todo.Steps {
		a.report.Differences += max(1, len(step.Rules))
	}
	a.report.Warnings = slices.Concat(a.report.Warnings, kept(target, observed), target.Change.LackingTags(observed.State), target.Ineffective)
}

// changes returns the steps of a plan, with as many rules as fit.
func (a *acting) changes(observed sg.Observed, todo plan.Plan, room int) []Change {
	var changes []Change
	for _, step := range todo.Steps {
		change := Change{
			Action: string(step.Action), Tier: step.Group.Tier, GroupName: observed.Name(step.Group, protocol.Resource(a.event)),
			GroupID: observed.GroupIDs[step.Group],
		}
		for i, rule := range step.Rules {
			text := rule.String()
			if room -= len(text); room < 0 {
				change.MoreRules = len(step.Rules) - i
				break
			}
			change.Rules = append(change.Rules, text)
		}
		for _, tag := range step.Tags {
			change.Tags = append(change.Tags, tag.Key)
		}
		changes = append(changes, change)
	}
	return changes
}

// groups returns the fate of each group.
func (a *acting) groups(observed sg.Observed) []Group {
	var groups []Group
	for _, fate := range plan.Fates(a.looked.target.Change, observed.State) {
		groups = append(groups, Group{
			Tier: fate.Tier, GroupName: observed.Name(fate.Identity, protocol.Resource(a.event)), GroupID: observed.GroupIDs[fate.Identity],
			Fate: string(fate.Fate), Last: string(fate.Last),
		})
	}
	return groups
}

// drawn returns a drawing of the chain before and after a run.
func drawn(spec chain.Spec, target sg.Target, observed sg.Observed) plan.Drawing {
	drawing := plan.Drawing{Before: observed.State, After: target.Goal(observed.State), IDs: observed.GroupIDs, Notes: plan.Notes(spec)}
	for _, group := range observed.State.Groups {
		if target.Change.Standing(group.Identity) == plan.Retired {
			drawing.Retired = append(drawing.Retired, group.Identity)
		}
		if group.Adoption.IsForeign() {
			drawing.Notes[group.Identity] = append(drawing.Notes[group.Identity], "adopted")
		}
	}
	return drawing
}

// measureDrift writes the metrics of a check: how many differences it found, and whether it could
// be made. A check that stood back writes none.
func measureDrift(log *slog.Logger, action protocol.Action, report Report, failed error) {
	if failed == nil && report.Result == chain.ResultStoodBack {
		return
	}
	metrics := []metric{{chain.MetricFailures, "Count"}}
	values := []any{slog.Int(chain.MetricFailures, one(failed != nil || report.Result == chain.ResultUnchecked))}
	if failed == nil && report.Result != chain.ResultUnchecked {
		metrics = append(metrics, metric{chain.MetricDrift, "Count"})
		values = append(values, slog.Int(chain.MetricDrift, report.Differences))
	}
	format := embedded{Timestamp: time.Now().UnixMilli(), CloudWatchMetrics: []directive{{
		Namespace: chain.MetricNamespace, Dimensions: [][]string{{chain.DimensionStack, chain.DimensionChain}}, Metrics: metrics,
	}}}
	values = append(values, slog.Any("_aws", format), slog.String(chain.DimensionStack, chain.Resource{StackID: action.StackID}.StackName()), slog.String(chain.DimensionChain, action.LogicalResourceID))
	log.Info("metrics", values...)
}
