package lifecycle

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/internal/proof/world"
)

// Mishap is what goes wrong with one event, in seconds where it is about time.
type Mishap struct {
	// Faults are those of the first run's calls of EC2.
	Faults []Fault `json:",omitempty"`
	// Again are the moments, after the first delivery, at which the event is
	// delivered once more.
	Again []int `json:",omitempty"`
	// Denied refuses the stack's status to the first run; Behind shows all runs an
	// older one.
	Denied bool `json:",omitempty"`
	Behind int  `json:",omitempty"`
	// Answer is "lost" where CloudFormation never sees the answer, "late" where it
	// sees it half a minute later, "without ID" where it takes it for a failure without
	// an ID of its own.
	Answer string `json:",omitempty"`
	// Cancel is when CloudFormation stops waiting: a user cancels, or another
	// resource fails.
	Cancel int `json:",omitempty"`
	// Dated is how many seconds after the resource's last change of status the request is
	// made, or before it where it is negative: the date in its ResponseURL is not that of
	// the change.
	Dated int `json:",omitempty"`
	// Lacks are the operations of EC2 that the role does not allow to the event's runs.
	Lacks []string `json:",omitempty"`
}

// Fault is what goes wrong at a call of EC2, by its number within the run.
type Fault struct {
	Call    int
	Kind    string
	Pick    int `json:",omitempty"`
	Seconds int `json:",omitempty"`
}

// The kinds of fault that came later: histories of the same seed are drawn as before.
const (
	repeated    = "repeated"     // the answer is lost, and the SDK makes the call once more
	refused     = "refused"      // for good: this call and all later ones of its operation
	refusedOnce = "refused once" // by an error that no repetition mends
	byOwner     = "the owner removes a peer"
	wayOut      = "hand " + string(world.AddWayOut)
)

// LaterKinds are those kinds.
func LaterKinds() []string { return []string{repeated, refused, refusedOnce, byOwner, wayOut} }

// Kinds are the kinds of fault.
func Kinds() []string {
	return []string{
		"error", "throttled", "unauthorized", "lost", "crash", "crash after", "late", "hang", "stale", "blink", "panic",
		"hand " + string(world.AddRule), "hand " + string(world.RemoveRule), "hand " + string(world.EditDescription), "hand " + string(world.AddTag),
		"hand " + string(world.AddGroup), "hand " + string(world.RemoveGroup), "hand " + string(world.AttachInterface),
	}
}

// latest is how late a call takes effect at most: within the lease that its caller had.
const latest = 4 * time.Second

func (c *CloudFormation) asWorld(f Fault) world.Fault {
	took := time.Duration(f.Seconds) * time.Second
	switch f.Kind {
	case "error":
		return world.Fault{Err: world.NewError("InternalError", "An internal error has occurred")}
	case "throttled":
		return world.Fault{Err: world.NewError("RequestLimitExceeded", "Request limit exceeded.")}
	case "unauthorized":
		return world.Fault{Err: world.Unauthorized("EC2")}
	case "lost":
		return world.Fault{Lost: true}
	case "crash":
		return world.Fault{Cut: true}
	case "crash after":
		return world.Fault{Cut: true, Lost: true}
	case "late":
		return world.Fault{Late: min(took, latest)}
	case "hang":
		return world.Fault{Hang: took}
	case "stale":
		return world.Fault{Stale: took}
	case "blink":
		return world.Fault{Blink: true}
	case "panic":
		return world.Fault{Panic: "planted"}
	case repeated:
		return world.Fault{Repeated: true}
	case refused, refusedOnce:
		names := slices.Sorted(maps.Keys(world.Refusals()))
		return world.Fault{Err: world.Refusals()[names[f.Pick%len(names)]](), Lasting: f.Kind == refused}
	case byOwner:
		return world.Fault{Do: func() {
			if c.OnOwner != nil {
				c.OnOwner(f.Pick)
			}
		}}
	default:
		deed, _ := strings.CutPrefix(f.Kind, "hand ")
		hand := world.Hand{Deed: world.Deed(deed), Pick: f.Pick}
		if c.OnHand == nil {
			return world.Fault{Hand: &hand}
		}
		return world.Fault{Do: func() { c.OnHand(hand) }}
	}
}

