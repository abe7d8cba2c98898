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
	// Err refuses the call; it has no effect.
	Err error
	// Lost loses the answer of a call that takes effect: the caller gets Err, or ErrCut if Err is
	// nil.
	Lost bool
	// Hang delays the call before anything else happens, unless its caller gives up.
	Hang time.Duration
	// Late delays the call's effect, whether or not its caller still waits for the answer.
	Late time.Duration
	// Stale makes a describe call show the world as it was that long ago.
	Stale time.Duration
	// Blink makes a describe call omit every other young group.
	Blink bool
	// Hand is an out-of-band change just before the call takes effect.
	Hand *OutOfBandChange
	// Panic, if not nil, is the value of a panic in the caller.
	Panic any
	// Cut ends the caller. Neither this call nor any later one takes effect, and all fail. With
	// Lost, this call still takes effect.
	Cut bool
	// Do is called, without locks, just before the call takes effect.
	Do func()
	// Lasting applies the fault to all later calls of the same client and operation.
	Lasting bool
	// Repeated loses the answer of a call that took effect and repeats the call, as the SDK does.
	// The caller gets the second answer, such as InvalidGroup.Duplicate.
	Repeated bool
}

// Client is one caller's access to a world, such as an invocation of a function. It has the method
// signatures of the SDK, and EC2's query protocol in ServeHTTP.
type Client struct {
	// Role decides which writes the caller may make; nil allows all.
	Role Role

	world *World
	name  string

	// The fields below are guarded by the world's lock.
	faults  map[int]Fault
	lasting map[string]Fault
	denied  map[string]bool
	count   int
	cut     bool
	ended   chan struct{}
}

// Role reports whether a caller may make a write, as IAM does. It is called for each group or rule
// that the call names, with the resource's tags when the call takes effect.
type Role func(operation string, input any, resourceID string, tags map[string]string) bool

// Client returns a new client.
func (w *World) Client(name string) *Client {
	return &Client{world: w, name: name, ended: make(chan struct{})}
}

// Name returns the name that identifies the client's calls.
func (c *Client) Name() string { return c.name }

// FailAt applies a fault to the nth call of the client, counted from 1 since its creation or since
// Forget.
func (c *Client) FailAt(n int, fault Fault) {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	if c.faults == nil {
		c.faults = map[int]Fault{}
	}
	c.faults[n] = fault
}

// Forget removes all faults, reverts Deny and restarts the count.
func (c *Client) Forget() {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	c.faults, c.lasting, c.denied, c.count = nil, nil, nil, 0
}

// Count returns the number of calls of the client.
func (c *Client) Count() int {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	return c.count
}

// Cut ends the client: no later call of it takes effect.
func (c *Client) Cut() {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	c.end()
}

// end ends the client; the world's lock must be held.
func (c *Client) end() {
	if !c.cut {
		c.cut = true
		close(c.ended)
	}
}

// Ended returns a channel that is closed when the client ends.
func (c *Client) Ended() <-chan struct{} { return c.ended }

// request is a call before it is made.
type request struct {
	operation string
	write     bool
	input     any
	objects   []string
	filters   []types.Filter
	// effect performs the call, with the world's lock held.
	effect func(view) error
}

// compareInputs orders calls of the same operation. Most calls are alone, so their input is only
// printed here.
func compareInputs(a, b *pending) int {
	if order := slices.Compare(a.objects, b.objects); order != 0 {
		return order
	}
	return strings.Compare(a.text(), b.text())
}

func (p *pending) text() string {
	if p.inputText == "" {
		p.inputText = printed(p.input)
	}
	return p.inputText
}

// view is the state of the world that a call sees.
type view struct {
	at, tagsAt time.Time
	blink      bool
}

// pending is a call that has begun but not taken effect.
type pending struct {
	request

	client    *Client
	due       time.Time
	number    int
	round     int
	fault     Fault
	place     int    // its index in the list of calls
	inputText string // the printed input, if it was needed
	// Calls that are numbered together take effect in order. Each waits for previous and then
	// closes done, which the next call waits for.
	previous <-chan struct{}
	done     chan struct{}
}

// passed lets the next call take effect.
func (p *pending) passed() {
	if p.done != nil {
		close(p.done)
		p.done = nil
	}
}

// do performs a call. It waits for the latency, numbers the call, applies its fault, and runs its
// effect.
func (c *Client) do(ctx context.Context, asked request) error {
	w := c.world
	one := w.arrive(c, asked)
	if err := w.wait(ctx, w.Latency); err != nil {
		w.leave(one, err)
		return err
	}
	w.number() // this call too: it is due
	if one.previous != nil {
		<-one.previous
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

// leave removes a call whose caller gave up before it took effect. A call that was due at the same
// instant may already have its number.
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

// number numbers every call that is due, in an order that does not depend on the scheduling of
// goroutines.
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
	var previous chan struct{}
	for i, one := range due {
		one.previous = previous
		if i < len(due)-1 {
			one.done = make(chan struct{})
		}
		previous = one.done
		one.client.count++
		one.number = one.client.count
		one.fault = one.client.faultOf(one.number, one.operation)
		one.place = len(w.calls)
		w.calls = append(w.calls, Call{Client: one.client.name, Number: one.number, Operation: one.operation, Write: one.write, Input: one.input})
	}
}

// comparePending orders calls by due time, caller and input.
func comparePending(a, b *pending) int {
	if order := a.due.Compare(b.due); order != 0 {
		return order
	}
	if order := cmp.Or(cmp.Compare(a.client.name, b.client.name), cmp.Compare(a.operation, b.operation)); order != 0 {
		return order
	}
	return compareInputs(a, b)
}

// take applies the call's fault, or makes the call take effect.
func (w *World) take(ctx context.Context, one *pending) error {
	fault := one.fault
	if fault.Hang > 0 || fault.Late > 0 {
		one.passed() // the other calls do not wait for this one
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
		w.Apply(*fault.Hand)
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

// late makes the call take effect after a delay, whether or not its caller still waits.
func (w *World) late(ctx context.Context, one *pending) error {
	<-time.After(one.fault.Late)
	if w.isCut(one.client, Fault{}) {
		return ErrCut
	}
	return errors.Join(w.effect(one), ctx.Err())
}

// isCut ends the caller if the fault says so, and reports whether the call has no effect for that
// reason.
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
	if one.place < len(w.calls) && len(one.objects) > 0 && w.calls[one.place].Touched == nil {
		touched := make(map[string]map[string]string, len(one.objects))
		for _, id := range one.objects {
			g, _ := w.holder(id)
			if g == nil {
				g = w.existing(id)
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
		for _, id := range one.objects {
			if tags, err := w.tagsOf(id); err == nil && !role(one.operation, one.input, id, tags) {
				return Unauthorized(one.operation)
			}
		}
	}
	now := time.Now()
	return one.effect(view{at: now.Add(-max(w.Lag, one.fault.Stale)), tagsAt: now.Add(-max(w.Lag, w.TagLag, one.fault.Stale)), blink: one.fault.Blink})
}

// bucket is a token bucket for one operation ("Request throttling for the Amazon EC2 API", EC2
// developer guide).
type bucket struct {
	tokens float64
	at     time.Time
}

// pay takes a token of an operation, if one is left.
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

// IsCut reports whether the client has ended.
func (c *Client) IsCut() bool {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	return c.cut
}
