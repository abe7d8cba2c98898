package world

import "github.com/aws/aws-sdk-go-v2/service/ec2"

// EC2's errors that a retry does not fix, each for the Err of a Fault.

// TagPolicyViolation is the error for tags that an organization's tag policy forbids. Source: AWS
// Organizations user guide, "Understanding tag policies": "The tag policy does not allow the
// specified value for the following tag key".
func TagPolicyViolation(key string) error {
	return fail("TagPolicyViolation", "The tag policy does not allow the specified value for the following tag key: '%s'.", key)
}

// InvalidValue is the error for a value that EC2 rejects (seen for an authorize in
// hashicorp/terraform-provider-aws issue 35639).
func InvalidValue() error {
	return fail("InvalidParameterValue", "Invalid value 'Invalid rule' for parameter IpPermissions. The value is not allowed here.")
}

// AuthFailure is the error for credentials that EC2 cannot validate (EC2 API reference, "Error
// codes for the Amazon EC2 API").
func AuthFailure() error {
	return fail("AuthFailure", "AWS was not able to validate the provided access credentials")
}

// DifferentNetworks is the error for a rule that names a group of a VPC that is not connected. Its
// code is that of an unknown group (boto/boto3 issue 569).
func DifferentNetworks() error {
	return fail("InvalidGroup.NotFound", "You have specified two resources that belong to different networks.")
}

// OptIn is the error for an account that is not subscribed to the service, or whose use of it is
// suspended. Source: EC2 API reference, "Error codes for the Amazon EC2 API".
func OptIn() error {
	return fail("OptInRequired", "You are not subscribed to this service. Please go to http://aws.amazon.com to subscribe.")
}

// Refusals returns the permanent errors by name, for tests and histories that choose one.
func Refusals() map[string]func() error {
	return map[string]func() error{
		"tag policy": func() error { return TagPolicyViolation("Team") }, "invalid value": InvalidValue, "credentials": AuthFailure,
		"different networks": DifferentNetworks, "not subscribed": OptIn,
	}
}

// FailOperation applies a fault to all calls of an operation from now on.
func (c *Client) FailOperation(operation string, fault Fault) {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	c.lastingAt(operation, fault)
}

// lastingAt stores a fault for an operation; the world's lock must be held.
func (c *Client) lastingAt(operation string, fault Fault) {
	if c.lasting == nil {
		c.lasting = map[string]Fault{}
	}
	c.lasting[operation] = fault
}

// faultOf returns the fault of the client's next call; the world's lock must be held.
func (c *Client) faultOf(number int, operation string) Fault {
	fault, has := c.faults[number]
	if !has {
		return c.lasting[operation]
	}
	if fault.Lasting {
		c.lastingAt(operation, fault)
	}
	return fault
}

// Deny refuses calls of the operations, as a role without the permissions does. Without CreateTags,
// calls that tag what they create are refused too (EC2 user guide, "Grant permission to tag Amazon
// EC2 resources during creation").
func (c *Client) Deny(operations ...string) {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	if c.denied == nil {
		c.denied = map[string]bool{}
	}
	for _, operation := range operations {
		c.denied[operation] = true
	}
}

// Allow reverts Deny.
func (c *Client) Allow() {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	c.denied = nil
}

// missing returns the permission that a call needs and its caller lacks, or "".
func missing(denied map[string]bool, one request) string {
	if denied[one.operation] {
		return one.operation
	}
	if denied["CreateTags"] && bringsTags(one.input) {
		return "CreateTags"
	}
	return ""
}

// bringsTags reports whether a call tags what it creates.
func bringsTags(input any) bool {
	switch in := input.(type) {
	case *ec2.CreateSecurityGroupInput:
		return len(in.TagSpecifications) > 0
	case *ec2.AuthorizeSecurityGroupIngressInput:
		return len(in.TagSpecifications) > 0
	case *ec2.AuthorizeSecurityGroupEgressInput:
		return len(in.TagSpecifications) > 0
	default:
		return false
	}
}
