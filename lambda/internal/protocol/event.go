// Package protocol implements CloudFormation's side of the custom resource. It reads requests, and
// answers each of them once, in time, within 4,096 bytes, and only to CloudFormation.
package protocol

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/chain"
)

// Event is a request of CloudFormation. It holds the pre-signed ResponseURL, a
// credential: never log it.
type Event = cfn.Event

// EventError is returned for an event that is not for this provider.
type EventError struct {
	Problem, Fix string
	// NotServed means that this provider creates nothing for such a request, whatever its other
	// fields are. Its Delete has nothing to remove.
	NotServed bool
}

func (e *EventError) Error() string { return e.Problem }

// Remedy returns what to do.
func (e *EventError) Remedy() string { return e.Fix }

// onlyCloudFormation is the remedy for events that only CloudFormation creates.
const onlyCloudFormation = "Only CloudFormation may invoke the function. Find the other caller in CloudTrail, and restrict lambda:InvokeFunction."

// Resource returns the chain's place: its stack and logical ID.
func Resource(event Event) chain.Resource {
	return chain.Resource{StackID: event.StackID, LogicalID: event.LogicalResourceID}
}

// Requested returns when CloudFormation created the request: the date in the signature of its
// ResponseURL. Real events have it, but it is not documented (sst pull request 3539). Without one
// the time is zero.
func Requested(event Event) time.Time {
	address, err := url.Parse(event.ResponseURL)
	if err != nil {
		return time.Time{}
	}
	made, err := time.Parse("20060102T150405Z", address.Query().Get("X-Amz-Date"))
	if err != nil {
		return time.Time{}
	}
	return made
}

// maxServiceTimeout is the longest that CloudFormation waits (API reference,
// AWS::CloudFormation::CustomResource, ServiceTimeout).
const maxServiceTimeout = 3600

// ServiceTimeout returns how long CloudFormation waits for the answer according to the template. It
// is zero if the template has no such property, or a value that CloudFormation refuses.
func ServiceTimeout(event Event) time.Duration {
	var text string
	switch value := event.ResourceProperties["ServiceTimeout"].(type) {
	case string:
		text = value
	case float64:
		text = strconv.FormatFloat(value, 'f', -1, 64)
	}
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds <= 0 || seconds > maxServiceTimeout {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// CheckOrigin compares the event's stack with the function that received it: a provider serves its
// own account and Region. Any principal that can invoke the function can forge events.
func CheckOrigin(event Event, functionARN string) error {
	stack, function := strings.SplitN(event.StackID, ":", 6), strings.SplitN(functionARN, ":", 6)
	const partition, service, region, account = 1, 2, 3, 4
	switch {
	case len(stack) != 6 || stack[0] != "arn" || stack[service] != "cloudformation" || !strings.HasPrefix(stack[5], "stack/"):
		return &EventError{Problem: "checking event: StackId is not the ARN of a stack", Fix: onlyCloudFormation, NotServed: true}
	case len(function) != 6:
		return &EventError{Problem: "checking event: the function has no ARN", Fix: "The function runs only in AWS Lambda."}
	case stack[partition] != function[partition] || stack[region] != function[region] || stack[account] != function[account]:
		return &EventError{
			Problem: fmt.Sprintf("checking event: the stack is in account %s, Region %s, but this function serves account %s, Region %s",
				stack[account], stack[region], function[account], function[region]),
			Fix: "Deploy the provider in the stack's own account and Region, and set ServiceToken to it.", NotServed: true,
		}
	default:
		return nil
	}
}

// CheckServed returns an error if a request is not for the provider of a resource type. FunctionARN
// is the ARN by which it was invoked.
func CheckServed(event Event, functionARN, resourceType string) error {
	if err := CheckOrigin(event, functionARN); err != nil {
		return err
	}
	if event.ResourceType == resourceType {
		return nil
	}
	return &EventError{
		Problem: fmt.Sprintf("checking event: the resource type is %.60q, but this provider serves %s", event.ResourceType, resourceType),
		Fix:     ownType(resourceType), NotServed: true,
	}
}

// CheckRecorded returns an error if CloudFormation has recorded the resource with another type. It
// returns nil if none is recorded.
func CheckRecorded(event Event, recorded, resourceType string) error {
	if recorded == "" || recorded == resourceType {
		return nil
	}
	return &EventError{
		Problem: fmt.Sprintf("checking event: the type of %s in the stack is %.60q, but this provider serves %s", event.LogicalResourceID, recorded, resourceType),
		Fix:     ownType(resourceType),
	}
}

// ownType is the remedy for a resource of another type.
func ownType(resourceType string) string {
	return "Set the Type of the resource to " + resourceType + ", or use another ServiceToken."
}

// Place returns the Region and the account of the event's stack, or nothing if its ARN cannot be
// read.
func Place(event Event) (region, account string) {
	if stack := strings.SplitN(event.StackID, ":", 6); len(stack) == 6 {
		return stack[3], stack[4]
	}
	return "", ""
}
