package provider_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/internal/proof/world"
)

// call is what IAM checks of a call: two calls that differ only in other fields are one.
type call struct {
	Operation string `json:"operation"`
	// On is the owner of the group or the stack that the call acts on: "own", or "foreign". It is
	// empty for a read of groups and for a group that is created.
	On string `json:"on,omitempty"`
	// Tags are the keys that it adds to a group or removes, RuleTags those that it adds to rules.
	// "author's" means any key that a stack's author chooses.
	Tags     []string `json:"tags,omitempty"`
	RuleTags []string `json:"ruleTags,omitempty"`
	// Provider is the owner that the tag sgchain:provider of the new group or rule names.
	Provider string `json:"provider,omitempty"`
}

// calls are the calls of every test in this package.
var calls = struct {
	sync.Mutex

	made map[string]call
}{made: map[string]call{}}

func note(one call) {
	key, err := json.Marshal(one)
	if err != nil {
		panic(err)
	}
	calls.Lock()
	defer calls.Unlock()
	calls.made[string(key)] = one
}

const ownProvider = "arn:provider"

// noteCall records a call of the handler to EC2.
func noteCall(made world.Call) {
	isNew := made.Operation == "CreateSecurityGroup"
	if made.Client != "handler" || (made.Write && !isNew && len(made.Touched) == 0) {
		return // another owner's, or of a deleted group
	}
	one := call{Operation: made.Operation}
	owner := func(tags map[string]string) string {
		if tags["sgchain:provider"] == ownProvider {
			return "own"
		}
		return "foreign"
	}
	keys := func(tags map[string]string) []string {
		list := map[string]bool{}
		for key := range tags {
			if !strings.HasPrefix(key, "sgchain:") && key != "Name" {
				key = "author's"
			}
			list[key] = true
		}
		return slices.Sorted(maps.Keys(list))
	}
	for _, tags := range made.Touched {
		if one.On != "foreign" {
			one.On = owner(tags)
		}
	}
	requested := func(specifications []types.TagSpecification) map[string]string {
		tags := map[string]string{}
		for _, specification := range specifications {
			maps.Copy(tags, tagMap(specification.Tags))
		}
		one.Provider = owner(tags)
		return tags
	}
	switch input := made.Input.(type) {
	case *ec2.CreateSecurityGroupInput:
		one.Tags = keys(requested(input.TagSpecifications))
	case *ec2.AuthorizeSecurityGroupIngressInput:
		one.RuleTags = keys(requested(input.TagSpecifications))
	case *ec2.AuthorizeSecurityGroupEgressInput:
		one.RuleTags = keys(requested(input.TagSpecifications))
	case *ec2.CreateTagsInput:
		one.Tags = keys(tagMap(input.Tags))
	case *ec2.DeleteTagsInput:
		one.Tags = keys(tagMap(input.Tags))
	}
	note(one)
}

func tagMap(tags []types.Tag) map[string]string {
	all := map[string]string{}
	for _, tag := range tags {
		all[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return all
}

// TestMain compares the calls of all tests with the file against which the role is checked. A new
// kind of call fails until the role was checked with it (make iam). With UPDATE_DOCS=1 it writes
// the file.
func TestMain(m *testing.M) {
	code := m.Run()
	// A selection of tests makes fewer calls.
	whole := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" && !testing.Short()
	if code == 0 {
		if err := compareCalls(whole); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func compareCalls(whole bool) error {
	file := filepath.Join("..", "..", "testdata", "calls.json")
	lines := slices.Sorted(maps.Keys(calls.made))
	want := "[\n  " + strings.Join(lines, ",\n  ") + "\n]\n"
	if os.Getenv("UPDATE_DOCS") != "" && whole { //nolint:forbidigo // asks for the file to be written
		return os.WriteFile(file, []byte(want), 0o644)
	}
	have, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if whole && string(have) != want {
		return fmt.Errorf("lambda/testdata/calls.json is not up to date; write it with UPDATE_DOCS=1 and run make iam: %s", firstDifference(string(have), want))
	}
	for _, line := range lines {
		if !strings.Contains(string(have), line) {
			return fmt.Errorf("lambda/testdata/calls.json lacks %s; run all tests with UPDATE_DOCS=1, then make iam", line)
		}
	}
	return nil
}
