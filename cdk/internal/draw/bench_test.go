package draw_test

import (
	"fmt"
	"testing"

	"sgchain/cdk/internal/draw"
	"sgchain/lambda/plan"
)

// BenchmarkVPC draws VPCs of 100 and of 300 groups. "spread" has 4,000 rules in both. "full" has as
// many rules per group: its time should grow about as the number of groups does.
func BenchmarkVPC(b *testing.B) {
	for _, size := range []struct {
		name          string
		groups, rules int
	}{{"spread", 100, 40}, {"spread", 300, 13}, {"full", 100, 13}, {"full", 300, 13}} {
		drawing := vpc(size.groups, size.rules)
		for form, write := range map[string]func(plan.Drawing) string{
			"svg":  func(d plan.Drawing) string { return draw.SVG(d, "VPC") },
			"html": func(d plan.Drawing) string { return draw.HTML(draw.Page{Title: "VPC", Drawing: d}) },
			"dot":  func(d plan.Drawing) string { return draw.DOT(d, "VPC") },
		} {
			b.Run(fmt.Sprintf("%s/%s/groups=%d", form, size.name, size.groups), func(b *testing.B) {
				for b.Loop() {
					write(drawing)
				}
			})
		}
	}
}
