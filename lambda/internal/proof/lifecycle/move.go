package lifecycle

// arrive lets dependents use what a Create answered. Where the chain moved they are there already.
func (o *course) arrive() {
	if o.From != nil {
		o.follow(o.place())
	}
	o.move()
}

// created is what follows a Create with which nothing went wrong: where the chain moved within its
// stack, the resource that it left is cleaned up.
func (o *course) created(forward string, adding bool) {
	o.row(map[bool]string{false: "1", true: "moved"}[o.From != nil])
	if adding {
		o.set("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "", "")
	}
	if o.Out {
		o.at(*o.From, o.takeOut)
	}
	o.set(forward+"_COMPLETE", "", "")
}

// takeOut cleans up a resource that the operation took out of the template.
func (o *course) takeOut() {
	const cleaning = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
	if id := o.ID(); o.Retains {
		o.row("19")
	} else {
		o.showRemoved(cleaning, id)
		o.abandoned = !o.cleanup(id, o.site().properties) || o.abandoned
	}
	o.set(cleaning, absent, "")
	o.empty()
}

// comeBack lets dependents use the place again that the chain left.
func (o *course) comeBack() {
	if o.From != nil {
		o.row("moved back")
	}
	if o.From != nil && !o.Kept {
		o.follow(*o.From)
	}
}
