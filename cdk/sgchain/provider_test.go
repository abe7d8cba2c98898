package sgchain

import (
	"debug/elf"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"sgchain/lambda/chain"
)

func TestProviderDefaults(t *testing.T) {
	stack := newStack(t)
	NewProvider(stack, jsii.String("Provider"), nil)
	resources := synth(stack)

	logID, log := only(t, resources, "AWS::Logs::LogGroup")
	// Its name is generated, so a retained log group does not block the next stack.
	equal(t, "log group", []any{log["Properties"], log["DeletionPolicy"], log["UpdateReplacePolicy"]}, []any{object{"RetentionInDays": 30}, "Retain", "Retain"})

	roleID, role := only(t, resources, "AWS::IAM::Role")
	if dig[[]any](role, "Properties", "ManagedPolicyArns") != nil || len(resources["AWS::IAM::Policy"]) > 0 {
		t.Error("the role has other policies than its inline one")
	}
	functionID, function := only(t, resources, "AWS::Lambda::Function")
	properties := dig[object](function, "Properties")
	code := dig[object](properties, "Code")
	if key := dig[string](code, "S3Key"); !strings.HasSuffix(key, ".zip") {
		t.Errorf("code: got %s", text(t, code))
	}
	delete(properties, "Code")
	equal(t, "function", properties, object{
		"Architectures": []string{"arm64"},
		"Description":   "Serves Custom::SecurityGroupChain: chains of security groups",
		"Environment":   object{"Variables": object{"SGCHAIN_PROVIDER": object{"Ref": "AWS::StackId"}}},
		"Handler":       "bootstrap",
		"LoggingConfig": object{"LogGroup": object{"Ref": logID}},
		"MemorySize":    256,
		"Role":          object{"Fn::GetAtt": []string{roleID, "Arn"}},
		"Runtime":       "provided.al2023",
		"Timeout":       600,
	})
	_, config := only(t, resources, "AWS::Lambda::EventInvokeConfig")
	equal(t, "event invoke config", config["Properties"], object{
		"FunctionName": object{"Ref": functionID}, "MaximumEventAgeInSeconds": 360, "MaximumRetryAttempts": 2, "Qualifier": "$LATEST",
	})
	if count := countOf(resources); count != 4 {
		t.Errorf("resources: got %d, want 4: %v", count, text(t, resources))
	}
}

func countOf(resources map[string]map[string]object) int {
	count := 0
	for _, some := range resources {
		count += len(some)
	}
	return count
}

func TestProviderProps(t *testing.T) {
	stack := newStack(t)
	code := filepath.Join(t.TempDir(), "own.zip")
	writeZip(t, code, "bootstrap", elf.EM_X86_64)
	NewProvider(stack, jsii.String("Provider"), &ProviderProps{
		Architecture: awslambda.Architecture_X86_64(),
		Code:         CodeFromZip(code),
		LogRetention: awslogs.RetentionDays_ONE_YEAR,
	})
	resources := synth(stack)
	_, function := only(t, resources, "AWS::Lambda::Function")
	_, log := only(t, resources, "AWS::Logs::LogGroup")
	equal(t, "architecture and retention", []any{
		dig[any](function, "Properties", "Architectures"), dig[any](log, "Properties", "RetentionInDays"),
	}, []any{[]string{"x86_64"}, 365})
}

// A boundary, a path, a key, concurrency and the removal policy of the log reach their resources and no
// other.
func TestProviderPropsOfAnOrganization(t *testing.T) {
	stack := newStack(t)
	const (
		boundary = "arn:aws-cn:iam::123456789012:policy/Limits"
		key      = "arn:aws-cn:kms:cn-north-1:123456789012:key/0abc"
	)
	NewProvider(stack, jsii.String("Provider"), &ProviderProps{
		PermissionsBoundary:          awsiam.ManagedPolicy_FromManagedPolicyArn(stack, jsii.String("Boundary"), jsii.String(boundary)),
		RolePath:                     jsii.String("/teams/"),
		ReservedConcurrentExecutions: jsii.Number(5),
		LogEncryptionKey:             awskms.Key_FromKeyArn(stack, jsii.String("Key"), jsii.String(key)),
		LogRemovalPolicy:             awscdk.RemovalPolicy_DESTROY,
	})
	resources := synth(stack)
	_, role := only(t, resources, "AWS::IAM::Role")
	_, function := only(t, resources, "AWS::Lambda::Function")
	_, log := only(t, resources, "AWS::Logs::LogGroup")
	equal(t, "props", []any{
		dig[any](role, "Properties", "PermissionsBoundary"), dig[any](role, "Properties", "Path"), dig[any](function, "Properties", "ReservedConcurrentExecutions"),
		dig[any](log, "Properties", "KmsKeyId"), log["DeletionPolicy"], log["UpdateReplacePolicy"],
	}, []any{boundary, "/teams/", 5, key, "Delete", "Delete"})
	suppressed := text(t, []any{function["Metadata"], log["Metadata"]})
	for _, rule := range []string{"LambdaConcurrency", "CloudWatchLogGroupEncrypted"} {
		if strings.Contains(suppressed, rule) {
			t.Errorf("%s is suppressed although the resource complies: %s", rule, suppressed)
		}
	}
	if count := countOf(resources); count != 4 {
		t.Errorf("resources: got %d, want 4: %v", count, text(t, resources))
	}
}