// maxAge is the age at which Lambda drops an event, as the provider's template sets
// it.
const maxAge = 360 * time.Second

// request is one event and its answers.
type request struct {
	id      string
	kind    cfn.RequestType
	sent    time.Time
	event   []byte
	mishap  Mishap
	answers chan cfn.Response
	// given is when CloudFormation gave it up and went on.
	given time.Time
}

// mostAnswers is more than the runs of one event: three for each delivery.
const mostAnswers = 32

// send makes an event and lets Lambda deliver it.
func (c *CloudFormation) send(kind cfn.RequestType, id string, now, old map[string]any, mishap Mishap) *request {
	c.mu.Lock()
	c.serial++
	r := &request{id: fmt.Sprintf("request-%d", c.serial), kind: kind, sent: time.Now(), mishap: mishap, answers: make(chan cfn.Response, mostAnswers)}
	if c.requests == nil {
		c.requests = map[string]*request{}
	}
	c.requests[r.id] = r
	c.mu.Unlock()
	address := c.ResponseBase
	if address == "" {
		address = "https://cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com"
	}
	address += "/" + r.id + "?X-Amz-Signature=secret"
	if !c.Habits.Undated {
		date := r.sent.Add(time.Duration(min(mishap.Dated, 0)) * time.Second)
		address += "&X-Amz-Date=" + date.UTC().Format("20060102T150405Z")
	}
	event := map[string]any{
		"RequestType": kind, "RequestId": r.id, "ResponseURL": address, "ResourceType": resourceOf, "LogicalResourceId": LogicalID,
		"StackId": StackID, "ResourceProperties": c.encoded(now),
	}
	if kind != cfn.RequestCreate {
		event["PhysicalResourceId"] = id
	}
	if kind == cfn.RequestUpdate {
		event["OldResourceProperties"] = c.encoded(old)
	}
	r.event = asSent(event)
	c.step("event %s %s %s", r.id, kind, id)
	c.running.Go(func() { c.invoke(r, true) })
	for _, seconds := range mishap.Again {
		c.running.Go(func() {
			<-time.After(min(time.Duration(seconds)*time.Second, c.Waits))
			c.step("event %s again", r.id)
			c.invoke(r, false)
		})
	}
	return r
}

// asSent is JSON as CloudFormation makes it: with the & of an address as it is.
func asSent(value map[string]any) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) //nolint:errchkjson // texts, lists and maps of texts
	return bytes.TrimSpace(text.Bytes())
}

// encoding is properties as an event carries them.
type encoding struct {
	properties map[string]any
	text       json.RawMessage
}

// encoded is properties as text. Each Chain.Properties is sent several times, and never
// changed.
func (c *CloudFormation) encoded(properties map[string]any) json.RawMessage {
	c.mu.Lock()
	defer c.mu.Unlock()
	same := reflect.ValueOf(properties).Pointer()
	for _, one := range c.encodings {
		if reflect.ValueOf(one.properties).Pointer() == same {
			return one.text
		}
	}
	text := asSent(properties)
	c.encodings = append(c.encodings, encoding{properties, text})
	return text
}

// invoke runs the function as Lambda does for an asynchronous event: up to three
// times, a minute and then two apart.
func (c *CloudFormation) invoke(r *request, first bool) {
	for attempt := 0; ; attempt++ {
		if !c.mayStart(r) {
			return
		}
		if err := c.run(r, first && attempt == 0); err == nil || attempt == len(c.RetryAfter) {
			return
		}
		<-time.After(c.RetryAfter[attempt])
	}
}

// settledAfter is when a change of the resource is old enough for a request from
// before it to be told from one that belongs to it: by the function, to which the
// clocks of CloudFormation are not known better. A duplicate that starts earlier,
// inside the next operation, is the residue that the README names.
const settledAfter = 61 * time.Second

