package lifecycle

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/internal/proof/world"
)

// maxAge is the age at which Lambda drops an event, as the provider's template sets
// it.
const maxAge = 360 * time.Second

// request is one event and its answers.
type request struct {
	id      string
	kind    cfn.RequestType
	place   Place
	moves   bool // whether the chain of the event takes over the groups of another one
	pure    bool // whether nothing but tags may be written for it
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
	r := &request{id: fmt.Sprintf("request-%d", c.serial), kind: kind, place: c.place(), sent: time.Now(), mishap: mishap, answers: make(chan cfn.Response, mostAnswers)}
	_, r.moves = now["MovedFrom"]
	r.pure = r.place == c.pure
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
		"RequestType": kind, "RequestId": r.id, "ResponseURL": address, "ResourceType": resourceOf, "LogicalResourceId": r.place.LogicalID,
		"StackId": r.place.StackID, "ResourceProperties": c.encoded(now),
	}
	if kind != cfn.RequestCreate {
		event["PhysicalResourceId"] = id
	}
	if kind == cfn.RequestUpdate {
		event["OldResourceProperties"] = c.encoded(old)
	}
	r.event = asSent(event)
	c.step("event %s %s%s", r.id, strings.TrimSpace(string(kind)+" "+id), r.place.suffix())
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
		// What else happens at this very moment, such as that the operation is cancelled, comes before the run's first look or after it.
		<-time.After(time.Millisecond)
		c.mu.Lock()
		recorded := c.recorded(r.place)
		changed, resting := recorded.changed, !strings.HasSuffix(recorded.status, "_IN_PROGRESS")
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
	client.Role = c.role()
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
	err := c.Function(ctx, Delivery{Event: r.event, EC2: client, CloudFormation: status, Mail: mail, Repairs: c.Repairs, Moves: c.Movable})
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

// Drain waits until nothing runs any more.
func (c *CloudFormation) Drain() { c.running.Wait() }
