package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"sgchain/cdk/internal/release"
	"sgchain/lambda/chain"
)

// refusals returns what the template's rules say about the values of a launch.
func (l launch) refusals() []string {
	l.t.Helper()
	var all []string
	for _, rule := range dig[object](l.template, "Rules") {
		if !l.rule(dig[any](rule, "RuleCondition")) {
			continue
		}
		for _, assertion := range dig[list](rule, "Assertions") {
			if !l.rule(dig[any](assertion, "Assert")) {
				all = append(all, dig[string](assertion, "AssertDescription"))
			}
		}
	}
	slices.Sort(all)
	return all
}

// rule evaluates the functions of a rule.
func (l launch) rule(condition any) bool {
	l.t.Helper()
	for name, arguments := range dig[object](condition) {
		of := dig[list](arguments)
		switch name {
		case "Fn::And":
			return !slices.ContainsFunc(of, func(one any) bool { return !l.rule(one) })
		case "Fn::Not":
			return !l.rule(of[0])
		case "Fn::Equals":
			return l.value(of[0]) == l.value(of[1])
		case "Fn::Contains":
			return slices.Contains(dig[list](l.value(of[0])), of[1])
		case "Fn::EachMemberIn":
			return !slices.ContainsFunc(dig[list](l.value(of[0])), func(one any) bool { return !slices.Contains(dig[list](of[1]), one) })
		}
	}
	l.t.Fatalf("condition %v is not understood", condition)
	return false
}

// TestRulesRefuseParametersWithoutEffect checks that a value without effect next to another
// parameter is refused, by name and with a remedy. Defaults, and values that have an effect, are
// accepted.
func TestRulesRefuseParametersWithoutEffect(t *testing.T) {
	t.Parallel()
	tiers := `[{"Name": "Web", "Ports": [443]}]`
	topic := "arn:aws:sns:eu-central-1:123456789012:ops"
	none := map[string]string{"AlbGroupName": "", "FargateGroupName": ""}
	for what, c := range map[string]struct {
		given map[string]string
		names []string // the parameters that are refused
	}{
		"as opened":                {nil, nil},
		"own tiers":                {map[string]string{"Tiers": tiers}, nil},
		"own tiers, written out":   {map[string]string{"Tiers": tiers, "AlbPorts": "443, 80", "AlbSources": "internet", "ContainerPort": "6060"}, nil},
		"simple fields":            {map[string]string{"AlbPorts": "443", "AlbSources": "vpc", "AlbEgress": "chain", "AlbGroupName": "", "ContainerPort": "80", "FargateGroupName": "x"}, nil},
		"ports":                    {map[string]string{"Tiers": tiers, "AlbPorts": "443"}, []string{"AlbPorts"}},
		"more ports":               {map[string]string{"Tiers": tiers, "AlbPorts": "80,443,8443"}, []string{"AlbPorts"}},
		"sources":                  {map[string]string{"Tiers": tiers, "AlbSources": "internet,vpc"}, []string{"AlbSources"}},
		"egress":                   {map[string]string{"Tiers": tiers, "AlbEgress": "chain"}, []string{"AlbEgress"}},
		"names":                    {map[string]string{"Tiers": tiers, "AlbGroupName": "", "FargateGroupName": "x"}, []string{"AlbGroupName", "FargateGroupName"}},
		"prefix":                   {map[string]string{"Tiers": tiers, "NamePrefix": "shop-"}, []string{"NamePrefix"}},
		"prefix of one name":       {map[string]string{"NamePrefix": "shop-", "AlbGroupName": ""}, nil},
		"prefix without names":     {with(none, "NamePrefix", "shop-"), []string{"NamePrefix"}},
		"container port":           {map[string]string{"Tiers": tiers, "ContainerPort": "8080"}, []string{"ContainerPort"}},
		"topic":                    {map[string]string{"DriftTopicArn": topic}, []string{"DriftTopicArn"}},
		"schedule":                 {map[string]string{"DriftSchedule": "rate(1 day)"}, []string{"DriftSchedule"}},
		"both, and off":            {map[string]string{"DriftGuard": "off", "DriftSchedule": "rate(1 day)", "DriftTopicArn": topic}, []string{"DriftSchedule", "DriftTopicArn"}},
		"both, and a guard":        {map[string]string{"DriftGuard": "check", "DriftSchedule": "rate(1 day)", "DriftTopicArn": topic}, nil},
		"adoption":                 {map[string]string{"AdoptExisting": "true", "AlbGroupName": ""}, nil},
		"adoption without names":   {with(none, "AdoptExisting", "true"), []string{"AdoptExisting"}},
		"no names":                 {none, nil},
		"adoption, names in Tiers": {map[string]string{"AdoptExisting": "true", "Tiers": tiers}, nil},
	} {
		for _, name := range []string{release.AllInOne, release.AllInOneSSM, release.Chain} {
			template, _ := read(t, name)
			refusals := launch{t, template, c.given}.refusals()
			if len(refusals) != len(c.names) {
				t.Errorf("%s, %s: got %q, want one for each of %v", name, what, refusals, c.names)
				continue
			}
			for i, parameter := range c.names {
				if !strings.HasPrefix(refusals[i], parameter+" has no effect ") || !strings.Contains(refusals[i], "eave "+parameter+" at its default (") {
					t.Errorf("%s, %s: got %q, want the name of %s and what to do", name, what, refusals[i], parameter)
				}
			}
		}
	}
}

