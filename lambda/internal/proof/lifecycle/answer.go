package lifecycle

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/internal/proof/world"
)

// Bucket is CloudFormation's bucket for answers, as one invocation sees it.
type Bucket struct {
	cf       *CloudFormation
	client   *world.Client
	deadline time.Time
	puts     int
}

func (b *Bucket) count() int {
	b.cf.mu.Lock()
	defer b.cf.mu.Unlock()
	return b.puts
}

// RoundTrip receives an answer.
func (b *Bucket) RoundTrip(put *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(put.Body)
	if err != nil {
		return nil, err
	}
	if b.client.IsCut() {
		return nil, world.ErrCut
	}
	b.cf.mu.Lock()
	b.puts++
	again := b.puts > 1
	b.cf.mu.Unlock()
	if again {
		b.cf.violate(OneAnswer, "a run answered twice")
	}
	if time.Now().After(b.deadline) {
		b.cf.violate(OneAnswer, "a run answered after its timeout")
	}
	b.cf.Receive(path.Base(put.URL.Path), body)
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: put}, nil
}

// noRoom is EC2's error code if a group has no room for another rule.
const noRoom = "RulesPerSecurityGroupLimitExceeded"

// leftOutWarnings are parts of the warnings of a rollback that leaves rules out, or that may have
// interrupted traffic for lack of room.
var leftOutWarnings = []string{"has no room for its old and new", "looking up peers failed", "lacks the rule"}

// checkAnswer compares an answer with the calls of its request. It also records refusals for lack
// of room, which excuse a failed operation.
func (c *CloudFormation) checkAnswer(requestID string, answer cfn.Response) {
	if strings.Contains(answer.Reason, "and the quota is") || strings.Contains(answer.Reason, noRoom) || strings.Contains(answer.Reason, "(the-") || (c.NamesReleased != nil && strings.Contains(answer.Reason, "has its name") && c.NamesReleased(answer.Reason)) {
		c.mu.Lock()
		c.refused = true
		c.mu.Unlock()
		c.row("no room")
	}
	if strings.Contains(answer.Reason, noRoomForTags) {
		c.mu.Lock()
		c.tagsRefused = true
		c.mu.Unlock()
	}
	if warnings := fmt.Sprint(answer.Data["Warnings"]); c.OnLeftOut != nil && slices.ContainsFunc(leftOutWarnings, func(text string) bool { return strings.Contains(warnings, text) }) {
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
		c.violate(AnyToAny, "%s: the answer claims that nothing was changed, after %d writes", requestID, writes)
	}
}

// Receive takes the body of an answer as CloudFormation's bucket does.
func (c *CloudFormation) Receive(requestID string, body []byte) {
	c.mu.Lock()
	r := c.requests[requestID]
	c.mu.Unlock()
	if r == nil {
		c.violate(OneAnswer, "answer to unknown request %q", requestID)
		return
	}
	answer, err := acceptAt(body, requestID, r.place)
	if err != nil {
		c.violate(OneAnswer, "%s: %v: %s", requestID, err, body)
	}
	if c.OnAnswer != nil {
		c.OnAnswer()
	}
	c.step("answer %s %s %s %s", requestID, answer.Status, answer.PhysicalResourceID, answer.Reason)
	c.checkAnswer(requestID, answer)
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

// Accept parses an answer as CloudFormation does. An answer that CloudFormation rejects counts as
// FAILED, with an ID that CloudFormation invents.
func Accept(body []byte, requestID string) (cfn.Response, error) {
	return acceptAt(body, requestID, Home)
}

func acceptAt(body []byte, requestID string, place Place) (cfn.Response, error) {
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
	case answer.RequestID != requestID || answer.StackID != place.StackID || answer.LogicalResourceID != place.LogicalID:
		return refused("Invalid Response object: it is not about this request")
	case answer.Status != cfn.StatusSuccess && answer.Status != cfn.StatusFailed:
		return refused("Invalid Response object: Status")
	case answer.Status == cfn.StatusFailed && answer.Reason == "":
		return refused("Invalid Response object: Reason")
	}
	return answer, nil
}

// Invented is the ID that CloudFormation invents for a resource without one.
const Invented = "Shop-Chain-1A2B3C4D5E6F"

// await waits for the answer to a request. Without an answer in time it returns the reason.
func (c *CloudFormation) await(r *request) (answer cfn.Response, reason string) {
	patience, reason := c.Patience, "no answer in time"
	if cancel := time.Duration(r.mishap.Cancel) * time.Second; cancel > 0 && cancel < patience {
		patience, reason = cancel, "cancelled"
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case answer = <-r.answers:
		return answer, ""
	case <-timer.C:
		c.mu.Lock()
		r.abandonedAt = time.Now()
		c.mu.Unlock()
		c.step("%s: %s", r.id, reason)
		return cfn.Response{}, reason
	}
}
