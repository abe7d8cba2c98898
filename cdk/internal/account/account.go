// Package account gives access to an AWS account as the AWS CLI does. The profile, the credentials,
// the Region and the endpoints come from the user's environment and from ~/.aws (AWS SDKs and Tools
// Reference Guide).
package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
)

// Options are the values of a command's own flags. If they are empty, the environment and ~/.aws
// decide.
type Options struct{ Region, Profile string }

// Load returns the configuration of the SDK's clients. It makes no call. If no Region is known, the
// error says what to set.
func Load(ctx context.Context, options Options) (aws.Config, error) {
	// The SDK logs connections, but a command's standard error is for its user.
	settings := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}
	if options.Region != "" {
		settings = append(settings, config.WithRegion(options.Region))
	}
	if options.Profile != "" {
		settings = append(settings, config.WithSharedConfigProfile(options.Profile))
	}
	loaded, err := config.LoadDefaultConfig(ctx, settings...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("reading the AWS configuration: %w", err)
	}
	if loaded.Region == "" {
		return aws.Config{}, errors.New("reading the AWS configuration: no Region is set. Add --region eu-central-1, set AWS_REGION, or run aws configure")
	}
	return loaded, nil
}
