package clients

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

func environment(pairs ...string) func(string) string {
	values := map[string]string{"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return values[name] }
}

// wire records the hosts of requests and refuses the requests permanently.
type wire struct{ hosts, tokens []string }

func (w *wire) RoundTrip(request *http.Request) (*http.Response, error) {
	w.hosts = append(w.hosts, request.URL.Scheme+"://"+request.URL.Host)
	w.tokens = append(w.tokens, request.Header.Get("X-Amz-Security-Token"))
	return &http.Response{StatusCode: http.StatusForbidden, Body: http.NoBody, Request: request}, nil
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name                string
		getenv              func(string) string
		ec2, cloudFormation string
	}{
		{"of the Region", environment(), "https://ec2.eu-west-1.amazonaws.com", "https://cloudformation.eu-west-1.amazonaws.com"},
		{"China", environment("AWS_REGION", "cn-north-1"), "https://ec2.cn-north-1.amazonaws.com.cn", "https://cloudformation.cn-north-1.amazonaws.com.cn"},
		{"FIPS", environment("AWS_REGION", "us-east-1", "AWS_USE_FIPS_ENDPOINT", "true"), "https://ec2-fips.us-east-1.amazonaws.com", "https://cloudformation-fips.us-east-1.amazonaws.com"},
		{"dual stack", environment("AWS_USE_DUALSTACK_ENDPOINT", "true"), "https://ec2.eu-west-1.api.aws", "https://cloudformation.eu-west-1.api.aws"},
		{"one for all", environment("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), "http://127.0.0.1:1", "http://127.0.0.1:1"},
		{"one of its own", environment("AWS_ENDPOINT_URL", "http://127.0.0.1:1", "AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:2"), "http://127.0.0.1:2", "http://127.0.0.1:1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			seen := &wire{}
			built, err := New(test.getenv, seen)
			if err != nil {
				t.Fatal(err)
			}
			_, errEC2 := built.EC2.DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{})
			_, errCloudFormation := built.CloudFormation.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{})
			if errEC2 == nil || errCloudFormation == nil || len(seen.hosts) != 2 {
				t.Fatalf("calls went to %v: %v, %v", seen.hosts, errEC2, errCloudFormation)
			}
			if seen.hosts[0] != test.ec2 || seen.hosts[1] != test.cloudFormation || seen.tokens[0] != "token" {
				t.Errorf("calls went to %v with %v", seen.hosts, seen.tokens)
			}
		})
	}
}

func TestEveryBadVariableIsNamed(t *testing.T) {
	t.Parallel()
	_, err := New(environment("AWS_REGION", "", "AWS_ACCESS_KEY_ID", "", "AWS_MAX_ATTEMPTS", "0", "AWS_USE_FIPS_ENDPOINT", "perhaps"), nil)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, name := range []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_MAX_ATTEMPTS", "AWS_USE_FIPS_ENDPOINT"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q does not name %s", err, name)
		}
	}
	if strings.Contains(err.Error(), "AWS_SECRET_ACCESS_KEY") {
		t.Errorf("%q names one that is set", err)
	}
}

func TestAttempts(t *testing.T) {
	t.Parallel()
	for variable, want := range map[string]int{"": defaultAttempts, "4": 4} {
		r := reader{getenv: environment("AWS_MAX_ATTEMPTS", variable)}
		if got := newRetryer(r.number("AWS_MAX_ATTEMPTS", defaultAttempts)).MaxAttempts(); got != want {
			t.Errorf("%q: %d attempts, want %d", variable, got, want)
		}
	}
}

type throttled struct{}

func (throttled) Error() string     { return "RequestLimitExceeded" }
func (throttled) ErrorCode() string { return "RequestLimitExceeded" }

// TestRetryerWaitsForATokenAndHonorsTheContext checks that, after throttling, waiting for a
// token takes time, ends, and respects the context.
func TestRetryerWaitsForATokenAndHonorsTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, ok := newRetryer(defaultAttempts).(aws.RetryerV2)
		if !ok {
			t.Fatal("no RetryerV2")
		}
		waited := time.Duration(0)
		for range 20 {
			started := time.Now()
			release, err := r.GetAttemptToken(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			waited += time.Since(started)
			if err := release(throttled{}); err != nil {
				t.Fatal(err)
			}
		}
		if waited == 0 || waited > 5*time.Minute {
			t.Errorf("20 throttled attempts waited %v in all", waited)
		}
		cause := errors.New("over")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, cause)
		defer cancel()
		var err error
		for range 1000 {
			if _, err = r.GetAttemptToken(ctx); err != nil {
				break
			}
		}
		if !errors.Is(err, cause) {
			t.Errorf("got %v, want %v", err, cause)
		}
	})
	if _, known := retry.DefaultThrottleErrorCodes["RequestLimitExceeded"]; !known {
		t.Error("the SDK no longer knows EC2's throttling code")
	}
}
