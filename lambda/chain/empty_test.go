package chain_test

import (
	"strings"
	"testing"

	"sgchain/lambda/chain"
)

// refusedWith fails the test unless Parse refuses properties with a text.
func refusedWith(t *testing.T, properties, want string) {
	t.Helper()
	if _, err := parse(t, decode(t, properties), chain.DefaultAnswerBytes); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%.200s: got %.300v, want %q", properties, err, want)
	}
}

// An empty list is refused in every place: it never means the default. F3 in CHANGELOG.md.
func TestParseRefusesEmptyLists(t *testing.T) {
	t.Parallel()
	inTier := map[string]string{
		`"Ports": 443, "Sources": #`: "Tiers[0].Sources", `"Ports": #`: "Tiers[0].Ports", `"Ports": #, "Sources": "internet"`: "Tiers[0].Ports",
		`"Ingress": #`: "Tiers[0].Ingress", `"Egress": #`: "Tiers[0].Egress", `"Ingress": [{"Ports": 443, "Sources": #}]`: "Tiers[0].Ingress[0].Sources",
		`"Ingress": [{"Ports": #, "Sources": "vpc"}]`: "Tiers[0].Ingress[0].Ports", `"Egress": {"Ports": 443, "Destinations": #}`: "Tiers[0].Egress.Destinations",
		`"Egress": ["chain", {"Ports": #, "Destinations": "vpc"}]`: "Tiers[0].Egress[1].Ports",
	}
	for empty, says := range map[string]string{
		`[]`: ": is an empty list. ", `""`: ": is empty. ", `"  "`: ": is empty. ",
		`[""]`: "entry 0 is empty (an empty list parameter gives this)", `[" "]`: "entry 0 is empty (an empty list parameter gives this)",
		`[null]`: "entry 0 is empty (an empty list parameter gives this)",
	} {
		for form, path := range inTier {
			if empty == "[null]" && strings.HasPrefix(form, `"Ingress": #`) {
				says = "must be a map"
			}
			want := path + says
			if empty[0] == '[' && empty != "[]" {
				want = path + "[0]: "
			}
			properties := `{"VpcId": "vpc-1", "Tiers": [{"Name": "A", ` + strings.Replace(form, "#", empty, 1) + `}]}`
			refusedWith(t, properties, want)
			if empty != "[null]" {
				refusedWith(t, properties, says)
			}
		}
		if empty != `[null]` {
			refusedWith(t, `{"VpcId": "vpc-1", "IpFamilies": `+empty+`}`, "IpFamilies")
			refusedWith(t, `{"VpcId": "vpc-1", "IpFamilies": `+empty+`}`, says)
		}
	}
	refusedWith(t, `{"VpcId": "vpc-1", "Tiers": []}`, "Tiers: is an empty list")
	refusedWith(t, `{"VpcId": "vpc-1", "Tiers": "[{\"Name\": \"A\", \"Ports\": 443, \"Sources\": []}]"}`, "Tiers[0].Sources: is an empty list")
	refusedWith(t, `{"VpcId": "vpc-1", "Tiers": [{"Name": "A", "Ports": 443, "Sources": ["internet", ""]}]}`, "Tiers[0].Sources[1]: unknown peer \"\": entry 1 is empty")
}

// A list that is null or absent means the default. F3 in CHANGELOG.md.
func TestParseTakesAbsentListsAsTheDefault(t *testing.T) {
	t.Parallel()
	for properties, want := range map[string]string{
		`{"VpcId": "vpc-1", "IpFamilies": null, "Tags": [], "Tiers": [{"Name": "A", "Ports": 443, "Sources": null, "Egress": null, "Ingress": null, "Tags": {}}]}`: "internet -tcp 443-> A",
		`{"VpcId": "vpc-1", "Tiers": [{"Name": "A", "Ports": null}]}`: "A",
		`{"VpcId": "vpc-1", "Tiers": ""}`:                             "internet -tcp 80,443-> Alb -tcp 6060-> Fargate",
		`{"VpcId": "vpc-1", "Tiers": null}`:                           "internet -tcp 80,443-> Alb -tcp 6060-> Fargate",
	} {
		spec, err := parse(t, decode(t, properties), chain.DefaultAnswerBytes)
		if err != nil || chain.Summary(spec) != want || !spec.Tiers[0].Egress.All {
			t.Errorf("%s: got %s, %v, want %s", properties, chain.Summary(spec), err, want)
		}
	}
}

// In every form, a tag without a value is a tag, and blanks count. F6 in CHANGELOG.md.
func TestParseKeepsEmptyTagValues(t *testing.T) {
	t.Parallel()
	for tags, want := range map[string]string{
		`{"Owner": ""}`: `Owner=""`, `[{"Key": "Owner"}]`: `Owner=""`, `[{"Key": "Owner", "Value": ""}]`: `Owner=""`, `{"Owner": null}`: `Owner=""`,
		`[{"Key": "Owner", "Value": null}]`: `Owner=""`, `{"Team": ""}`: `Team=""`,
		`{" Owner ": " me "}`: `" Owner "=" me "`, `[{"Key": " Owner ", "Value": " me "}]`: `" Owner "=" me "`, `{"Owner": " "}`: `Owner=" "`,
	} {
		spec, err := parse(t, decode(t, `{"VpcId": "vpc-1", "Tags": {"Team": "ai"}, "Tiers": [{"Name": "A", "Tags": `+tags+`}]}`), chain.DefaultAnswerBytes)
		if err != nil {
			t.Errorf("%s: %v", tags, err)
			continue
		}
		key, value, _ := strings.Cut(want, "=")
		key, value = strings.Trim(key, `"`), strings.Trim(value, `"`)
		if got, exists := spec.Tiers[0].Tags[key]; !exists || got != value {
			t.Errorf("%s: got %q, want %s", tags, spec.Tiers[0].Tags, want)
		}
	}
	refusedWith(t, `{"VpcId": "vpc-1", "Tags": [{"Key": " ", "Value": "x"}]}`, "Tags[0]: has no key")
	refusedWith(t, `{"VpcId": "vpc-1", "Tags": [{"Key": "a"}, {"Key": "a", "Value": "x"}]}`, `Tags[1]: the key "a" occurs twice`)
}
