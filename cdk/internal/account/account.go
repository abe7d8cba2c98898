// Package account reaches an AWS account the way the AWS CLI does: with the profile, the credentials, the Region and the endpoints of
// the user's environment and of ~/.aws (AWS SDKs and Tools Reference Guide).
package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
)

// Options are what a command's own flags say; empty where the environment and ~/.aws decide.
type Options struct{ Region, Profile string }

// Load returns what the SDK's clients are made of. It makes no call. The error says what to set where no Region is known.
func Load(ctx context.Context, options Options) (aws.Config, error) {
	// What the SDK logs is about connections, and a command's standard error is for its user.
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
