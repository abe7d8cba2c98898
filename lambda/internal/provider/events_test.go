package provider_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/internal/proof/world"
	"sgchain/lambda/internal/protocol"
)

// recorded is a request that a version received, and its result.
type recorded struct {
	// Stack and Resource are the statuses, and Recorded the physical ID, that CloudFormation shows
	// meanwhile.
	Stack, Resource, Recorded string
	Event                     json.RawMessage
	// Status and PhysicalID are the answer's. Groups is the world afterwards, line by line.
	Status     cfn.StatusType
	PhysicalID string
	Groups     []string
}

// CloudFormation still sends what an earlier version received, with the physical IDs that it
// answered and the properties that it accepted. Each folder of testdata/events is a lifecycle under
// one version of the CHANGELOG. It must end the same on the newest version. What was recorded is
// never changed.
func TestRecordedEvents(t *testing.T) {
	lives, err := filepath.Glob(filepath.Join("..", "..", "testdata", "events", "*"))
	if err != nil || len(lives) == 0 {
		t.Fatalf("found %v, error %v", lives, err)
	}
	for _, folder := range lives {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join(folder, "*.json"))
			if err != nil || len(files) < 2 {
				t.Fatalf("found %v, error %v", files, err)
			}
			simulate(t, func(t *testing.T, r *rig) {
				for _, file := range files {
					r.replay(t, file)
				}
				if left := r.world.String(); left != "" {
					t.Errorf("left over:\n%s", left)
				}
			})
		})
	}
}

// replay sends one recorded event and compares its result.
func (r *rig) replay(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var was recorded
	if err := json.Unmarshal(text, &was); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	event, err := protocol.Decode(was.Event)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	<-time.After(time.Minute) // virtual: an operation later
	r.stack.set(was.Stack, was.Resource, was.Recorded)
	r.stack.updated = time.Now()
	answer := r.deliver(event)
	if answer.Status != was.Status || answer.PhysicalResourceID != was.PhysicalID {
		t.Errorf("%s: answered %s as %s (%s), was %s as %s", file, answer.Status, answer.PhysicalResourceID, answer.Reason, was.Status, was.PhysicalID)
	}
	if now, before := world.Strip(r.world.String()), strings.Join(was.Groups, "\n"); strings.TrimSpace(now) != before {
		t.Errorf("%s: the world is\n%s\nwas\n%s", file, now, before)
	}
}
