package fence

// Operation is the operation of a stack that a run belongs to: the one that the readings show
// with which the run begins. Once it has looked, no renewal of its lease replaces that.
type Operation struct {
	request Request
	first   Reading
	looks   int
}

// Begin is an operation before the run has looked.
func Begin(request Request) *Operation { return &Operation{request: request} }

// Look takes a reading with which the run begins, and says whether the request is over. Where a
// run looks twice, see [Against] for which of the two counts.
func (o *Operation) Look(now Reading) error {
	if o.looks++; o.looks == 1 {
		o.first = now
	} else {
		o.first = Against(o.request, o.first, now)
	}
	return o.Over(now)
}

// Over says whether the request is over; nil where it is not. See [Over].
func (o *Operation) Over(now Reading) error { return Over(o.request, o.first, now) }

// IsBehind says whether the run began with what was before the request. See [Behind].
func (o *Operation) IsBehind() bool { return Behind(o.request, o.first) }