// mayStart waits until a late run does not fall into that residue, and says whether
// the event is still young enough then.
func (c *CloudFormation) mayStart(r *request) bool {
	for {
		c.mu.Lock()
		changed, resting := c.stack.resource.changed, !strings.HasSuffix(c.stack.resource.status, "_IN_PROGRESS")
		c.mu.Unlock()
		age := changed.Sub(r.sent)
		if time.Since(r.sent) > maxAge {
			return false
		}
		if resting || age <= 0 || age >= settledAfter {
			return !c.Habits.Undated || age <= 0
		}
		<-time.After(min(10*time.Second, c.Waits))
	}
}

// run is one invocation.
func (c *CloudFormation) run(r *request, faulty bool) error {
	c.mu.Lock()
	c.serial++
	client := c.World.Client(fmt.Sprintf("%s run %d", r.id, c.serial))
	client.Role = Role(Provider)
	c.mu.Unlock()
	client.Deny(r.mishap.Lacks...)
	status := Status{cf: c, client: client, behind: time.Duration(r.mishap.Behind) * time.Second}
	if faulty {
		status.denied = r.mishap.Denied
		for _, fault := range r.mishap.Faults {
			client.FailAt(fault.Call, c.asWorld(fault))
		}
	}
	ctx, cancel := context.WithTimeout(c.background(), c.Limit)
	defer cancel()
	c.running.Go(func() { // a process that dies does not use up its time
		select {
		case <-client.Ended():
			cancel()
		case <-ctx.Done():
		}
	})
	mail := &Mail{cf: c, client: client, deadline: time.Now().Add(c.Limit)}
	err := c.Function(ctx, Delivery{Event: r.event, EC2: client, CloudFormation: status, Mail: mail, Repairs: c.Repairs})
	if c.OnRun != nil {
		c.OnRun(client.Count())
	}
	switch delivered := mail.count(); {
	case client.IsCut():
		if err == nil {
			err = world.ErrCut // a process that died answers nothing
		}
	case err == nil && delivered == 0:
		c.violate(OneAnswer, "%s ended without an answer", r.id)
	case err != nil && delivered > 0:
		c.violate(OneAnswer, "%s answered and failed all the same: %v", r.id, err)
	}
	return err
}

func (c *CloudFormation) violate(promise, format string, args ...any) {
	if c.OnViolation != nil {
		c.OnViolation(promise, fmt.Sprintf(format, args...))
	}
}

// Mail is the way of one invocation to CloudFormation's bucket.
type Mail struct {
	cf       *CloudFormation
	client   *world.Client
	deadline time.Time
	puts     int
}

func (m *Mail) count() int {
	m.cf.mu.Lock()
	defer m.cf.mu.Unlock()
	return m.puts
}

// RoundTrip takes an answer.
func (m *Mail) RoundTrip(put *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(put.Body)
	if err != nil {
		return nil, err
	}
	if m.client.IsCut() {
		return nil, world.ErrCut
	}
	m.cf.mu.Lock()
	m.puts++
	again := m.puts > 1
	m.cf.mu.Unlock()
	if again {
		m.cf.violate(OneAnswer, "one run answered twice")
	}
	if time.Now().After(m.deadline) {
		m.cf.violate(OneAnswer, "answered after the function's time")
	}
	m.cf.Receive(path.Base(put.URL.Path), body)
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: put}, nil
}

// noRoom is EC2's code where a group has not room for a rule.
const noRoom = "RulesPerSecurityGroupLimitExceeded"

