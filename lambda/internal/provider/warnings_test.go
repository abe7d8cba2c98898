package provider_test

import (
	"strings"
	"testing"
	"testing/synctest"
)

// A rule that opens nothing is in the Warnings, in the log, and in a plan.
func TestWarningsOfRulesThatOpenNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		now := props(tier("Web", "Ports", []any{443, "icmpv6"}, "Sources", "vpc"))
		now["IpFamilies"] = []any{"ipv4", "ipv6"}
		const words = "icmpv6 from vpc has no effect"
		made := r.succeeds(r.create(now))
		if text, _ := made.Data["Warnings"].(string); !strings.Contains(text, words) || !strings.Contains(r.logged(), words) {
			t.Errorf("Warnings are %q", text)
		}
		r.quiet()
		if report := r.reports("plan", now, "plan"); !strings.Contains(strings.Join(report.Warnings, "\n"), words) {
			t.Errorf("the plan warns of %q", report.Warnings)
		}
	})
}
