package world

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Fault is what goes wrong at one call.
type Fault struct {
	// Err refuses the call; nothing takes effect.
	Err error
	// Lost lets the call take effect and loses its answer: the caller gets Err, or
	// ErrCut where that is nil.
	Lost bool
	// Hang keeps the call waiting that long before anything else, unless its caller
	// gives up.
	Hang time.Duration
	// Late lets the call take effect that much later, whether anybody still waits
	// for its answer or not.
	Late time.Duration
	// Stale makes a describe call show the world of that long ago.
	Stale time.Duration
	// Blink makes a describe call leave out every other of the young groups.
	Blink bool
	// Hand is a stranger who acts just before the call takes effect.
	Hand *Hand
	// Panic is thrown at the caller, where it is not nil.
	Panic any
	// Cut is the end of the caller: neither this call nor any later one takes
	// effect, and all fail. With Lost this call still does.
	Cut bool
	// Do is called, unlocked, just before the call takes effect.
	Do func()
	// Lasting lets all later calls of the same client and operation go wrong as well.
	Lasting bool
	// Repeated loses the answer of a call that took effect and makes the call once more,
	// as the SDK does: the caller gets the second answer, such as InvalidGroup.Duplicate.
	Repeated bool
}

// Client is one caller's way into a world: an invocation of a function, say. It has
// the method signatures of the SDK, and EC2's query protocol in ServeHTTP.
type Client struct {
	// Role is what the caller may do; nil for everything.
	Role Role

	world *World
	name  string

	// All calls count against the world's lock.
	faults  map[int]Fault
	lasting map[string]Fault
	denied  map[string]bool
	count   int
	cut     bool
	ended   chan struct{}
}

// Role says whether a caller may make a write, as IAM does: it is asked for each group or
// rule that the call names, with the tags that this has when the call takes effect.
type Role func(operation string, input any, resourceID string, tags map[string]string) bool

// Client makes a client.
func (w *World) Client(name string) *Client {
	return &Client{world: w, name: name, ended: make(chan struct{})}
}

// Name is what the client's calls are known by.
func (c *Client) Name() string { return c.name }

// FailAt makes a call go wrong: call n, counted from 1 over the life of the client
// or since Forget.
func (c *Client) FailAt(n int, fault Fault) {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	if c.faults == nil {
		c.faults = map[int]Fault{}
	}
	c.faults[n] = fault
}

// Forget drops the faults, gives back what Deny took and starts counting anew.
func (c *Client) Forget() {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	c.faults, c.lasting, c.denied, c.count = nil, nil, nil, 0
}

// Count is how many calls the client made.
func (c *Client) Count() int {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	return c.count
}

// Cut ends the client: no call of it takes effect any more.
func (c *Client) Cut() {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	c.end()
}

// end ends the client; the world's lock is held.
func (c *Client) end() {
	if !c.cut {
		c.cut = true
		close(c.ended)
	}
}

// Ended is closed when the client was ended.
func (c *Client) Ended() <-chan struct{} { return c.ended }

// request is a call before it was made.
type request struct {
	operation string
	write     bool
	input     any
	touches   []string
	filters   []types.Filter
	// effect is what the call does, under the world's lock.
	effect func(view) error
}

// compareInputs puts equal operations in an order; most calls are alone, so what they
// ask for is printed here only.
func compareInputs(a, b *pending) int {
	if order := slices.Compare(a.touches, b.touches); order != 0 {
		return order
	}
	return strings.Compare(a.text(), b.text())
}

func (p *pending) text() string {
	if p.asked == "" {
		p.asked = printed(p.input)
	}
	return p.asked
}

// view is how a call sees the world.
type view struct {
	at, tagsAt time.Time
	blink      bool
}

// pending is a call that was begun and has not taken effect.
type pending struct {
	request

	client *Client
	due    time.Time
	number int
	round  int
	fault  Fault
	place  int    // in the list of calls
	asked  string // the input, where somebody wanted to read it
	// Calls that were numbered together take effect one after the other: each waits for
	// the one before it, and closes what the one after it waits for.
	before <-chan struct{}
	done   chan struct{}
}

// passed lets the call after this one take effect.
func (p *pending) passed() {
	if p.done != nil {
		close(p.done)
		p.done = nil
	}
}

// do makes a call: it waits as long as calls take, then counts it, lets its fault
// happen, and runs its effect.
func (c *Client) do(ctx context.Context, asked request) error {
	w := c.world
	one := w.arrive(c, asked)
	if err := w.wait(ctx, w.Latency); err != nil {
		w.leave(one, err)
		return err
	}
	w.number() // this one too: it is due
	if one.before != nil {
		<-one.before
	}
	defer one.passed()
	err := w.take(ctx, one)
	w.mu.Lock()
	w.inFlight--
	w.ended = max(w.ended, one.round)
	var call Call
	if one.place < len(w.calls) {
		w.calls[one.place].Err = err
		call = w.calls[one.place]
	}
	after := w.After
	w.mu.Unlock()
	if after != nil {
		after(call)
	}
	if one.fault.Panic != nil {
		panic(one.fault.Panic)
	}
	return err
}

func (w *World) arrive(c *Client, asked request) *pending {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := &pending{request: asked, client: c, due: time.Now().Add(w.Latency), round: w.ended + 1}
	w.pending = append(w.pending, one)
	w.inFlight++
	w.widest, w.deepest = max(w.widest, w.inFlight), max(w.deepest, one.round)
	return one
}

