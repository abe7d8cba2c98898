package sg

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/chain"
)

// use is a network interface that uses a group.
type use struct{ text, groupID string }

type uses []use

// of describes the interfaces that use some groups, and is empty if none does. It names the
// groups if they are several.
func (u uses) of(groupIDs []string) string {
	var texts []string
	for _, one := range u {
		switch last := len(texts) - 1; {
		case !slices.Contains(groupIDs, one.groupID):
		case len(groupIDs) == 1:
			texts = append(texts, one.text)
		case last >= 0 && strings.HasPrefix(texts[last], one.text):
			texts[last] += " and " + one.groupID
		default:
			texts = append(texts, one.text+" on "+one.groupID)
		}
	}
	switch len(texts) {
	case 0:
		return ""
	case 1:
		return "network interface " + texts[0]
	default:
		return strconv.Itoa(len(texts)) + " network interfaces: " + first(maxNamedBlockers, texts)
	}
}

// among returns those of some groups that are in use.
func (u uses) among(observed Observed, identities []chain.Identity) []chain.Identity {
	return slices.DeleteFunc(slices.Clone(identities), func(identity chain.Identity) bool {
		return !slices.ContainsFunc(u, func(one use) bool { return one.groupID == observed.GroupIDs[identity] })
	})
}

// interfaces returns the network interfaces that use groups.
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
				found = append(found, use{text: interfaceText(one), groupID: id})
			}
		}
	}
	chain.Sort(found, func(a, b use) int { return strings.Compare(a.text+a.groupID, b.text+b.groupID) })
	return slices.Compact(found), nil // one whose groups are in two calls is returned twice
}

// interfaceText describes an interface, and how it is deleted.
func interfaceText(one types.NetworkInterface) string {
	text := aws.ToString(one.NetworkInterfaceId) + " ("
	if one.InterfaceType != types.NetworkInterfaceTypeInterface {
		text += string(one.InterfaceType) + ", "
	}
	if description := aws.ToString(one.Description); description != "" {
		text += description + ", "
	}
	instance := ""
	if one.Attachment != nil {
		instance = aws.ToString(one.Attachment.InstanceId)
	}
	if instance != "" {
		text += "instance " + instance + ", "
	}
	return text + ending(one, instance) + ")"
}

// ending says how an interface is deleted. Lambda deletes its own some time after the
// functions. Its developer guide says "up to 20 minutes" ("Giving Lambda functions access
// to resources in an Amazon VPC"). Terraform's documentation of aws_lambda_function says
// 45. Others are deleted with the resource that they belong to.
func ending(one types.NetworkInterface, instance string) string {
	description := aws.ToString(one.Description)
	switch {
	case one.InterfaceType == types.NetworkInterfaceTypeLambda || strings.HasPrefix(description, "AWS Lambda VPC ENI"):
		return "deleted up to 45 minutes after its functions"
	case strings.HasPrefix(description, "ELB "):
		return "deleted minutes after its load balancer"
	case strings.HasPrefix(description, "arn:aws") && strings.Contains(description, ":ecs:"):
		return "deleted when its task stops"
	case one.InterfaceType == types.NetworkInterfaceTypeVpcEndpoint:
		return "deleted with its VPC endpoint"
	case strings.HasPrefix(description, "RDSNetworkInterface"):
		return "deleted with its database"
	case aws.ToBool(one.RequesterManaged):
		return "deleted by the service that created it"
	case instance != "":
		return "stays until the instance is terminated or gets other security groups"
	case one.Status == types.NetworkInterfaceStatusAvailable:
		return "unattached, stays until you delete it"
	default:
		return "stays until you delete it or give it other security groups"
	}
}
