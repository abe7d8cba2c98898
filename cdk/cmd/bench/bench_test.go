package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func samples(took time.Duration, memory int) []sample {
	return []sample{{took * 9, memory * 9}, {took, memory}, {took / 9, memory / 9}}
}

func TestReport(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		took   time.Duration
		memory int
		strays int64
		want   string
	}{
		{12 * time.Millisecond, 1300, 0, ""},
		{14 * time.Millisecond, 1300, 0, "starts 1.40 times as slowly"},
		{12 * time.Millisecond, 1400, 0, "has 1.40 times the memory"},
		{12 * time.Millisecond, 1300, 1, "connected to somewhere else 1 times"},
	} {
		var out strings.Builder
		err := report(&out, samples(10*time.Millisecond, 1000), samples(test.took, test.memory), test.strays)
		if (err == nil) != (test.want == "") || (err != nil && !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%+v: got %v", test, err)
		}
		if !strings.Contains(out.String(), "10.0 ms") || !strings.Contains(out.String(), "1000 KiB") {
			t.Errorf("the report is\n%s", out.String())
		}
	}
}

func TestReportEvents(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		cpu    time.Duration
		memory int
		want   string
	}{
		{40 * time.Millisecond, 40000, ""},
		{51 * time.Millisecond, 40000, "256 KB take 2.55 times the CPU"},
		{40 * time.Millisecond, 60000, "256 KB take 3.00 times the memory"},
		{40 * time.Millisecond, 70000, "the process had 70000 KiB"},
		{9 * time.Second, 40000, "with a seventh of a CPU it takes 1m3s"},
	} {
		ratio := float64(test.cpu) / float64(20*time.Millisecond)
		one := row{
			kind: "Create", shape: "entries", works: []work{{1, 20000}, {1, 20000}, {9e6, 20000}, {20 * time.Millisecond, 20000}, {test.cpu, test.memory}},
			ratios: [][]float64{nil, {1}, {1}, {2.2, 1, 9}, {9, ratio, ratio, 0.1}},
		}
		var out strings.Builder
		err := reportEvents(&out, []row{one})
		if (err == nil) != (test.want == "") || (err != nil && !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%+v: got %v", test, err)
		}
		if !strings.Contains(out.String(), "as Create\n  entries") {
			t.Errorf("the report is\n%s", out.String())
		}
	}
}

func TestReportPlanner(t *testing.T) {
	t.Parallel()
	const output = "goos: linux\nBenchmarkFit/nested_ports-2 6 9 ns/op 1.5 ms-of-60 4.0 ms-of-120 8.0 ms-of-240 16 ms-of-480 %s x-of-120 2 x-of-240 2 x-of-480 %s ms-to-stop\nPASS\n"
	for metrics, want := range map[[2]string]string{
		{"2.4", "99"}: "", {"2.6", "1"}: "nested ports: 120 rules take 2.60 times", {"2.4", "101"}: "runs for 101 ms",
	} {
		err := reportPlanner(io.Discard, plannedOf(fmt.Sprintf(output, metrics[0], metrics[1])))
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%v: got %v", metrics, err)
		}
	}
	if err := reportPlanner(io.Discard, nil); err == nil {
		t.Error("no figures are taken for good ones")
	}
}

// TestEvents checks that an event is JSON of the requested size.
func TestEvents(t *testing.T) {
	t.Parallel()
	for _, of := range kinds() {
		for _, form := range hostile() {
			for _, size := range sizes() {
				event, err := form.event(size, of.head, tail)
				if err != nil {
					t.Fatal(err)
				}
				if len(event) != size || !json.Valid([]byte(event)) {
					t.Errorf("%s, %s: %d bytes, want %d of JSON: %.200s", of.name, form.name, len(event), size, event)
				}
			}
		}
	}
}

func TestCanary(t *testing.T) {
	t.Parallel()
	c, err := listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", c.address())
	if err != nil {
		t.Fatal(err)
	}
	// The connection is closed once it was counted.
	if _, err := connection.Read(make([]byte, 1)); err == nil || c.count.Load() != 1 {
		t.Errorf("counted %d, read %v", c.count.Load(), err)
	}
	if err := c.listener.Close(); err != nil {
		t.Error(err)
	}
}
