package chain

// The description of each key for editors, and the rules of its value.

// described returns the schema of a key's value: its description, suggestions for editors, and its
// rules.
func described(description string, offers []any, rules node) node {
	return value(offering(node{"description": description}, offers), rules)
}

// offering adds suggestions for editors, and constrains nothing. A single value is an example.
// Several values are an alternative to any other value, because editors show every example next
// to a key.
func offering(hints node, offers []any) node {
	if len(offers) == 1 {
		hints["examples"] = offers
	} else {
		hints["anyOf"] = []any{node{"enum": offers}, node{}}
	}
	return hints
}

// written is like described, for a value with parts. Body is the text that editors insert, with
// places to fill in.
func written(description, label string, body any, rules node) node {
	return value(node{"description": description, "defaultSnippets": []any{node{"label": label, "body": body}}}, rules)
}

func flagOffers() []any { return []any{false, true} }

func newTier(name, port string) node { return node{"Name": name, "Ports": []any{port}} }

func newTag() node { return node{"${1:Team}": "${2:value}"} }

func propertyNodes() node {
	return node{
		"VpcId": described("The ID of the VPC that the security groups belong to. Changing it replaces every group.",
			[]any{"vpc-0123456789abcdef0"}, vpcRules()),
		"Tiers": written("The tiers, outermost first. Each is one security group. A template's parameter can pass the list as JSON text. "+
			"By default the chain is a load balancer on ports 80 and 443, and containers on port 6060.",
			"tiers", []any{newTier("${1:Web}", "${2:443}"), newTier("${3:App}", "${4:6060}")}, tiersRules()),
		"IpFamilies": described("ipv4, or ipv4 and ipv6. With ipv6, the words internet and vpc and the Egress all include IPv6. By default ipv4.",
			append(texts(familyWords), texts(familyWords)), familyRules()),
		"UnmanagedRules": described("What an update does with rules on the chain's groups that the chain did not create: revoke or keep. By default revoke.",
			texts(unmanagedWords), wordRules(unmanagedWords)),
		"AdoptExisting": described("true: adopt existing security groups of the VPC that have a tier's GroupName. By default false.",
			flagOffers(), wordRules(flagWords, "boolean")),
		"ReleaseTiers": described("Names of tiers that you remove from Tiers. Their groups are released with their own rules instead of deleted.",
			[]any{"Db"}, releaseRules()),
		"Guardrails": described("enforce, or warn to turn what the guardrails refuse into warnings. By default enforce.",
			texts(guardrailWords), wordRules(guardrailWords)),
		"RuleQuota": described("How many rules a group may have for each direction and address family, 1 to 1000. By default 60.",
			[]any{defaultRuleQuota}, quotaRules()),
		"Revision": described("Any text. Changing it verifies and repairs the chain.", []any{"1"}, node{}),
		"Tags": written("The tags of every group: a map, or a list of maps with Key and Value. A template's parameter can pass either as JSON text.",
			"tags", newTag(), ref("TagsOfGroups")),
		"MovedFrom": described("The chain whose groups this one takes over, unchanged, when it is created: its logical ID, or a map with LogicalId "+
			"and the name or ID of its Stack. The provider must allow moves.", []any{"OldChain", node{"Stack": "Shop", "LogicalId": "Chain"}}, movedRules()),
		"StackTags": described("false: the groups do not get the tags of the stack. By default they do, except for keys that Tags have too.",
			flagOffers(), wordRules(stackTagsWords, "boolean")),
		"ServiceToken": written("The ARN of the provider's function. A shared provider exports it as SecurityGroupChainProvider.",
			"shared provider", node{"Fn::ImportValue": "SecurityGroupChainProvider"}, node{}),
		"ServiceTimeout": described("How many seconds CloudFormation waits for the provider, which needs at most 1020. By default 3600.",
			[]any{ServiceTimeout}, node{}),
	}
}

func tierNodes() node {
	return node{
		"Name": described("The tier's name, unique in the chain: letters and digits, a letter first. It begins the attribute "+
			"<Name>SecurityGroupId. Changing it replaces the group.", []any{"App"}, nameRules()),
		"GroupName": described("The security group's name, unique in the VPC. By default it is generated. Changing it replaces the group.",
			[]any{"App-SG"}, groupNameRules()),
		"Description": described("The security group's description. Changing it replaces the group, so an explicit GroupName must change as well.",
			[]any{"Security group of the application"}, textRules()),
		"Ports": described("The ports that Sources may reach. Without Ports, the tier allows no inbound traffic.",
			portOffers(), absent(ref("ListOfPorts"))),
		"Sources": described("The peers that may reach Ports. By default the previous tier, and for the first tier the internet.",
			peerOffers(), absent(ref("ListOfPeers"))),
		"Ingress": written("The long form, instead of Ports and Sources: a list of maps with Ports, Sources and Description.",
			"inbound rules", []any{node{"Ports": []any{"${1:443}"}, "Sources": []any{"${2:internet}"}}}, ingressRules()),
		"Egress": described("The allowed outbound traffic: all, chain (only what other tiers allow from this one), none, or a list of these words "+
			"and of maps with Ports, Destinations and Description. By default all.", texts(egressWords), egressRules()),
		"AllowPublic": described("true: the internet may reach this tier although it is not the first. By default false.",
			flagOffers(), wordRules(flagWords, "boolean")),
		"Tags": written("The tags of this group. They take precedence over the chain's Tags.", "tags", newTag(), ref("TagsOfGroups")),
	}
}

// entryNodes returns the schemas of the keys of an entry in the long form. Peers is the key of its
// peers.
func entryNodes(peers, what string) node {
	return node{
		"Ports": described("The ports of these rules.", portOffers(), ref("ListOfPorts")),
		peers:   described("Peers: "+what+".", peerOffers(), ref("ListOfPeers")),
		"Description": described("The description of these rules in EC2. By default it names both ends and the traffic.",
			[]any{"requests of clients"}, textRules()),
	}
}

func movedNodes() node {
	return node{
		"LogicalId": described("The logical ID of the other chain.", []any{"Chain"}, formRules(logicalIDPattern, logicalIDForm)),
		"Stack":     described("The name or the ID of its stack. By default the stack of this chain.", []any{"Shop"}, absent(formRules(stackPattern, stackForm))),
		"Provider": described("The ID of its provider's stack, if it has another provider: the value of the tag sgchain:provider on the groups.",
			[]any{"arn:aws:cloudformation:eu-central-1:111122223333:stack/Provider/EXAMPLE"}, absent(formRules(stackIDPattern, providerForm))),
	}
}

func tagNodes() node {
	return node{
		"Key":   described("The tag's key.", []any{"Team"}, tagKeyRules()),
		"Value": described("The tag's value. It may be empty.", []any{"web"}, tagValueRules()),
	}
}

func portOffers() []any {
	forms := []any{80, 443, "8000-8010", "tcp/443", "udp/53", "icmp/3/4", numberForm + "/50", string(ICMP), string(ICMPv6), string(All)}
	return append(forms, texts(sortedServices())...)
}

func peerOffers() []any {
	return append(texts(peerWords()), "203.0.113.0/24", "sg-0123456789abcdef0", "123456789012/sg-0123456789abcdef0",
		groupPrefix+defaultGroupName, "pl-0123456789abcdef0", listPartitions[0]+"{region}.s3", listPartitions[0]+"global.cloudfront.origin-facing")
}
