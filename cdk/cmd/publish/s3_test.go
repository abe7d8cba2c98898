package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// answering is an AWS CLI that says one thing, and writes down how it was called.
func answering(t *testing.T, stdout, stderr string) (s s3, called func() string) {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{"stdout": stdout, "stderr": stderr} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// A link, and no file written here: a process that another test forks meanwhile would hold it open for writing, and Linux
	// refuses to run such a file (ETXTBSY, golang/go#22315).
	script, err := filepath.Abs("testdata/aws")
	if err != nil {
		t.Fatal(err)
	}
	command := filepath.Join(folder, "aws")
	if err := os.Symlink(script, command); err != nil {
		t.Fatal(err)
	}
	return s3{command}, func() string {
		text, err := os.ReadFile(filepath.Join(folder, "called"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
}

// TestPut: S3 itself refuses other bytes and an object that is there.
func TestPut(t *testing.T) {
	t.Parallel()
	s, called := answering(t, "{}", "")
	if err := s.put(t.Context(), here, "sgchain/1/x.zip", file{name: "x.zip", path: "/x.zip", checksum: "sum"}); err != nil {
		t.Fatal(err)
	}
	want := "s3api put-object --region eu-central-1 --output json --bucket example-eu-central-1 --key sgchain/1/x.zip --body /x.zip " +
		"--content-type application/zip --checksum-algorithm SHA256 --checksum-sha256 sum --if-none-match *"
	if got := called(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	s, _ = answering(t, "", "An error occurred (PreconditionFailed) when calling the PutObject operation: no")
	if err := s.put(t.Context(), here, "k", file{}); err == nil || !strings.Contains(err.Error(), "somebody else published it meanwhile") {
		t.Errorf("got %v", err)
	}
}

func TestCheckBucket(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ stdout, stderr, want string }{
		{`{"BucketRegion": "eu-central-1"}`, "", ""},
		{`{"BucketRegion": "eu-west-1"}`, "", `it is in Region "eu-west-1"`},
		{"", "An error occurred (404) when calling the HeadBucket operation: Not Found", "there is none; create it in eu-central-1 first"},
		{"", "An error occurred (403) when calling the HeadBucket operation: Forbidden", "access denied"},
		{"", "Unable to locate credentials", "Unable to locate credentials"},
	} {
		s, _ := answering(t, c.stdout, c.stderr)
		err := s.checkBucket(t.Context(), here)
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s%s: got %v, want %q", c.stdout, c.stderr, err, c.want)
		}
	}
}
