package stand

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// asked prints what botocore finds wherever the AWS CLI looks: the environment, profiles, single
// sign-on, roles, instance metadata. The SDK's own module for that needs another version of the
// SDK's core than the Lambda.
const asked = `
import json, botocore.session
session = botocore.session.get_session()
credentials = session.get_credentials()
frozen = credentials and credentials.get_frozen_credentials()
expires = getattr(credentials, "_expiry_time", None)
print(json.dumps({
    "Region": session.get_config_variable("region"),
    "AccessKeyID": frozen and frozen.access_key, "SecretAccessKey": frozen and frozen.secret_key, "SessionToken": frozen and frozen.token,
    "Expires": expires and expires.isoformat(),
}))
`

type found struct {
	Region, AccessKeyID, SecretAccessKey, SessionToken string
	Expires                                            *time.Time
}

// FromEnvironment returns the account that the AWS CLI would use in this environment. If region and
// baseEndpoint are not empty, they override the configuration. python is an interpreter with botocore.
func FromEnvironment(ctx context.Context, python, region, baseEndpoint string) (Account, error) {
	seen, err := ask(ctx, python)
	if err != nil {
		return Account{}, err
	}
	account := Account{Region: cmp.Or(region, seen.Region), BaseEndpoint: baseEndpoint, Interval: 2 * time.Second}
	if baseEndpoint != "" {
		account.Interval = pollInterval
	}
	if account.Region == "" {
		return Account{}, errors.New("finding the Region: none is configured. Set AWS_REGION, or a profile that has one")
	}
	if seen.AccessKeyID == "" {
		return Account{}, errors.New("finding credentials: none are configured. Sign in as for the AWS CLI (AWS_PROFILE, aws sso login, or the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)")
	}
	account.Credentials = aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		seen, err := ask(ctx, python)
		if err != nil {
			return aws.Credentials{}, err
		}
		credentials := aws.Credentials{AccessKeyID: seen.AccessKeyID, SecretAccessKey: seen.SecretAccessKey, SessionToken: seen.SessionToken}
		if seen.Expires != nil {
			credentials.CanExpire, credentials.Expires = true, *seen.Expires
		}
		return credentials, nil
	}))
	return account, nil
}

func ask(ctx context.Context, python string) (found, error) {
	cmd := exec.CommandContext(ctx, python, "-c", asked)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		// The last line of Python's output is the error itself.
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		return found{}, fmt.Errorf("finding credentials: %w: %s", err, lines[len(lines)-1])
	}
	var seen found
	if err := json.Unmarshal(stdout.Bytes(), &seen); err != nil {
		return found{}, fmt.Errorf("finding credentials: %w", err)
	}
	return seen, nil
}
