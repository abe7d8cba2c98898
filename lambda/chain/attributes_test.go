package chain_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"sgchain/lambda/chain"
)

// line returns the properties of a chain of n tiers.
func line(n int) map[string]any {
	var tiers []any
	for i := range n {
		tiers = append(tiers, map[string]any{"Name": fmt.Sprintf("Service%02d", i), "Ports": 6060})
	}
	return map[string]any{"VpcId": "vpc-0123456789abcdef0", "Tiers": tiers}
}

func answer(tb testing.TB, n, limit int) chain.Answer {
	tb.Helper()
	spec, err := parse(tb, line(n), limit)
	if err != nil {
		tb.Fatal(err)
	}
	full := chain.Answer{Spec: spec, GroupIDs: map[string]string{}, RuleCount: 2 * n, Warnings: []string{"first: ö<&>\"\\", strings.Repeat("second ", 90)}}
	for _, tier := range spec.Tiers {
		full.GroupIDs[tier.Name] = "sg-0123456789abcdef0"
	}
	return full
}

func size(tb testing.TB, attributes map[string]string) int {
	tb.Helper()
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(attributes); err != nil {
		tb.Fatal(err)
	}
	return buffer.Len() - 1
}

func TestAttributesFitAnyLimit(t *testing.T) {
	t.Parallel()
	full := answer(t, 3, 100_000).Attributes(100_000)
	least := 0
	for limit := size(t, full) + 10; limit > 0; limit-- {
		if _, err := parse(t, line(3), limit); err != nil {
			least = limit + 1
			break
		}
		got := answer(t, 3, limit).Attributes(limit)
		if size(t, got) > limit {
			t.Fatalf("%d bytes in a room of %d", size(t, got), limit)
		}
		if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(full))) {
			t.Fatalf("in a room of %d the keys are %v", limit, got)
		}
		for key, value := range got {
			if !utf8.ValidString(value) {
				t.Fatalf("in a room of %d %s is cut inside a character: %q", limit, key, value)
			}
			if key != "Summary" && key != "Warnings" && value != full[key] {
				t.Fatalf("in a room of %d %s is %q", limit, key, value)
			}
		}
	}
	if least == 0 {
		t.Error("a room of one byte is enough")
	}
}

func TestAttributesAreCompleteIfTheyFit(t *testing.T) {
	t.Parallel()
	full := answer(t, 2, 100_000)
	got := full.Attributes(100_000)
	if got["Warnings"] != strings.Join(full.Warnings, "\n") || got["Summary"] != "internet -tcp 6060-> Service00 -tcp 6060-> Service01" {
		t.Errorf("got %v", got)
	}
}

func TestParseRefusesChainsWhoseAttributesDoNotFit(t *testing.T) {
	t.Parallel()
	if _, err := parse(t, line(35), chain.DefaultAnswerBytes); err != nil {
		t.Errorf("35 tiers: %v", err)
	}
	_, err := parse(t, line(80), chain.DefaultAnswerBytes)
	if err == nil || !strings.HasPrefix(err.Error(), "Tiers: 80 tiers need ") || !strings.Contains(err.Error(), "split the chain in two") {
		t.Errorf("80 tiers: %v", err)
	}
}
