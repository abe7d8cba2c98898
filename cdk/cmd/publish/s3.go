package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

// s3 calls S3 with the AWS CLI.
type s3 struct{ cli string }

// code finds the error code in what the AWS CLI prints.
var code = regexp.MustCompile(`An error occurred \(([^)]+)\)`)

// refusal is an answer of S3 that is not a success.
type refusal struct{ code, text string }

func (r *refusal) Error() string { return r.text }

// run returns what the AWS CLI prints.
func (s s3) run(ctx context.Context, arguments ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, s.cli, arguments...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, failed := errors.AsType[*exec.ExitError](err); failed {
		said := strings.TrimSpace(stderr.String())
		if found := code.FindStringSubmatch(said); found != nil {
			return "", &refusal{code: found[1], text: said}
		}
		return "", fmt.Errorf("running the AWS CLI (%s): %w: %s", strings.Join(arguments[:2], " "), err, said)
	}
	if err != nil {
		return "", fmt.Errorf("running the AWS CLI (%s): %w", s.cli, err)
	}
	return strings.TrimSpace(stdout.String()), nil
}

func (s s3) api(ctx context.Context, at place, operation string, arguments ...string) (string, error) {
	return s.run(ctx, append([]string{"s3api", operation, "--region", at.region, "--output", "json", "--bucket", at.bucket}, arguments...)...)
}

func (s s3) checkBucket(ctx context.Context, at place) error {
	said, err := s.api(ctx, at, "head-bucket")
	if refused, isRefusal := errors.AsType[*refusal](err); isRefusal {
		switch refused.code {
		case "404", "NoSuchBucket":
			return fmt.Errorf("looking at bucket (%s): there is none; create it in %s first", at.bucket, at.region)
		case "403", "AccessDenied":
			return fmt.Errorf("looking at bucket (%s): access denied; it is somebody else's, or you lack s3:ListBucket on it", at.bucket)
		}
	}
	if err != nil {
		return fmt.Errorf("looking at bucket (%s): %w", at.bucket, err)
	}
	var answer struct{ BucketRegion string }
	if err := json.Unmarshal([]byte(said), &answer); err != nil {
		return fmt.Errorf("looking at bucket (%s): %w", at.bucket, err)
	}
	if answer.BucketRegion != at.region {
		return fmt.Errorf("looking at bucket (%s): it is in Region %q and must be in %s, where the function takes its code from", at.bucket, answer.BucketRegion, at.region)
	}
	return nil
}

func (s s3) checksums(ctx context.Context, at place, prefix string) (map[string]string, error) {
	said, err := s.api(ctx, at, "list-objects-v2", "--prefix", prefix)
	if err != nil {
		return nil, fmt.Errorf("listing s3://%s/%s: %w", at.bucket, prefix, err)
	}
	var list struct{ Contents []struct{ Key string } }
	if said != "" { // it prints nothing where there is nothing
		if err := json.Unmarshal([]byte(said), &list); err != nil {
			return nil, fmt.Errorf("listing s3://%s/%s: %w", at.bucket, prefix, err)
		}
	}
	found := map[string]string{}
	for _, object := range list.Contents {
		if found[object.Key], err = s.checksum(ctx, at, object.Key); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (s s3) checksum(ctx context.Context, at place, key string) (string, error) {
	said, err := s.api(ctx, at, "head-object", "--key", key, "--checksum-mode", "ENABLED")
	if err != nil {
		return "", fmt.Errorf("looking at s3://%s/%s: %w", at.bucket, key, err)
	}
	var answer struct{ ChecksumSHA256 string }
	if err := json.Unmarshal([]byte(said), &answer); err != nil {
		return "", fmt.Errorf("looking at s3://%s/%s: %w", at.bucket, key, err)
	}
	// Without one it was not published by this command, and counts as other bytes.
	return answer.ChecksumSHA256, nil
}

// put leaves it to S3 to refuse an object that is there by now, or that arrives with
// other bytes.
func (s s3) put(ctx context.Context, at place, key string, file file) error {
	kind := "application/json"
	if strings.HasSuffix(file.name, ".zip") {
		kind = "application/zip"
	}
	_, err := s.api(ctx, at, "put-object", "--key", key, "--body", file.path, "--content-type", kind,
		"--checksum-algorithm", "SHA256", "--checksum-sha256", file.checksum, "--if-none-match", "*")
	if refused, isRefusal := errors.AsType[*refusal](err); isRefusal && refused.code == "PreconditionFailed" {
		return fmt.Errorf("uploading s3://%s/%s: somebody else published it meanwhile", at.bucket, key)
	}
	if err != nil {
		return fmt.Errorf("uploading s3://%s/%s: %w", at.bucket, key, err)
	}
	return nil
}
