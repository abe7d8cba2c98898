package chain_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"sgchain/lambda/chain"
)

// randomJSON returns a text of maps and lists. Keys may occur twice, and strings may contain text
// that looks like keys.
func randomJSON(r *rand.Rand, depth int) string {
	texts := []string{`"a"`, `"b:"`, `"c\":"`, `"\\"`, `"d{\"e\":1}"`}
	one := func() string { return texts[r.IntN(len(texts))] }
	switch n := r.IntN(4); {
	case depth == 0 || n == 0:
		return one()
	case n == 1:
		var all []string
		for range r.IntN(4) {
			all = append(all, randomJSON(r, depth-1))
		}
		return "[" + strings.Join(all, ", ") + "]"
	default:
		var all []string
		for range r.IntN(4) {
			all = append(all, fmt.Sprintf("%s : %s", one(), randomJSON(r, depth-1)))
		}
		return "{" + strings.Join(all, ",") + "}"
	}
}

// The result is the same with and without the decoded value.
func TestDuplicateIsTheSameWithTheDecodedValue(t *testing.T) {
	t.Parallel()
	twice, once := 0, 0
	for seed := range uint64(5000) {
		text := []byte(randomJSON(rand.New(rand.NewPCG(seed, 0)), 4))
		var decoded any
		if err := json.Unmarshal(text, &decoded); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		want := chain.Duplicate(text, nil)
		if got := chain.Duplicate(text, decoded); got != want {
			t.Fatalf("%s: got %q, want %q", text, got, want)
		}
		if want == "" {
			once++
		} else {
			twice++
		}
	}
	if twice < 500 || once < 500 {
		t.Errorf("%d texts have a key twice, %d do not", twice, once)
	}
}