// A concurrency of zero would turn the function off.
func TestZeroConcurrencyIsRefused(t *testing.T) {
	defer func() {
		if output := fmt.Sprint(recover()); !strings.Contains(output, "creating provider (Stack/Provider): ReservedConcurrentExecutions is 0") {
			t.Errorf("got %s", output)
		}
	}()
	NewProvider(newStack(t), jsii.String("Provider"), &ProviderProps{ReservedConcurrentExecutions: jsii.Number(0)})
}

// The dashboard shows metrics that the function writes. Those of drift are limited to the chains that the
// provider serves.
func TestDashboard(t *testing.T) {
	for _, shared := range []bool{false, true} {
		stack := newStack(t)
		NewProvider(stack, jsii.String("Provider"), &ProviderProps{Dashboard: true, Shared: shared})
		resources := synth(stack)
		logID, _ := only(t, resources, "AWS::Logs::LogGroup")
		_, dashboard := only(t, resources, "AWS::CloudWatch::Dashboard")
		equal(t, "name", dig[any](dashboard, "Properties", "DashboardName"), nil) // generated, because an account can have two providers
		parts := dig[[]any](dashboard, "Properties", "DashboardBody", "Fn::Sub")
		equal(t, "variables", parts[1], object{"LogGroup": object{"Ref": logID}})
		body := strings.NewReplacer("${AWS::Region}", "eu-central-1", "${AWS::StackName}", "Shop", "${LogGroup}", "the-log").Replace(dig[string](parts[0]))
		var decoded struct {
			Widgets []struct {
				Type       string
				Properties struct {
					Title, Region, Stat, Query string
					Metrics                    [][]any
				}
			}
		}
		if err := json.Unmarshal([]byte(body), &decoded); err != nil || strings.Contains(body, "${") {
			t.Fatalf("%v: %s", err, body)
		}
		var shown []string
		for _, widget := range decoded.Widgets {
			equal(t, "Region", widget.Properties.Region, "eu-central-1")
			if widget.Type == "log" {
				shown = append(shown, widget.Properties.Query)
			}
			var before []any
			for _, metric := range widget.Properties.Metrics {
				if expression := dig[string](metric[0], "expression"); expression != "" {
					shown = append(shown, expression)
					continue
				}
				if metric[0] == "..." {
					metric = append(slices.Clone(before[:3]), metric[1])
				}
				before = metric
				shown = append(shown, fmt.Sprint(widget.Properties.Stat, metric))
			}
		}
		of := map[bool]string{false: ` Stack="Shop"`}[shared]
		equal(t, "shown", shown, []string{
			"SampleCount[SecurityGroupChain Failures Operation Create]", "SampleCount[SecurityGroupChain Failures Operation Update]", "SampleCount[SecurityGroupChain Failures Operation Delete]",
			"Sum[SecurityGroupChain Failures Operation Create]", "Sum[SecurityGroupChain Failures Operation Update]", "Sum[SecurityGroupChain Failures Operation Delete]",
			"Sum[SecurityGroupChain Undelivered Operation Create]", "Sum[SecurityGroupChain Undelivered Operation Update]", "Sum[SecurityGroupChain Undelivered Operation Delete]",
			"Maximum[SecurityGroupChain Duration Operation Create]", "Maximum[SecurityGroupChain Duration Operation Update]", "Maximum[SecurityGroupChain Duration Operation Delete]",
			`SEARCH('{SecurityGroupChain,Stack,Chain} MetricName="Drift"` + of + `', 'Maximum', 300)`,
			`SEARCH('{SecurityGroupChain,Stack,Chain} MetricName="Failures"` + of + `', 'Maximum', 300)`,
			"SOURCE 'the-log' | filter ispresent(Writes) | stats sum(Writes) as writes, count(*) as operations by stack, resource | sort writes desc",
		})
	}
}

