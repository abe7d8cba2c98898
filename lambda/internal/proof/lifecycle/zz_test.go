package lifecycle_test

import (
	"os"
	"regexp"
	"testing"
	"fmt"
	"sync"
	"sync/atomic"
	"sgchain/lambda/internal/proof/lifecycle"
)

var ids = regexp.MustCompile(`sg-[0-9a-f.]+|[0-9]+|sgchain-[0-9a-f]*`)

func TestZZMoves(t *testing.T) {
	if os.Getenv("ZZM") == "" {
		t.Skip()
	}
	seed, from, count := number(t, "SOAK_SEED", 1), number(t, "ZZFROM", 0), number(t, "ZZM", 100)
	met := &table{met: map[string]int{}}
	var next, lives atomic.Uint64
	next.Store(from)
	var mu sync.Mutex
	fails := map[string]int{}
	first := map[string]uint64{}
	t.Run("all", func(t *testing.T) {
		for range 2 {
			t.Run("half", func(t *testing.T) {
				t.Parallel()
				for lives.Load() < count {
					i := next.Add(1) - 1
					h := lifecycle.Draw(seed, i)
					if !h.Moves {
						continue
					}
					lives.Add(1)
					out := play(t, h, false)
					met.add(out)
					if out.Failure != nil {
						mu.Lock()
						key := ids.ReplaceAllString(fmt.Sprintf("%s: %.150s", out.Failure.Promise, out.Failure.Text), "#")
						fails[key]++
						if _, has := first[key]; !has { first[key] = i }
						mu.Unlock()
					}
				}
			})
		}
	})
	t.Logf("%s", met)
	for k, n := range fails { t.Errorf("%4d first %d  %s", n, first[k], k) }
}

func TestZZOne(t *testing.T) {
	if os.Getenv("ZZONE") == "" {
		t.Skip()
	}
	seed, i := number(t, "SOAK_SEED", 1), number(t, "ZZONE", 0)
	h := lifecycle.Draw(seed, i)
	out := play(t, h, false)
	if out.Failure != nil { report(t, seed, i, h, out.Failure) }
}
