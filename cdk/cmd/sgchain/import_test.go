package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// ec2Server answers EC2's query protocol with a group of a VPC. The tests change its name and the
// port of its rule.
type ec2Server struct {
	name, protocol, code string
	operations           []string
}

func (s *ec2Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation := r.FormValue("Action")
	s.operations = append(s.operations, operation)
	if s.code != "" {
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprintf(w, `<Response><Errors><Error><Code>%s</Code><Message>No.</Message></Error></Errors><RequestID>1</RequestID></Response>`, s.code)
		return
	}
	answers := map[string]string{
		"DescribeSecurityGroups": `<securityGroupInfo><item><ownerId>111122223333</ownerId><groupId>sg-0123456789abcdef0</groupId><groupName>` + s.name + `</groupName>
			<groupDescription>by hand</groupDescription><vpcId>vpc-0123456789abcdef0</vpcId><ipPermissions><item><ipProtocol>` + s.protocol + `</ipProtocol><fromPort>443</fromPort>
			<toPort>443</toPort><ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges></item></ipPermissions></item></securityGroupInfo>`,
		"DescribeVpcs": `<vpcSet><item><vpcId>vpc-0123456789abcdef0</vpcId><cidrBlock>10.1.0.0/16</cidrBlock></item></vpcSet>`,
	}
	_, _ = fmt.Fprintf(w, `<%sResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">%s</%[1]sResponse>`, operation, answers[operation])
}

// TestImport runs the command against an EC2 on this machine.
func TestImport(t *testing.T) {
	const id = "sg-0123456789abcdef0"
	for _, test := range []struct {
		name      string
		arguments string
		server    ec2Server
		code      int
		out, err  string
	}{
		{"a group", id, ec2Server{name: "web"}, 0, "        - Name: Web # sg-0123456789abcdef0\n          GroupName: web\n", "The chain describes 1 group and 1 rule exactly.\n"},
		{"a VPC as JSON", "--vpc vpc-0123456789abcdef0 --format json", ec2Server{name: "web"}, 0, `"GroupName": "web"`, "note: 1 rule has no description."},
		{"a VPC as Go", "--vpc vpc-0123456789abcdef0 --format go", ec2Server{name: "web"}, 0, `Name: "Web", GroupName: "web"`, "exactly.\n"},
		{"the default group", id, ec2Server{name: "default"}, exitFound, "", "sgchain: no chain describes these security groups exactly:\n  sg-0123456789abcdef0 (default): it is the default group of its VPC"},
		{"an odd rule", id, ec2Server{name: "web", protocol: "esp"}, exitFound, "", "sg-0123456789abcdef0 (web): ingress protocol esp from 0.0.0.0/0: a chain cannot express these ports or this peer\n"},
		{"another group", "sg-1", ec2Server{name: "web"}, exitUsage, "", "sgchain: reading security groups: sg-1: this account and Region (eu-central-1) have no such security group. Correct the ID, the Region or the profile\n"},
		{"no right", id, ec2Server{code: "UnauthorizedOperation"}, exitUsage, "", "sgchain: describing security groups: UnauthorizedOperation: No. Allow your user or role the action ec2:DescribeSecurityGroups.\n"},
		{"old credentials", id, ec2Server{code: "RequestExpired"}, exitUsage, "", "Sign in again"},
		{"nothing", "", ec2Server{}, exitUsage, "", "sgchain: no security groups are named; name their IDs, or add --vpc or --tag\n"},
		{"no group", "web", ec2Server{}, exitUsage, "", `"web" is not a security group ID; use the form sg-0123456789abcdef0`},
		{"no VPC", "--vpc main", ec2Server{}, exitUsage, "", `reading --vpc: "main" is not a VPC ID`},
		{"no key", "--tag =shop", ec2Server{}, exitUsage, "", `reading --tag: "=shop" has no key; use Key or Key=Value`},
		{"no format", id + " --format xml", ec2Server{}, exitUsage, "", `--format is "xml"; use yaml, json, go`},
		{"no flag", id + " --all", ec2Server{}, exitUsage, "", "unknown flag: --all"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.server.protocol == "" {
				test.server.protocol = "tcp"
			}
			server := httptest.NewServer(&test.server)
			defer server.Close()
			for _, one := range [][2]string{
				{"AWS_ENDPOINT_URL", server.URL},
				{"AWS_REGION", "eu-central-1"},
				{"AWS_ACCESS_KEY_ID", "test"},
				{"AWS_SECRET_ACCESS_KEY", "test"},
				{"AWS_PROFILE", ""},
				{"AWS_CONFIG_FILE", os.DevNull},
				{"AWS_SHARED_CREDENTIALS_FILE", os.DevNull},
				{"NO_PROXY", "127.0.0.1"},
				{"no_proxy", "127.0.0.1"},
			} {
				t.Setenv(one[0], one[1])
			}
			var out, errs bytes.Buffer
			env := environment{strings.NewReader(""), &out, &errs, func(string) string { return "" }}
			code := run(t.Context(), env, append([]string{"import"}, strings.Fields(test.arguments)...))
			if code != test.code || !strings.Contains(out.String(), test.out) || !strings.Contains(errs.String(), test.err) || (test.out == "" && out.Len() > 0) {
				t.Errorf("got %d\n%s\n%s\nwant %d, %q and %q", code, &out, &errs, test.code, test.out, test.err)
			}
			for _, operation := range test.server.operations {
				if !strings.HasPrefix(operation, "Describe") {
					t.Errorf("it calls %s", operation)
				}
			}
		})
	}
}
