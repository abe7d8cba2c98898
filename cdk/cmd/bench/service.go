package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	invocation = "/2018-06-01/runtime/invocation/"
	stackID    = "arn:aws:cloudformation:us-east-1:123456789012:stack/Bench/11111111-2222-3333-4444-555555555555"
	functionID = "arn:aws:lambda:us-east-1:123456789012:function:bench"
	deleting   = "DELETE_IN_PROGRESS"
	chainID    = "sgchain-0123456789012345678901234567890123456789"
	// requestTime is the time limit of a request: the function's, less the time that it reserves
	// for the answer.
	requestTime = 585 * time.Second
)

// kind is a kind of event: how it begins, the stack's status meanwhile, and the answer to hostile
// properties.
type kind struct {
	name, head, status, answer string
}

// kinds lists them. A Delete reads no properties, so it succeeds. # is replaced with the address
// for the answer.
func kinds() []kind {
	request := func(what, more string) string {
		return `{"RequestType":"` + what + `","ResponseURL":"#","StackId":"` + stackID + `","RequestId":"request-1","LogicalResourceId":"Chain",` +
			`"ResourceType":"Custom::SecurityGroupChain",` + more + `"ResourceProperties":{"ServiceToken":"` + functionID + `","VpcId":"vpc-0123456789abcdef0",`
	}
	return []kind{
		{"Create", request("Create", ""), "CREATE_IN_PROGRESS", `"Status":"FAILED"`},
		{"Delete", request("Delete", `"PhysicalResourceId":"`+chainID+`",`), deleting, `"Status":"SUCCESS"`},
		{
			"plan", `{"action":"plan","StackId":"` + stackID + `","LogicalResourceId":"Chain","ResourceProperties":{"VpcId":"vpc-0123456789abcdef0",`,
			"UPDATE_COMPLETE", `"errorMessage"`,
		},
	}
}

// tail ends every event.
const tail = `}}`

// answer is one answer of the function: its address and its text.
type answer struct {
	toInvocation bool
	text         string
}

// service is Lambda, CloudFormation, its bucket and an EC2 with one group of the chain, for one
// process. Each event is its own operation: a deleted group exists again for the next one.
type service struct {
	events  chan string
	idle    chan struct{} // the process asked for an event
	answers chan answer
	status  string // of the stack and the resource

	listener net.Listener
	server   *http.Server
	deleted  atomic.Bool // the group was
}

func serve(ctx context.Context, status string) (*service, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &service{
		events: make(chan string), idle: make(chan struct{}, 1), answers: make(chan answer, 16), status: status,
		listener: listener,
	}
	s.server = &http.Server{ReadHeaderTimeout: patience, Handler: s, BaseContext: func(net.Listener) context.Context { return ctx }}
	go func() { _ = s.server.Serve(listener) }()
	return s, nil
}

func (s *service) url() string { return "http://" + s.listener.Addr().String() }

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case path == invocation+"next":
		s.next(w, r)
	case strings.HasPrefix(path, invocation):
		s.answered(r, true)
		w.WriteHeader(http.StatusAccepted)
	case r.Method == http.MethodPut:
		s.answered(r, false)
	default:
		status, text := s.call(r.FormValue("Action"), r.FormValue)
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text) //nolint:gosec // XML for the function under test, on this machine
	}
}

func (s *service) next(w http.ResponseWriter, r *http.Request) {
	select {
	case s.idle <- struct{}{}:
	default:
	}
	select {
	case event := <-s.events:
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", "invocation-1")
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(requestTime).UnixMilli(), 10))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", functionID)
		_, _ = io.WriteString(w, event)
	case <-r.Context().Done():
	}
}

func (s *service) answered(r *http.Request, toInvocation bool) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		text = []byte(err.Error())
	}
	select {
	case s.answers <- answer{toInvocation, string(text)}:
	case <-r.Context().Done():
	}
}

// call answers EC2's and CloudFormation's query protocols. The function of returns a parameter of
// the call.
func (s *service) call(action string, of func(parameter string) string) (status int, text string) {
	switch action {
	case "DescribeStacks":
		return http.StatusOK, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>Bench</StackName><StackId>` + stackID +
			`</StackId><StackStatus>` + s.status + `</StackStatus><CreationTime>2000-01-01T00:00:00Z</CreationTime></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`
	case "DescribeStackResource":
		return http.StatusOK, `<DescribeStackResourceResponse><DescribeStackResourceResult><StackResourceDetail><LogicalResourceId>Chain</LogicalResourceId><PhysicalResourceId>` + chainID +
			`</PhysicalResourceId><ResourceType>Custom::SecurityGroupChain</ResourceType><ResourceStatus>` + s.status + `</ResourceStatus></StackResourceDetail></DescribeStackResourceResult></DescribeStackResourceResponse>`
	case "DescribeSecurityGroups":
		shown := ""
		switch {
		case of("Filter.1.Name") == "group-id": // peers, which exist: otherwise the function waits for them as long as it may
			for i := 1; of(fmt.Sprintf("Filter.1.Value.%d", i)) != ""; i++ {
				shown += `<item><ownerId>123456789012</ownerId><groupId>` + of(fmt.Sprintf("Filter.1.Value.%d", i)) + `</groupId><vpcId>vpc-0123456789abcdef0</vpcId></item>`
			}
		case s.status == deleting && !s.deleted.Load(): // other events find no group that an earlier run may have created
			shown = group()
		}
		return http.StatusOK, `<DescribeSecurityGroupsResponse><securityGroupInfo>` + shown + `</securityGroupInfo></DescribeSecurityGroupsResponse>`
	case "DescribeNetworkInterfaces":
		return http.StatusOK, `<DescribeNetworkInterfacesResponse><networkInterfaceSet/></DescribeNetworkInterfacesResponse>`
	case "DeleteSecurityGroup":
		s.deleted.Store(true)
		return http.StatusOK, `<DeleteSecurityGroupResponse><return>true</return></DeleteSecurityGroupResponse>`
	default:
		return http.StatusForbidden, `<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>` + action + ` is not part of this test</Message></Error></Errors><RequestID>1</RequestID></Response>`
	}
}

// group returns the chain's one group.
func group() string {
	var text strings.Builder
	text.WriteString(`<item><ownerId>123456789012</ownerId><groupId>sg-0123456789abcdef0</groupId><groupName>A</groupName><groupDescription>A</groupDescription><vpcId>vpc-0123456789abcdef0</vpcId><ipPermissions/><ipPermissionsEgress/><tagSet>`)
	for _, tag := range [][2]string{{"provider", "bench"}, {"stack-id", stackID}, {"logical-id", "Chain"}, {"tier", "A"}, {"chain", "1:" + chainID}} {
		text.WriteString(`<item><key>sgchain:` + tag[0] + `</key><value>` + tag[1] + `</value></item>`)
	}
	return text.String() + `</tagSet></item>`
}

// deliver sends the process an event. It returns the answer to CloudFormation or to the caller,
// once the process asks for the next event.
func (s *service) deliver(ctx context.Context, of kind, event string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s.deleted.Store(false)
	select {
	case s.events <- event:
	case <-ctx.Done():
		return "", errors.New("it did not receive the event")
	}
	var heard strings.Builder
	for {
		select {
		case one := <-s.answers:
			if !one.toInvocation || of.name == "plan" {
				heard.WriteString(one.text)
			}
		case <-s.idle:
			if heard.Len() == 0 {
				return "", fmt.Errorf("the %s was not answered", of.name)
			}
			return heard.String(), nil
		case <-ctx.Done():
			return "", fmt.Errorf("the %s was not answered in %s", of.name, patience)
		}
	}
}
