package chain_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"sgchain/lambda/chain"
)

// The groups of a chain get the stack's tags except AWS's, the chain's and Name.
func TestStackTagsAreTheStacksOwn(t *testing.T) {
	t.Parallel()
	ofStack := map[string]string{
		"Team": "shop", "empty": "", "Name": "the stack", "name": "of the stack", "aws:cloudformation:x": "1", "AWS:x": "1", "sgchain:tier": "Alb", "SGCHAIN:x": "1",
	}
	want := map[string]string{"Team": "shop", "empty": "", "name": "of the stack"}
	for value, reach := range map[string]bool{``: true, `"StackTags": "", `: true, `"StackTags": true, `: true, `"StackTags": "False", `: false, `"StackTags": false, `: false} {
		for _, parse := range []func(map[string]any) (chain.Spec, error){
			func(p map[string]any) (chain.Spec, error) { return parse(t, p, chain.DefaultAnswerBytes) }, chain.ParseBuilt,
		} {
			spec, err := parse(decode(t, `{`+value+`"VpcId": "vpc-1"}`))
			if err != nil {
				t.Fatal(err)
			}
			if got := spec.StackTags(ofStack); reach && !maps.Equal(got, want) || !reach && len(got) > 0 {
				t.Errorf("%s: got %v", value, got)
			}
		}
	}
	if _, err := parse(t, decode(t, `{"StackTags": "some", "VpcId": "vpc-1"}`), chain.DefaultAnswerBytes); err == nil || !strings.Contains(err.Error(), "Write true or false, or remove it to use true") {
		t.Errorf("got %v", err)
	}
}

// One tag can record as many tags as a group can have. The digests in it must never change.
func TestStackTagsRecordFitsOneTag(t *testing.T) {
	t.Parallel()
	var keys []string
	for i := range chain.MaxGroupTags {
		keys = append(keys, fmt.Sprintf("key %d", i))
	}
	record := chain.StackTagsRecord(keys)
	if len(record) > 256 {
		t.Errorf("the record has %d characters", len(record))
	}
	tags := map[string]string{chain.TagStackTags: record}
	for i, key := range keys {
		if !chain.IsOfStack(tags, key) || chain.IsOfStack(tags, "another "+key) {
			t.Errorf("key %d is not recognized", i)
		}
	}
	if chain.IsOfStack(nil, "Team") || chain.IsOfStack(map[string]string{"Team": "shop"}, "Team") {
		t.Error("a tag without a record came from the stack")
	}
	if got := chain.StackTagsRecord([]string{"Team", "Cost"}); got != frozenRecord || got != chain.StackTagsRecord([]string{"Cost", "Team"}) {
		t.Errorf("got %q", got)
	}
}

// frozenRecord is a value that existing groups have.
const frozenRecord = "IEpe WYUD"
