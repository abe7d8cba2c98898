package chain_test

import (
	"fmt"
	"strings"
	"testing"

	"sgchain/lambda/chain"
)

// tagsText is n tags as JSON.
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

// TestF14TagsOfOwnershipCount: what the chain adds to the author's tags counts, and Name once.
func TestF14TagsOfOwnershipCount(t *testing.T) {
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
		if _, err := chain.Parse(decode(t, fmt.Sprintf(form, tagsText(c.most-1, c.tags))), chain.DefaultAnswerBytes); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		refusedWith(t, fmt.Sprintf(form, tagsText(c.most, c.tags)), fmt.Sprintf("Tiers[0].Tags: a group of this tier would have %d tags; use at most %d", c.most+1, c.most))
		refusedWith(t, fmt.Sprintf(form, tagsText(c.most, c.tags)), "it would have 51, and EC2 takes 50")
	}
	// A group with a generated name is never an adopted one.
	form := `{"VpcId": "vpc-1", "AdoptExisting": true, "Tiers": [{"Name": "A", "Tags": ` + tagsText(44, "") + `}, {"Name": "B", "GroupName": "b"}]}`
	if _, err := chain.Parse(decode(t, form), chain.DefaultAnswerBytes); err != nil {
		t.Error(err)
	}
}

// TestF14NamesAndKeys: what EC2 refuses late, or JSON loses, is refused at once, with its path.
func TestF14NamesAndKeys(t *testing.T) {
	t.Parallel()
	for properties, want := range map[string]string{
		`"Tiers": [{"Name": "A", "GroupName": "DEFAULT"}]`:                          `Tiers[0].GroupName: "DEFAULT" is the name of every VPC's own group`,
		`"AdoptExisting": true, "Tiers": [{"Name": "A", "GroupName": " default "}]`: `Tiers[0].GroupName: "default" is the name`,
		`"ServiceTOKEN": "x"`:                                      `ServiceTOKEN: unknown property; did you mean ServiceToken?`,
		`"tiers": []`:                                              `tiers: unknown property; did you mean Tiers?`,
		`"Tiers": [{"Name": "A", "ports": 80}]`:                    `Tiers[0].ports: unknown property; did you mean Ports?`,
		`"Tags": [{"key": "a"}]`:                                   `Tags[0].key: unknown property; did you mean Key?`,
		`"Tiers": "[{\"Name\": \"A\", \"Name\": \"B\"}]"`:          `Tiers[0].Name: is there twice in the text`,
		`"Tiers": "[7, {\"Tags\": {\"a\": 1, \"a\": 2}}]"`:         `Tiers[1].Tags.a: is there twice in the text`,
		`"Tiers": "[{\"Egress\": [[1, {}], {\"\": 1, \"\": 2}]}]"`: `Tiers[0].Egress[1].: is there twice in the text`,
		`"Tiers": [{"Name": "A", "Ports": 80, "Sources": ["sg-` + strings.Repeat("0", 300) + `"]}]`: `Tiers[0].Sources[0]: unknown peer "sg-000`,
		`"Tiers": [{"Name": "A", "Description": "é"}]`:                                              "use letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*",
	} {
		refusedWith(t, `{"VpcId": "vpc-1", `+properties+`}`, want)
	}
	// A key of text that stands at several places is not there twice.
	if _, err := chain.Parse(map[string]any{"VpcId": "vpc-1", "Tiers": `[{"Name": "A", "Tags": {"Name": "Name"}}, {"Name": "B", "Ports": ["80", "443"], "Sources": ["A", "A"]}]`}, chain.DefaultAnswerBytes); err != nil {
		t.Error(err)
	}
}

// TestF14Ampersand: EC2 takes an ampersand in the description of a rule for a range of addresses,
// and in no other rule's.
func TestF14Ampersand(t *testing.T) {
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
				refusedWith(t, properties, path+`"a & b" has an ampersand (&), which EC2 takes only where every peer is a range of addresses`)
			} else if _, err := chain.Parse(decode(t, properties), chain.DefaultAnswerBytes); err != nil {
				t.Errorf("%s: %v", properties, err)
			}
		}
	}
}

// TestF18Warnings: one warning a line, cut at the end of one where that is near.
func TestF18Warnings(t *testing.T) {
	t.Parallel()
	made := answer(t, 2, 100_000)
	made.Warnings = []string{"first; of two parts", "second\nhas a line feed", strings.Repeat("third ", 20)}
	whole := made.Attributes(100_000)
	if want := "first; of two parts\nsecond has a line feed\n" + made.Warnings[2]; whole["Warnings"] != want {
		t.Errorf("got %q, want %q", whole["Warnings"], want)
	}
	if len(strings.Split(whole["Warnings"], "\n")) != len(made.Warnings) {
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
		if got := made.Attributes(room - c.less); !strings.HasPrefix(got["Warnings"], c.want) || !strings.HasSuffix(got["Warnings"], "...") || size(t, got) > room-c.less {
			t.Errorf("%d bytes less: got %q, want %q", c.less, got["Warnings"], c.want)
		}
	}
}
