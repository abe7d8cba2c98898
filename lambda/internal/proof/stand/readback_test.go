package stand

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	names := map[string]string{"sg-1": "ALB-SG"}
	cases := map[string]struct {
		rule ec2types.SecurityGroupRule
		want string
	}{
		"one port from addresses": {
			ec2types.SecurityGroupRule{
				IpProtocol: aws.String("tcp"), FromPort: aws.Int32(443), ToPort: aws.Int32(443),
				CidrIpv4: aws.String("0.0.0.0/0"), Description: aws.String("the internet"),
			},
			`ingress tcp 443 from 0.0.0.0/0 "the internet"`,
		},
		"ports from a group, by its name": {
			ec2types.SecurityGroupRule{
				IpProtocol: aws.String("udp"), FromPort: aws.Int32(8000), ToPort: aws.Int32(8010),
				ReferencedGroupInfo: &ec2types.ReferencedSecurityGroup{GroupId: aws.String("sg-1")},
			},
			"ingress udp 8000-8010 from ALB-SG",
		},
		"an unknown group, by its ID": {
			ec2types.SecurityGroupRule{
				IpProtocol: aws.String("tcp"), FromPort: aws.Int32(1), ToPort: aws.Int32(1),
				ReferencedGroupInfo: &ec2types.ReferencedSecurityGroup{GroupId: aws.String("sg-2")},
			},
			"ingress tcp 1 from sg-2",
		},
		"the default egress, ports -1": {
			ec2types.SecurityGroupRule{
				IsEgress: aws.Bool(true), IpProtocol: aws.String("-1"), FromPort: aws.Int32(-1), ToPort: aws.Int32(-1),
				CidrIpv4: aws.String("0.0.0.0/0"),
			},
			"egress all traffic to 0.0.0.0/0",
		},
		"more than one peer": {
			ec2types.SecurityGroupRule{
				IpProtocol: aws.String("tcp"), FromPort: aws.Int32(1), ToPort: aws.Int32(1), CidrIpv4: aws.String("10.0.0.0/8"),
				ReferencedGroupInfo: &ec2types.ReferencedSecurityGroup{GroupId: aws.String("sg-1")},
			},
			"ingress tcp 1 from 10.0.0.0/8+ALB-SG",
		},
	}
	for name, c := range cases {
		if got := describe(c.rule, names).String(); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestDifference(t *testing.T) {
	t.Parallel()
	got := Difference("a\nb\nc\n", "b\nd\n")
	want := []string{"- a", "- c", "+ d"}
	if !slices.Equal(got, want) {
		t.Errorf("got %s, want %s", strings.Join(got, " "), strings.Join(want, " "))
	}
	if got := Difference("a\nb\n", "a\nb\n"); len(got) != 0 {
		t.Errorf("the same text twice: got %s", strings.Join(got, " "))
	}
}
