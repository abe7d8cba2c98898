package sg

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
)

// use is a network interface that uses a group.
type use struct{ groupID, text string }

type uses []use

// texts names those of some groups' interfaces.
func (u uses) texts(groupIDs []string) []string {
	var texts []string
	for _, one := range u {
		if slices.Contains(groupIDs, one.groupID) {
			texts = append(texts, one.text)
		}
	}
	return texts
}

// among lists those groups that are in use.
func (u uses) among(observed Observed, identities []chain.Identity) []chain.Identity {
	return slices.DeleteFunc(slices.Clone(identities), func(identity chain.Identity) bool {
		return !slices.ContainsFunc(u, func(one use) bool { return one.groupID == observed.GroupIDs[identity] })
	})
}

// interfaces lists the network interfaces that use groups.
func (e *Edge) interfaces(ctx context.Context, observed Observed, identities []chain.Identity) (uses, error) {
	ids := observed.idsOf(identities)
	interfaces, err := everyPage(ctx, []types.Filter{filter(groupIDFilter, ids...)}, func(filters []types.Filter) paginator[*ec2.DescribeNetworkInterfacesOutput] {
		return ec2.NewDescribeNetworkInterfacesPaginator(e.API, &ec2.DescribeNetworkInterfacesInput{Filters: filters, MaxResults: aws.Int32(pageSize)})
	}, func(page *ec2.DescribeNetworkInterfacesOutput) []types.NetworkInterface {
		return page.NetworkInterfaces
	})
	if err != nil {
		return nil, &CallError{Doing: "describing network interfaces of security groups (" + capped(ids) + ")", Err: err}
	}
	var found uses
	for _, one := range interfaces {
		for _, group := range one.Groups {
			if id := aws.ToString(group.GroupId); slices.Contains(ids, id) {
				found = append(found, use{groupID: id, text: interfaceText(one) + " on " + id})
			}
		}
	}
	chain.Sort(found, func(a, b use) int { return strings.Compare(a.text, b.text) })
	return slices.Compact(found), nil // one on groups of two calls comes twice
}

// interfaceText names an interface, whose it is and what becomes of it.
func interfaceText(one types.NetworkInterface) string {
	text := "network interface " + aws.ToString(one.NetworkInterfaceId) + " (" + string(one.InterfaceType)
	if description := aws.ToString(one.Description); description != "" {
		text += ", " + description
	}
	instance := ""
	if one.Attachment != nil {
		instance = aws.ToString(one.Attachment.InstanceId)
	}
	if instance != "" {
		text += ", instance " + instance
	}
	return text + "; " + ending(one, instance) + ")"
}

// ending says how an interface goes away. Lambda removes its own some time after the
// function is gone ("up to 20 minutes", Lambda developer guide, "Giving Lambda functions
// access to resources in an Amazon VPC"; Terraform's documentation of aws_lambda_function
// has 45); the others go with what they belong to.
func ending(one types.NetworkInterface, instance string) string {
	description := aws.ToString(one.Description)
	switch {
	case one.InterfaceType == types.NetworkInterfaceTypeLambda || strings.HasPrefix(description, "AWS Lambda VPC ENI"):
		return "goes by itself up to 45 minutes after its functions are gone"
	case strings.HasPrefix(description, "ELB "):
		return "goes by itself some minutes after the load balancer is deleted"
	case strings.HasPrefix(description, "arn:aws") && strings.Contains(description, ":ecs:"):
		return "goes by itself when the task has stopped"
	case one.InterfaceType == types.NetworkInterfaceTypeVpcEndpoint:
		return "goes with its VPC endpoint"
	case strings.HasPrefix(description, "RDSNetworkInterface"):
		return "goes with its database"
	case aws.ToBool(one.RequesterManaged):
		return "goes with the service that made it"
	case instance != "":
		return "stays until the instance is terminated or has other groups"
	case one.Status == types.NetworkInterfaceStatusAvailable:
		return "is not attached and stays until somebody deletes it"
	default:
		return "stays until somebody removes it or gives it other groups"
	}
}
