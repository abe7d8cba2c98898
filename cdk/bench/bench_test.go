package main

import (
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
	// It is closed once it was counted.
	if _, err := connection.Read(make([]byte, 1)); err == nil || c.count.Load() != 1 {
		t.Errorf("counted %d, read %v", c.count.Load(), err)
	}
	if err := c.listener.Close(); err != nil {
		t.Error(err)
	}
}
