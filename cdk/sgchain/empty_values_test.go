package sgchain

import (
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
)

// A list that is empty and not nil is refused at synth, with its path.
func TestEmptyListsAreRefused(t *testing.T) {
	internet := []Peer{Internet()}
	for want, props := range map[string]SecurityGroupChainProps{
		"Tiers: is an empty list":                         {Tiers: []Tier{}},
		"Tiers[0].Sources: is an empty list":              {Tiers: []Tier{{Name: "Alb", Ports: Ports(443), Sources: []Peer{}}}},
		"Tiers[0].Ports: is an empty list":                {Tiers: []Tier{{Name: "Alb", Ports: []Port{}}}},
		"Tiers[0].Ingress: is an empty list":              {Tiers: []Tier{{Name: "Alb", Ingress: []Ingress{}}}},
		"Tiers[0].Ingress[0].Ports: is an empty list":     {Tiers: []Tier{{Name: "Alb", Ingress: []Ingress{{Ports: Ports(), Sources: internet}}}}},
		"Tiers[0].Ingress[0].Sources: is an empty list":   {Tiers: []Tier{{Name: "Alb", Ingress: []Ingress{{Ports: Ports(443), Sources: []Peer{}}}}}},
		"Tiers[0].EgressTo: is an empty list":             {Tiers: []Tier{{Name: "Alb", Egress: EgressChain, EgressTo: []Egress{}}}},
		"Tiers[0].Egress[0].Destinations: is an empty li": {Tiers: []Tier{{Name: "Alb", EgressTo: []Egress{{Ports: Ports(443), Destinations: []Peer{}}}}}},
	} {
		t.Run(want, func(t *testing.T) {
			props.VpcId = jsii.String("vpc-1")
			defer func() {
				err, _ := recover().(error)
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
			}()
			NewSecurityGroupChain(newStack(t), jsii.String("Chain"), &props)
		})
	}
}

func TestEmptyTagValuesReachTheTemplate(t *testing.T) {
	stack := newStack(t)
	NewSecurityGroupChain(stack, jsii.String("Chain"), &SecurityGroupChainProps{
		VpcId: jsii.String("vpc-1"), Tags: map[string]*string{"Owner": jsii.String(""), "Team": jsii.String("ai")},
		Tiers: []Tier{{Name: "Alb", Ports: Ports(443), Tags: map[string]*string{"Team": nil}}},
	})
	assertions.Template_FromStack(stack, nil).HasResourceProperties(jsii.String("Custom::SecurityGroupChain"), map[string]any{
		"Tags":  map[string]any{"Owner": "", "Team": "ai"},
		"Tiers": []any{map[string]any{"Name": "Alb", "Ports": []any{"443"}, "Tags": map[string]any{"Team": ""}}},
	})
}
