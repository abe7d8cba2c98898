package publish

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"sgchain/cdk/internal/release"
)

var (
	// bucketName leaves room for the Region and has no dots, as in the templates' parameter.
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,45}$`)
	// regionName matches the name of a Region in one of the [partitions].
	regionName = regexp.MustCompile(`^(us-gov|us-iso[bf]?|eu-isoe|eusc-[a-z]{2}|[a-z]{2})-(north|south|east|west|central|northeast|northwest|southeast|southwest)-[1-9]$`)
)

// place is a bucket in a Region.
type place struct{ bucket, region string }

// readPlaces checks the target. Without Regions it uses own, the Region of the account's
// configuration.
func readPlaces(target Target, own string) ([]place, error) {
	var problems []error
	bucket := target.Bucket
	switch {
	case bucket == "":
		problems = append(problems, errors.New("the bucket is missing; add --bucket example (make publish BUCKET=example) for the buckets example-REGION"))
	case !bucketName.MatchString(bucket):
		problems = append(problems, fmt.Errorf("bucket %q is not valid; use 2 to 46 lower-case letters, digits and hyphens", bucket))
	}
	names := split(target.Regions)
	if len(names) == 0 {
		names = []string{own}
	}
	var places []place
	for _, name := range names {
		one := place{bucket: release.Bucket(bucket, name), region: name}
		switch {
		case !regionName.MatchString(name):
			problems = append(problems, fmt.Errorf("%q is not a Region; use one such as eu-central-1, eusc-de-east-1, cn-north-1 or us-gov-west-1", name))
		case !slices.Contains(places, one):
			places = append(places, one)
		}
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("publishing: nothing was uploaded:\n%w", errors.Join(problems...))
	}
	return places, nil
}

func split(regions string) []string {
	return strings.FieldsFunc(regions, func(r rune) bool { return r == ' ' || r == ',' })
}

// FirstRegion returns the first of [Target].Regions, or an empty text.
func FirstRegion(regions string) string {
	names := append(split(regions), "")
	return names[0]
}

// url returns the address of a file, in the form that the parent template also uses.
func (p place) url(file string) string {
	return fmt.Sprintf("https://s3.%s.%s/%s/%s", p.region, partitionOf(p.region).suffix, p.bucket, release.Key(release.Version, file))
}

// hasConsole reports whether the Region's console has a public address.
func (p place) hasConsole() bool { return partitionOf(p.region).console != "" }

// launch returns the link to the console's page that creates a stack of a template (CloudFormation
// user guide, "Create quick-create links for stacks").
func (p place) launch(one release.Launch) string {
	console := strings.ReplaceAll(partitionOf(p.region).console, "{region}", p.region)
	return fmt.Sprintf("https://%s/cloudformation/home?region=%s#/stacks/create/review?templateURL=%s&stackName=%s",
		console, p.region, url.QueryEscape(p.url(one.File)), one.Stack)
}

// partition has the suffix of its Regions' addresses, and the host of its console.
type partition struct{ prefix, suffix, console string }

// partitions are those of the pinned SDK except aws, by the prefix of their Regions' names. The
// consoles' hosts are from "AWS Management Console endpoints" (AWS General Reference). That of the
// European Sovereign Cloud is from its own edition (docs.aws.eu). Those of the iso partitions are
// not public.
var partitions = []partition{
	{"cn-", "amazonaws.com.cn", "console.amazonaws.cn"},
	{"us-gov-", "amazonaws.com", "console.amazonaws-us-gov.com"},
	{"eusc-", "amazonaws.eu", "{region}.console.amazonaws-eusc.eu"},
	{"us-iso-", "c2s.ic.gov", ""},
	{"us-isob-", "sc2s.sgov.gov", ""},
	{"eu-isoe-", "cloud.adc-e.uk", ""},
	{"us-isof-", "csp.hci.ic.gov", ""},
}

func partitionOf(region string) partition {
	for _, one := range partitions {
		if strings.HasPrefix(region, one.prefix) {
			return one
		}
	}
	return partition{"", "amazonaws.com", "{region}.console.aws.amazon.com"}
}
