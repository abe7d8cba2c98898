// Package publish uploads the function's zips and the templates, for stacks from the console,
// nested stacks and StackSets. It never overwrites a published version.
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

// Target is where to publish: in each Region to the bucket Bucket-REGION, which must exist.
type Target struct {
	Bucket  string // 2 to 46 lower-case letters, digits and hyphens
	Regions string // separated by blanks or commas; empty for the account's own
}

// Publish builds the files, uploads those that are missing, and then prints their addresses. The
// credentials need s3:ListBucket on each bucket, and s3:GetObject and s3:PutObject on its keys
// sgchain/*. progress is called for what takes long. If one of the buckets has a problem, nothing
// is uploaded to any.
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
		return fmt.Errorf("creating a folder to build in: %w", err)
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

// file is a published file: its name after the version, and its local path.
type file struct {
	name, path string
	checksum   string // SHA-256, in base64 as S3 has it
}

// prepare builds the zips and writes the templates to folder, with the bucket as their default. The
// zips come first: where a template exists, so does its code.
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

// withBucket sets the default of a template's bucket parameter, if it has one.
func withBucket(text []byte, bucket string) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var template map[string]any
	if err := decoder.Decode(&template); err != nil {
		return nil, err
	}
	if description, _ := template["Description"].(string); !strings.HasSuffix(description, release.Mark()) {
		return nil, fmt.Errorf("its description is %q, but the version is %s. Run make template", description, release.Mark())
	}
	parameters, _ := template["Parameters"].(map[string]any)
	if parameter, exists := parameters[release.BucketParameter].(map[string]any); exists {
		parameter["Default"] = bucket
	}
	return release.Encode(template)
}

// store is the part of S3 that publish uses.
type store interface {
	// checkBucket fails if the bucket does not exist, is in another Region, or denies access.
	checkBucket(ctx context.Context, at place) error
	// checksums returns those of the objects whose keys begin with a prefix, by key.
	checksums(ctx context.Context, at place, prefix string) (map[string]string, error)
	// put creates an object that does not exist, with its checksum.
	put(ctx context.Context, at place, key string, file file) error
}

// upload is one file that is missing in one place.
type upload struct {
	place place
	file  file
}

// publish first checks every place and then uploads what is missing. If a place has a problem,
// nothing is uploaded anywhere.
func publish(ctx context.Context, s3 store, places []place, files []file, out io.Writer) error {
	missing, err := findMissing(ctx, s3, places, files)
	if err != nil {
		return fmt.Errorf("publishing version %s: nothing was uploaded:\n%w", release.Version, err)
	}
	for _, one := range missing {
		if err := s3.put(ctx, one.place, release.Key(release.Version, one.file.name), one.file); err != nil {
			return fmt.Errorf("%w\nThe files uploaded so far are complete. Publish again to upload the rest", err)
		}
	}
	return report(out, places, len(missing))
}

// findMissing returns what is missing, and every problem: with the buckets, or else with their
// objects.
func findMissing(ctx context.Context, s3 store, places []place, files []file) (missing []upload, err error) {
	var problems []error
	for _, place := range places {
		problems = append(problems, s3.checkBucket(ctx, place))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	for _, place := range places {
		published, err := s3.checksums(ctx, place, release.Key(release.Version, ""))
		if err != nil {
			problems = append(problems, err)
			continue
		}
		for _, file := range files {
			key := release.Key(release.Version, file.name)
			found, exists := published[key]
			switch {
			case !exists:
				missing = append(missing, upload{place, file})
			case found != file.checksum:
				problems = append(problems, fmt.Errorf("publishing s3://%s/%s: it exists with other bytes, and a published version never changes. Raise Version in cdk/internal/release, run make template, and publish again", place.bucket, key))
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
		fmt.Fprintf(&text, "Version %s: all files were uploaded before\n", release.Version)
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
