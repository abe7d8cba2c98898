package sgchain

import (
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/jsii-runtime-go"
)

// An option that has no effect together with another one is refused at synth, by its name.
func TestOptionsWithoutEffectAreRefused(t *testing.T) {
	stack := newStack(t)
	out := func(destinations ...Peer) []Egress { return []Egress{{Ports: Ports(443), Destinations: destinations}} }
	tier := func(egress EgressPolicy, to []Egress) *SecurityGroupChainProps {
		return anyVpc(Tier{Name: "Web", Ports: Ports(443), Egress: egress, EgressTo: to})
	}
	both := func(props *SecurityGroupChainProps) *SecurityGroupChainProps {
		props.IPv6 = true
		return props
	}
	warned := func(props *ProviderProps, name string) *SecurityGroupChainProps {
		chain := anyVpc()
		chain.Guardrails = GuardrailMode_WARN
		chain.Provider = NewProvider(stack, jsii.String(name), props)
		return chain
	}
	adopting := anyVpc(Tier{Name: "Web", Ports: Ports(443)})
	adopting.AdoptExisting = true
	list := PrefixListNamed("com.amazonaws.{region}.s3")
	for what, c := range map[string]struct {
		props *SecurityGroupChainProps
		want  string // "" if the option has an effect
	}{
		"ranges beside all":               {tier(EgressAll, out(Cidr("10.0.0.0/8"))), "Tiers[0].EgressTo: the rule to 10.0.0.0/8 has no effect"},
		"ranges beside all, by omission":  {tier("", out(Cidr("10.0.0.0/8"))), ""},
		"the internet beside all":         {tier(EgressAll, out(Internet())), "Tiers[0].EgressTo: the rule to 0.0.0.0/0 has no effect"},
		"a list beside all of IPv4":       {tier(EgressAll, out(list)), ""},
		"a range of IPv6 beside that":     {tier(EgressAll, out(Cidr("2001:db8::/32"))), ""},
		"a list beside all of both":       {both(tier(EgressAll, out(list))), "Tiers[0].EgressTo: the rule to com.amazonaws."},
		"IPv6 beside all of both":         {both(tier(EgressAll, out(Cidr("2001:db8::/32")))), "Tiers[0].EgressTo: the rule to 2001:db8::/32 has no effect"},
		"chain beside all of both":        {both(tier("all,chain", nil)), "Tiers[0].Egress: combines chain with all"},
		"ranges beside chain":             {tier(EgressChain, out(Cidr("10.0.0.0/8"))), ""},
		"ranges beside none":              {tier(EgressNone, out(Cidr("10.0.0.0/8"))), "Tiers[0].Egress: combines none with other entries"},
		"sources without ports":           {anyVpc(Tier{Name: "Web", Sources: []Peer{Internet()}}), "Tiers[0].Ports: is missing. Add the ports that the Sources may reach"},
		"sources beside ingress":          {anyVpc(Tier{Name: "Web", Sources: []Peer{Vpc()}, Ingress: []Ingress{{Ports: Ports(443), Sources: []Peer{Vpc()}}}}), "Tiers[0].Sources: cannot be combined with Ingress"},
		"warn beside EnforceGuardrails":   {warned(&ProviderProps{EnforceGuardrails: true}, "Enforcing"), "Guardrails: warn has no effect, because provider Stack/Enforcing"},
		"warn":                            {warned(nil, "Plain"), ""},
		"adoption without a name":         {adopting, "AdoptExisting: is true, but no tier has a GroupName"},
		"the VPC's ID beside another one": {&SecurityGroupChainProps{VpcId: jsii.String("vpc-1"), Vpc: vpcNamed(stack)}, "VpcId: cannot be combined with Vpc"},
	} {
		t.Run(what, func(t *testing.T) {
			id := strings.NewReplacer(" ", "", ",", "", "'", "").Replace(what)
			defer func() {
				cause := recover()
				err, _ := cause.(error)
				switch {
				case cause != nil && err == nil:
					t.Errorf("got %v", cause)
				case (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)):
					t.Errorf("got %v, want %q", err, c.want)
				}
			}()
			NewSecurityGroupChain(stack, jsii.String(id), c.props)
		})
	}
}

func vpcNamed(stack awscdk.Stack) awsec2.IVpc {
	return awsec2.Vpc_FromVpcAttributes(stack, jsii.String("Vpc"), &awsec2.VpcAttributes{
		VpcId: jsii.String("vpc-0def"), AvailabilityZones: jsii.Strings("us-east-1a"),
	})
}