// The whole policy is compared with files, so that a review shows every change. The statements of adoption and moves come after those
// of every provider.
func TestPolicyOfRole(t *testing.T) {
	of := map[string][]any{}
	for _, name := range []string{"role", "adoption", "moves"} {
		golden, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var decoded object
		if err := json.Unmarshal(golden, &decoded); err != nil {
			t.Fatal(err)
		}
		of[name] = dig[[]any](decoded, "Statement")
	}
	role, adoption, moves := of["role"], of["adoption"], of["moves"]
	for _, c := range []struct {
		props *ProviderProps
		want  []any
	}{
		{nil, role},
		{&ProviderProps{AllowAdoption: true}, slices.Concat(role, adoption)},
		{&ProviderProps{AllowMoves: true}, slices.Concat(role, moves[:2])},
		{&ProviderProps{AllowMoves: true, FormerProvider: jsii.String("")}, slices.Concat(role, moves[:2])},
		{&ProviderProps{AllowMoves: true, FormerProvider: jsii.String(formerProviderID)}, slices.Concat(role, moves)},
		// One statement reads the stacks for both.
		{&ProviderProps{AllowAdoption: true, AllowMoves: true, FormerProvider: jsii.String(formerProviderID)}, slices.Concat(role, adoption, moves[:1], moves[2:])},
	} {
		stack := newStack(t)
		NewProvider(stack, jsii.String("Provider"), c.props)
		resources := synth(stack)
		logID, _ := only(t, resources, "AWS::Logs::LogGroup")
		_, role := only(t, resources, "AWS::IAM::Role")
		policies := dig[[]any](role, "Properties", "Policies")
		if len(policies) != 1 {
			t.Fatalf("inline policies: got %d, want 1", len(policies))
		}
		policy := dig[object](policies[0], "PolicyDocument")
		if got, want := strings.ReplaceAll(text(t, policy["Statement"]), logID, "LOG GROUP"), text(t, c.want); got != want {
			t.Errorf("policy: got\n%s\nwant\n%s", got, want)
		}
		checkWrites(t, policy)
		// IAM's maximum for the inline policies of a role, without white space.
		if compact, err := json.Marshal(policy); err != nil || len(compact) > 10_240 {
			t.Errorf("policy: %d characters, error %v; IAM allows 10,240", len(compact), err)
		}
	}
}

// Each right beyond the default needs its own prop.
func TestEnvironmentOfEachRight(t *testing.T) {
	for name, c := range map[string]struct {
		props ProviderProps
		want  object
	}{
		"none":      {ProviderProps{}, object{}},
		"adoption":  {ProviderProps{AllowAdoption: true}, object{}}, // only a statement of the role
		"guardrail": {ProviderProps{EnforceGuardrails: true}, object{"SGCHAIN_GUARDRAILS": "enforce"}},
		"moves":     {ProviderProps{AllowMoves: true}, object{"SGCHAIN_MOVES": "allow"}},
		"repair":    {ProviderProps{AllowRepair: true}, object{"SGCHAIN_REPAIR": "allow"}},
	} {
		stack := newStack(t)
		NewProvider(stack, jsii.String("Provider"), &c.props)
		_, function := only(t, synth(stack), "AWS::Lambda::Function")
		c.want["SGCHAIN_PROVIDER"] = object{"Ref": "AWS::StackId"}
		equal(t, name, dig[any](function, "Properties", "Environment", "Variables"), c.want)
	}
}

// A shared provider can read the status of every stack. Its role has no other difference.
func TestPolicyOfSharedRole(t *testing.T) {
	statementsOf := func(props *ProviderProps) map[string]any {
		stack := newStack(t)
		NewProvider(stack, jsii.String("Provider"), props)
		_, role := only(t, synth(stack), "AWS::IAM::Role")
		found := map[string]any{}
		for _, value := range dig[[]any](dig[object](dig[[]any](role, "Properties", "Policies")[0], "PolicyDocument"), "Statement") {
			found[dig[string](value, "Sid")] = value
		}
		return found
	}
	own, shared := statementsOf(nil), statementsOf(&ProviderProps{Shared: true})
	equal(t, "what a provider of its own reads", dig[any](own["ReadStack"], "Resource"), object{"Ref": "AWS::StackId"})
	equal(t, "what a shared provider reads", dig[any](shared["ReadStack"], "Resource"),
		object{"Fn::Sub": "arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:stack/*"})
	delete(own, "ReadStack")
	delete(shared, "ReadStack")
	equal(t, "the other statements", shared, own)
}

// docs/permissions.md, which a security review reads, must have every statement with its actions.
func TestPolicyIsDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "permissions.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, "|"); len(cells) == 6 {
			rows[strings.Trim(cells[1], " `")] = cells[2]
		}
	}
	for _, statement := range statements {
		var actions []string
		for _, action := range statement.actions {
			actions = append(actions, "`"+action+"`")
		}
		if want := strings.Join(actions, ", "); strings.TrimSpace(rows[statement.sid]) != want {
			t.Errorf("docs/permissions.md has the actions %q for %s, want %s", rows[statement.sid], statement.sid, want)
		}
	}
	if len(rows) != len(statements)+2 { // two are the heading and its separator
		t.Errorf("docs/permissions.md has %d rows, want %d", len(rows), len(statements)+2)
	}
}

