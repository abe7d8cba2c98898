package sgchain

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"sgchain/lambda/chain"
)

// Synth refuses and warns of the same as the function: the four mistakes of the tutorial, and others.
func TestGuardrailsAtSynth(t *testing.T) {
	alb := Tier{Name: "Alb", Ports: []Port{Http(), Https()}}
	app := func(sources ...Peer) Tier { return Tier{Name: "App", Ports: []Port{Tcp(6060)}, Sources: sources} }
	public := app(Internet())
	public.AllowPublic = true
	shut := func(tier Tier) Tier {
		tier.Egress = EgressNone
		return tier
	}
	for _, test := range []struct {
		name    string
		tiers   []Tier
		mode    GuardrailMode
		refused string
		warned  string
	}{
		{name: "the default chain"},
		{name: "6060 open to the world", tiers: []Tier{alb, app(Internet())}, refused: "Tiers[1]: public-tier: tier App is not the first and is open to the internet: tcp 6060 from 0.0.0.0/0. Use the previous tier as its source, or set AllowPublic on the tier. To get warnings instead of this error, set Guardrails to GuardrailMode_WARN."},
		{name: "443 missing", tiers: []Tier{{Name: "Alb", Ports: []Port{Http()}}, app()}, warned: "sgchain:http-without-https:Alb"},
		{name: "all egress blocked", tiers: []Tier{shut(alb), shut(app())}, warned: "sgchain:no-egress:Alb:tcp-6060-to-App"},
		{name: "addresses instead of groups", tiers: []Tier{alb, app(Cidr("10.1.0.0/16"))}, warned: "sgchain:address-for-tier:App:tcp-6060-from-10.1.0.0/16"},
		{name: "all ports", tiers: []Tier{{Name: "Alb", Ports: []Port{AllTraffic()}}}, refused: "Tiers[0]: public-all-ports: tier Alb allows all traffic"},
		{name: "ssh", tiers: []Tier{{Name: "Bastion", Ports: []Port{Tcp(22)}}}, refused: "Tiers[0]: public-admin-port: tier Bastion allows tcp 22"},
		{name: "lifted by GuardrailMode_WARN", tiers: []Tier{{Name: "Bastion", Ports: []Port{Tcp(22)}}}, mode: GuardrailMode_WARN, warned: "sgchain:public-admin-port:Bastion:tcp-22-from-0.0.0.0/0"},
		{name: "lifted by AllowPublic", tiers: []Tier{alb, public}, warned: "sgchain:public-tier:App:tcp-6060-from-0.0.0.0/0"},
		{name: "more rules than the quota", tiers: []Tier{{Name: "Alb", Ports: []Port{Http(), Https()}, Sources: offices(31)}}, refused: "the chain needs 62 IPv4 rules, and the quota is 60"},
	} {
		t.Run(test.name, func(t *testing.T) {
			stack := newStack(t)
			props := anyVpc(test.tiers...)
			props.Guardrails = test.mode
			if test.refused != "" {
				err := panics(t, func() { NewSecurityGroupChain(stack, jsii.String("Chain"), props) })
				var refused *chain.GuardrailError
				if !strings.Contains(err.Error(), test.refused) || (!errors.As(err, &refused) && !strings.Contains(test.refused, "quota")) {
					t.Errorf("got %v, want %q", err, test.refused)
				}
				return
			}
			NewSecurityGroupChain(stack, jsii.String("Chain"), props)
			var ids []string
			var found []any
			if err := json.Unmarshal([]byte(text(t, assertions.Annotations_FromStack(stack).FindWarning(jsii.String("*"), assertions.Match_AnyValue()))), &found); err != nil {
				t.Fatal(err)
			}
			for _, warning := range found {
				_, id, _ := strings.Cut(dig[string](warning, "entry", "data"), "[ack: ")
				if id = strings.TrimSuffix(id, "]"); !strings.HasPrefix(id, "sgchain:open:") {
					ids = append(ids, id)
				}
			}
			if test.warned == "" && len(ids) > 0 || test.warned != "" && !slices.Contains(ids, test.warned) {
				t.Errorf("the warnings are %q, want %q", ids, test.warned)
			}
		})
	}
}

func offices(n int) []Peer {
	var peers []Peer
	for i := range n {
		peers = append(peers, Cidr(fmt.Sprintf("203.0.113.%d/32", i)))
	}
	return peers
}

// With a provider of the app that enforces guardrails, synth refuses what the function would refuse. The
// remedy must not be GuardrailMode_WARN, which would not help.
func TestEnforcedGuardrailsAtSynth(t *testing.T) {
	stack := newStack(t)
	props := anyVpc(Tier{Name: "Bastion", Ports: []Port{Tcp(22)}})
	props.Guardrails = GuardrailMode_WARN
	props.Provider = NewProvider(stack, jsii.String("Provider"), &ProviderProps{EnforceGuardrails: true})
	err := panics(t, func() { NewSecurityGroupChain(stack, jsii.String("Chain"), props) })
	if !strings.Contains(err.Error(), "public-admin-port") || !strings.Contains(err.Error(), "The provider has EnforceGuardrails.") || strings.Contains(err.Error(), "WARN") {
		t.Errorf("got %v", err)
	}
}
