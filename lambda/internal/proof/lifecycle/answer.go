package lifecycle

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/internal/proof/world"
)

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
	if strings.Contains(answer.Reason, "and the quota is") || strings.Contains(answer.Reason, noRoom) || strings.Contains(answer.Reason, "(the-") || (c.Freed != nil && strings.Contains(answer.Reason, "has its name") && c.Freed(answer.Reason)) {
		c.mu.Lock()
		c.refused = true
		c.mu.Unlock()
		c.row("no room")
	}
	if strings.Contains(answer.Reason, noRoomForTags) {
		c.mu.Lock()
		c.crowded = true
		c.mu.Unlock()
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
	answer, err := acceptAt(body, requestID, r.place)
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
