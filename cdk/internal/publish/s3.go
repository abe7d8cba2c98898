package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// bucketStore is S3, with the user's own credentials. Each Region has an endpoint of its own.
type bucketStore struct{ account aws.Config }

func (s bucketStore) client(at place) *s3.Client {
	return s3.NewFromConfig(s.account, func(o *s3.Options) { o.Region = at.region })
}

// checkBucket returns an error if the bucket is missing, in another Region, or not the user's.
func (s bucketStore) checkBucket(ctx context.Context, at place) error {
	answer, err := s.client(at).HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &at.bucket})
	region := ""
	if err == nil {
		region = aws.ToString(answer.BucketRegion)
	}
	// An answer to HEAD has no body, so only the status explains the error (API reference,
	// HeadBucket).
	if refused, isAnswer := errors.AsType[*smithyhttp.ResponseError](err); isAnswer {
		switch refused.HTTPStatusCode() {
		case http.StatusNotFound:
			return fmt.Errorf("checking bucket (%s): it does not exist. Create it in %s first", at.bucket, at.region)
		case http.StatusForbidden:
			return fmt.Errorf("checking bucket (%s): access denied. It belongs to another account, or you lack s3:ListBucket. Use a bucket of yours", at.bucket)
		case http.StatusMovedPermanently:
			region, err = refused.Response.Header.Get("x-amz-bucket-region"), nil
		}
	}
	if err != nil {
		return fmt.Errorf("checking bucket (%s): %w", at.bucket, err)
	}
	if region != at.region {
		return fmt.Errorf("checking bucket (%s): it is in Region %q, but Lambda reads the function's code only from %s. Create another bucket there", at.bucket, region, at.region)
	}
	return nil
}

func (s bucketStore) checksums(ctx context.Context, at place, prefix string) (map[string]string, error) {
	client, found := s.client(at), map[string]string{}
	for pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &at.bucket, Prefix: &prefix}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing s3://%s/%s: %w", at.bucket, prefix, err)
		}
		for _, object := range page.Contents {
			head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &at.bucket, Key: object.Key, ChecksumMode: types.ChecksumModeEnabled})
			if err != nil {
				return nil, fmt.Errorf("reading the checksum of s3://%s/%s: %w", at.bucket, aws.ToString(object.Key), err)
			}
			// An object without one was not published by this command, and counts as different.
			found[aws.ToString(object.Key)] = aws.ToString(head.ChecksumSHA256)
		}
	}
	return found, nil
}

// put relies on S3 to refuse an object that exists by now (If-None-Match), or that arrives with
// other bytes (x-amz-checksum-sha256).
func (s bucketStore) put(ctx context.Context, at place, key string, file file) (err error) {
	kind := "application/json"
	if strings.HasSuffix(file.name, ".zip") {
		kind = "application/zip"
	}
	content, err := os.Open(file.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	_, err = s.client(at).PutObject(ctx, &s3.PutObjectInput{
		Bucket: &at.bucket, Key: &key, Body: content, ContentType: &kind, ChecksumSHA256: &file.checksum, IfNoneMatch: aws.String("*"),
	})
	if refused, isRefusal := errors.AsType[smithy.APIError](err); isRefusal && refused.ErrorCode() == "PreconditionFailed" {
		return fmt.Errorf("uploading s3://%s/%s: another principal published it in the meantime", at.bucket, key)
	}
	if err != nil {
		return fmt.Errorf("uploading s3://%s/%s: %w", at.bucket, key, err)
	}
	return nil
}
