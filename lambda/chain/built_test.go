package chain_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"sgchain/lambda/chain"
)

// printed returns all of a Spec as text.
func printed(spec chain.Spec) string {
	text := fmt.Sprintf("%s %v %d %v %v %v\n", spec.VPCID, spec.IPv6, spec.RuleQuota, spec.KeepUnmanaged, spec.Adopt, spec.WarnOnly)
	for _, tier := range spec.Tiers {
		text += fmt.Sprintf("%s %q %q public %v all %v chain %v\n", tier.Name, tier.GroupName, tier.Description, tier.AllowPublic, tier.Egress.All, tier.Egress.Chain)
		for _, rules := range [][]chain.Rule{tier.Ingress, tier.Egress.Rules} {
			for _, rule := range rules {
				text += fmt.Sprintf("  %s %q\n", rule, rule.Description)
			}
		}
	}
	return text + chain.Desired(spec).String()
}

// The test reads properties that release 0.1.0 accepted. Each line has random properties, after
// the hash of the Spec that 0.1.0 read from them.
func TestParseBuiltReadsWhatEarlierReleasesAccepted(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/built/accepted.txt")
	if err != nil {
		t.Fatal(err)
	}
	tolerated := 0
	for line := range strings.Lines(string(text)) {
		want, properties, _ := strings.Cut(strings.TrimSpace(line), " ")
		spec, err := chain.ParseBuilt(decode(t, properties))
		if err != nil {
			t.Errorf("%s: %v", properties, err)
			continue
		}
		sum := sha256.Sum256([]byte(printed(spec)))
		if got := hex.EncodeToString(sum[:8]); got != want {
			t.Errorf("%s: got another Spec:\n%s", properties, printed(spec))
		}
		if now, err := parse(t, decode(t, properties), 1<<30); err != nil {
			tolerated++
		} else if !reflect.DeepEqual(now, spec) {
			t.Errorf("%s: Parse returned\n%sand ParseBuilt\n%s", properties, printed(now), printed(spec))
		}
	}
	if tolerated < 100 {
		t.Errorf("only %d of the properties are refused today", tolerated)
	}
}

// This release deploys tags without a value, but earlier ones left them out.
func TestParseBuiltTagsWithoutAValue(t *testing.T) {
	t.Parallel()
	many := func(n int, more string) string {
		text := more
		for i := range n {
			text += fmt.Sprintf(`, "k%02d": "v"`, i)
		}
		return "{" + text + "}"
	}
	for _, c := range []struct {
		tags string
		want int // tags
	}{
		{`{"Owner": ""}`, 1},
		{`[{"Key": "Owner"}]`, 1},
		{`{"Owner": " "}`, 1},
		{many(43, `"Owner": ""`), 44},
		{many(44, `"Owner": ""`), 44},         // 45 tags are too many, so it was left out
		{many(44, `"a": "", "b": null`), 44},  // the same
		{many(44, `"Name": "n"`), 45},         // the Name adds no tag
		{many(45, `"Name": "", "b": ""`), -1}, // never deployed
		{`{"aws:x": "", "Owner": "o"}`, 1},    // it could not be set, and was left out
		{`[{"Value": ""}, {"Key": "a", "Value": ""}, {"Key": "a", "Value": "x"}]`, 1},
		{`{"Long": "` + strings.Repeat("v", 256) + ` "}`, 1},
	} {
		spec, err := chain.ParseBuilt(decode(t, `{"VpcId": "vpc-1", "Tiers": [{"Name": "A"}], "Tags": `+c.tags+`}`))
		if err != nil && c.want < 0 {
			continue
		}
		if err != nil || len(spec.Tiers[0].Tags) != c.want {
			t.Errorf("%s: got %v, %v, want %d tags", c.tags, spec, err, c.want)
		}
	}
}

// FuzzBuilt checks that ParseBuilt reads all properties that Parse accepts, with the same result.
func FuzzBuilt(f *testing.F) {
	text, err := os.ReadFile("testdata/built/accepted.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		_, properties, _ := strings.Cut(strings.TrimSpace(line), " ")
		f.Add(properties)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var properties map[string]any
		if json.Unmarshal([]byte(text), &properties) != nil {
			return
		}
		now, err := parse(t, properties, chain.DefaultAnswerBytes)
		if err != nil {
			return
		}
		if built, err := chain.ParseBuilt(properties); err != nil || !reflect.DeepEqual(now, built) {
			t.Errorf("Parse returned\n%sand ParseBuilt, with the error %v,\n%s", printed(now), err, printed(built))
		}
	})
}