// TestRulesRefuseMovesWithoutEffect checks two refusals by name and with a remedy. One is the
// source of a move without its chain, the other a former provider without the permission to move.
func TestRulesRefuseMovesWithoutEffect(t *testing.T) {
	t.Parallel()
	former := "arn:aws:cloudformation:eu-central-1:123456789012:stack/Gone/6b1e"
	for what, c := range map[string]struct {
		template string
		given    map[string]string
		names    []string
	}{
		"no move":             {release.Chain, nil, nil},
		"a chain":             {release.Chain, map[string]string{movedFromID: "Chain"}, nil},
		"everything":          {release.Chain, map[string]string{movedFromID: "Chain", movedFromStack: "Shop", movedFromProvider: former}, nil},
		"a stack alone":       {release.Chain, map[string]string{movedFromStack: "Shop"}, []string{movedFromStack}},
		"a provider alone":    {release.Chain, map[string]string{movedFromProvider: former}, []string{movedFromProvider}},
		"both alone":          {release.Chain, map[string]string{movedFromStack: "Shop", movedFromProvider: former}, []string{movedFromProvider, movedFromStack}},
		"no provider":         {release.Provider, nil, nil},
		"moves":               {release.Provider, map[string]string{"AllowMoves": "true"}, nil},
		"moves from one":      {release.Provider, map[string]string{"AllowMoves": "true", "FormerProvider": former}, nil},
		"a provider, no move": {release.Provider, map[string]string{"FormerProvider": former}, []string{"FormerProvider"}},
	} {
		template, _ := read(t, c.template)
		refusals := launch{t, template, c.given}.refusals()
		if len(refusals) != len(c.names) {
			t.Errorf("%s: got %q, want one for each of %v", what, refusals, c.names)
			continue
		}
		for i, name := range c.names {
			if !strings.HasPrefix(refusals[i], name+" has no effect without ") || !strings.HasSuffix(refusals[i], "or leave "+name+" at its default (empty).") {
				t.Errorf("%s: got %q, want the name of %s and what to do", what, refusals[i], name)
			}
		}
	}
}

