package sgchain

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"sgchain/lambda/chain"
)

func parse(t *testing.T, tiers any) chain.Spec {
	t.Helper()
	spec, err := chain.Parse(map[string]any{"VpcId": someVPC, "Tiers": tiers}, chain.DefaultAnswerBytes)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// TestTiersFromJSON holds what comes out against what the function makes of the
// same JSON: not a door more or less.
func TestTiersFromJSON(t *testing.T) {
	tests := map[string]string{
		"short form": `[{"Name": "Alb", "GroupName": "ALB-SG", "Description": "The door", "Ports": [80, "443"]},
			{"Name": "Fargate", "Ports": ["6060-6069", "udp/53"], "Sources": ["Alb", "self"], "Egress": "chain"}]`,
		"long form": `[{"Name": "Alb", "Ingress": [{"Ports": [443], "Sources": ["internet"], "Description": "https"},
			{"Ports": [8443], "Sources": ["203.0.113.7/32"]}]}]`,
		"one value where a list is meant": `[{"Name": "Alb", "Ports": 443, "Sources": "internet"}]`,
		"empty texts":                     `[{"Name": "Alb", "GroupName": "", "Ports": [443], "Sources": "", "Ingress": "", "Egress": null}]`,
		"closed":                          `[{"Name": "Alb", "Ports": []}, {"Name": "Db", "Ingress": []}]`,
		"tags and ways out": `[{"Name": "Alb", "Ports": [443], "Tags": {"Team": "ai", "Cost": 7}, "Egress": ["chain", {"Ports": [443], "Destinations": ["pl-0123abcd", "vpc"], "Description": "out"}]},
			{"Name": "Db", "Ports": [5432], "Tags": [{"Key": "Team", "Value": "db"}], "Egress": {"Ports": "https", "Destinations": "internet"}}, {"Name": "Last", "Egress": ["chain", "all"]}]`,
		"one object where a list is one": `[{"Name": "Alb", "AllowPublic": false, "Ports": ["all"], "Egress": "none"}]`,
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			var plain []any
			if err := json.Unmarshal([]byte(text), &plain); err != nil {
				t.Fatal(err)
			}
			tiers, err := TiersFromJSON(text)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := parse(t, properties(tiers)), parse(t, plain); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestTiersFromJSONRefuses(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string
	}{
		"no JSON":        {`Alb`, []string{"JSON list"}},
		"an object":      {`{"Name": "Alb"}`, []string{"JSON list"}},
		"two lists":      {`[] []`, []string{"more after the list"}},
		"null":           {`null`, []string{"leave it out"}},
		"an empty list":  {`[]`, []string{"Tiers: is an empty list"}},
		"no tier":        {`[5]`, []string{"Tiers[0]: "}},
		"every mistake":  {`[{"Name": "Alb", "Ports": [70000], "Porst": 1}, {"Name": "Alb"}]`, []string{"Tiers[0].Ports[0]: ", "Tiers[0].Porst: ", "Tiers[1].Name: "}},
		"not supported":  {`[{"Name": "Alb", "AllowPublic": true}]`, []string{`Tiers[0].AllowPublic: "true" is not supported`}},
		"a token":        {`[{"Name": "Alb", "GroupName": "${Token[x.1]}"}]`, []string{"Tiers[0].GroupName: is known only when the stack is deployed"}},
		"unknown source": {`[{"Name": "Alb", "Ports": [80], "Sources": ["Albb"]}]`, []string{`Tiers[0].Sources[0]: unknown peer "Albb"`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := TiersFromJSON(test.text)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error: got %q, want one that says %q", err, want)
				}
			}
		})
	}
}
