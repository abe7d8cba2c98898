package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// stage is an AWS CLI with one stack and one function.
type stage struct {
	outputs  string // as describe-stacks prints them
	invoked  string // what invoke prints
	answer   string // what it writes to its last argument but the options of every call
	problems string // what it prints to stderr before it fails
}

// play makes the CLI, which writes down how it was called and what it was given.
func (s stage) play(t *testing.T, region string) (cli aws, seen func(name string) string) {
	t.Helper()
	folder := t.TempDir()
	for name, content := range map[string]string{
		"outputs": `{"Stacks": [{"Outputs": [` + s.outputs + `]}]}`, "invoked": s.invoked, "answer": s.answer, "problems": s.problems,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return aws{cli: standIn(t, folder), region: region}, func(name string) string {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

// standIn links the CLI of testdata into the folder. It is not written there: a process that another test forks meanwhile would hold
// the file open for writing, and Linux refuses to run such a file (ETXTBSY, golang/go#22315).
func standIn(t *testing.T, folder string) string {
	t.Helper()
	script, err := filepath.Abs("testdata/aws")
	if err != nil {
		t.Fatal(err)
	}
	command := filepath.Join(folder, "aws")
	if err := os.Symlink(script, command); err != nil {
		t.Fatal(err)
	}
	return command
}

const (
	payload   = `{"OutputKey": "PlanPayload", "OutputValue": "{\"action\":\"plan\",\"ResourceProperties\":{\"VpcId\":\"vpc-0abc\",\"RuleQuota\":1.50}}"}`
	function  = `{"OutputKey": "ProviderFunction", "OutputValue": "Shop-Provider-1"}`
	succeeded = `{"StatusCode": 200, "ExecutedVersion": "$LATEST"}`
	failed    = `{"StatusCode": 200, "FunctionError": "Unhandled"}`
)

func TestAsk(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"plan", "check"} {
		cli, seen := stage{outputs: payload + "," + function, invoked: succeeded, answer: `{"text": "2 rules to add\nand more\n", "differences": 2, "warnings": ["give it the tags back", "two"]}`}.play(t, "eu-central-1")
		got, err := ask(t.Context(), cli, "Shop", action, changes{})
		if err != nil || got != "2 rules to add\nand more\nwarning: give it the tags back\nwarning: two" {
			t.Errorf("%s: got %q, error %v", action, got, err)
		}
		calls := strings.Split(strings.TrimSpace(seen("called")), "\n")
		if want := "cloudformation describe-stacks --stack-name Shop --output json --region eu-central-1"; len(calls) != 2 || calls[0] != want {
			t.Fatalf("%s: got the calls %q, want %q and another", action, calls, want)
		}
		if want := "lambda invoke --function-name Shop-Provider-1 --payload fileb:///"; !strings.HasPrefix(calls[1], want) ||
			!strings.Contains(calls[1], " --cli-read-timeout 660 ") || !strings.HasSuffix(calls[1], " --output json --region eu-central-1") {
			t.Errorf("%s: got the call %q", action, calls[1])
		}
		if want := `{"ResourceProperties":{"VpcId":"vpc-0abc","RuleQuota":1.50},"action":"` + action + `"}`; seen("question") != want {
			t.Errorf("%s: asked %s, want %s", action, seen("question"), want)
		}
		left := strings.Fields(calls[1])[8]
		if _, err := os.Stat(left); !os.IsNotExist(err) {
			t.Errorf("%s is left behind: %v", left, err)
		}
	}
}

// What is asked about another chain than the stack's reaches the function, or is refused.
func TestF16OtherProperties(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		other  changes
		action string
		want   string // the question, or the error
	}{
		"tiers":         {changes{tiers: `[{"Name": "Web"}]`}, "plan", `{"ResourceProperties":{"RuleQuota":1.50,"Tiers":[{"Name":"Web"}],"VpcId":"vpc-0abc"},"action":"plan"}`},
		"VPC":           {changes{vpc: "vpc-0def"}, "plan", `{"ResourceProperties":{"RuleQuota":1.50,"VpcId":"vpc-0def"},"action":"plan"}`},
		"guardrails":    {changes{guardrails: "warn"}, "plan", `{"ResourceProperties":{"Guardrails":"warn","RuleQuota":1.50,"VpcId":"vpc-0abc"},"action":"plan"}`},
		"no list":       {changes{tiers: `{"Name": "Web"}`}, "plan", "reading TIERS: "},
		"check":         {changes{tiers: `[]`}, "check", "leave them out with ACTION=check"},
		"not even JSON": {changes{tiers: `Web`}, "plan", "write a list in JSON on one line"},
	} {
		cli, seen := stage{outputs: payload + "," + function, invoked: succeeded, answer: `{"text": "fine"}`}.play(t, "")
		_, err := ask(t.Context(), cli, "Shop", c.action, c.other)
		if strings.HasPrefix(c.want, "{") {
			if err != nil || seen("question") != c.want {
				t.Errorf("%s: asked %s, %v, want %s", name, seen("question"), err, c.want)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error that says %q", name, err, c.want)
		}
	}
}

func TestRegionIsLeftToTheCLI(t *testing.T) {
	t.Parallel()
	cli, seen := stage{outputs: payload + "," + function, invoked: succeeded, answer: `{"text": ""}`}.play(t, "")
	if got, err := ask(t.Context(), cli, "Shop", "plan", changes{}); err != nil || got != "" {
		t.Errorf("got %q, error %v", got, err)
	}
	if calls := seen("called"); strings.Contains(calls, "--region") {
		t.Errorf("a Region was named: %s", calls)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	both := payload + "," + function
	for name, c := range map[string]struct {
		stage         stage
		stack, action string
		want          string
	}{
		"no stack":       {stage{}, "", "plan", "STACK is missing"},
		"repair":         {stage{}, "Shop", "repair", `ACTION is "repair": write plan`},
		"AWS refuses":    {stage{problems: "Stack with id Shop does not exist"}, "Shop", "plan", "Stack with id Shop does not exist"},
		"no payload":     {stage{outputs: function}, "Shop", "plan", "stack Shop: it has no output PlanPayload"},
		"no function":    {stage{outputs: payload}, "Shop", "plan", "stack Shop: it has no output ProviderFunction"},
		"another output": {stage{outputs: strings.Replace(payload, `"{\"`, `"no {\"`, 1) + "," + function}, "Shop", "plan", "reading output PlanPayload of stack Shop"},
		"function fails": {stage{outputs: both, invoked: failed, answer: `{"errorMessage": "checking chain: no", "errorType": "errorString"}`}, "Shop", "plan", "checking chain: no"},
		"it is killed":   {stage{outputs: both, invoked: failed, answer: `oom`}, "Shop", "plan", "it failed (Unhandled): oom"},
		"no text":        {stage{outputs: both, invoked: succeeded, answer: `null`}, "Shop", "plan", "is it of an older version?"},
		"odd CLI":        {stage{outputs: both, invoked: `ok`, answer: `{"text": ""}`}, "Shop", "plan", `the AWS CLI said "ok"`},
	} {
		cli, _ := c.stage.play(t, "")
		got, err := ask(t.Context(), cli, c.stack, c.action, changes{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %q and %v, want an error that says %q", name, got, err, c.want)
		}
	}
	if _, err := ask(t.Context(), aws{cli: filepath.Join(t.TempDir(), "aws")}, "Shop", "plan", changes{}); err == nil || !strings.Contains(err.Error(), "running the AWS CLI") {
		t.Errorf("no CLI: got %v", err)
	}
}

func TestProblemsNameTheRegion(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{
		"":             "stack Shop in the Region of your AWS CLI: ",
		"eu-central-1": "stack Shop in eu-central-1: ",
	} {
		cli, _ := stage{problems: "Stack with id Shop does not exist"}.play(t, region)
		_, err := ask(t.Context(), cli, "Shop", "plan", changes{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), "Shop does not exist (for a stack elsewhere write AWS_REGION=eu-central-1 make plan STACK=Shop, with its Region)") {
			t.Errorf("Region %q: got %v", region, err)
		}
	}
}
