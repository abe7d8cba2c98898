package main

import (
	"sgchain/cdk/sgchain"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"
)

// construct is a use of the construct in an app of its own.
type construct struct {
	name string
	fill func(stack awscdk.Stack)
}

func (c construct) check() (findings []string, held int, err error) { return check(packs(), c.fill) }

// constructs returns the chain alone, and with all of its companions.
func constructs() []construct {
	vpc := jsii.String("vpc-0123456789abcdef0")
	return []construct{
		{"a chain of a CDK app", func(stack awscdk.Stack) {
			sgchain.NewSecurityGroupChain(stack, jsii.String("Chain"), &sgchain.SecurityGroupChainProps{VpcId: vpc})
		}},
		{"a chain with rules of other constructs", func(stack awscdk.Stack) {
			chain := sgchain.NewSecurityGroupChain(stack, jsii.String("Chain"), &sgchain.SecurityGroupChainProps{VpcId: vpc, Connections: sgchain.Connections_FOLD})
			chain.SecurityGroup("Alb").AddIngressRule(awsec2.Peer_AnyIpv4(), awsec2.Port_HTTPS(), nil, nil)
			chain.SecurityGroup("Fargate").Connections().AllowFrom(chain.SecurityGroup("Alb"), awsec2.Port_Tcp(jsii.Number(6061)), nil)
		}},
		{"a chain that moves from a provider that no longer exists", func(stack awscdk.Stack) {
			sgchain.NewSecurityGroupChain(stack, jsii.String("Chain"), &sgchain.SecurityGroupChainProps{VpcId: vpc, MovedFrom: &sgchain.MovedFrom{
				LogicalID: "Chain", Stack: "Gone", Provider: "arn:aws:cloudformation:eu-central-1:123456789012:stack/Gone/6b1e1c10-0000-11ee-8c99-0242ac120002",
			}})
		}},
		{"a chain with a drift guard, adoption and a shared provider", func(stack awscdk.Stack) {
			provider := sgchain.NewProvider(stack, jsii.String("Provider"), &sgchain.ProviderProps{Shared: true, AllowAdoption: true, AllowRepair: true})
			sgchain.NewSecurityGroupChain(stack, jsii.String("Chain"), &sgchain.SecurityGroupChainProps{
				VpcId: vpc, Provider: provider, AdoptExisting: true, DriftGuard: &sgchain.DriftGuardProps{
					Mode: sgchain.DriftMode_REPAIR, Topic: awssns.Topic_FromTopicArn(stack, jsii.String("Topic"), jsii.String("arn:aws:sns:eu-central-1:123456789012:alarms")),
				},
			})
		}},
	}
}
