package protocol_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sgchain/lambda/internal/protocol"
)

const secret = "X-Amz-Signature=5ecre7"

func TestCheck(t *testing.T) {
	t.Parallel()
	const bucket = "https://cloudformation-custom-resource-response-apsoutheast2"
	responder := protocol.Responder{Region: "ap-southeast-2", Suffix: "amazonaws.com", Emulator: "http://127.0.0.1:4566"}
	for address, want := range map[string]bool{
		bucket + ".s3.amazonaws.com/a?" + secret:                true,
		bucket + ".s3-ap-southeast-2.amazonaws.com/a?" + secret: true,
		bucket + ".s3.ap-southeast-2.amazonaws.com/a?" + secret: true,
		"http://127.0.0.1:4566/_answer":                         true,

		bucket + ".s3.ap-southeast-2.amazonaws.com.cn/a?" + secret:                                    false,
		"http://cloudformation-custom-resource-response-apsoutheast2.s3.amazonaws.com/a":              false,
		"https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/a":                  false,
		bucket + ".s3.us-east-1.amazonaws.com/a":                                                      false,
		bucket + ".s3.amazonaws.com.example.org/a":                                                    false,
		bucket + ".s3.amazonaws.com:8443/a":                                                           false,
		bucket + ".example.org/a":                                                                     false,
		bucket + "-mine.s3.amazonaws.com/a":                                                           false,
		"https://mine.s3.amazonaws.com/" + bucket:                                                     false,
		"https://user@cloudformation-custom-resource-response-apsoutheast2.s3.amazonaws.com/a":        false,
		"https://cloudformation-custom-resource-response-apsoutheast2.s3.amazonaws.com@example.org/a": false,
		"http://127.0.0.1:4566.example.org/a":                                                         false,
		"http://127.0.0.1:45660/a":                                                                    false,
		"http://user@127.0.0.1:4566/a":                                                                false,
		"https://127.0.0.1:4566/a":                                                                    false,
		"http://127.0.0.1:4566@example.org/a":                                                         false,
		"ftp://127.0.0.1:4566/a":                                                                      false,
		"":                                                                                            false,
		"%":                                                                                           false,
	} {
		if err := responder.Check(address); (err == nil) != want {
			t.Errorf("%s: got %v", address, err)
		} else if err != nil && strings.Contains(err.Error(), "amazonaws") {
			t.Errorf("%s: the error shows the URL: %v", address, err)
		}
	}
	if err := (protocol.Responder{}).Check("http://127.0.0.1:4566/a"); err == nil {
		t.Error("an emulator is admitted that is not configured")
	}
	if err := (protocol.Responder{Suffix: "amazonaws.com"}).Check("https://cloudformation-custom-resource-response-.s3.amazonaws.com/a"); err == nil {
		t.Error("a bucket of no Region is admitted")
	}
	for _, host := range []string{".s3.", ".s3.ap-southeast-2."} {
		if err := (protocol.Responder{Region: "ap-southeast-2"}).Check(bucket + host + "/a"); err == nil {
			t.Errorf("a host without a suffix is admitted: %s", host)
		}
	}
}

// bucket returns a server for answers, and a responder that sends to it.
func bucket(t *testing.T, handle http.HandlerFunc) (protocol.Responder, string, *strings.Builder) {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	log := &strings.Builder{}
	return protocol.Responder{
		Region: "us-east-1", Emulator: server.URL, Client: protocol.NewClient(), Log: slog.New(slog.NewJSONHandler(log, nil)),
	}, server.URL + "/answer?" + secret, log
}

func TestSendOnTheWire(t *testing.T) {
	t.Parallel()
	event := protocol.Event{StackID: "s", RequestID: "r", LogicalResourceID: "l"}
	want := string(protocol.Encode(protocol.Succeeded(event, "id", nil)))
	responder, address, _ := bucket(t, func(_ http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil || string(body) != want {
			t.Errorf("the body is %q, %v, want %q", body, err, want)
		}
		if request.Method != http.MethodPut || request.ContentLength != int64(len(want)) || len(request.TransferEncoding) > 0 {
			t.Errorf("%s with length %d, encoding %v", request.Method, request.ContentLength, request.TransferEncoding)
		}
		if kind, set := request.Header["Content-Type"]; set {
			t.Errorf("Content-Type is %v, and the signature covers none", kind)
		}
	})
	if err := responder.Send(t.Context(), address, protocol.Encode(protocol.Succeeded(event, "id", nil))); err != nil {
		t.Error(err)
	}
}

// Send retries only if a retry can help.
func TestSendRetries(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		statuses []int
		tries    int
		ok       bool
	}{
		{"at once", []int{200}, 1, true},
		{"after errors of S3", []int{500, 503, 429, 200}, 4, true},
		{"not after a refusal", []int{403, 200}, 1, false},
		{"not after a redirect", []int{307, 200}, 1, false},
		{"not after an answer that is too large", []int{400, 200}, 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tries := 0
			responder, address, log := bucket(t, func(w http.ResponseWriter, _ *http.Request) {
				status := test.statuses[tries]
				tries++
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(status)
			})
			err := responder.Send(t.Context(), address, protocol.Encode(protocol.Succeeded(protocol.Event{}, "id", nil)))
			if (err == nil) != test.ok || tries != test.tries {
				t.Errorf("%d tries, %v", tries, err)
			}
			if err != nil && strings.Contains(err.Error(), secret) || strings.Contains(log.String(), secret) {
				t.Errorf("the URL shows: %v, %s", err, log)
			}
		})
	}
}

// wire is a transport that a test writes.
type wire func(*http.Request) (*http.Response, error)

func (w wire) RoundTrip(request *http.Request) (*http.Response, error) { return w(request) }

func TestSendEndsWithContext(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]wire{
		"the connection fails": func(*http.Request) (*http.Response, error) { return nil, errors.New("connection reset") },
		"the connection hangs": func(request *http.Request) (*http.Response, error) {
			<-request.Context().Done()
			return nil, request.Context().Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				log := &strings.Builder{}
				client := protocol.NewClient()
				client.Transport = wire(func(request *http.Request) (*http.Response, error) {
					tries++
					return answer(request)
				})
				responder := protocol.Responder{Emulator: "http://127.0.0.1:1", Client: client, Log: slog.New(slog.NewJSONHandler(log, nil))}
				ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
				defer cancel()
				started := time.Now()
				err := responder.Send(ctx, "http://127.0.0.1:1/answer?"+secret, protocol.Encode(protocol.Succeeded(protocol.Event{}, "id", nil)))
				if err == nil || tries < 3 || time.Since(started) != 15*time.Second {
					t.Errorf("%d tries in %v: %v", tries, time.Since(started), err)
				}
				if strings.Contains(err.Error(), secret) || strings.Contains(log.String(), secret) {
					t.Errorf("the URL shows: %v, %s", err, log)
				}
			})
		})
	}
}

func TestSendWithoutRedirectOrProxy(t *testing.T) {
	t.Parallel()
	responder, _, _ := bucket(t, func(http.ResponseWriter, *http.Request) { t.Error("a call was made") })
	if err := responder.Send(t.Context(), "https://example.org/?"+secret, protocol.Encode(protocol.Succeeded(protocol.Event{}, "id", nil))); !errors.Is(err, protocol.ErrUnknownURL) {
		t.Errorf("got %v", err)
	}
}
