// Package publish uploads the function's zips and the templates, so that a stack can be launched from the console, as a nested stack or
// as a StackSet. What was published under a version is never overwritten.
package publish

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"sgchain/cdk/bootstrap"
	"sgchain/cdk/internal/release"
)

// Target is where to publish. For each Region it is the bucket Bucket-REGION, which must exist.
type Target struct {
	Bucket  string // 2 to 46 lower-case letters, digits and hyphens
	Regions string // separated by blanks or commas; empty for the account's own
}

// Publish builds what is published and uploads what is missing, and then prints where it is. The credentials need s3:ListBucket on each
// bucket, and s3:GetObject and s3:PutObject on its keys sgchain/*. Progress gets a line for what takes long. If one of the buckets has
// a problem, nothing is uploaded to any.
func Publish(ctx context.Context, account aws.Config, target Target, out io.Writer, progress func(doing string) (done func())) (err error) {
	places, err := readPlaces(target, account.Region)
	if err != nil {
		return err
	}
	dir, err := bootstrap.ModuleDir(ctx)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "sgchain-publish-")
	if err != nil {
		return fmt.Errorf("making a folder to build in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	done := progress("building the function for both architectures")
	files, err := prepare(ctx, dir, work, target.Bucket)
	done()
	if err != nil {
		return err
	}
	defer progress(fmt.Sprintf("comparing and uploading %d files in %d Regions", len(files), len(places)))()
	return publish(ctx, bucketStore{account}, places, files, out)
}

// file is one that is published: its name after the version, and where it lies.
type file struct {
	name, path string
	checksum   string // SHA-256, in base64 as S3 has it
}

// prepare builds the zips and gives the templates the bucket as their default, in
// folder. The zips come first: where a template is published, its code is.
func prepare(ctx context.Context, module, folder, bucket string) ([]file, error) {
	var files []file
	add := func(name string) error {
		path := filepath.Join(folder, name)
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		files = append(files, file{name, path, base64.StdEncoding.EncodeToString(sum[:])})
		return nil
	}
	write := func(name string, text []byte) error {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil { //nolint:gosec // folder is our own, and the names are constants
			return err
		}
		return add(name)
	}
	for _, architecture := range release.Architectures() {
		name := release.Zip(architecture.Lambda)
		if _, err := bootstrap.Zip(ctx, module, architecture.Go, filepath.Join(folder, name)); err != nil {
			return nil, err
		}
		if err := add(name); err != nil {
			return nil, err
		}
	}
	for _, name := range release.Templates() {
		text, err := os.ReadFile(filepath.Join(module, release.Folder, name))
		if err != nil {
			return nil, fmt.Errorf("reading template (%s): %w", name, err)
		}
		if text, err = withBucket(text, bucket); err != nil {
			return nil, fmt.Errorf("preparing template (%s): %w", name, err)
		}
		if err := write(name, text); err != nil {
			return nil, err
		}
	}
	for _, name := range release.Files() {
		text, err := os.ReadFile(filepath.Join(module, release.Folder, name))
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		if err := write(name, text); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// withBucket makes a bucket the default of a template's parameter, where it has it.
func withBucket(text []byte, bucket string) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var template map[string]any
	if err := decoder.Decode(&template); err != nil {
		return nil, err
	}
	if description, _ := template["Description"].(string); !strings.HasSuffix(description, release.Mark()) {
		return nil, fmt.Errorf("it says %q, and the code is %s: make template", description, release.Mark())
	}
	parameters, _ := template["Parameters"].(map[string]any)
	if parameter, isThere := parameters[release.BucketParameter].(map[string]any); isThere {
		parameter["Default"] = bucket
	}
	return release.Encode(template)
}

// store is what publish needs of S3.
type store interface {
	// checkBucket fails where the bucket is not there, not in the Region, or not ours to
	// look at.
	checkBucket(ctx context.Context, at place) error
	// checksums are those of the objects whose keys begin with a prefix, by key.
	checksums(ctx context.Context, at place, prefix string) (map[string]string, error)
	// put makes an object that is not there, with its checksum.
	put(ctx context.Context, at place, key string, file file) error
}

// upload is one file that is missing in one place.
type upload struct {
	place place
	file  file
}

// publish looks at every place first and then uploads what is missing: where one of
// them has a problem, nothing is uploaded anywhere.
func publish(ctx context.Context, s3 store, places []place, files []file, out io.Writer) error {
	missing, err := look(ctx, s3, places, files)
	if err != nil {
		return fmt.Errorf("publishing version %s: nothing was uploaded:\n%w", release.Version, err)
	}
	for _, one := range missing {
		if err := s3.put(ctx, one.place, release.Key(release.Version, one.file.name), one.file); err != nil {
			return fmt.Errorf("%w\nWhat was uploaded before stays, and is as it should be: publish again to go on", err)
		}
	}
	return report(out, places, len(missing))
}

// look finds what is missing, and everything that is wrong: with the buckets, or else
// with what is in them.
func look(ctx context.Context, s3 store, places []place, files []file) (missing []upload, err error) {
	var problems []error
	for _, place := range places {
		problems = append(problems, s3.checkBucket(ctx, place))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	for _, place := range places {
		there, err := s3.checksums(ctx, place, release.Key(release.Version, ""))
		if err != nil {
			problems = append(problems, err)
			continue
		}
		for _, file := range files {
			key := release.Key(release.Version, file.name)
			found, isThere := there[key]
			switch {
			case !isThere:
				missing = append(missing, upload{place, file})
			case found != file.checksum:
				problems = append(problems, fmt.Errorf("publishing s3://%s/%s: it is there with other bytes, and what was published never changes; raise Version in cdk/internal/release, then make template", place.bucket, key))
			}
		}
	}
	return missing, errors.Join(problems...)
}

func report(out io.Writer, places []place, uploaded int) error {
	var text bytes.Buffer
	fmt.Fprintf(&text, "Version %s: %d files uploaded\n", release.Version, uploaded)
	if uploaded == 0 {
		text.Reset()
		fmt.Fprintf(&text, "Version %s: everything was there already\n", release.Version)
	}
	for _, place := range places {
		fmt.Fprintf(&text, "\n%s\n", place.region)
		if place.hasConsole() {
			text.WriteString("  Launch in the console:\n")
			for _, one := range release.Launchable() {
				fmt.Fprintf(&text, "    %s:\n      %s\n", one.Caption, place.launch(one))
			}
		}
		text.WriteString("  Templates, for the console or the AWS CLI (create-stack --template-url):\n")
		for _, name := range release.Templates() {
			fmt.Fprintf(&text, "    %s\n", place.url(name))
		}
		text.WriteString("  Schema for editors (docs/editor.md):\n")
		for _, name := range release.Files() {
			fmt.Fprintf(&text, "    %s\n", place.url(name))
		}
	}
	_, err := out.Write(text.Bytes())
	return err
}
