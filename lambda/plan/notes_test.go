package plan_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// TestNotes checks that a picture shows exceptions of the author and warnings.
func TestNotes(t *testing.T) {
	t.Parallel()
	var properties map[string]any
	if err := json.Unmarshal([]byte(`{"VpcId": "vpc-1", "Guardrails": "warn", "Tiers": [
		{"Name": "Alb", "Ports": [443, 22, 3389]},
		{"Name": "App", "Ports": [6060], "Sources": ["internet", "Alb"], "AllowPublic": true},
		{"Name": "Db", "Ports": [5432]}]}`), &properties); err != nil {
		t.Fatal(err)
	}
	spec, err := chain.Parse(properties, chain.DefaultAnswerBytes)
	if err != nil {
		t.Fatal(err)
	}
	identities := spec.Identities()
	want := map[chain.Identity][]string{
		identities[0]: {"public-admin-port"}, identities[1]: {"public-tier, allowed by AllowPublic"},
	}
	if got := plan.Notes(spec); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	state := chain.Desired(spec)
	picture := plan.Drawing{Before: state, After: state, Notes: plan.Notes(spec)}.String()
	if !strings.Contains(picture, "public-tier, allowed by AllowPublic") {
		t.Errorf("the picture does not say what was lifted:\n%s", picture)
	}
}
