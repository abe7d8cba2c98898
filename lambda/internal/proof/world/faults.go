package world

import "github.com/aws/aws-sdk-go-v2/service/ec2"

// The texts of EC2 for refusals that no repetition mends. Each is the error of a Fault.

// TagPolicyViolation is the refusal of tags that a tag policy of the organization does not
// allow (AWS Organizations user guide, "Understanding tag policies": "The tag policy does
// not allow the specified value for the following tag key").
func TagPolicyViolation(key string) error {
	return fail("TagPolicyViolation", "The tag policy does not allow the specified value for the following tag key: '%s'.", key)
}

// InvalidValue is the refusal of a value (hashicorp/terraform-provider-aws issue 35639 has
// it for an authorize).
func InvalidValue() error {
	return fail("InvalidParameterValue", "Invalid value 'Invalid rule' for parameter IpPermissions. The value is not allowed here.")
}

// AuthFailure is the refusal of credentials (EC2 API reference, "Error codes for the Amazon
// EC2 API").
func AuthFailure() error {
	return fail("AuthFailure", "AWS was not able to validate the provided access credentials")
}

// DifferentNetworks is the refusal of a rule that names a group of a VPC that is not
// connected. The code is that of a group that is not there (boto/boto3 issue 569).
func DifferentNetworks() error {
	return fail("InvalidGroup.NotFound", "You have specified two resources that belong to different networks.")
}

// OptIn is the refusal of an account that is not subscribed to the service or whose use of
// it is suspended (EC2 API reference, "Error codes for the Amazon EC2 API").
func OptIn() error {
	return fail("OptInRequired", "You are not subscribed to this service. Please go to http://aws.amazon.com to subscribe.")
}

// Refusals are the permanent refusals by name, for tests and histories that draw one.
func Refusals() map[string]func() error {
	return map[string]func() error{
		"tag policy": func() error { return TagPolicyViolation("Team") }, "invalid value": InvalidValue, "credentials": AuthFailure,
		"different networks": DifferentNetworks, "not subscribed": OptIn,
	}
}

// FailOperation makes every call of an operation go wrong from now on, in the same way.
func (c *Client) FailOperation(operation string, fault Fault) {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	c.lastingAt(operation, fault)
}

// lastingAt keeps a fault for an operation; the world's lock is held.
func (c *Client) lastingAt(operation string, fault Fault) {
	if c.lasting == nil {
		c.lasting = map[string]Fault{}
	}
	c.lasting[operation] = fault
}

// faultOf is what goes wrong with the client's next call; the world's lock is held.
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

// Deny takes the right to make calls from the client's role: those are refused, all others
// work. Without CreateTags, what brings its tags along is refused as well (EC2 user guide,
// "Grant permission to tag Amazon EC2 resources during creation").
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

// Allow gives the client back what Deny took.
func (c *Client) Allow() {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	c.denied = nil
}

// missing is the right that a call needs and its caller lacks, or "".
func missing(denied map[string]bool, one request) string {
	if denied[one.operation] {
		return one.operation
	}
	if denied["CreateTags"] && bringsTags(one.input) {
		return "CreateTags"
	}
	return ""
}

// bringsTags reports whether a call tags what it makes.
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
