package publish

import (
	"bytes"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"sgchain/cdk/internal/release"
)

// TestPlacesInEveryPartition checks that a Region of every partition is accepted. Its addresses end
// as in the pinned SDK, and its console is its own partition's.
func TestPlacesInEveryPartition(t *testing.T) {
	t.Parallel()
	for region, console := range map[string]string{
		"eu-central-1": "eu-central-1.console.aws.amazon.com", "ap-southeast-7": "ap-southeast-7.console.aws.amazon.com",
		"il-central-1": "il-central-1.console.aws.amazon.com", "mx-central-1": "mx-central-1.console.aws.amazon.com",
		"cn-north-1": "console.amazonaws.cn", "cn-northwest-1": "console.amazonaws.cn",
		"us-gov-west-1": "console.amazonaws-us-gov.com", "us-gov-east-1": "console.amazonaws-us-gov.com",
		"eusc-de-east-1": "eusc-de-east-1.console.amazonaws-eusc.eu",
		"us-iso-east-1":  "", "us-iso-west-1": "", "us-isob-east-1": "", "eu-isoe-west-1": "", "us-isof-south-1": "",
	} {
		places, err := readPlaces(Target{"example", region}, "")
		if err != nil || len(places) != 1 {
			t.Errorf("%s: got %v and %v", region, places, err)
			continue
		}
		sdk, err := ec2.NewDefaultEndpointResolverV2().ResolveEndpoint(t.Context(), ec2.EndpointParameters{
			Region: aws.String(region), UseDualStack: aws.Bool(false), UseFIPS: aws.Bool(false),
		})
		if err != nil {
			t.Fatal(err)
		}
		suffix := strings.TrimPrefix(sdk.URI.Host, "ec2."+region+".")
		file := "https://s3." + region + "." + suffix + "/example-" + region + "/sgchain/" + release.Version + "/all-in-one.json"
		if got := places[0].url(release.AllInOne); got != file {
			t.Errorf("%s: the template is at %s, want %s", region, got, file)
		}
		link := ""
		if places[0].hasConsole() {
			link = places[0].launch(release.Launchable()[0])
		}
		want := ""
		if console != "" {
			want = "https://" + console + "/cloudformation/home?region=" + region +
				"#/stacks/create/review?templateURL=" + url.QueryEscape(file) + "&stackName=SecurityGroupChain"
		}
		if link != want {
			t.Errorf("%s: got link %q, want %q", region, link, want)
		}
		var out bytes.Buffer
		if err := report(&out, places, 1); err != nil || !strings.Contains(out.String(), file) || strings.Contains(out.String(), "Launch") != (console != "") {
			t.Errorf("%s: got report %s, error %v", region, out.String(), err)
		}
	}
}
