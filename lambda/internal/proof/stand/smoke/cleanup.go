package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"sgchain/lambda/internal/proof/stand"
)

// remove deletes the stack.
func (l *lifecycle) remove(ctx context.Context) error {
	begun := time.Now()
	if _, err := l.account.CloudFormation().DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &l.stackARN}); err != nil {
		return fmt.Errorf("deleting stack (%s): %w", l.stack, err)
	}
	var left *cfntypes.Stack
	err := l.account.Poll(ctx, "waiting for the delete of stack ("+l.stack+")", func() (bool, error) {
		_ = l.listen(ctx) // the next call reads what this one could not
		_ = l.detach(ctx) // an interrupted call may only now create one; cleanUp reports what is left
		var err error
		left, err = l.account.Stack(ctx, l.stackARN)
		return left == nil || stand.OperationEnded(left.StackStatus), err
	})
	if err != nil || left == nil {
		return err
	}
	reasons, err := l.account.Failures(ctx, l.stackARN, begun.Add(-time.Second))
	if err != nil {
		return err
	}
	return fmt.Errorf("the stack is %s\n%s", left.StackStatus, strings.Join(reasons, "\n"))
}

// cleanUp deletes what is left, whatever happened before, and reports what it could not delete.
func (l *lifecycle) cleanUp(ctx context.Context) error {
	failures := []error{l.detach(ctx)} // a cleanup may be waiting for it
	name := l.stack
	if l.stackARN != "" {
		name = l.stackARN
	}
	there, err := l.account.Settle(ctx, name)
	failures = append(failures, err)
	if there != nil {
		l.stackARN = aws.ToString(there.StackId)
		if l.logGroup == "" { // the create failed or was interrupted
			failures = append(failures, l.identify(ctx))
		}
		failures = append(failures, l.screen.Step("deleting what is left", func() error { return l.remove(ctx) }))
	}
	if l.stackARN != "" {
		var groups stand.Groups
		patient, cancel := context.WithTimeout(ctx, lag)
		defer cancel()
		_ = l.account.Poll(patient, "reading groups", func() (bool, error) { // the groups that are left are reported below
			groups, err = l.groups(ctx)
			return err == nil && len(groups) == 0, nil
		})
		failures = append(failures, err)
		for _, group := range groups {
			failures = append(failures, fmt.Errorf("security group %s is left: aws ec2 delete-security-group --group-id %s", group.ID, group.ID))
		}
	}
	return errors.Join(append(failures, l.detach(ctx), l.dropLog(ctx))...)
}

// dropLog deletes the function's log group, which the stack retains.
func (l *lifecycle) dropLog(ctx context.Context) error {
	if l.logGroup == "" {
		return nil
	}
	if err := l.account.DeleteLogGroup(ctx, l.logGroup); err != nil {
		return fmt.Errorf("log group %s is left: aws logs delete-log-group --log-group-name %s: %w", l.logGroup, l.logGroup, err)
	}
	return nil
}

func (l *lifecycle) drop(ctx context.Context, id string) error {
	if _, err := l.account.EC2().DeleteNetworkInterface(ctx, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: &id}); err != nil {
		return fmt.Errorf("deleting network interface (%s): %w", id, err)
	}
	return nil
}

func (l *lifecycle) detach(ctx context.Context) error {
	ids, err := l.interfaces(ctx)
	failures := []error{err}
	for _, id := range ids {
		failures = append(failures, l.drop(ctx, id))
	}
	return errors.Join(failures...)
}
