package main

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"sgchain/cdk/internal/release"
)

// stackName is what a launch link proposes.
const stackName = "SecurityGroupChain"

var (
	// bucketName leaves room for the Region and has no dots, as the templates' parameter
	// has it.
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,45}$`)
	// regionName is that of a Region in one of the partitions that [place] knows.
	regionName = regexp.MustCompile(`^(us-gov|[a-z]{2})-(north|south|east|west|central|northeast|northwest|southeast|southwest)-[1-9]$`)
)

// place is a bucket in a Region.
type place struct{ bucket, region string }

// readPlaces checks what the user asked for. Where there are no Regions among it, the
// AWS CLI's own is taken.
func readPlaces(bucket, regions string, ofCLI func() string) ([]place, error) {
	var problems []error
	switch {
	case bucket == "":
		problems = append(problems, errors.New("BUCKET is missing: write make publish BUCKET=example for the buckets example-REGION"))
	case !bucketName.MatchString(bucket):
		problems = append(problems, fmt.Errorf("BUCKET %q cannot begin a bucket's name here: use 2 to 46 lower-case letters, digits and hyphens", bucket))
	}
	names := strings.FieldsFunc(regions, func(r rune) bool { return r == ' ' || r == ',' })
	if len(names) == 0 {
		if own := ofCLI(); own != "" {
			names = []string{own}
		} else {
			problems = append(problems, errors.New(`REGIONS is missing, and the AWS CLI has no Region either: write REGIONS="eu-central-1 us-east-1"`))
		}
	}
	var places []place
	for _, name := range names {
		one := place{bucket: release.Bucket(bucket, name), region: name}
		switch {
		case !regionName.MatchString(name):
			problems = append(problems, fmt.Errorf("REGIONS: %q is not a Region; write one such as eu-central-1, cn-north-1 or us-gov-west-1", name))
		case !slices.Contains(places, one):
			places = append(places, one)
		}
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("publishing: nothing was uploaded:\n%w", errors.Join(problems...))
	}
	return places, nil
}

// url is the address of a file, in the form that the parent template uses too.
func (p place) url(file string) string {
	suffix := "amazonaws.com"
	if strings.HasPrefix(p.region, "cn-") {
		suffix = "amazonaws.com.cn"
	}
	return fmt.Sprintf("https://s3.%s.%s/%s/%s", p.region, suffix, p.bucket, release.Key(release.Version, file))
}

// launch is the link to the console's page that creates a stack of a template
// (CloudFormation user guide, "Create quick-create links for stacks").
func (p place) launch(file string) string {
	host := p.region + ".console.aws.amazon.com"
	switch {
	case strings.HasPrefix(p.region, "cn-"):
		host = "console.amazonaws.cn"
	case strings.HasPrefix(p.region, "us-gov-"):
		host = "console.amazonaws-us-gov.com"
	}
	return fmt.Sprintf("https://%s/cloudformation/home?region=%s#/stacks/create/review?templateURL=%s&stackName=%s",
		host, p.region, url.QueryEscape(p.url(file)), stackName)
}
