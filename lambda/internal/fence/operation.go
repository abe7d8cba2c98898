package fence

// Operation is the stack operation that a run belongs to, as shown by the run's first readings.
// Later renewals of the lease do not change it.
type Operation struct {
	request Request
	first   Reading
	looks   int
}

// Begin returns an operation without a reading.
func Begin(request Request) *Operation { return &Operation{request: request} }

// Look takes one of the run's first readings, and returns an error if the request is over. If a
// run looks twice, [Against] chooses between the two readings.
func (o *Operation) Look(now Reading) error {
	if o.looks++; o.looks == 1 {
		o.first = now
	} else {
		o.first = Against(o.request, o.first, now)
	}
	return o.Over(now)
}

// Over returns an error if the request is over; see [Over].
func (o *Operation) Over(now Reading) error { return Over(o.request, o.first, now) }

// IsBehind reports whether the run's reading shows the state before the request; see [Behind].
func (o *Operation) IsBehind() bool { return Behind(o.request, o.first) }