// checkWrites finds writes that are not limited to what this provider owns.
func checkWrites(t *testing.T, policy object) {
	t.Helper()
	for _, value := range dig[[]any](policy, "Statement") {
		statement := dig[object](value)
		equals := dig[object](statement, "Condition", "StringEquals")
		pinned := reflect.DeepEqual(equals["aws:RequestTag/sgchain:provider"], object{"Ref": "AWS::StackId"}) ||
			reflect.DeepEqual(equals["aws:ResourceTag/sgchain:provider"], object{"Ref": "AWS::StackId"})
		for _, action := range listOf(statement["Action"]) {
			service, name, _ := strings.Cut(dig[string](action), ":")
			switch {
			case strings.Contains(name, "*"):
				t.Errorf("statement %s: action %s is a pattern", statement["Sid"], action)
			case strings.HasPrefix(name, "Describe"), service == "logs":
			case name == "CreateSecurityGroup" && strings.HasSuffix(dig[string](statement, "Resource", "Fn::Sub"), ":vpc/*"):
			case !pinned:
				t.Errorf("statement %s: %s is not limited to the provider's own groups", statement["Sid"], action)
			}
		}
		if statement["Resource"] == "*" && statement["Sid"] != "ReadGroups" {
			t.Errorf("statement %s: applies to every resource", statement["Sid"])
		}
		if strings.Contains(text(t, statement["Resource"]), "arn:aws") {
			t.Errorf("statement %s: names a partition", statement["Sid"])
		}
	}
}

// A permissions boundary, removal policies and tags of scopes reach the chain's resources in a stage and a nested stack. Rules are folded
// there too.
func TestScopesReachResourcesOfChain(t *testing.T) {
	app := newApp(t, nil)
	stage := awscdk.NewStage(app, jsii.String("Prod"), &awscdk.StageProps{Env: germany()})
	stack := awscdk.NewStack(stage, jsii.String("Shop"), nil)
	nested := awscdk.NewNestedStack(stack, jsii.String("Network"), &awscdk.NestedStackProps{})
	props := anyVpc(Tier{Name: "Web"}, Tier{Name: "App"})
	props.Connections = Connections_FOLD
	c := NewSecurityGroupChain(nested, jsii.String("Chain"), props)
	// The peer is a group of the parent stack.
	other := awsec2.NewSecurityGroup(stack, jsii.String("Other"), &awsec2.SecurityGroupProps{Vpc: awsec2.NewVpc(stack, jsii.String("Vpc"), nil)})
	c.SecurityGroup("Web").Connections().AllowFrom(other, tcp(443), nil)
	awscdk.Tags_Of(stage).Add(jsii.String("Stage"), jsii.String("prod"), nil)
	awsiam.PermissionsBoundary_Of(app).Apply(awsiam.ManagedPolicy_FromManagedPolicyName(nested, jsii.String("Boundary"), jsii.String("Limits")))
	awsiam.PermissionsBoundary_Of(stage).Apply(awsiam.ManagedPolicy_FromManagedPolicyName(stack, jsii.String("StageBoundary"), jsii.String("Limits")))
	awscdk.RemovalPolicies_Of(nested).Destroy(&awscdk.RemovalPolicyProps{ApplyToResourceTypes: jsii.Strings("AWS::Logs::LogGroup")})

	resources := synth(nested)
	_, role := only(t, resources, "AWS::IAM::Role")
	if boundary := text(t, dig[any](role, "Properties", "PermissionsBoundary")); !strings.Contains(boundary, "policy/Limits") {
		t.Errorf("the role's boundary is %s", boundary)
	}
	_, log := only(t, resources, "AWS::Logs::LogGroup")
	equal(t, "the log's policy", log["DeletionPolicy"], "Delete")
	_, resource := only(t, resources, chain.ResourceType)
	equal(t, "the tags", dig[any](resource, "Properties", "Tags"), object{"Stage": "prod"})
	if tiers := text(t, dig[any](resource, "Properties", "Tiers")); !strings.Contains(tiers, `"Ref": "referencetoProdShopOther`) {
		t.Errorf("the tiers are %s, want the parent's group as a parameter", tiers)
	}
	if plan := read(t, *stage.Outdir(), "Prod.Shop.Network.Chain.plan.txt"); !strings.Contains(plan, "tcp 443 from ${") {
		t.Errorf("the plan file:\n%s", plan)
	}
}
