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

// maxAge is the age at which Lambda drops an event, as set in the provider's template.
const maxAge = 360 * time.Second

// request is one event and its answers.
type request struct {
	id       string
	kind     cfn.RequestType
	place    Place
	moves    bool // whether the event's chain takes over the groups of another chain
	onlyTags bool // whether the request may write nothing but tags
	sent     time.Time
	event    []byte
	mishap   Mishap
	answers  chan cfn.Response
	// abandonedAt is when CloudFormation stopped waiting and continued.
	abandonedAt time.Time
}

// mostAnswers exceeds the number of runs of one event: three for each delivery.
const mostAnswers = 32

// send creates an event and makes Lambda deliver it.
func (c *CloudFormation) send(kind cfn.RequestType, id string, now, old map[string]any, mishap Mishap) *request {
	c.mu.Lock()
	c.serial++
	r := &request{id: fmt.Sprintf("request-%d", c.serial), kind: kind, place: c.place(), sent: time.Now(), mishap: mishap, answers: make(chan cfn.Response, mostAnswers)}
	_, r.moves = now["MovedFrom"]
	r.onlyTags = r.place == c.onlyTags
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

// asSent encodes JSON as CloudFormation does: without escaping the & of an address.
func asSent(value map[string]any) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) //nolint:errchkjson // strings, lists and maps of strings
	return bytes.TrimSpace(text.Bytes())
}

// encoding caches the JSON of one set of properties.
type encoding struct {
	properties map[string]any
	text       json.RawMessage
}

// encoded returns properties as JSON. The result of Chain.Properties is sent several times and
// never changes.
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

// invoke runs the function as Lambda does for an asynchronous event: up to three times, with pauses
// of one and two minutes.
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

// settledAfter is the age from which the function can tell an older request from one that belongs
// to the resource's last change. The function does not know CloudFormation's clocks better than
// that. A duplicate that starts earlier, inside the next operation, is a limit that the README
// names.
const settledAfter = 61 * time.Second

// mayStart delays a late run that would fall within settledAfter. It reports whether the event is
// still young enough then.
func (c *CloudFormation) mayStart(r *request) bool {
	for {
		// Give other events of this instant a definite order: the cancellation of the operation
		// comes before the run's first read or after it.
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

// run performs one invocation.
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
	c.running.Go(func() { // a dead process does not use up its timeout
		select {
		case <-client.Ended():
			cancel()
		case <-ctx.Done():
		}
	})
	bucket := &Bucket{cf: c, client: client, deadline: time.Now().Add(c.Limit)}
	err := c.Function(ctx, Delivery{Event: r.event, EC2: client, CloudFormation: status, Bucket: bucket, Repairs: c.Repairs, Moves: c.Movable})
	if c.OnRun != nil {
		c.OnRun(client.Count())
	}
	switch delivered := bucket.count(); {
	case client.IsCut():
		if err == nil {
			err = world.ErrCut // a dead process does not answer
		}
	case err == nil && delivered == 0:
		c.violate(OneAnswer, "%s ended without an answer", r.id)
	case err != nil && delivered > 0:
		c.violate(OneAnswer, "%s answered and failed: %v", r.id, err)
	}
	return err
}

func (c *CloudFormation) violate(promise, format string, args ...any) {
	if c.OnViolation != nil {
		c.OnViolation(promise, fmt.Sprintf(format, args...))
	}
}

// Drain waits until all runs and dependents have ended.
func (c *CloudFormation) Drain() { c.running.Wait() }