// TestMoveParametersMatchOrigins checks that the function reads the origin that the form states,
// and none by default. A plan is about an update, so it does not ask for the origin.
func TestMoveParametersMatchOrigins(t *testing.T) {
	t.Parallel()
	former := "arn:aws:cloudformation:eu-central-1:123456789012:stack/Gone/6b1e"
	template, _ := read(t, release.Chain)
	for _, want := range []chain.Origin{{}, {LogicalID: "Chain"}, {LogicalID: "Chain", Stack: "Shop"}, {LogicalID: "Chain", Stack: "Shop", Provider: former}} {
		l := launch{t, template, map[string]string{vpcID: "vpc-0abc", "ServiceToken": "arn", movedFromID: want.LogicalID, movedFromStack: want.Stack, movedFromProvider: want.Provider}}
		if got := l.spec().MovedFrom; got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if got := l.asks("a plan", dig[any](template, "Outputs", "PlanPayload", "Value"), "plan").MovedFrom; got != (chain.Origin{}) {
			t.Errorf("the plan asks for %+v", got)
		}
	}
	for _, name := range []string{release.AllInOne, release.AllInOneSSM} {
		if _, text := read(t, name); strings.Contains(text, "MovedFrom") {
			t.Errorf("%s has MovedFrom, and its provider may not move", name)
		}
	}
}

// TestRulesRefuseEqualGroupNames checks that the form refuses equal names of two groups before
// anything is created. Generated names are never equal, and names with Tiers are refused for that
// reason.
func TestRulesRefuseEqualGroupNames(t *testing.T) {
	t.Parallel()
	template, _ := read(t, release.AllInOne)
	for what, c := range map[string]struct {
		alb, fargate, tiers string
		refused             bool
	}{
		"others": {"Web", "App", "", false}, "the same": {"Web", "Web", "", true}, "generated": {"", "", "", false}, "one": {"Web", "", "", false},
		"the same with Tiers": {"ALB-SG", "ALB-SG", "[]", false},
	} {
		refusals := launch{t, template, map[string]string{"AlbGroupName": c.alb, "FargateGroupName": c.fargate, "Tiers": c.tiers}}.refusals()
		refused := slices.ContainsFunc(refusals, func(one string) bool {
			return strings.HasPrefix(one, "AlbGroupName and FargateGroupName are the same")
		})
		if refused != c.refused {
			t.Errorf("%s: got %q", what, refusals)
		}
	}
}

// TestEverySimpleFieldHasRule checks that a field which a chain of Tiers does not read is refused
// next to Tiers.
func TestEverySimpleFieldHasRule(t *testing.T) {
	t.Parallel()
	template, _ := read(t, release.Chain)
	read := func(tiers string) map[string]bool {
		names := map[string]bool{}
		var walk func(value any)
		l := launch{t, template, map[string]string{"Tiers": tiers}}
		walk = func(value any) {
			switch value := value.(type) {
			case list:
				for _, one := range value {
					walk(one)
				}
			case object:
				if choice := dig[list](value, "Fn::If"); choice != nil {
					if !l.holds(dig[any](template, "Conditions", dig[string](choice[0]))) {
						walk(choice[2])
						return
					}
					walk(choice[1])
					return
				}
				names[dig[string](value, "Ref")] = true
				for _, one := range value {
					walk(one)
				}
			}
		}
		walk(dig[any](template, "Resources", chainID, "Properties"))
		return names
	}
	simple, own := read(""), read("[]")
	for name := range simple {
		if own[name] || name == "" {
			continue
		}
		l := launch{t, template, map[string]string{"Tiers": "[]", name: "other"}}
		if refusals := l.refusals(); len(refusals) != 1 || !strings.HasPrefix(refusals[0], name+" ") {
			t.Errorf("%s with Tiers: got %q", name, refusals)
		}
	}
	if len(simple) < 10 || len(own) < 5 {
		t.Errorf("the chain reads %d and %d parameters", len(simple), len(own))
	}
}

func with(given map[string]string, name, value string) map[string]string {
	all := maps.Clone(given)
	all[name] = value
	return all
}
