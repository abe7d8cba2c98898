// Package clients builds the AWS clients directly from the environment of a
// Lambda function. The SDK's own loader would add sign-on, profile and instance
// metadata code that a function never uses: a fifth of the binary.
package clients

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"sgchain/lambda/internal/sg"
)

// defaultAttempts is the number of attempts for a call. The SDK's default of 3 is
// not enough if one account builds several chains at once. Ten in adaptive mode
// were, in tests against EC2's published request buckets.
const defaultAttempts = 10

// Clients holds the clients of the two services that the function calls.
type Clients struct {
	EC2            *ec2.Client
	CloudFormation *cloudformation.Client
	Region         string
}

// New reads the variables that the SDK documents. The error names every variable that
// is missing or invalid. Transport makes the requests; nil means the network.
//
//	AWS_REGION
//	AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
//	AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_EC2, AWS_ENDPOINT_URL_CLOUDFORMATION
//	AWS_MAX_ATTEMPTS
//	AWS_USE_FIPS_ENDPOINT, AWS_USE_DUALSTACK_ENDPOINT
func New(getenv func(string) string, transport http.RoundTripper) (Clients, error) {
	env := reader{getenv: getenv}
	region := env.required("AWS_REGION")
	credentials := aws.Credentials{
		AccessKeyID: env.required("AWS_ACCESS_KEY_ID"), SecretAccessKey: env.required("AWS_SECRET_ACCESS_KEY"),
		SessionToken: getenv("AWS_SESSION_TOKEN"), Source: "environment",
	}
	attempts := env.number("AWS_MAX_ATTEMPTS", defaultAttempts)
	fips, dualStack := env.flag("AWS_USE_FIPS_ENDPOINT"), env.flag("AWS_USE_DUALSTACK_ENDPOINT")
	if len(env.problems) > 0 {
		return Clients{}, errors.Join(env.problems...)
	}
	provider := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return credentials, nil })
	built := Clients{Region: region}
	built.EC2 = ec2.New(ec2.Options{
		Region: region, Credentials: provider, Retryer: newRetryer(attempts), HTTPClient: httpClient(transport),
		BaseEndpoint: env.endpoint("AWS_ENDPOINT_URL_EC2"),
	}, func(o *ec2.Options) {
		o.EndpointOptions.UseFIPSEndpoint, o.EndpointOptions.UseDualStackEndpoint = fipsState(fips), dualStackState(dualStack)
	})
	built.CloudFormation = cloudformation.New(cloudformation.Options{
		Region: region, Credentials: provider, Retryer: newRetryer(attempts), HTTPClient: httpClient(transport),
		BaseEndpoint: env.endpoint("AWS_ENDPOINT_URL_CLOUDFORMATION"),
	}, func(o *cloudformation.Options) {
		o.EndpointOptions.UseFIPSEndpoint, o.EndpointOptions.UseDualStackEndpoint = fipsState(fips), dualStackState(dualStack)
	})
	return built, nil
}

// Suffix returns the suffix of AWS host names in a Region's partition, such as
// "amazonaws.com.cn", or "" if the Region is invalid. An unknown Region counts to the
// partition that its name fits, or else to the one of most Regions.
//
// The SDK's table of partitions is internal. Suffix derives the suffix from the endpoint
// of EC2 instead, which needs no network.
func Suffix(region string) string {
	if strings.Trim(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || region == "" {
		return "" // in a host name, the endpoint would be wrong
	}
	endpoint, err := ec2.NewDefaultEndpointResolverV2().ResolveEndpoint(context.Background(), ec2.EndpointParameters{Region: aws.String(region)}) //nolint:forbidigo // it waits for nothing
	if err != nil {
		return ""
	}
	suffix, isThere := strings.CutPrefix(endpoint.URI.Host, "ec2."+region+".")
	if !isThere {
		return ""
	}
	return suffix
}

// httpClient returns a client with as many connections as there are concurrent calls.
func httpClient(transport http.RoundTripper) aws.HTTPClient {
	if transport != nil {
		return &http.Client{Transport: transport}
	}
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxConnsPerHost, t.MaxIdleConnsPerHost = sg.MaxConnections, sg.MaxConnections
	})
}

// retryer is the SDK's adaptive retryer with another way to wait for a token.
type retryer struct{ *retry.AdaptiveMode }

func newRetryer(attempts int) aws.Retryer {
	return retryer{retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
		o.FailOnNoAttemptTokens = true
		o.StandardOptions = append(o.StandardOptions, func(s *retry.StandardOptions) { s.MaxAttempts = attempts })
	})}
}

// tokenPause is the minimum wait for a token to send. The SDK's own loop computes
// waits that round to zero, and then spins.
const tokenPause = 20 * time.Millisecond

// GetRetryToken gets a token for another attempt, and records how the previous attempt failed:
// the SDK returns only the error of the last one.
func (r retryer) GetRetryToken(ctx context.Context, failed error) (func(error) error, error) {
	sg.RecordAttempt(ctx, failed)
	release, err := r.AdaptiveMode.GetRetryToken(ctx, failed)
	if err != nil {
		return nil, fmt.Errorf("retrying: %w", err)
	}
	return release, nil
}

// GetAttemptToken waits for a token to send, or until the context ends.
func (r retryer) GetAttemptToken(ctx context.Context) (func(error) error, error) {
	for {
		release, err := r.AdaptiveMode.GetAttemptToken(ctx)
		if err == nil {
			return release, nil
		}
		timer := time.NewTimer(tokenPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("waiting to send: %w", context.Cause(ctx))
		}
	}
}

func fipsState(on bool) aws.FIPSEndpointState {
	if on {
		return aws.FIPSEndpointStateEnabled
	}
	return aws.FIPSEndpointStateUnset
}

func dualStackState(on bool) aws.DualStackEndpointState {
	if on {
		return aws.DualStackEndpointStateEnabled
	}
	return aws.DualStackEndpointStateUnset
}

// reader reads variables from an environment and collects the problems.
type reader struct {
	getenv   func(string) string
	problems []error
}

func (r *reader) required(name string) string {
	value := r.getenv(name)
	if value == "" {
		r.problems = append(r.problems, fmt.Errorf("reading environment (%s): it is not set", name))
	}
	return value
}

func (r *reader) number(name string, otherwise int) int {
	text := r.getenv(name)
	if text == "" {
		return otherwise
	}
	value, err := strconv.Atoi(text)
	if err != nil || value < 1 {
		r.problems = append(r.problems, fmt.Errorf("reading environment (%s): %q is not a number of attempts", name, text))
		return otherwise
	}
	return value
}

func (r *reader) flag(name string) bool {
	text := r.getenv(name)
	if text == "" {
		return false
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		r.problems = append(r.problems, fmt.Errorf("reading environment (%s): %q is neither true nor false", name, text))
	}
	return value
}

// endpoint returns the service's own override, or the one for all services, or nil.
func (r *reader) endpoint(name string) *string {
	for _, variable := range []string{name, "AWS_ENDPOINT_URL"} {
		if value := r.getenv(variable); value != "" {
			return aws.String(value)
		}
	}
	return nil
}
