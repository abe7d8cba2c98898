package inventory

import (
	"errors"
	"slices"
	"strings"

	"sgchain/lambda/internal/sg"
)

// CallError reports a failed AWS call.
type CallError struct {
	Action string // as IAM has it, such as ec2:DescribeSecurityGroups
	Doing  string
	Err    error
}

func (e *CallError) Error() string {
	cause := e.Err
	if call, isCall := errors.AsType[*sg.CallError](cause); isCall {
		cause = call.Err
	}
	text := e.Doing + ": " + strings.TrimSuffix(sg.Cause(cause), ".")
	if remedy := e.Remedy(); remedy != "" {
		text += ". " + remedy
	}
	return text
}

func (e *CallError) Unwrap() error { return e.Err }

// Remedy returns what to do about it, or "" if the cause says enough.
func (e *CallError) Remedy() string {
	var coded interface{ ErrorCode() string }
	code := ""
	if errors.As(e.Err, &coded) {
		code = coded.ErrorCode()
	}
	for _, one := range []struct {
		codes  []string
		remedy string
	}{
		{[]string{"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"}, "Allow your user or role the action " + e.Action + "."},
		{[]string{"ExpiredToken", "ExpiredTokenException", "RequestExpired"}, "Your credentials have expired. Sign in again (aws sso login), or use new keys."},
		{[]string{"AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch"}, "AWS does not accept your credentials. Check the profile, the keys and this machine's clock."},
		{[]string{"OptInRequired"}, "Enable the Region for this account."},
		{[]string{"RequestLimitExceeded", "Throttling", "ThrottlingException"}, "Retry when fewer calls are made in this account and Region."},
	} {
		if slices.Contains(one.codes, code) {
			return one.remedy
		}
	}
	if code == "" && strings.Contains(e.Err.Error(), "credentials") {
		return "Sign in (aws sso login), name a profile with --profile, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
	}
	return ""
}
