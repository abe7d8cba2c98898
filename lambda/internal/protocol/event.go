// Package protocol is CloudFormation's side of the custom resource: it reads
// requests, and answers each of them once, in time, within 4,096 bytes, to nobody
// but CloudFormation.
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

// EventError is an event that is not for this provider.
type EventError struct {
	Problem, Todo string
	// NotServed says that this provider builds nothing for such a request, whatever else it
	// says: its Delete has nothing to remove.
	NotServed bool
}

func (e *EventError) Error() string { return e.Problem }

// Remedy is one sentence of what to do.
func (e *EventError) Remedy() string { return e.Todo }

// onlyCloudFormation is what to do about events that nobody but CloudFormation makes.
const onlyCloudFormation = "Only CloudFormation may invoke the function: look who else does (CloudTrail shows it), and guard lambda:InvokeFunction."

// Resource is the place of the event's chain.
func Resource(event Event) chain.Resource {
	return chain.Resource{StackID: event.StackID, LogicalID: event.LogicalResourceID}
}

// Made is when CloudFormation made the request: the date in the signature of its
// ResponseURL (seen in real events and not documented: sst pull request 3539);
// zero where there is none.
func Made(event Event) time.Time {
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

// ServiceTimeout is how long CloudFormation waits for the answer, as the template says; zero
// where it does not, or says what CloudFormation does not take.
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

// CheckOrigin compares the event's stack with the function that got it: a
// provider serves its own account and Region. Who may invoke the function may
// forge events.
func CheckOrigin(event Event, functionARN string) error {
	stack, function := strings.SplitN(event.StackID, ":", 6), strings.SplitN(functionARN, ":", 6)
	const partition, service, region, account = 1, 2, 3, 4
	switch {
	case len(stack) != 6 || stack[0] != "arn" || stack[service] != "cloudformation" || !strings.HasPrefix(stack[5], "stack/"):
		return &EventError{Problem: "checking event: StackId is not the ARN of a stack", Todo: onlyCloudFormation, NotServed: true}
	case len(function) != 6:
		return &EventError{Problem: "checking event: the function's own ARN is not known", Todo: "The function runs only in AWS Lambda."}
	case stack[partition] != function[partition] || stack[region] != function[region] || stack[account] != function[account]:
		return &EventError{
			Problem: fmt.Sprintf("checking event: the stack is in account %s, Region %s, and this function serves account %s, Region %s",
				stack[account], stack[region], function[account], function[region]),
			Todo: "Deploy the provider in the stack's own account and Region, and set ServiceToken to it.", NotServed: true,
		}
	default:
		return nil
	}
}

// CheckServed reports why a request is not for the provider of a type of resource, which got it
// by an ARN.
func CheckServed(event Event, functionARN, resourceType string) error {
	if err := CheckOrigin(event, functionARN); err != nil {
		return err
	}
	if event.ResourceType == resourceType {
		return nil
	}
	return &EventError{
		Problem: fmt.Sprintf("checking event: the resource type is %.60q, and this provider serves %s", event.ResourceType, resourceType),
		Todo:    ownType(resourceType), NotServed: true,
	}
}

// CheckRecorded reports why a resource is not the provider's, by the type that CloudFormation
// has recorded of it; nil where none is.
func CheckRecorded(event Event, recorded, resourceType string) error {
	if recorded == "" || recorded == resourceType {
		return nil
	}
	return &EventError{
		Problem: fmt.Sprintf("checking event: the stack records %s as %.60q, which is not %s", event.LogicalResourceID, recorded, resourceType),
		Todo:    ownType(resourceType),
	}
}

// ownType is what to do about a resource of another type.
func ownType(resourceType string) string {
	return "Give the resource the Type " + resourceType + ", or another ServiceToken."
}

// Place is the Region and the account of the event's stack, empty where its ARN cannot
// be read.
func Place(event Event) (region, account string) {
	if stack := strings.SplitN(event.StackID, ":", 6); len(stack) == 6 {
		return stack[3], stack[4]
	}
	return "", ""
}
