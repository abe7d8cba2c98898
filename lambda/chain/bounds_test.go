package chain_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"sgchain/lambda/chain"
)

// fill repeats a form up to a size in bytes. In each repetition, # is replaced by its number.
func fill(size int, before, form, after string) string {
	var text strings.Builder
	text.WriteString(`{"VpcId": "vpc-1", ` + before)
	for n := 0; text.Len() < size; n++ {
		if n > 0 {
			text.WriteString(",")
		}
		text.WriteString(strings.ReplaceAll(form, "#", fmt.Sprint(n)))
	}
	return text.String() + after + "}"
}

// long returns properties that have one text of a size.
func long(size int, before, letters, after string) string {
	return `{"VpcId": "vpc-1", ` + before + strings.Repeat(letters, size/len(letters)) + after + "}"
}

// costly returns properties of a size that need the most work, by the part that is large.
func costly() map[string]func(size int) string {
	inTier := func(before, form string) func(int) string {
		return func(size int) string {
			return fill(size, `"Tiers": [{"Name": "A", `+before, form, `]}]`)
		}
	}
	numbers := func(n int, form string) string {
		var list []string
		for i := range n {
			list = append(list, strings.ReplaceAll(form, "@", fmt.Sprint(i)))
		}
		return strings.Join(list, ",")
	}
	return map[string]func(size int) string{
		"entries":             inTier(`"Ingress": [`, `{"Ports":#,"Sources":"vpc"}`),
		"same entries":        inTier(`"Ingress": [`, `{"Ports":80,"Sources":"vpc"}`),
		"entries that differ": inTier(`"Ingress": [`, `{"Ports":80,"Sources":"vpc","Description":"#"}`),
		"full entries":        inTier(`"Ingress": [`, `{"Ports":[`+numbers(44, "@")+`],"Sources":[`+numbers(44, `"10.@.0.0/16"`)+`]}`),
		"peers":               inTier(`"Ports": 80, "Sources": [`, `"sg-0#"`),
		"unknown peers":       inTier(`"Ports": 80, "Sources": [`, `"nobody#"`),
		"ports":               inTier(`"Ports": [`, `#`),
		"bad ports":           inTier(`"Ports": [`, `"x#"`),
		"one port":            func(size int) string { return long(size, `"Tiers": [{"Name": "A", "Ports": "`, `9`, `"}]`) },
		"one peer": func(size int) string {
			return long(size, `"Tiers": [{"Name": "A", "Ports": 80, "Sources": "`, `sg-0`, `"}]`)
		},
		"egress words":   inTier(`"Egress": [`, `"chain"`),
		"egress entries": inTier(`"Egress": [`, `{"Ports":"all","Destinations":"10.#.0.0/16"}`),
		"tiers":          func(size int) string { return fill(size, `"Tiers": [`, `{"Name":"T#","Ports":80}`, `]`) },
		"tiers with rules": func(size int) string {
			return fill(size, `"Tiers": [`, `{"Name":"T#","Ingress":[{"Ports":[`+numbers(44, "1@")+`],"Sources":[`+numbers(44, `"10.@.0.0/16"`)+`]}]}`, `]`)
		},
		"the same tier":   func(size int) string { return fill(size, `"Tiers": [`, `{"Name":"T"}`, `]`) },
		"tags":            func(size int) string { return fill(size, `"Tags": {`, `"k#":"v"`, `}`) },
		"tags of a list":  func(size int) string { return fill(size, `"Tags": [`, `{"Key":"k","Value":"#"}`, `]`) },
		"descriptions":    func(size int) string { return long(size, `"Tiers": [{"Name": "A", "Description": "`, `a`, `"}]`) },
		"names":           func(size int) string { return long(size, `"Tiers": [{"Name": "`, `a`, `"}]`) },
		"unknown keys":    func(size int) string { return fill(size, `"Tiers": [{"Name": "A", "Ports": 80}], `, `"k#":1`, ``) },
		"one unknown key": func(size int) string { return long(size, `"`, `k`, `": 1`) },
		"families":        func(size int) string { return fill(size, `"IpFamilies": [`, `"ipv#"`, `]`) },
		"tiers as text":   func(size int) string { return fill(size, `"Tiers": "[`, `{\"Name\":\"T#\"}`, `]"`) },
		"keys of text":    func(size int) string { return fill(size, `"Tiers": "[{`, `\"k#\":1`, `}]"`) },
		"lists of lists":  func(size int) string { return long(size, `"Tiers": "`, `[`, `"`) },
	}
}

