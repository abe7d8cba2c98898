package protocol

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sgchain/lambda/internal/task"
)

const (
	// attemptTimeout bounds one attempt to deliver an answer. A connection that hangs must not use
	// up the time of the others.
	attemptTimeout = 4 * time.Second
	firstPause     = 200 * time.Millisecond
	lastPause      = 2 * time.Second
)

// Responder delivers answers to CloudFormation's bucket and nowhere else.
type Responder struct {
	// Region is the function's own, in which CloudFormation's bucket is.
	Region string
	// Suffix ends the host names of AWS in the Region's partition ("amazonaws.com"). If it is
	// empty, only answers to an emulator are sent.
	Suffix string
	// Emulator is an origin ("http://127.0.0.1:4566") that is also allowed. It is empty outside of
	// tests.
	Emulator string
	Client   *http.Client
	Log      *slog.Logger
}

// NewClient returns an HTTP client without redirects and without a proxy from the environment.
func NewClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{TLSHandshakeTimeout: attemptTimeout},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ErrUnknownURL is returned for a ResponseURL that is not CloudFormation's. The error does not show
// it.
var ErrUnknownURL = errors.New("checking ResponseURL: it does not lead to CloudFormation's bucket in this Region. Nothing was changed and no answer is sent")

// Check returns an error unless a ResponseURL leads to CloudFormation. That is https to its bucket
// in this Region, in one of the forms of S3's host names. Another bucket, or a host of another
// partition, may be anybody's.
func (r Responder) Check(responseURL string) error {
	address, err := url.Parse(responseURL)
	if err != nil || address.User != nil {
		return ErrUnknownURL
	}
	if r.Emulator != "" && address.Scheme+"://"+address.Host == r.Emulator {
		return nil
	}
	if address.Scheme != "https" || r.Region == "" || r.Suffix == "" || !slices.Contains(r.bucketHosts(), address.Host) {
		return ErrUnknownURL
	}
	return nil
}

// bucketHosts returns the host names of CloudFormation's bucket. The user guide, "Setting up VPC
// endpoints for CloudFormation", names the bucket. The forms were seen in public code.
func (r Responder) bucketHosts() []string {
	bucket := "cloudformation-custom-resource-response-" + strings.ReplaceAll(r.Region, "-", "")
	var hosts []string
	for _, s3 := range []string{".s3.", ".s3-" + r.Region + ".", ".s3." + r.Region + "."} {
		hosts = append(hosts, bucket+s3+r.Suffix)
	}
	return hosts
}

// Send delivers an answer that [Encode] wrote. It retries until the context ends, unless S3's
// answer is final. Its errors do not show the URL.
func (r Responder) Send(ctx context.Context, responseURL string, body []byte) error {
	if err := r.Check(responseURL); err != nil {
		return err
	}
	wait := task.Backoff{Next: firstPause, Last: lastPause}
	for attempt := 1; ; attempt++ {
		final, err := r.put(ctx, responseURL, body)
		if err == nil {
			return nil
		}
		r.Log.Warn("delivering the answer failed", slog.Int("attempt", attempt), slog.String("error", err.Error()))
		if final {
			return fmt.Errorf("delivering answer (attempt %d): %w", attempt, err)
		}
		if wait.Wait(ctx) != nil {
			return fmt.Errorf("delivering answer (attempt %d): %w", attempt, err)
		}
	}
}

// put makes one attempt. Final means that a retry would fail as well.
func (r Responder) put(ctx context.Context, responseURL string, body []byte) (final bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, responseURL, bytes.NewReader(body))
	if err != nil {
		return true, ErrUnknownURL // its text would show the URL
	}
	// The signature covers an empty Content-Type, so none is sent. The length is that of the
	// reader, so the body is not chunked.
	reply, err := r.Client.Do(request)
	if err != nil {
		return false, withoutURL(err)
	}
	defer reply.Body.Close() //nolint:errcheck // nothing depends on it
	_, _ = io.Copy(io.Discard, io.LimitReader(reply.Body, 1<<16))
	switch {
	case reply.StatusCode == http.StatusOK:
		return false, nil
	case reply.StatusCode >= http.StatusInternalServerError, reply.StatusCode == http.StatusTooManyRequests:
		return false, fmt.Errorf("S3 answered %d", reply.StatusCode)
	default:
		return true, fmt.Errorf("S3 answered %d", reply.StatusCode)
	}
}

// withoutURL removes the URL, a credential, from an error of net/http.
func withoutURL(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	return err
}
