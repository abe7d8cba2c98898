package chain_test

import (
	"fmt"
	"strings"
	"testing"

	"sgchain/lambda/chain"
)

// tagsText returns n tags as JSON.
func tagsText(n int, first string) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`"k%d": "v"`, i))
	}
	if first != "" {
		list[0] = first
	}
	return "{" + strings.Join(list, ", ") + "}"
}

// The tags that the chain adds to the author's count against EC2's limit, and Name counts once.
// F14 in CHANGELOG.md.
func TestParseCountsOwnershipTags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		adopt, tags string
		most        int
	}{
		{``, `"a": "b"`, 44},
		{``, `"Name": "n"`, 45},
		{``, `"Name": ""`, 45},
		{`"AdoptExisting": true,`, `"a": "b"`, 43},
		{`"AdoptExisting": true,`, `"Name": "n"`, 44},
	} {
		form := `{"VpcId": "vpc-1", ` + c.adopt + ` "Tags": {"extra": "e"}, "Tiers": [{"Name": "A", "GroupName": "web", "Tags": %s}]}`
		if _, err := parse(t, decode(t, fmt.Sprintf(form, tagsText(c.most-1, c.tags))), chain.DefaultAnswerBytes); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		refusedWith(t, fmt.Sprintf(form, tagsText(c.most, c.tags)), fmt.Sprintf("Tiers[0].Tags: the tier's group would have %d tags, and 51 with those that the chain adds ", c.most+1))
		refusedWith(t, fmt.Sprintf(form, tagsText(c.most, c.tags)), fmt.Sprintf("but EC2 allows 50. Use at most %d,", c.most))
	}
	// A group with a generated name is never adopted.
	form := `{"VpcId": "vpc-1", "AdoptExisting": true, "Tiers": [{"Name": "A", "Tags": ` + tagsText(44, "") + `}, {"Name": "B", "GroupName": "b"}]}`
	if _, err := parse(t, decode(t, form), chain.DefaultAnswerBytes); err != nil {
		t.Error(err)
	}
}

// Parse refuses names that EC2 would refuse later, and keys that JSON would lose, with their path.
// F14 in CHANGELOG.md.
func TestParseRefusesReservedNamesAndDuplicateKeys(t *testing.T) {
	t.Parallel()
	for properties, want := range map[string]string{
		`"Tiers": [{"Name": "A", "GroupName": "DEFAULT"}]`:                          `Tiers[0].GroupName: "DEFAULT" is the name of every VPC's default security group`,
		`"AdoptExisting": true, "Tiers": [{"Name": "A", "GroupName": " default "}]`: `Tiers[0].GroupName: "default" is the name`,
		`"ServiceTOKEN": "x"`:                                      `ServiceTOKEN: unknown property. Did you mean ServiceToken?`,
		`"tiers": []`:                                              `tiers: unknown property. Did you mean Tiers?`,
		`"Tiers": [{"Name": "A", "ports": 80}]`:                    `Tiers[0].ports: unknown property. Did you mean Ports?`,
		`"Tags": [{"key": "a"}]`:                                   `Tags[0].key: unknown property. Did you mean Key?`,
		`"Tiers": "[{\"Name\": \"A\", \"Name\": \"B\"}]"`:          `Tiers[0].Name: occurs twice in the JSON text`,
		`"Tiers": "[7, {\"Tags\": {\"a\": 1, \"a\": 2}}]"`:         `Tiers[1].Tags.a: occurs twice in the JSON text`,
		`"Tiers": "[{\"Egress\": [[1, {}], {\"\": 1, \"\": 2}]}]"`: `Tiers[0].Egress[1].: occurs twice in the JSON text`,
		`"Tiers": [{"Name": "A", "Ports": 80, "Sources": ["sg-` + strings.Repeat("0", 300) + `"]}]`: `Tiers[0].Sources[0]: unknown peer "sg-000`,
		`"Tiers": [{"Name": "A", "Description": "é"}]`:                                              "Use letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*",
	} {
		refusedWith(t, `{"VpcId": "vpc-1", `+properties+`}`, want)
	}
	// The same key in several maps is not a duplicate.
	if _, err := parse(t, map[string]any{"VpcId": "vpc-1", "Tiers": `[{"Name": "A", "Tags": {"Name": "Name"}}, {"Name": "B", "Ports": ["80", "443"], "Sources": ["A", "A"]}]`}, chain.DefaultAnswerBytes); err != nil {
		t.Error(err)
	}
}

// EC2 allows an ampersand in the description of a rule only if the peer is an address range. F14
// in CHANGELOG.md.
func TestParseAllowsAmpersandsOnlyForAddressRanges(t *testing.T) {
	t.Parallel()
	for sources, isFine := range map[string]bool{
		`["10.0.0.0/8", "2001:db8::/32"]`: true, `["internet"]`: true, `["vpc"]`: true,
		`["10.0.0.0/8", "sg-0a"]`: false, `["pl-0a"]`: false, `["self"]`: false, `["com.amazonaws.{region}.s3"]`: false, `["A"]`: false,
	} {
		for form, path := range map[string]string{
			`"Ingress": [{"Ports": 80, "Sources": #, "Description": "a & b"}]`:     "Tiers[0].Ingress[0].Description: ",
			`"Egress": [{"Ports": 80, "Destinations": #, "Description": "a & b"}]`: "Tiers[0].Egress[0].Description: ",
		} {
			properties := `{"VpcId": "vpc-1", "IpFamilies": ["ipv4", "ipv6"], "Tiers": [{"Name": "A", ` + strings.Replace(form, "#", sources, 1) + `}]}`
			if !isFine {
				refusedWith(t, properties, path+`"a & b" has an ampersand (&), which EC2 allows only if every peer is an address range`)
			} else if _, err := parse(t, decode(t, properties), chain.DefaultAnswerBytes); err != nil {
				t.Errorf("%s: %v", properties, err)
			}
		}
	}
}

// Warnings has one warning per line. It is cut at the end of a line if one is near. F18 in
// CHANGELOG.md.
func TestWarningsAreLinesAndCutAtLineEnds(t *testing.T) {
	t.Parallel()
	given := answer(t, 2, 100_000)
	given.Warnings = []string{"first; of two parts", "second\nhas a line feed", strings.Repeat("third ", 20)}
	whole := given.Attributes(100_000)
	if want := "first; of two parts\nsecond has a line feed\n" + given.Warnings[2]; whole["Warnings"] != want {
		t.Errorf("got %q, want %q", whole["Warnings"], want)
	}
	if len(strings.Split(whole["Warnings"], "\n")) != len(given.Warnings) {
		t.Errorf("got %q", whole["Warnings"])
	}
	room := size(t, whole)
	for _, c := range []struct {
		less int
		want string
	}{
		{1, "first; of two parts\nsecond has a line feed\nthird"}, // the third is long: it is cut
		{100, "first; of two parts\nsecond has a line feed\n..."},
	} {
		if got := given.Attributes(room - c.less); !strings.HasPrefix(got["Warnings"], c.want) || !strings.HasSuffix(got["Warnings"], "...") || size(t, got) > room-c.less {
			t.Errorf("%d bytes less: got %q, want %q", c.less, got["Warnings"], c.want)
		}
	}
}
