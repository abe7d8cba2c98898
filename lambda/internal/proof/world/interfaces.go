package world

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Kind is what a network interface belongs to. EC2 describes each kind differently, which tells
// people and this project who can remove a group from it.
type Kind struct {
	// Type is the InterfaceType. EC2 has more of them than the SDK has names.
	Type types.NetworkInterfaceType
	// Requester is who created and manages the interface, if not its owner.
	Requester string
	// Instance is the ID of the instance that it is attached to, if any.
	Instance string
	// AttachedBy is the InstanceOwnerId of the attachment; empty without one.
	AttachedBy string
	// AttachmentID begins the ID of the attachment; empty means eni-attach-.
	AttachmentID string
}

// The kinds of interfaces, as describe-network-interfaces shows them. Describes has the
// descriptions that their owners set. Sources: EC2 user guide, "Requester-managed network
// interfaces". API reference, types NetworkInterface and NetworkInterfaceAttachment.
// hashicorp/terraform-provider-aws, internal/service/ec2/vpc_network_interface.go and
// vpc_security_group.go, which wait for those of Lambda. Documentation of Elastic Load Balancing,
// "ELB app/name/id" as the description.
var (
	Instance   = Kind{Type: "interface", Instance: "i-0123456789abcdef0", AttachedBy: Account}
	Unattached = Kind{Type: "interface"}
	Task       = Kind{Type: "interface", Requester: Account, AttachedBy: "amazon-aws"}
	Lambda     = Kind{Type: "lambda", Requester: "AROAEXAMPLEID:" + Account, AttachedBy: "amazon-aws", AttachmentID: "ela-attach-"}
	NATGateway = Kind{Type: "nat_gateway", Requester: Account, AttachedBy: "amazon-aws", AttachmentID: "ela-attach-"}
	Endpoint   = Kind{Type: "vpc_endpoint", Requester: "727180483921", AttachedBy: "amazon-aws", AttachmentID: "ela-attach-"}
	ALB        = Kind{Type: "interface", Requester: "amazon-elb", AttachedBy: "amazon-elb"}
	NLB        = Kind{Type: "network_load_balancer", Requester: "amazon-elb", AttachedBy: "amazon-aws", AttachmentID: "ela-attach-"}
	Database   = Kind{Type: "interface", Requester: "amazon-rds", AttachedBy: "amazon-rds"}
	Cache      = Kind{Type: "interface", Requester: "amazon-elasticache", AttachedBy: "amazon-elasticache"}
	FileSystem = Kind{Type: "efs", Requester: "364550115104", AttachedBy: "amazon-aws", AttachmentID: "ela-attach-"}
)

// Describes returns the kinds by the descriptions that their owners set.
func Describes() map[string]Kind {
	return map[string]Kind{
		"":                           Instance,
		"made by hand, and not used": Unattached,
		"arn:aws:ecs:us-east-1:" + Account + ":attachment/0a1b2c3d-0000-4000-8000-000000000001": Task,
		"AWS Lambda VPC ENI-Report-0a1b2c3d-0000-4000-8000-000000000002":                        Lambda,
		"Interface for NAT Gateway nat-0123456789abcdef0":                                       NATGateway,
		"VPC Endpoint Interface vpce-0123456789abcdef0":                                         Endpoint,
		"ELB app/shop/0123456789abcdef":                                                         ALB,
		"ELB net/shop/0123456789abcdef":                                                         NLB,
		"RDSNetworkInterface":                                                                   Database,
		"ElastiCache shop-001":                                                                  Cache,
		"EFS mount target for fs-0123456789abcdef0 (fsmt-0123456789abcdef0)":                    FileSystem,
	}
}

// AttachAs is Attach for an interface of a kind. A NAT gateway has no groups.
func (w *World) AttachAs(kind Kind, interfaceID, description string, groupIDs ...string) error {
	if err := w.Attach(interfaceID, description, groupIDs...); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	one, known := w.interfaces[interfaceID]
	if !known {
		one.description = description
	}
	one.kind = kind
	w.interfaces[interfaceID] = one
	return nil
}

// describedInterface returns an interface as DescribeNetworkInterfaces shows it.
func (w *World) describedInterface(id string, one networkInterface) types.NetworkInterface {
	out := types.NetworkInterface{
		NetworkInterfaceId: aws.String(id), Description: aws.String(one.description), InterfaceType: types.NetworkInterfaceTypeInterface,
		OwnerId: aws.String(Account), RequesterManaged: aws.Bool(one.kind.Requester != ""), Status: types.NetworkInterfaceStatusAvailable,
	}
	if one.kind.Type != "" {
		out.InterfaceType = one.kind.Type
	}
	if one.kind.Requester != "" {
		out.RequesterId = aws.String(one.kind.Requester)
	}
	if one.kind.AttachedBy != "" {
		out.Status = types.NetworkInterfaceStatusInUse
		prefix := one.kind.AttachmentID
		if prefix == "" {
			prefix = "eni-attach-"
		}
		out.Attachment = &types.NetworkInterfaceAttachment{
			AttachmentId: aws.String(prefix + strings.TrimPrefix(id, "eni-")), InstanceOwnerId: aws.String(one.kind.AttachedBy),
			DeleteOnTermination: aws.Bool(one.kind.Instance != ""), DeviceIndex: aws.Int32(1), Status: types.AttachmentStatusAttached,
		}
		if one.kind.Instance != "" {
			out.Attachment.InstanceId = aws.String(one.kind.Instance)
		}
	}
	for _, group := range one.groups {
		out.Groups = append(out.Groups, types.GroupIdentifier{GroupId: aws.String(group), GroupName: aws.String(w.groups[group].name)})
	}
	return out
}

// meetsInterface reports whether an interface matches filters.
func (w *World) meetsInterface(filters []types.Filter, id string, one networkInterface) (bool, error) {
	for _, filter := range filters {
		var values []string
		switch text(filter.Name) {
		case "group-id":
			values = one.groups
		case "network-interface-id":
			values = []string{id}
		case "description":
			values = []string{one.description}
		default:
			return false, fail("InvalidParameterValue", "The filter '%s' is invalid", text(filter.Name))
		}
		if !slices.ContainsFunc(values, func(value string) bool { return meets(filter.Values, value) }) {
			return w.IgnoreFilters, nil
		}
	}
	return true, nil
}

// IsUsed reports whether a network interface uses a group.
func (w *World) IsUsed(groupID string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.interfaces {
		if slices.Contains(one.groups, groupID) {
			return true
		}
	}
	return false
}