// weigh holds what an answer says against what was done.
func (c *CloudFormation) weigh(requestID string, answer cfn.Response) {
	if strings.Contains(answer.Reason, "and the quota is") || strings.Contains(answer.Reason, noRoom) || strings.Contains(answer.Reason, "(the-") {
		c.mu.Lock()
		c.refused = true
		c.mu.Unlock()
		c.row("no room")
	}
	if warnings := fmt.Sprint(answer.Data["Warnings"]); c.OnLeftOut != nil && (strings.Contains(warnings, "on the way back") || strings.Contains(warnings, "lacks the rule")) {
		c.OnLeftOut()
	}
	if !strings.Contains(answer.Reason, "Nothing was changed") {
		return
	}
	runs, writes := map[string]bool{}, 0
	for _, call := range c.World.Calls() {
		if strings.HasPrefix(call.Client, requestID+" ") {
			runs[call.Client] = true
			if call.Write {
				writes++
			}
		}
	}
	if len(runs) == 1 && writes > 0 {
		c.violate(AnyToAny, "%s says that nothing was changed, after %d writes", requestID, writes)
	}
}

// Receive takes the body of an answer as CloudFormation's bucket does.
func (c *CloudFormation) Receive(requestID string, body []byte) {
	c.mu.Lock()
	r := c.requests[requestID]
	c.mu.Unlock()
	if r == nil {
		c.violate(OneAnswer, "an answer to %q, which nobody asked for", requestID)
		return
	}
	answer, err := Accept(body, requestID)
	if err != nil {
		c.violate(OneAnswer, "%s: %v: %s", requestID, err, body)
	}
	if c.OnAnswer != nil {
		c.OnAnswer()
	}
	c.step("answer %s %s %s %s", requestID, answer.Status, answer.PhysicalResourceID, answer.Reason)
	c.weigh(requestID, answer)
	switch r.mishap.Answer {
	case "lost":
	case "without ID":
		answer.Status, answer.PhysicalResourceID = cfn.StatusFailed, Invented
		r.answers <- answer
	case "late":
		c.running.Go(func() {
			<-time.After(min(30*time.Second, c.Waits))
			r.answers <- answer
		})
	default:
		r.answers <- answer
	}
}

const (
	maxBody = 4096
	maxID   = 1024
)

// Accept judges an answer as CloudFormation does. One that it does not take counts as
// FAILED, with an ID that CloudFormation made up.
func Accept(body []byte, requestID string) (cfn.Response, error) {
	refused := func(reason string) (cfn.Response, error) {
		return cfn.Response{Status: cfn.StatusFailed, Reason: reason, PhysicalResourceID: Invented}, fmt.Errorf("%s", reason)
	}
	var answer cfn.Response
	switch err := json.Unmarshal(body, &answer); {
	case len(body) > maxBody:
		return refused("Response object is too long.")
	case err != nil:
		return refused("Invalid Response object: " + err.Error())
	case answer.PhysicalResourceID == "" || len(answer.PhysicalResourceID) > maxID:
		return refused("Invalid PhysicalResourceId")
	case answer.RequestID != requestID || answer.StackID != StackID || answer.LogicalResourceID != LogicalID:
		return refused("Invalid Response object: it is not about this request")
	case answer.Status != cfn.StatusSuccess && answer.Status != cfn.StatusFailed:
		return refused("Invalid Response object: Status")
	case answer.Status == cfn.StatusFailed && answer.Reason == "":
		return refused("Invalid Response object: Reason")
	}
	return answer, nil
}

// Invented is an ID that CloudFormation makes up for a resource that it has none of.
const Invented = "Shop-Chain-1A2B3C4D5E6F"

// await waits for the answer to a request. Without one in time it says why.
func (c *CloudFormation) await(r *request) (answer cfn.Response, why string) {
	patience, why := c.Patience, "no answer in time"
	if cancel := time.Duration(r.mishap.Cancel) * time.Second; cancel > 0 && cancel < patience {
		patience, why = cancel, "cancelled"
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case answer = <-r.answers:
		return answer, ""
	case <-timer.C:
		c.mu.Lock()
		r.given = time.Now()
		c.mu.Unlock()
		c.step("%s: %s", r.id, why)
		return cfn.Response{}, why
	}
}

// Drain waits until nothing runs any more.
func (c *CloudFormation) Drain() { c.running.Wait() }
