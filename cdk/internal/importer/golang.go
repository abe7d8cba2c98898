package importer

import (
	"fmt"
	"go/format"
	"slices"
	"strings"

	"sgchain/cdk/internal/gocode"
	"sgchain/lambda/describe"
)

// Go writes the result as a Go file for a CDK app: a function that adds the chains to a stack.
func (r Result) Go() (string, error) {
	var text strings.Builder
	write := func(format string, arguments ...any) { fmt.Fprintf(&text, format+"\n", arguments...) }
	write("package main\n")
	write("import (\n\t%q\n\t%q\n\n\t%q\n)\n", "github.com/aws/constructs-go/constructs/v10", "github.com/aws/jsii-runtime-go", "sgchain/cdk/sgchain")
	write("// addImported adds a chain that adopts existing security groups.")
	write("// %s", r.Proof())
	for _, note := range r.Notes() {
		write("//\n%s", wrapped(note, "//", ""))
	}
	write("func addImported(scope constructs.Construct) []sgchain.SecurityGroupChain {\n\treturn []sgchain.SecurityGroupChain{")
	for _, one := range r.Chains {
		write("\t\tsgchain.NewSecurityGroupChain(scope, jsii.String(%q), &sgchain.SecurityGroupChainProps{", one.LogicalID)
		write("VpcId: jsii.String(%q), AdoptExisting: true,", one.VPCID)
		if one.IPv6 {
			write("IPv6: true,")
		}
		if one.RuleQuota != 0 {
			write("RuleQuota: %d,", one.RuleQuota)
		}
		if one.WarnOnly {
			write("Guardrails: sgchain.GuardrailMode_WARN,")
		}
		write("Tiers: []sgchain.Tier{")
		names := tierNames(one.Chain)
		for _, tier := range one.Tiers {
			write("{ // %s\n%s\n},", tier.GroupID, goTier(tier, names))
		}
		write("},\n}),")
	}
	write("\t}\n}")
	formatted, err := format.Source([]byte(text.String()))
	if err != nil {
		return "", fmt.Errorf("writing Go: %w", err)
	}
	return string(formatted), nil
}

func tierNames(one describe.Chain) []string {
	var names []string
	for _, tier := range one.Tiers {
		names = append(names, tier.Name)
	}
	return names
}

func goTier(tier describe.Tier, names []string) string {
	fields := []string{fmt.Sprintf("Name: %q, GroupName: %q,", tier.Name, tier.GroupName)}
	add := func(format string, arguments ...any) { fields = append(fields, fmt.Sprintf(format, arguments...)) }
	if tier.Description != "" {
		add("Description: %q,", tier.Description)
	}
	if len(tier.Ports) > 0 {
		add("Ports: %s,", gocode.Ports(tier.Ports))
	}
	if len(tier.Sources) > 0 {
		add("Sources: %s,", goPeers(tier.Sources, names))
	}
	if len(tier.Ingress) > 0 {
		add("Ingress: []sgchain.Ingress{\n%s},", goEntries(tier.Ingress, "Sources", names))
	}
	// The construct reads these two words together, as in JSON.
	if egress := strings.Join(tier.Egress, ","); egress != "all" && egress != "" {
		constants := map[string]string{"chain": "sgchain.EgressChain", "none": "sgchain.EgressNone"}
		if constants[egress] == "" {
			constants[egress] = fmt.Sprintf("%q", egress)
		}
		add("Egress: %s,", constants[egress])
	} else if egress == "all" && len(tier.EgressTo) > 0 {
		add("Egress: sgchain.EgressAll,")
	}
	if len(tier.EgressTo) > 0 {
		add("EgressTo: []sgchain.Egress{\n%s},", goEntries(tier.EgressTo, "Destinations", names))
	}
	if tier.AllowPublic {
		add("AllowPublic: true,")
	}
	return strings.Join(fields, "\n")
}

func goEntries(entries []describe.Entry, key string, names []string) string {
	var text strings.Builder
	for _, entry := range entries {
		fmt.Fprintf(&text, "{Ports: %s, %s: %s", gocode.Ports(entry.Ports), key, goPeers(entry.Peers, names))
		if entry.Description != "" {
			fmt.Fprintf(&text, ", Description: %q", entry.Description)
		}
		text.WriteString("},\n")
	}
	return text.String()
}

func goPeers(peers, names []string) string {
	list := make([]string, 0, len(peers))
	for _, peer := range peers {
		switch word := gocode.Word(peer); {
		case slices.Contains(names, peer):
			list = append(list, gocode.Tier(peer))
		case word != "":
			list = append(list, word)
		default:
			list = append(list, gocode.Peer(peer))
		}
	}
	return "[]sgchain.Peer{" + strings.Join(list, ", ") + "}"
}
