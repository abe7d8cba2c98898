package world

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	wireVersion   = "2016-11-15"
	wireRequestID = "00000000-0000-0000-0000-000000000000"
)

// changesRules has the fields of every call that changes rules.
const changesRules = "DryRun GroupId IpPermissions"

// shapes lists the fields of the SDK's types that the wire supports. Field:Name is a field with
// another name on the wire. In answers, names begin with a lowercase letter. Any other field is an
// error rather than dropped.
var shapes = map[string]string{
	"CreateSecurityGroupInput":                         "DryRun Description:GroupDescription GroupName TagSpecifications:TagSpecification VpcId",
	"CreateSecurityGroupOutput":                        "GroupId Tags:TagSet",
	"DescribeSecurityGroupsInput":                      "DryRun Filters:Filter GroupIds:GroupId MaxResults NextToken",
	"DescribeSecurityGroupsOutput":                     "NextToken SecurityGroups:SecurityGroupInfo",
	"DescribeSecurityGroupRulesInput":                  "DryRun Filters:Filter MaxResults NextToken SecurityGroupRuleIds:SecurityGroupRuleId",
	"DescribeSecurityGroupRulesOutput":                 "NextToken SecurityGroupRules:SecurityGroupRuleSet",
	"DescribeNetworkInterfacesInput":                   "DryRun Filters:Filter MaxResults NextToken",
	"DescribeNetworkInterfacesOutput":                  "NetworkInterfaces:NetworkInterfaceSet NextToken",
	"CreateTagsInput":                                  "DryRun Resources:ResourceId Tags:Tag",
	"CreateTagsOutput":                                 "",
	"DeleteTagsInput":                                  "DryRun Resources:ResourceId Tags:Tag",
	"DeleteTagsOutput":                                 "",
	"DescribeVpcsInput":                                "DryRun Filters:Filter MaxResults NextToken",
	"DescribeVpcsOutput":                               "NextToken Vpcs:VpcSet",
	"DescribeManagedPrefixListsInput":                  "DryRun Filters:Filter MaxResults NextToken",
	"DescribeManagedPrefixListsOutput":                 "NextToken PrefixLists:PrefixListSet",
	"AuthorizeSecurityGroupIngressInput":               changesRules + " TagSpecifications:TagSpecification",
	"AuthorizeSecurityGroupIngressOutput":              "Return",
	"AuthorizeSecurityGroupEgressInput":                changesRules + " TagSpecifications:TagSpecification",
	"AuthorizeSecurityGroupEgressOutput":               "Return",
	"RevokeSecurityGroupIngressInput":                  changesRules,
	"RevokeSecurityGroupIngressOutput":                 "Return UnknownIpPermissions:UnknownIpPermissionSet",
	"RevokeSecurityGroupEgressInput":                   changesRules,
	"RevokeSecurityGroupEgressOutput":                  "Return UnknownIpPermissions:UnknownIpPermissionSet",
	"UpdateSecurityGroupRuleDescriptionsIngressInput":  changesRules,
	"UpdateSecurityGroupRuleDescriptionsIngressOutput": "Return",
	"UpdateSecurityGroupRuleDescriptionsEgressInput":   changesRules,
	"UpdateSecurityGroupRuleDescriptionsEgressOutput":  "Return",
	"DeleteSecurityGroupInput":                         "DryRun GroupId",
	"DeleteSecurityGroupOutput":                        "GroupId Return",

	"Filter":                      "Name Values:Value",
	"GroupIdentifier":             "GroupId GroupName",
	"IpPermission":                "FromPort IpProtocol IpRanges Ipv6Ranges PrefixListIds ToPort UserIdGroupPairs:Groups",
	"IpRange":                     "CidrIp Description",
	"Ipv6Range":                   "CidrIpv6 Description",
	"NetworkInterface":            "Attachment Description Groups:GroupSet InterfaceType NetworkInterfaceId OwnerId RequesterId RequesterManaged Status",
	"NetworkInterfaceAttachment":  "AttachmentId DeleteOnTermination DeviceIndex InstanceId InstanceOwnerId Status",
	"ManagedPrefixList":           "AddressFamily MaxEntries PrefixListId PrefixListName",
	"PrefixListId":                "Description PrefixListId",
	"ReferencedSecurityGroup":     "GroupId UserId",
	"SecurityGroupRule":           "CidrIpv4 CidrIpv6 Description FromPort GroupId GroupOwnerId IpProtocol IsEgress PrefixListId ReferencedGroupInfo SecurityGroupRuleId Tags:TagSet ToPort",
	"SecurityGroup":               "Description:GroupDescription GroupId GroupName IpPermissions IpPermissionsEgress OwnerId Tags:TagSet VpcId",
	"Tag":                         "Key Value",
	"TagSpecification":            "ResourceType Tags:Tag",
	"UserIdGroupPair":             "Description GroupId UserId",
	"Vpc":                         "CidrBlockAssociationSet Ipv6CidrBlockAssociationSet OwnerId VpcId",
	"VpcCidrBlockAssociation":     "CidrBlock CidrBlockState",
	"VpcCidrBlockState":           "State",
	"VpcIpv6CidrBlockAssociation": "Ipv6CidrBlock Ipv6CidrBlockState",
}

