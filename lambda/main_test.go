package main

import (
	"log/slog"
	"strings"
	"testing"
)

func environment(pairs ...string) func(string) string {
	values := map[string]string{
		"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "SGCHAIN_PROVIDER": "arn:provider",
		"AWS_LAMBDA_LOG_STREAM_NAME": "one", "AWS_LAMBDA_FUNCTION_NAME": "Provider",
	}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return values[name] }
}

func TestNewHandler(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	handler := newHandler(environment(), slog.New(slog.NewJSONHandler(&log, nil)))
	if handler.Misconfigured != nil || handler.EC2 == nil || handler.CloudFormation == nil {
		t.Errorf("a complete environment gave %v", handler.Misconfigured)
	}
	if handler.Provider != "arn:provider" || handler.Responder.Region != "eu-west-1" || handler.FenceOnlyLogs || handler.Responder.Emulator != "" {
		t.Errorf("the handler is %+v", handler)
	}
	if want := "CloudWatch log group /aws/lambda/Provider, stream one"; handler.LogPlace != want {
		t.Errorf("the log is at %q, want %q", handler.LogPlace, want)
	}
	if log.Len() != 0 {
		t.Errorf("a start in AWS logs %s", log.String())
	}
}

// TestMisconfigured checks that a function with an incomplete environment still responds, and
// names all missing variables at once.
func TestMisconfigured(t *testing.T) {
	t.Parallel()
	handler := newHandler(environment("SGCHAIN_PROVIDER", "", "AWS_ACCESS_KEY_ID", "", "AWS_MAX_ATTEMPTS", "many"), slog.New(slog.DiscardHandler))
	if handler.Misconfigured == nil {
		t.Fatal("an incomplete environment was accepted")
	}
	for _, name := range []string{"SGCHAIN_PROVIDER", "AWS_ACCESS_KEY_ID", "AWS_MAX_ATTEMPTS"} {
		if !strings.Contains(handler.Misconfigured.Error(), name) {
			t.Errorf("%q does not name %s", handler.Misconfigured, name)
		}
	}
}

// TestEmulatorSwitchesAreLogged checks that the switches for emulators are off unless set, and logged if set.
func TestEmulatorSwitchesAreLogged(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	handler := newHandler(environment("SGCHAIN_EMULATOR_ENDPOINT", "http://127.0.0.1:4566", "SGCHAIN_EMULATOR_FENCE", "log"), slog.New(slog.NewJSONHandler(&log, nil)))
	if !handler.FenceOnlyLogs || handler.Responder.Emulator != "http://127.0.0.1:4566" {
		t.Errorf("the handler is %+v", handler)
	}
	for _, word := range []string{"SGCHAIN_EMULATOR_ENDPOINT is set", "SGCHAIN_EMULATOR_FENCE=log is set", `"level":"WARN"`} {
		if !strings.Contains(log.String(), word) {
			t.Errorf("the log does not say %s: %s", word, log.String())
		}
	}
}

// TestSwitchesOfTheEnvironment checks that the safeguards are on with their one value and off if unset. Every
// request reports another value as a problem.
func TestSwitchesOfTheEnvironment(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, value       string
		enforces, repairs bool
		wrong             string
	}{
		{"SGCHAIN_GUARDRAILS", "", false, false, ""},
		{"SGCHAIN_GUARDRAILS", "enforce", true, false, ""},
		{"SGCHAIN_GUARDRAILS", "warn", false, false, `reading environment (SGCHAIN_GUARDRAILS): unknown value "warn". Use enforce, or unset it`},
		{"SGCHAIN_REPAIR", "allow", false, true, ""},
		{"SGCHAIN_REPAIR", "true", false, false, `reading environment (SGCHAIN_REPAIR): unknown value "true". Use allow, or unset it`},
	} {
		handler := newHandler(environment(test.name, test.value), slog.New(slog.DiscardHandler))
		if handler.EnforceGuardrails != test.enforces || handler.Repairs != test.repairs {
			t.Errorf("%s=%s: enforces %v, repairs %v", test.name, test.value, handler.EnforceGuardrails, handler.Repairs)
		}
		if wrong := handler.Misconfigured; (wrong == nil) != (test.wrong == "") || (wrong != nil && wrong.Error() != test.wrong) {
			t.Errorf("%s=%s: got %v, want %q", test.name, test.value, wrong, test.wrong)
		}
	}
}

// TestF4EachRegionAnswersToItsOwnPartition checks that only a URL with the partition's suffix is
// accepted for CloudFormation's bucket of a Region.
func TestF4EachRegionAnswersToItsOwnPartition(t *testing.T) {
	t.Parallel()
	suffixes := map[string]string{
		"us-east-1": "amazonaws.com", "us-gov-west-1": "amazonaws.com", "cn-north-1": "amazonaws.com.cn", "eusc-de-east-1": "amazonaws.eu",
		"us-iso-east-1": "c2s.ic.gov", "us-isob-east-1": "sc2s.sgov.gov", "eu-isoe-west-1": "cloud.adc-e.uk", "us-isof-south-1": "csp.hci.ic.gov",
	}
	for region, own := range suffixes {
		handler := newHandler(environment("AWS_REGION", region), slog.New(slog.DiscardHandler))
		if handler.Misconfigured != nil {
			t.Errorf("%s: %v", region, handler.Misconfigured)
		}
		bucket := "https://cloudformation-custom-resource-response-" + strings.ReplaceAll(region, "-", "")
		for _, suffix := range suffixes {
			for _, s3 := range []string{".s3.", ".s3-" + region + ".", ".s3." + region + "."} {
				if err := handler.Responder.Check(bucket + s3 + suffix + "/answer?X-Amz-Signature=5"); (err == nil) != (suffix == own) {
					t.Errorf("%s: its bucket at %s%s: got %v", region, s3, suffix, err)
				}
			}
		}
	}
}
