// Package clients builds the AWS clients by hand from the environment of a
// Lambda function. The SDK's own loader would bring sign-on, profile and instance
// metadata code that a function never uses, a fifth of the binary.
package clients

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"sgchain/lambda/internal/sg"
)

// defaultAttempts is how often a call is tried. The SDK's own 3 fail where
// several chains are built at once in one account; 10 with the adaptive mode did
// not, in tests against EC2's published buckets.
const defaultAttempts = 10

// Clients are the two services that the function calls.
type Clients struct {
	EC2            *ec2.Client
	CloudFormation *cloudformation.Client
	Region         string
}

// New reads the variables that the SDK documents: AWS_REGION, AWS_ACCESS_KEY_ID,
// AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL[_EC2|_CLOUDFORMATION],
// AWS_MAX_ATTEMPTS, AWS_USE_FIPS_ENDPOINT, AWS_USE_DUALSTACK_ENDPOINT. Transport is
// what carries the calls; nil for the network. The error names every variable that
// cannot be used.
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

// httpClient keeps as many connections as there are calls at once, and no more.
func httpClient(transport http.RoundTripper) aws.HTTPClient {
	if transport != nil {
		return &http.Client{Transport: transport}
	}
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxConnsPerHost, t.MaxIdleConnsPerHost = sg.MaxConnections, sg.MaxConnections
	})
}

// retryer is the SDK's adaptive retry, but for how it waits for leave to send.
type retryer struct{ *retry.AdaptiveMode }

func newRetryer(attempts int) aws.Retryer {
	return retryer{retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
		o.FailOnNoAttemptTokens = true
		o.StandardOptions = append(o.StandardOptions, func(s *retry.StandardOptions) { s.MaxAttempts = attempts })
	})}
}

// tokenPause is the least wait for leave to send. The SDK's own loop computes
// waits that round to nothing, and then spins.
const tokenPause = 20 * time.Millisecond

// GetRetryToken asks for leave to try once more, and notes how the try before it ended: the
// SDK tells its caller of the last one alone.
func (r retryer) GetRetryToken(ctx context.Context, failed error) (func(error) error, error) {
	sg.Attempted(ctx, failed)
	release, err := r.AdaptiveMode.GetRetryToken(ctx, failed)
	if err != nil {
		return nil, fmt.Errorf("trying again: %w", err)
	}
	return release, nil
}

// GetAttemptToken waits for leave to send, or for the context to end.
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

// reader takes variables from an environment and gathers what is wrong with them.
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
		r.problems = append(r.problems, fmt.Errorf("reading environment (%s): %q is not a number of tries", name, text))
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

// endpoint is the service's own override, or the one for all services, or nil.
func (r *reader) endpoint(name string) *string {
	for _, variable := range []string{name, "AWS_ENDPOINT_URL"} {
		if value := r.getenv(variable); value != "" {
			return aws.String(value)
		}
	}
	return nil
}