// fields lists the supported fields of a struct, with their names on the wire.
func fields(shape reflect.Type) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for entry := range strings.FieldsSeq(shapes[shape.Name()]) {
			field, name, _ := strings.Cut(entry, ":")
			if !yield(field, cmp.Or(name, field)) {
				return
			}
		}
	}
}

// statuses has the HTTP status of errors that are not only the request's fault (EC2 API reference,
// "Error codes for the Amazon EC2 API").
var statuses = map[string]int{
	"UnauthorizedOperation": http.StatusForbidden,
	"DryRunOperation":       http.StatusPreconditionFailed,
	"InternalError":         http.StatusInternalServerError,
	"RequestLimitExceeded":  http.StatusServiceUnavailable,
	"Unavailable":           http.StatusServiceUnavailable,
}

// ServeHTTP implements EC2's query protocol: it makes the call that a form asks for. If the caller
// gets no answer, it cuts the connection.
func (c *Client) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, body, err := c.answer(r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (t roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// RoundTripper serves an SDK client in the caller's own goroutine. It uses no network, so it works
// under a virtual clock. A cut connection in ServeHTTP becomes an error here, the same as the
// method's.
func (c *Client) RoundTripper() http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		arrived := r.WithContext(r.Context()) // a copy: reading the form changes it
		if r.Body != nil {
			defer func() { _ = r.Body.Close() }()
		}
		status, body, err := c.answer(arrived)
		if err != nil {
			return nil, cmp.Or(r.Context().Err(), err)
		}
		return &http.Response{
			Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), StatusCode: status,
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {"text/xml;charset=UTF-8"}},
			Body:   io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
		}, nil
	})
}

// answer returns the answer to a request, or the reason for having none.
func (c *Client) answer(r *http.Request) (status int, body []byte, err error) {
	body, err = c.call(r)
	var refused *APIError
	if r.Context().Err() != nil || !errors.As(err, &refused) {
		return http.StatusOK, body, err
	}
	var text bytes.Buffer
	text.WriteString(xml.Header + "<Response><Errors><Error>")
	_ = write(&text, "Code", reflect.ValueOf(refused.Code))
	_ = write(&text, "Message", reflect.ValueOf(refused.Message))
	text.WriteString("</Error></Errors><RequestID>" + wireRequestID + "</RequestID></Response>")
	return cmp.Or(statuses[refused.Code], http.StatusBadRequest), text.Bytes(), nil
}