// leave drops a call whose caller gave up before it took effect. One that was due at
// the same instant may have been counted by then.
func (w *World) leave(one *pending, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inFlight--
	w.pending = slices.DeleteFunc(w.pending, func(other *pending) bool { return other == one })
	if one.number == 0 {
		return
	}
	if one.place < len(w.calls) {
		w.calls[one.place].Err = err
	}
	one.passed()
}

func (w *World) wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// number counts every call that is due, in an order that does not depend on which
// goroutine came first.
func (w *World) number() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	var due []*pending
	w.pending = slices.DeleteFunc(w.pending, func(one *pending) bool {
		if one.due.After(now) {
			return false
		}
		due = append(due, one)
		return true
	})
	slices.SortStableFunc(due, comparePending)
	var before chan struct{}
	for i, one := range due {
		one.before = before
		if i < len(due)-1 {
			one.done = make(chan struct{})
		}
		before = one.done
		one.client.count++
		one.number = one.client.count
		one.fault = one.client.faultOf(one.number, one.operation)
		one.place = len(w.calls)
		w.calls = append(w.calls, Call{Client: one.client.name, Number: one.number, Operation: one.operation, Write: one.write, Input: one.input})
	}
}

// comparePending orders calls by when they are due, who makes them and what they ask for.
func comparePending(a, b *pending) int {
	if order := a.due.Compare(b.due); order != 0 {
		return order
	}
	if order := cmp.Or(cmp.Compare(a.client.name, b.client.name), cmp.Compare(a.operation, b.operation)); order != 0 {
		return order
	}
	return compareInputs(a, b)
}

// take lets the call take effect, or its fault happen.
func (w *World) take(ctx context.Context, one *pending) error {
	fault := one.fault
	if fault.Hang > 0 || fault.Late > 0 {
		one.passed() // the others do not wait for this one
	}
	if err := w.wait(ctx, fault.Hang); err != nil {
		return err
	}
	if fault.Late > 0 {
		return w.late(ctx, one)
	}
	if fault.Do != nil {
		fault.Do()
	}
	if fault.Hand != nil {
		w.Play(*fault.Hand)
	}
	switch {
	case w.isCut(one.client, fault):
		return ErrCut
	case fault.Panic != nil:
		return fmt.Errorf("panic: %v", fault.Panic)
	case fault.Repeated && fault.Err == nil:
		_ = w.effect(one)
		return w.effect(one)
	case fault.Lost:
		_ = w.effect(one)
		return cmp.Or(fault.Err, ErrCut)
	case fault.Err != nil:
		return fault.Err
	}
	return w.effect(one)
}

// late lets the call take effect after a while, whether its caller waits or not: he
// waits as long as he may.
func (w *World) late(ctx context.Context, one *pending) error {
	<-time.After(one.fault.Late)
	if w.isCut(one.client, Fault{}) {
		return ErrCut
	}
	return errors.Join(w.effect(one), ctx.Err())
}

// isCut says whether the call finds its caller dead, and lets him die.
func (w *World) isCut(c *Client, fault Fault) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := c.cut
	if fault.Cut {
		c.end()
	}
	return was || (fault.Cut && !fault.Lost)
}

func (w *World) effect(one *pending) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if denied := one.client.denied; denied != nil {
		if operation := missing(denied, one.request); operation != "" {
			return Unauthorized(operation)
		}
	}
	if one.place < len(w.calls) && len(one.touches) > 0 && w.calls[one.place].Touched == nil {
		touched := make(map[string]map[string]string, len(one.touches))
		for _, id := range one.touches {
			g, _ := w.holder(id)
			if g == nil {
				g = w.living(id)
			}
			if g != nil {
				touched[g.id] = g.now().tags
			}
		}
		w.calls[one.place].Touched = touched
	}
	if w.Throttles && !w.pay(one.operation) {
		return fail("RequestLimitExceeded", "Request limit exceeded.")
	}
	if len(one.filters) > 0 {
		if err := w.checkFilters(one.filters); err != nil {
			return err
		}
	}
	if role := one.client.Role; role != nil && one.write {
		for _, id := range one.touches {
			if tags, err := w.tagsOf(id); err == nil && !role(one.operation, one.input, id, tags) {
				return Unauthorized(one.operation)
			}
		}
	}
	now := time.Now()
	return one.effect(view{at: now.Add(-max(w.Lag, one.fault.Stale)), tagsAt: now.Add(-max(w.Lag, w.TagLag, one.fault.Stale)), blink: one.fault.Blink})
}

// bucket is a bucket of tokens for one operation ("Request throttling for the
// Amazon EC2 API", EC2 developer guide).
type bucket struct {
	tokens float64
	at     time.Time
}

// pay takes a token of an operation, if there is one.
func (w *World) pay(operation string) bool {
	size, perSecond := 50.0, 5.0
	switch operation {
	case "DescribeSecurityGroups", "DescribeSecurityGroupRules", "DescribeNetworkInterfaces":
		size, perSecond = 100, 20
	case "CreateTags":
		size, perSecond = 100, 10
	}
	now := time.Now()
	b := w.buckets[operation]
	if b == nil {
		b = &bucket{tokens: size, at: now}
		w.buckets[operation] = b
	}
	b.tokens, b.at = min(size, b.tokens+now.Sub(b.at).Seconds()*perSecond), now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// IsCut says whether the client was ended.
func (c *Client) IsCut() bool {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	return c.cut
}
