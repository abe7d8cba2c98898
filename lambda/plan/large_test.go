package plan_test

import (
	"fmt"
	"testing"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// large returns a chain with as many tiers as a response has room for, and with nearly as many
// rules as a chain may have.
func large(tb testing.TB, bits int) chain.Spec {
	tb.Helper()
	var tiers []any
	for i := range 38 {
		var ports, sources []any
		for port := range 15 {
			ports = append(ports, 2000+2*port)
		}
		for source := range 17 {
			sources = append(sources, fmt.Sprintf("10.%d.%d.0/%d", i, source, bits))
		}
		tiers = append(tiers, map[string]any{"Name": fmt.Sprintf("T%d", i), "Ports": ports, "Sources": sources})
	}
	spec, err := chain.Parse(map[string]any{"VpcId": "vpc-1", "RuleQuota": 1000, "Tiers": tiers}, chain.DefaultAnswerBytes)
	if err != nil {
		tb.Fatal(err)
	}
	return spec
}

// BenchmarkLargest plans and draws the largest chain, with every rule replaced and no room for
// both old and new rules.
func BenchmarkLargest(b *testing.B) {
	old, spec := chain.Desired(large(b, 24)), large(b, 25)
	change := plan.Change{New: chain.Desired(spec), Old: old}
	start := built(old, first)
	goal := plan.Goal(change, start, first)
	drawing := plan.Drawing{Before: start, After: goal, Notes: plan.Notes(spec)}
	todo := plan.Diff(start, goal)
	for name, do := range map[string]func(){
		"Goal": func() { plan.Goal(change, start, first) },
		"Diff": func() { plan.Diff(start, goal) },
		"Fit": func() {
			_, _, _ = todo.Fit(start, goal, plan.Quota{Rules: 260}, noneIsNew, endless)
		},
		"String":  func() { _ = todo.String() },
		"Picture": func() { _ = drawing.String() },
		"Mermaid": func() { _ = drawing.Mermaid() },
		"Notes":   func() { plan.Notes(spec) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				do()
			}
		})
	}
}