// call reads a request, calls the method that it names, and encodes the result.
func (c *Client) call(r *http.Request) ([]byte, error) {
	form, err := formOf(r)
	if err != nil {
		return nil, err
	}
	var action, version string
	_ = form.read("Action", reflect.ValueOf(&action).Elem())
	_ = form.read("Version", reflect.ValueOf(&version).Elem())
	_, known := shapes[action+"Input"]
	switch {
	case action == "":
		return nil, fail("MissingAction", "The request is missing an action.")
	case !known:
		return nil, fail("InvalidAction", "The action %s is not valid for this web service.", action)
	case version != wireVersion:
		return nil, fail("NoSuchVersion", "The requested version (%s) of service AmazonEC2 does not exist", version)
	}
	method := reflect.ValueOf(c).MethodByName(action)
	input := reflect.New(method.Type().In(1).Elem())
	if err := form.read("", input.Elem()); err != nil {
		return nil, err
	}
	if left := slices.Sorted(maps.Keys(form)); len(left) > 0 {
		return nil, fail("UnknownParameter", "The parameter %s is not recognized", left[0])
	}
	if dry, _ := reflect.TypeAssert[*bool](input.Elem().FieldByName("DryRun")); aws.ToBool(dry) {
		return nil, fail("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
	}
	results := method.Call([]reflect.Value{reflect.ValueOf(r.Context()), input})
	if err, failed := reflect.TypeAssert[error](results[1]); failed {
		return nil, err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s<%sResponse xmlns=\"http://ec2.amazonaws.com/doc/%s/\"><requestId>%s</requestId>", xml.Header, action, version, wireRequestID)
	err = writeFields(&text, results[0].Elem())
	fmt.Fprintf(&text, "</%sResponse>", action)
	return text.Bytes(), err
}

// parameters are those of a request that were not read yet, by their full names.
type parameters map[string]string

func formOf(r *http.Request) (parameters, error) {
	if err := r.ParseForm(); err != nil {
		return nil, fail("MalformedQueryString", "The query string contains a syntax error: %v", err)
	}
	form := parameters{}
	for name, values := range r.Form {
		if len(values) != 1 {
			return nil, fail("MalformedQueryString", "The parameter %s is given more than once", name)
		}
		form[name] = values[0]
	}
	return form, nil
}

// read moves the parameters of a name into a value: a string, a struct at name.Field, or a list at
// name.1, name.2 and so on.
func (p parameters) read(name string, into reflect.Value) error {
	text := p[name]
	switch into.Kind() {
	case reflect.Pointer:
		if !p.has(name) {
			return nil
		}
		into.Set(reflect.New(into.Type().Elem()))
		return p.read(name, into.Elem())
	case reflect.Struct:
		for field, part := range fields(into.Type()) {
			if err := p.read(strings.TrimPrefix(name+"."+part, "."), into.FieldByName(field)); err != nil {
				return err
			}
		}
		return nil
	case reflect.Slice:
		for i := 0; p.has(name + "." + strconv.Itoa(i+1)); i++ {
			into.Set(reflect.Append(into, reflect.Zero(into.Type().Elem())))
			if err := p.read(name+"."+strconv.Itoa(i+1), into.Index(i)); err != nil {
				return err
			}
		}
		return nil
	case reflect.String:
		into.SetString(text)
	case reflect.Bool:
		into.SetBool(text == "true")
		if text != "true" && text != "false" {
			return fail("InvalidParameterValue", "Value (%s) for parameter %s is invalid. Expected a boolean.", text, name)
		}
	case reflect.Int32:
		number, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return fail("InvalidParameterValue", "Value (%s) for parameter %s is invalid. Expected an integer.", text, name)
		}
		into.SetInt(number)
	default:
		return fail("InternalError", "The wire cannot read a %s (%s)", into.Type(), name)
	}
	delete(p, name)
	return nil
}

// has reports whether a parameter with that name, or one below it, exists.
func (p parameters) has(name string) bool {
	_, has := p[name]
	for other := range p {
		has = has || strings.HasPrefix(other, name+".")
	}
	return has
}

// write writes a value as an element.
func write(to *bytes.Buffer, name string, value reflect.Value) error {
	value = reflect.Indirect(value)
	fmt.Fprintf(to, "<%s>", name)
	switch value.Kind() {
	case reflect.Struct:
		if err := writeFields(to, value); err != nil {
			return err
		}
	case reflect.Slice:
		for i := range value.Len() {
			if err := write(to, "item", value.Index(i)); err != nil {
				return err
			}
		}
	case reflect.String:
		if err := xml.EscapeText(to, []byte(value.String())); err != nil {
			return err
		}
	case reflect.Bool, reflect.Int32:
		fmt.Fprint(to, value)
	default:
		return fail("InternalError", "The wire cannot write a %s (%s)", value.Type(), name)
	}
	fmt.Fprintf(to, "</%s>", name)
	return nil
}

// writeFields writes the fields of a struct that are set, and every list. EC2 writes empty lists,
// too.
func writeFields(to *bytes.Buffer, value reflect.Value) error {
	names := maps.Collect(fields(value.Type()))
	for i := range value.NumField() {
		field, one := value.Type().Field(i).Name, value.Field(i)
		name, known := names[field]
		switch {
		case !known && !one.IsZero():
			return fail("InternalError", "The wire has no name for %s.%s", value.Type(), field)
		case !known || (one.IsZero() && one.Kind() != reflect.Slice):
			continue
		}
		if err := write(to, strings.ToLower(name[:1])+name[1:], one); err != nil {
			return err
		}
	}
	return nil
}
