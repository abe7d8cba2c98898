package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sgchain/cdk/internal/release"
)

// fakeS3 is S3 as publish uses it.
type fakeS3 struct {
	buckets map[place]map[string]string // checksums by key
	refuse  string                      // the key that put refuses
}

func (s *fakeS3) checkBucket(_ context.Context, at place) error {
	if s.buckets[at] == nil {
		return fmt.Errorf("no bucket %s", at.bucket)
	}
	return nil
}

func (s *fakeS3) checksums(_ context.Context, at place, prefix string) (map[string]string, error) {
	found := map[string]string{}
	for key, checksum := range s.buckets[at] {
		if strings.HasPrefix(key, prefix) {
			found[key] = checksum
		}
	}
	return found, nil
}

func (s *fakeS3) put(_ context.Context, at place, key string, file file) error {
	if key == s.refuse {
		return errors.New("refused")
	}
	s.buckets[at][key] = file.checksum
	return nil
}

var (
	here  = place{"example-eu-central-1", "eu-central-1"}
	there = place{"example-cn-north-1", "cn-north-1"}
)

func files() []file {
	return []file{{name: "lambda-arm64.zip", checksum: "zip"}, {name: "all-in-one.json", checksum: "template"}}
}

func newFakeS3(places ...place) *fakeS3 {
	s := &fakeS3{buckets: map[place]map[string]string{}}
	for _, one := range places {
		s.buckets[one] = map[string]string{}
	}
	return s
}

func TestPublish(t *testing.T) {
	t.Parallel()
	s := newFakeS3(here, there)
	var output bytes.Buffer
	if err := publish(t.Context(), s, []place{here, there}, files(), &output); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"sgchain/" + release.Version + "/lambda-arm64.zip": "zip", "sgchain/" + release.Version + "/all-in-one.json": "template"}
	for _, one := range []place{here, there} {
		if !maps.Equal(s.buckets[one], want) {
			t.Errorf("%s: got %v, want %v", one.bucket, s.buckets[one], want)
		}
	}
	for _, words := range []string{
		"4 files uploaded",
		"https://eu-central-1.console.aws.amazon.com/cloudformation/home?region=eu-central-1#/stacks/create/review?templateURL=https%3A%2F%2Fs3.eu-central-1.amazonaws.com%2Fexample-eu-central-1%2Fsgchain%2F" + release.Version + "%2Fall-in-one.json&stackName=SecurityGroupChain\n",
		"https://console.amazonaws.cn/cloudformation/home?region=cn-north-1#/stacks/create/review?templateURL=https%3A%2F%2Fs3.cn-north-1.amazonaws.com.cn%2F",
		"    https://s3.eu-central-1.amazonaws.com/example-eu-central-1/sgchain/" + release.Version + "/chain.json\n",
	} {
		if !strings.Contains(output.String(), words) {
			t.Errorf("output: got %s, want one that has %s", output.String(), words)
		}
	}

	output.Reset()
	if err := publish(t.Context(), s, []place{here, there}, files(), &output); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(output.String(), "all files were uploaded before") {
		t.Errorf("the second time: got %s", output.String())
	}
}

// TestPublishUploadsNothingAfterProblem checks that every place is checked before the first upload,
// and that all problems are reported together.
func TestPublishUploadsNothingAfterProblem(t *testing.T) {
	t.Parallel()
	missing := place{"example-us-east-1", "us-east-1"}
	zip, template := "sgchain/"+release.Version+"/lambda-arm64.zip", "sgchain/"+release.Version+"/all-in-one.json"
	for _, c := range []struct {
		places   []place
		problems []string
	}{
		{[]place{here, missing, there}, []string{"nothing was uploaded", "no bucket example-us-east-1"}},
		{[]place{here, there}, []string{
			"nothing was uploaded", "Raise Version",
			"s3://example-eu-central-1/" + template + ": it exists with other bytes",
			"s3://example-cn-north-1/" + zip + ": it exists with other bytes",
		}},
	} {
		s := newFakeS3(here, there)
		s.buckets[here][template], s.buckets[there][zip] = "other bytes", ""
		err := publish(t.Context(), s, c.places, files(), &bytes.Buffer{})
		for _, words := range c.problems {
			if err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("error: got %v, want one that has %q", err, words)
			}
		}
		if len(s.buckets[here]) != 1 || len(s.buckets[there]) != 1 || s.buckets[here][template] != "other bytes" || s.buckets[there][zip] != "" {
			t.Errorf("the buckets have %v", s.buckets)
		}
	}
}

// TestPublishUploadsZipsFirst checks that a published template always has its code.
func TestPublishUploadsZipsFirst(t *testing.T) {
	t.Parallel()
	s := newFakeS3(here)
	s.refuse = "sgchain/" + release.Version + "/lambda-arm64.zip"
	err := publish(t.Context(), s, []place{here}, files(), &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "Publish again") || len(s.buckets[here]) > 0 {
		t.Errorf("got %v and %v, want an error and an empty bucket", err, s.buckets[here])
	}
}

func TestReadPlaces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bucket, regions, own string
		want                 []place
		problems             []string
	}{
		{"example", "eu-central-1,  cn-north-1 eu-central-1", "us-east-1", []place{here, there}, nil},
		{"example", "", "eu-central-1", []place{here}, nil},
		{"example", "us-gov-west-1", "", []place{{"example-us-gov-west-1", "us-gov-west-1"}}, nil},
		{"", "", "eu-central-1", nil, []string{"the bucket is missing"}},
		{"Example", "eu-central", "", nil, []string{`bucket "Example"`, `"eu-central" is not a Region`}},
		{"a.b", "mars-east-1", "", nil, []string{`bucket "a.b"`, `"mars-east-1" is not a Region`}},
	} {
		got, err := readPlaces(Target{c.bucket, c.regions}, c.own)
		if !slices.Equal(got, c.want) || (err != nil) != (c.problems != nil) {
			t.Errorf("%s, %s: got %v and %v, want %v", c.bucket, c.regions, got, err, c.want)
		}
		for _, words := range c.problems {
			if err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("%s, %s: got %v, want an error that problems %q", c.bucket, c.regions, err, words)
			}
		}
	}
}

// TestWithBucket checks that a published template differs from the committed one only in the
// default of one parameter.
func TestWithBucket(t *testing.T) {
	t.Parallel()
	for _, name := range release.Templates() {
		committed, err := os.ReadFile(filepath.Join("..", "..", "..", release.Folder, name))
		if err != nil {
			t.Fatal(err)
		}
		published, err := withBucket(committed, "example")
		if err != nil {
			t.Fatal(err)
		}
		var template struct {
			Parameters map[string]struct{ Default any }
		}
		if err := json.Unmarshal(published, &template); err != nil {
			t.Fatal(err)
		}
		parameter, exists := template.Parameters[release.BucketParameter]
		if exists != (name != release.Chain) || (exists && parameter.Default != "example") {
			t.Errorf("%s: the default of %s is %v (there: %t)", name, release.BucketParameter, parameter.Default, exists)
		}
		var kept []string
		for line := range strings.Lines(string(published)) {
			if line != "      \"Default\": \"example\",\n" {
				kept = append(kept, line)
			}
		}
		if strings.Join(kept, "") != string(committed) {
			t.Errorf("%s differs in more than the bucket", name)
		}
	}
	if _, err := withBucket([]byte(`{"Description": "A chain (sgchain 0.0.9)"}`), "example"); err == nil || !strings.Contains(err.Error(), "make template") {
		t.Errorf("another version: got %v, want an error that has make template", err)
	}
}
