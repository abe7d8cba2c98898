package release_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"sgchain/cdk/internal/release"
)

// TestEncode checks that what fits is on one line, that what does not is split by entry, and that
// decoding returns the same values.
func TestEncode(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 80)
	template := map[string]any{
		"Outputs":   map[string]any{"B": map[string]any{"Value": []any{"a<b", "\"", 1.5, true, nil}}, "A": map[string]any{}},
		"Resources": map[string]any{"One": []any{long, long}, "Two": []any{long}},
	}
	text, err := release.Encode(template)
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "Resources": {
    "One": [
      "` + long + `",
      "` + long + `"
    ],
    "Two": ["` + long + `"]
  },
  "Outputs": {"A": {}, "B": {"Value": ["a<b", "\"", 1.5, true, null]}}
}
`
	if string(text) != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	var back map[string]any
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, template) {
		t.Errorf("read back: %v, error %v", back, err)
	}
}

func TestEncodeRefusesOtherMaps(t *testing.T) {
	t.Parallel()
	for what, template := range map[string]map[string]any{
		"an unknown section":  {"Resources": map[string]any{}, "Recources": map[string]any{}},
		"nothing":             {},
		"a value of no JSON":  {"Resources": map[string]any{"A": []any{math.NaN()}}},
		"a channel in a list": {"Resources": []any{make(chan int)}},
	} {
		if text, err := release.Encode(template); err == nil {
			t.Errorf("%s is written: %s", what, text)
		}
	}
}
