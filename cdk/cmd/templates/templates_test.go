package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/jsii-runtime-go"

	"sgchain/cdk/internal/release"
	"sgchain/lambda/chain"
)

func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

var committed = filepath.Join("..", "..", "..", release.Folder)

// TestCommittedTemplatesAreCurrent checks the committed templates against the output of make
// template.
func TestCommittedTemplatesAreCurrent(t *testing.T) {
	texts, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(committed)
	if err != nil {
		t.Fatal(err)
	}
	files := slices.Concat(release.Templates(), release.Files())
	for _, entry := range entries {
		if !slices.Contains(files, entry.Name()) {
			t.Errorf("%s is no template of ours", entry.Name())
		}
	}
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(committed, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text, texts[name]) {
			t.Errorf("%s is not what the code writes: make template", name)
		}
	}
}

func read(t *testing.T, name string) (decoded object, text string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(committed, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded, string(content)
}

// dig returns a value inside decoded JSON, nil or zero if it does not exist.
func dig[T any](value any, path ...string) T {
	for _, key := range path {
		inner, _ := value.(object)
		value = inner[key]
	}
	found, _ := value.(T)
	return found
}

// TestTemplateRestrictions checks for features that would fail. Service-managed StackSets refuse
// nested stacks and transforms. A hash would change with every build. Other partitions have other
// ARNs. A user who launches a template has not run cdk bootstrap.
func TestTemplateRestrictions(t *testing.T) {
	t.Parallel()
	for _, name := range release.Templates() {
		template, text := read(t, name)
		for what, pattern := range map[string]string{
			"a hash":                `[0-9a-f]{32}`,
			"an ID with a hash":     `"[A-Za-z]+[0-9A-F]{8}"`,
			"a transform or macro":  `Transform|AWS::CloudFormation::Macro`,
			"something of the CDK":  `BootstrapVersion|aws:cdk|CDKMetadata|cdk-hnb`,
			"an ARN of a partition": `arn:aws`,
			"a host of a partition": `amazonaws\.com/`,
			"an account":            `[^0-9][0-9]{12}[^0-9]`,
		} {
			if found := regexp.MustCompile(pattern).FindString(text); found != "" {
				t.Errorf("%s has %s: %s", name, what, found)
			}
		}
		if nested := strings.Contains(text, `"AWS::CloudFormation::Stack"`); nested != (name == release.Parent) {
			t.Errorf("%s has nested stacks: %t", name, nested)
		}
		// It would need a permission of the user who launches the template.
		if fromStore := strings.Contains(text, "AWS::SSM"); fromStore != (name == release.AllInOneSSM) {
			t.Errorf("%s reads Parameter Store: %t", name, fromStore)
		}
		for _, section := range []string{"Mappings", "Hooks"} {
			if template[section] != nil {
				t.Errorf("%s has a section %s", name, section)
			}
		}
		// So that CreateStack accepts it in the request itself, too (CloudFormation quotas).
		if len(text) > 51_200 {
			t.Errorf("%s has %d bytes; CreateStack takes 51,200", name, len(text))
		}
	}
}

// TestForm checks that each parameter is in one group of the console's form and has a description.
// Its default has to be a value that it accepts.
func TestForm(t *testing.T) {
	t.Parallel()
	for _, name := range release.Templates() {
		template, _ := read(t, name)
		form := dig[object](template, "Metadata", "AWS::CloudFormation::Interface")
		grouped := map[string]int{}
		for _, group := range dig[list](form, "ParameterGroups") {
			for _, parameter := range dig[list](group, "Parameters") {
				grouped[dig[string](parameter)]++
			}
		}
		parameters := dig[object](template, "Parameters")
		if len(grouped) != len(parameters) {
			t.Errorf("%s: %d parameters in groups, %d in all", name, len(grouped), len(parameters))
		}
		for id, parameter := range parameters {
			if grouped[id] != 1 {
				t.Errorf("%s: parameter %s is in %d groups, want 1", name, id, grouped[id])
			}
			if dig[string](form, "ParameterLabels", id, "default") == "" || dig[string](parameter, "Description") == "" {
				t.Errorf("%s: parameter %s has no label or no description", name, id)
			}
			acceptsDefault(t, name+": "+id, parameter)
		}
	}
}

func acceptsDefault(t *testing.T, what string, parameter any) {
	t.Helper()
	pattern := dig[string](parameter, "AllowedPattern")
	if (pattern != "") != (dig[string](parameter, "ConstraintDescription") != "") && dig[string](parameter, "Type") != "Number" {
		t.Errorf("%s: a pattern and a ConstraintDescription go together", what)
	}
	byDefault, isText := dig[any](parameter, "Default").(string)
	if !isText || pattern == "" {
		return
	}
	values := []string{byDefault}
	if dig[string](parameter, "Type") == "CommaDelimitedList" {
		values = strings.Split(byDefault, ",")
	}
	for _, value := range values {
		if !accepts(pattern, value) {
			t.Errorf("%s: its default %q does not fit %s", what, value, pattern)
		}
	}
}

// accepts reports whether a pattern matches a whole value, as CloudFormation does. Go has no
// negative lookahead, so those at the beginning of a pattern are tried separately.
func accepts(pattern, value string) bool {
	refused, rest := lookaheads(pattern)
	for _, one := range refused {
		if compiled("^(" + one + ")").MatchString(value) {
			return false
		}
	}
	matched := compiled(rest)
	return matched.MatchString(value) && matched.FindString(value) == value
}

// lookaheads splits off the lookaheads that a pattern begins with.
func lookaheads(pattern string) (refused []string, rest string) {
	rest = pattern
	for strings.HasPrefix(rest, "^(?!") {
		depth, end := 0, 0
		for i, character := range rest {
			switch character {
			case '(':
				depth++
			case ')':
				depth--
				if depth == 0 && end == 0 {
					end = i
				}
			}
		}
		refused, rest = append(refused, rest[len("^(?!"):end]), "^"+rest[end+1:]
	}
	return refused, rest
}

var patterns sync.Map // compiled patterns by text: a property test asks a thousand times

func compiled(pattern string) *regexp.Regexp {
	found, _ := patterns.Load(pattern)
	if one, exists := found.(*regexp.Regexp); exists {
		return one
	}
	one := regexp.MustCompile(pattern)
	patterns.Store(pattern, one)
	return one
}

// TestPatterns lists texts that the form accepts and texts that it refuses.
func TestPatterns(t *testing.T) {
	t.Parallel()
	template, _ := read(t, release.AllInOne)
	chainTemplate, _ := read(t, release.Chain)
	for parameter, values := range map[string]struct{ good, bad []string }{
		"ReleaseTiers":       {[]string{"", "Db", "A1"}, []string{"1A", "Db Cache", "sg-0a", strings.Repeat("x", 65)}},
		"AlbPorts":           {[]string{"80", "8000-8010", "udp/443", "https", "0", "65535", "tcp/0-65535"}, []string{"", "80;443", "port", "80-", "65536", "99999", "80-65536", "443/tcp", "080", "ssh"}},
		"AlbSources":         {[]string{"internet", "internet-v6", "vpc", "203.0.113.7/32", "0.0.0.0/0", "2001:db8::/32", "::/0", "1:2:3:4:5:6:7::/128", "sg-0abc", "123456789012/sg-0abc", "pl-0abc", "com.amazonaws.global.cloudfront.origin-facing", "com.amazonaws.{region}.s3", "cn.com.amazonaws.cn-north-1.s3", "eu.amazonaws.eusc-de-east-1.s3", "gov.ic.c2s.{region}.s3", "gov.sgov.sc2s.{region}.s3", "gov.ic.hci.csp.{region}.s3", "uk.adc-e.cloud.{region}.s3", "group/default", "group/Ops (EU)", "list/office", "list/pl-office", "list/B\u00fcro"}, []string{"", "203.0.113.7", "everybody", "Alb", "group/", "group/ ", "group/sg-0abc", "group/a<b", "list/a,b", `list/a\b`, `list/a"b`, "list/PL-0a", "org.example.s3", "group/" + strings.Repeat("x", 256), "203.0.113.256/32", "203.0.113.7/33", "203.0.113.07/32", "10.0.0.0/08", "2001:db8::/129", "1:2:3:4:5:6:7:8:9/64", "1::2::3/64", "::ffff:1:2/128", "0:0:0:0:0:ffff::/96", "com.amazonaws.{account}.s3", "com.amazonaws." + strings.Repeat("x", 101), "sg-" + strings.Repeat("a", 126)}},
		"AlbGroupName":       {[]string{"", "ALB-SG", "a b", "default-alb", "my default", strings.Repeat("x", 255)}, []string{"default", "Default", " DEFAULT ", "sg-alb", "SG-alb", " sg-alb", "a<b", strings.Repeat("x", 256)}},
		"NamePrefix":         {[]string{"", "shop-", strings.Repeat("x", 100)}, []string{"sg-", " SG-", "a<b", strings.Repeat("x", 101)}},
		"ContainerPort":      {[]string{"1", "6060", "65535"}, []string{"", "0", "65536", "80.5", "080", "80-90", "tcp/80"}},
		"RuleQuota":          {[]string{"1", "60", "1000"}, []string{"", "0", "1001", "60.5", "060"}},
		"Tags":               {[]string{"", "{}", `{"Team": "shop"}`, "[\n{\"Key\": \"Team\"}\n]\n"}, []string{"Team=shop", `"Team"`, `{"Team": "shop"`, "{]", " "}},
		"Tiers":              {[]string{"", "[]", "[\n{\"Name\": \"Web\"}\n]\n"}, []string{"Web", `{"Name": "Web"}`, "[]x", " ", "\n"}},
		"CodeBucket":         {[]string{"example", "my-bucket-1"}, []string{"", "My-Bucket", "a.b", "-a", strings.Repeat("x", 47)}},
		"FargateGroupName":   {[]string{"Fargate-SG"}, []string{"sg-x"}},
		"DriftSchedule":      {[]string{"rate(1 hour)", "rate(15 minutes)", "cron(0 6 ? * MON-FRI *)", "cron(0/15 * L * ? 2030)", "cron(0 6 * * ? *)"}, []string{"", "1 hour", "rate(0 hours)", "rate(1 hours)", "rate(2 hour)", "rate(1 week)", "cron(\"*\")", "cron(0 6 * * * *)", "cron(0 6 ? * ? *)", "cron(0 6 * * ?)"}},
		"DriftTopicArn":      {[]string{"", "arn:aws-cn:sns:cn-north-1:123456789012:ops.fifo"}, []string{"ops", "arn:aws:sqs:eu-central-1:123456789012:ops"}},
		boundaryParameter:    {[]string{"", "arn:aws:iam::123456789012:policy/Limits", "arn:aws-us-gov:iam::aws:policy/PowerUserAccess", "arn:aws-eusc:iam::123456789012:policy/teams/shop/Limits", "arn:aws-iso-b:iam::123456789012:policy/L"}, []string{"Limits", "arn:aws:iam::123456789012:role/Limits", "arn:aws:iam::12345:policy/Limits", "arn:aws:iam::123456789012:policy/", "arn:aws:iam::123456789012:policy/a b"}},
		pathParameter:        {[]string{"/", "/teams/", "/teams/shop/"}, []string{"", "teams", "/teams", "teams/", "/a b/", "/" + strings.Repeat("x", 511) + "/"}},
		keyParameter:         {[]string{"", "arn:aws:kms:eu-central-1:123456789012:key/0b1c-2", "arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-0b1c"}, []string{"0b1c", "alias/logs", "arn:aws:kms:eu-central-1:123456789012:alias/logs"}},
		concurrencyParameter: {[]string{"", "1", "1000", "100000"}, []string{"0", "00", "-1", "1.5", "many"}},
		movedFromID:          {[]string{"", "Chain", "ShopChain4F2A", strings.Repeat("x", 180)}, []string{"Shop-Chain", "a b", strings.Repeat("x", 181)}},
		movedFromStack:       {[]string{"", "Shop", "shop-2", strings.Repeat("x", 128), "arn:aws-cn:cloudformation:cn-north-1:123456789012:stack/Shop/6b1e-2"}, []string{"2shop", "a_b", strings.Repeat("x", 129), "arn:aws:cloudformation:eu-central-1:123456789012:stack/Shop", "arn:aws:cloudformation:eu-central-1:123456789012:stack/Shop/" + strings.Repeat("x", 196)}},
		movedFromProvider:    {[]string{"", "arn:aws:cloudformation:eu-central-1:123456789012:stack/Gone/6b1e"}, []string{"Gone", "arn:aws:cloudformation:eu-central-1:12345:stack/Gone/6b1e"}},
	} {
		pattern := dig[string](template, "Parameters", parameter, "AllowedPattern")
		if pattern == "" {
			pattern = dig[string](chainTemplate, "Parameters", parameter, "AllowedPattern")
		}
		for _, value := range values.good {
			if !accepts(pattern, value) {
				t.Errorf("%s refuses %q", parameter, value)
			}
		}
		for _, value := range values.bad {
			if accepts(pattern, value) {
				t.Errorf("%s accepts %q", parameter, value)
			}
		}
	}
}

// launch is a template with values for its parameters, which it evaluates as CloudFormation does.
type launch struct {
	t        *testing.T
	template object
	given    map[string]string
}

func (l launch) parameter(name string) any {
	if strings.HasPrefix(name, "AWS::") || dig[object](l.template, "Resources", name) != nil {
		return "<" + name + ">"
	}
	definition := dig[object](l.template, "Parameters", name)
	if definition == nil {
		l.t.Fatalf("no parameter %s", name)
	}
	value, isGiven := l.given[name]
	if !isGiven {
		switch byDefault := definition["Default"].(type) {
		case string:
			value = byDefault
		case float64:
			value = strconv.FormatFloat(byDefault, 'f', -1, 64)
		default:
			l.t.Fatalf("parameter %s has no default", name)
		}
	}
	if definition["Type"] != "CommaDelimitedList" {
		return value
	}
	values := list{}
	for one := range strings.SplitSeq(value, ",") {
		values = append(values, strings.TrimSpace(one))
	}
	return values
}

// value evaluates a value of the template.
func (l launch) value(value any) any {
	switch value := value.(type) {
	case list:
		var all list
		for _, one := range value {
			all = append(all, l.value(one))
		}
		return all
	case float64: // CloudFormation passes every scalar as a text
		return strconv.FormatFloat(value, 'f', -1, 64)
	case object:
		if name, isRef := value["Ref"].(string); isRef {
			return l.parameter(name)
		}
		if choice, isIf := value["Fn::If"].(list); isIf {
			if l.holds(dig[any](l.template, "Conditions", dig[string](choice[0]))) {
				return l.value(choice[1])
			}
			return l.value(choice[2])
		}
		if joined, isJoin := value["Fn::Join"].(list); isJoin {
			var texts []string
			for _, part := range dig[list](l.value(joined[1])) {
				texts = append(texts, dig[string](part))
			}
			return strings.Join(texts, dig[string](joined[0]))
		}
		if value["Fn::GetAtt"] != nil {
			return "arn"
		}
		all := object{}
		for key, one := range value {
			all[key] = l.value(one)
		}
		return all
	default:
		return value
	}
}

func (l launch) holds(condition any) bool {
	if pair := dig[list](condition, "Fn::Equals"); pair != nil {
		return l.value(pair[0]) == l.value(pair[1])
	}
	if inner := dig[list](condition, "Fn::Not"); inner != nil {
		return !l.holds(inner[0])
	}
	if all := dig[list](condition, "Fn::And"); all != nil {
		return !slices.ContainsFunc(all, func(one any) bool { return !l.holds(one) })
	}
	name := dig[string](condition, "Condition")
	if name == "" {
		l.t.Fatalf("condition %v is not understood", condition)
	}
	return l.holds(dig[any](l.template, "Conditions", name))
}

func (l launch) spec() chain.Spec {
	l.t.Helper()
	properties := dig[object](l.value(dig[any](l.template, "Resources", chainID, "Properties")))
	if properties["ServiceTimeout"] != "1020" {
		l.t.Errorf("ServiceTimeout: got %v", properties["ServiceTimeout"])
	}
	return parse(l.t, properties)
}

// asks returns the chain of a payload that the template assembles. The payload has to be JSON, ask
// for the action, and be about this stack's chain.
func (l launch) asks(what string, payload any, action string) chain.Spec {
	l.t.Helper()
	var decoded object
	text := dig[string](l.value(payload))
	if err := json.Unmarshal([]byte(text), &decoded); err != nil {
		l.t.Fatalf("%s: %v: %s", what, err, text)
	}
	properties := dig[object](decoded, "ResourceProperties")
	delete(decoded, "ResourceProperties")
	if want := (object{"action": action, "StackId": "<AWS::StackId>", "LogicalResourceId": chainID}); !reflect.DeepEqual(decoded, want) {
		l.t.Errorf("%s: got %v, want %v", what, decoded, want)
	}
	return parse(l.t, properties)
}

func parse(t *testing.T, properties object) chain.Spec {
	t.Helper()
	spec, err := chain.Parse(properties, chain.DefaultAnswerBytes)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// TestFormsDescribeChains checks that the unchanged form describes exactly the default chain, and
// that each field has its effect.
func TestFormsDescribeChains(t *testing.T) {
	t.Parallel()
	three := `[{"Name": "Web", "Ports": [443]}, {"Name": "App", "Ports": [8080]}, {"Name": "Db", "Ports": ["postgres"]}]`
	tags := `[{"Key": "Team", "Value": "shop \"1\""}]`
	alb := object{"Name": "Alb", "GroupName": "ALB-SG", "Description": "Security group for Application Load Balancer", "Ports": list{"80", "443"}}
	fargate := object{"Name": "Fargate", "GroupName": "Fargate-SG", "Description": "Security group for Fargate containers", "Ports": list{"6060"}}
	for what, c := range map[string]struct {
		given map[string]string
		want  object
	}{
		"as opened": {nil, object{}},
		"own tiers": {map[string]string{"Tiers": three}, object{"Tiers": three}},
		"every field": {
			map[string]string{
				"AlbPorts": "443, 8000-8010", "AlbSources": "203.0.113.0/24, pl-0abc", "AlbEgress": "chain", "AlbGroupName": "", "ContainerPort": "8080",
				"FargateGroupName": "Web", "IPv6": "true", "RuleQuota": "100", "Revision": `say "2"`,
				"Guardrails": "warn", "UnmanagedRules": "keep", "AdoptExisting": "true", "Tags": tags, "NamePrefix": "shop-", "ReleaseTiers": "Db, Cache",
			},
			object{"IpFamilies": list{"ipv4", "ipv6"}, "RuleQuota": "100", "Guardrails": "warn", "UnmanagedRules": "keep", "AdoptExisting": "true", "Tags": tags, "ReleaseTiers": list{"Db", "Cache"}, "Tiers": list{
				merge(alb, object{"GroupName": "", "Ports": list{"443", "8000-8010"}, "Sources": list{"203.0.113.0/24", "pl-0abc"}, "Egress": "chain"}),
				merge(fargate, object{"GroupName": "shop-Web", "Ports": list{"8080"}}),
			}},
		},
		"a prefix":            {map[string]string{"NamePrefix": "shop-"}, object{"Tiers": list{merge(alb, object{"GroupName": "shop-ALB-SG"}), merge(fargate, object{"GroupName": "shop-Fargate-SG"})}}},
		"tags with own tiers": {map[string]string{"Tiers": three, "Tags": tags}, object{"Tiers": three, "Tags": tags}},
		"names alone":         {map[string]string{"AlbGroupName": "Door"}, object{"Tiers": list{merge(alb, object{"GroupName": "Door"}), fargate}}},
	} {
		for _, name := range []string{release.AllInOne, release.AllInOneSSM, release.Chain} {
			template, _ := read(t, name)
			given := map[string]string{"VpcId": "vpc-0abc", "ServiceToken": "arn"}
			maps.Copy(given, c.given)
			given["DriftGuard"] = "repair"
			l, want := launch{t, template, given}, parse(t, merge(c.want, object{"VpcId": "vpc-0abc"}))
			targets := dig[list](template, "Resources", ruleID, "Properties", "Targets")
			for of, got := range map[string]chain.Spec{
				"resource":    l.spec(),
				"PlanPayload": l.asks(name+", "+what, dig[any](template, "Outputs", "PlanPayload", "Value"), "plan"),
				"drift guard": l.asks(name+", "+what, dig[any](targets[0], "Input"), "repair"),
			} {
				want := want
				if of == "drift guard" {
					want.ReleaseTiers = nil
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s, %s, %s: got %+v, want %+v", name, what, of, got, want)
				}
			}
		}
	}
}

// TestResourceCountIsConstant checks that a chain is one resource, however many tiers it has. The
// drift guard's resources exist only if the form asks for one.
func TestResourceCountIsConstant(t *testing.T) {
	t.Parallel()
	allInOne := []string{chainID, "DriftAlarm", "DriftPermission", "DriftRule", "FailuresAlarm", "Provider", "ProviderDashboard", "ProviderLogGroup", "ProviderRetries", "ProviderRole"}
	for name, want := range map[string][]string{
		release.AllInOne: allInOne, release.AllInOneSSM: allInOne,
		release.Provider: {"Provider", "ProviderDashboard", "ProviderLogGroup", "ProviderRetries", "ProviderRole"},
		release.Chain:    {chainID, "DriftAlarm", "DriftPermission", "DriftRule", "FailuresAlarm"},
	} {
		template, _ := read(t, name)
		var ids []string
		for id, resource := range dig[object](template, "Resources") {
			ids = append(ids, id)
			condition := ""
			switch {
			case id == dashboardID:
				condition = shown
			case id != chainID && !strings.HasPrefix(id, "Provider"):
				condition = hasDriftGuard
			}
			if got := dig[string](resource, "Condition"); got != condition {
				t.Errorf("%s: resource %s has condition %q, want %q", name, id, got, condition)
			}
		}
		slices.Sort(ids)
		if !slices.Equal(ids, want) {
			t.Errorf("%s: got resources %v, want %v", name, ids, want)
		}
	}
	// 35 tiers fit the parameter and the answer to CloudFormation.
	tiers := make([]string, 0, 35)
	for i := range 35 {
		tiers = append(tiers, `{"Name":"T`+strconv.Itoa(i)+`","Ports":[443]}`)
	}
	text := "[" + strings.Join(tiers, ",") + "]"
	if len(text) > 4096 {
		t.Fatalf("%d bytes; a parameter takes 4,096", len(text))
	}
	template, _ := read(t, release.AllInOne)
	if got := (launch{t, template, map[string]string{"VpcId": "vpc-0abc", "Tiers": text}}).spec(); len(got.Tiers) != 35 {
		t.Errorf("got %d tiers, want 35", len(got.Tiers))
	}
}

// TestOutputs checks that the chain has the attribute of each output that exists.
func TestOutputs(t *testing.T) {
	t.Parallel()
	for _, name := range []string{release.AllInOne, release.Chain} {
		template, _ := read(t, name)
		for _, tiers := range []string{"", `[{"Name": "Only", "Ports": [443]}]`} {
			l := launch{t, template, map[string]string{"VpcId": "vpc-0abc", "ServiceToken": "arn", "Tiers": tiers}}
			attributes := chain.Answer{Spec: l.spec()}.Attributes(chain.DefaultAnswerBytes)
			for id, output := range dig[object](template, "Outputs") {
				if condition := dig[string](output, "Condition"); condition != "" && !l.holds(object{"Condition": condition}) {
					continue
				}
				attribute := dig[list](output, "Value", "Fn::GetAtt")
				if id == "PlanPayload" || id == "ProviderFunction" {
					continue // TestFormsDescribeChains, TestDriftGuard
				}
				if _, exists := attributes[dig[string](attribute[1])]; !exists || attribute[0] != chainID {
					t.Errorf("%s: output %s is %v, which the chain with Tiers %q does not have", name, id, attribute, tiers)
				}
			}
		}
	}
}

// TestNestedStackParametersMatch checks that the parent passes only parameters that its children
// have, and all without a default. It may read only outputs that they have.
func TestNestedStackParametersMatch(t *testing.T) {
	t.Parallel()
	whole, text := read(t, release.Parent)
	for id, file := range map[string]string{"Provider": release.Provider, "SecurityGroups": release.Chain} {
		child, _ := read(t, file)
		given := dig[object](whole, "Resources", id, "Properties", "Parameters")
		known := dig[object](child, "Parameters")
		for name := range given {
			if known[name] == nil {
				t.Errorf("the parent gives %s a parameter %s, which it does not have", file, name)
			}
		}
		for name, definition := range known {
			if given[name] == nil && dig[any](definition, "Default") == nil {
				t.Errorf("the parent does not give %s its parameter %s", file, name)
			}
		}
		read := regexp.MustCompile(`"`+id+`",\s+"Outputs\.([A-Za-z]+)"`).FindAllStringSubmatch(text, -1)
		if len(read) == 0 {
			t.Errorf("the parent reads no output of %s", file)
		}
		for _, one := range read {
			if dig[any](child, "Outputs", one[1]) == nil {
				t.Errorf("the parent reads output %s of %s, which does not have it", one[1], file)
			}
		}
		if url := dig[string](whole, "Resources", id, "Properties", "TemplateURL", "Fn::Sub"); !strings.HasSuffix(url, "/${CodeBucket}-${AWS::Region}/sgchain/"+release.Version+"/"+file) {
			t.Errorf("%s is fetched from %s", file, url)
		}
	}
}

// TestCustomResourceDependsOnProvider checks that role, log and function still exist at its Delete.
func TestCustomResourceDependsOnProvider(t *testing.T) {
	t.Parallel()
	template, _ := read(t, release.AllInOne)
	resources := dig[object](template, "Resources")
	needs := func(id string) string {
		content, err := json.Marshal(resources[id])
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	for of, needed := range map[string][]string{
		chainID: {"ProviderRetries"}, "ProviderRetries": {"Provider"}, "Provider": {"ProviderRole", "ProviderLogGroup"},
	} {
		for _, id := range needed {
			if !strings.Contains(needs(of), `"`+id+`"`) {
				t.Errorf("%s does not depend on %s", of, id)
			}
		}
	}
}

// TestDriftGuard checks that a template asks the function that serves its chain, and allows only its
// own schedule to invoke it. All of it is deleted before the chain.
func TestDriftGuard(t *testing.T) {
	t.Parallel()
	for _, name := range []string{release.AllInOne, release.Chain} {
		template, _ := read(t, name)
		resources := dig[object](template, "Resources")
		token := dig[any](resources, chainID, "Properties", "ServiceToken")
		rule := dig[object](resources, ruleID)
		target := dig[object](dig[list](rule, "Properties", "Targets")[0])
		permission := dig[object](resources, permissionID, "Properties")
		for what, pair := range map[string][2]any{
			"target":     {target["Arn"], token},
			"depends on": {rule["DependsOn"], list{chainID}},
			"permission": {permission, object{
				"Action": "lambda:InvokeFunction", "FunctionName": token, "Principal": "events.amazonaws.com", "SourceArn": object{"Fn::GetAtt": list{ruleID, "Arn"}},
			}},
			"late input": {target["RetryPolicy"], object{"MaximumEventAgeInSeconds": 60.0, "MaximumRetryAttempts": 1.0}},
			"output":     {dig[any](template, "Outputs", "ProviderFunction", "Value"), map[string]any{release.AllInOne: ref(functionID), release.Chain: token}[name]},
		} {
			if !reflect.DeepEqual(pair[0], pair[1]) {
				t.Errorf("%s, %s: got %v, want %v", name, what, pair[0], pair[1])
			}
		}
		for mode, there := range map[string]bool{"off": false, "check": true, "repair": true} {
			l := launch{t, template, map[string]string{"DriftGuard": mode, "DriftSchedule": "rate(1 day)"}}
			if got := l.holds(object{"Condition": hasDriftGuard}); got != there {
				t.Errorf("%s, %s: a drift guard: %t", name, mode, got)
			}
			if got := l.value(dig[any](rule, "Properties", "ScheduleExpression")); got != "rate(1 day)" {
				t.Errorf("%s: schedule %v", name, got)
			}
		}
		for topic, want := range map[string]any{"": "<AWS::NoValue>", "arn:topic": list{"arn:topic"}} {
			l := launch{t, template, map[string]string{"DriftTopicArn": topic}}
			for id, metric := range map[string]string{"DriftAlarm": "Drift", "FailuresAlarm": "Failures"} {
				properties := dig[object](l.value(dig[any](resources, id, "Properties")))
				dimensions := list{object{"Name": "Stack", "Value": "<AWS::StackName>"}, object{"Name": "Chain", "Value": chainID}}
				if !reflect.DeepEqual(properties["AlarmActions"], want) || properties["MetricName"] != metric || !reflect.DeepEqual(properties["Dimensions"], dimensions) {
					t.Errorf("%s, topic %q: %s is %v", name, topic, id, properties)
				}
			}
		}
	}
}

// TestProviderOptions checks that each permission beyond the default depends on a parameter, in the
// all-in-one on one of the chain.
func TestProviderOptions(t *testing.T) {
	t.Parallel()
	former := "arn:aws:cloudformation:eu-central-1:123456789012:stack/Gone/6b1e"
	adopting, moving := "AdoptGroup AdoptOwnGroup", "MoveOwnGroup"
	for _, c := range []struct {
		template string
		given    map[string]string
		rights   string // the statements that not every provider has
		switches object
	}{
		{release.AllInOne, nil, "", object{}},
		{release.AllInOne, map[string]string{"AdoptExisting": "true"}, adopting + " ReadOtherStacks", object{}},
		{release.AllInOne, map[string]string{"DriftGuard": "check"}, "", object{}},
		{release.AllInOne, map[string]string{"DriftGuard": "repair"}, "", object{"SGCHAIN_REPAIR": "allow"}},
		{release.Provider, nil, "", object{}},
		{release.Provider, map[string]string{"AllowAdoption": "true"}, adopting, object{}},
		{release.Provider, map[string]string{"AllowMoves": "true"}, moving, object{"SGCHAIN_MOVES": "allow"}},
		{release.Provider, map[string]string{"AllowMoves": "true", "FormerProvider": former}, moving + " TakeFromFormer GiveBackToFormer", object{"SGCHAIN_MOVES": "allow"}},
		{release.Provider, map[string]string{"FormerProvider": former}, "", object{}}, // a rule refuses it
		{release.Provider, map[string]string{"AllowRepair": "true"}, "", object{"SGCHAIN_REPAIR": "allow"}},
		{release.Provider, map[string]string{"EnforceGuardrails": "true"}, "", object{"SGCHAIN_GUARDRAILS": "enforce"}},
	} {
		template, _ := read(t, c.template)
		l := launch{t, template, c.given}
		policy := dig[list](template, "Resources", "ProviderRole", "Properties", "Policies")[0]
		var rights []string
		for _, statement := range dig[list](policy, "PolicyDocument", "Statement") {
			if dig[list](statement, "Fn::If") == nil {
				continue
			}
			if sid := dig[string](l.value(statement), "Sid"); sid != "" {
				rights = append(rights, sid)
			}
		}
		if got := strings.Join(rights, " "); got != c.rights {
			t.Errorf("%s, %v: the role has %q, want %q", c.template, c.given, got, c.rights)
		}
		variables := dig[object](l.value(dig[any](template, "Resources", functionID, "Properties", "Environment", "Variables")))
		maps.DeleteFunc(variables, func(name string, value any) bool { return value == "<AWS::NoValue>" || name == "SGCHAIN_PROVIDER" })
		if !reflect.DeepEqual(variables, c.switches) {
			t.Errorf("%s, %v: got the switches %v, want %v", c.template, c.given, variables, c.switches)
		}
	}
}

// TestServiceDependsOnListener checks the order: ECS accepts a target group only once a listener
// uses it.
func TestServiceDependsOnListener(t *testing.T) {
	t.Parallel()
	whole, _ := read(t, release.Parent)
	for _, https := range []string{"HttpsListener", "HttpListener"} {
		branch := 1 // with a certificate
		if https == "HttpListener" {
			branch = 2
		}
		tags := dig[list](whole, "Resources", "Service", "Properties", "Tags")
		if len(tags) != 1 {
			t.Fatalf("the service has %d tags, want one that refers to its listener", len(tags))
		}
		choice := dig[list](tags[0], "Value", "Fn::If")
		if len(choice) != 3 || choice[0] != "Https" || dig[string](choice[branch], "Ref") != https {
			t.Errorf("the service refers to %v, want %s in that case", choice, https)
		}
	}
}
