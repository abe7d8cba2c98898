package publish

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

func credentials(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
}

// stage returns a store whose calls go to a handler, and a record of the requests.
func stage(t *testing.T, answer http.HandlerFunc) (store bucketStore, asked *[]string) {
	t.Helper()
	asked = &[]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.Method+" "+r.URL.RequestURI())
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return bucketStore{aws.Config{
		Region: here.region, BaseEndpoint: aws.String(server.URL), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(credentials),
	}}, asked
}

// TestPutSendsConditionAndChecksum checks that S3 itself can refuse other bytes and an object that
// exists.
func TestPutSendsConditionAndChecksum(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.zip")
	if err := os.WriteFile(path, []byte("bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	// The SHA-256 of "bytes".
	zip := file{name: "x.zip", path: path, checksum: "J3jwrhKEIPAAVtmOfo+rLVBWXXTSxVl7x+1fhpaw5hM="}
	var got http.Header
	store, asked := stage(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	if err := store.put(t.Context(), here, "sgchain/1/x.zip", zip); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"If-None-Match": "*", "X-Amz-Checksum-Sha256": zip.checksum, "Content-Type": "application/zip"} {
		if got.Get(key) != want {
			t.Errorf("header %s: got %q, want %q", key, got.Get(key), want)
		}
	}
	if want := "PUT /example-eu-central-1/sgchain/1/x.zip?x-id=PutObject"; strings.Join(*asked, ", ") != want {
		t.Errorf("got the calls %q, want %q", *asked, want)
	}
	store, _ = stage(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusPreconditionFailed)
		_, _ = io.WriteString(w, "<Error><Code>PreconditionFailed</Code><Message>no</Message></Error>")
	})
	if err := store.put(t.Context(), here, "k", zip); err == nil || !strings.Contains(err.Error(), "another principal published it in the meantime") {
		t.Errorf("got %v", err)
	}
}

func TestCheckBucketNamesCause(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status       int
		region, want string
	}{
		{http.StatusOK, "eu-central-1", ""},
		{http.StatusOK, "eu-west-1", `it is in Region "eu-west-1", but Lambda reads the function's code only from eu-central-1`},
		{http.StatusMovedPermanently, "us-east-1", `it is in Region "us-east-1", but Lambda reads the function's code only from eu-central-1`},
		{http.StatusNotFound, "", "it does not exist. Create it in eu-central-1 first"},
		{http.StatusForbidden, "", "access denied"},
		{http.StatusBadRequest, "", "checking bucket (example-eu-central-1): operation error S3: HeadBucket"},
	} {
		store, _ := stage(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("x-amz-bucket-region", c.region)
			w.WriteHeader(c.status)
		})
		err := store.checkBucket(t.Context(), here)
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%d, %s: got %v, want %q", c.status, c.region, err, c.want)
		}
	}
}

// TestChecksumsReadEveryPage checks that an object of a later page counts, and that one without a
// checksum has an empty one.
func TestChecksumsReadEveryPage(t *testing.T) {
	t.Parallel()
	store, _ := stage(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodHead && strings.HasSuffix(r.URL.Path, "/a"):
			w.Header().Set("x-amz-checksum-sha256", "sum")
		case r.Method == http.MethodHead:
		case r.URL.Query().Get("continuation-token") == "":
			_, _ = io.WriteString(w, "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>2</NextContinuationToken><Contents><Key>p/a</Key></Contents></ListBucketResult>")
		default:
			_, _ = io.WriteString(w, "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>p/b</Key></Contents></ListBucketResult>")
		}
	})
	found, err := store.checksums(t.Context(), here, "p/")
	if none, exists := found["p/b"]; err != nil || len(found) != 2 || found["p/a"] != "sum" || !exists || none != "" {
		t.Errorf("got %v and %v", found, err)
	}
}