// work returns how many bytes a function allocates.
func work(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// An event of twice the size takes at most two and a half times the memory, and no event takes
// much, whatever it contains. The memory stands for the time, which make bench measures. F9 in
// CHANGELOG.md.
func TestWorkGrowsLinearlyWithTheEvent(t *testing.T) { //nolint:paralleltest // it measures the process's allocations
	for name, form := range costly() {
		for kind, read := range map[string]func(map[string]any) (chain.Spec, error){
			"Parse":      func(properties map[string]any) (chain.Spec, error) { return chain.Parse(properties, 1<<30) },
			"ParseBuilt": chain.ParseBuilt,
		} {
			var last uint64
			for i, size := range []int{2 << 10, 4 << 10, 128 << 10, 256 << 10} {
				var properties map[string]any
				if err := json.Unmarshal([]byte(form(size)), &properties); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				used := work(func() {
					spec, err := read(properties)
					desired := chain.Desired(spec)
					if err == nil && kind == "Parse" { // old chains need nothing else
						chain.Answer{Spec: spec, RuleCount: desired.RuleCount(), Warnings: warningsOf(spec)}.Attributes(4000)
					}
					if err != nil && len(err.Error()) > 64<<10 {
						t.Errorf("%s: %d bytes of problems", name, len(err.Error()))
					}
				})
				t.Logf("%s %s %d KB: %d KB", kind, name, size>>10, used>>10)
				if used > 64<<20 || (i%2 == 1 && last > 2<<20 && used > last*5/2) {
					t.Errorf("%s %s: %d bytes take %d, half of them took %d", kind, name, size, used, last)
				}
				last = used
			}
		}
	}
}

// Omitted problems are counted. F9 in CHANGELOG.md.
func TestProblemsBeyondTheLimitAreCounted(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{100: "", 101: "And 1 more.", 314: "And 214 more."} {
		var peers []any
		for range n {
			peers = append(peers, "nobody")
		}
		properties := map[string]any{"VpcId": "vpc-1", "Tiers": []any{map[string]any{"Name": "A", "Ports": 80, "Sources": peers}}}
		_, err := parse(t, properties, chain.DefaultAnswerBytes)
		problems, _ := errors.AsType[chain.Problems](err)
		if !strings.HasPrefix(err.Error(), "100 problems: (1) Tiers[0].Sources[0]: ") || len(problems) != min(n, 101) || (want != "" && problems[100].Error() != want) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%d problems: got %d, ending in %v, want %q", n, len(problems), problems[len(problems)-1], want)
		}
	}
}

// The first exceeded limit is the problem. F9 in CHANGELOG.md.
func TestParseRefusesLargeProperties(t *testing.T) {
	t.Parallel()
	forms := costly()
	refusedWith(t, forms["tiers with rules"](64<<10), "Tiers: have more than 10000 rules together")
	for name, want := range map[string]string{
		"tiers": "Tiers: has ", "tiers as text": "Tiers: has ", "the same tier": "Tiers: has ",
		"entries": "Tiers[0].Ingress: has more than 2000 rules", "peers": "ports), but a group can have at most 1000 for each direction and family", "tags": "Tiers[0].Tags: the tier's group would have ",
		"names":           `Tiers[0].Name: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..." is not`,
		"one unknown key": `kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk...: unknown property`,
	} {
		refusedWith(t, forms[name](256<<10), want)
	}
	// A group can have 2,000 rules, for both families together.
	var ports []any
	for port := range 1000 {
		ports = append(ports, port)
	}
	full := map[string]any{"VpcId": "vpc-1", "IpFamilies": []any{"ipv4", "ipv6"}, "Tiers": []any{map[string]any{"Name": "A", "Ports": ports}}}
	if spec, err := parse(t, full, chain.DefaultAnswerBytes); err != nil || len(spec.Tiers[0].Ingress) != 2000 {
		t.Errorf("got %d rules, %v", len(spec.Tiers[0].Ingress), err)
	}
}
