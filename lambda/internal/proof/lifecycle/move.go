package lifecycle

// arrive makes dependents use the groups of a Create's answer. If the chain moved, they already do.
func (o *stackOperation) arrive() {
	if o.From != nil {
		o.follow(o.place())
	}
	o.move()
}

// created plays what follows a Create in which nothing went wrong. If the chain moved within its
// stack, the old resource is cleaned up.
func (o *stackOperation) created(forward string, adding bool) {
	o.row(map[bool]string{false: "1", true: "moved"}[o.From != nil])
	if adding {
		o.set("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "", "")
	}
	if o.RemovesOld {
		o.at(*o.From, o.removeOld)
	}
	o.set(forward+"_COMPLETE", "", "")
}

// removeOld cleans up a resource that the operation removed from the template.
func (o *stackOperation) removeOld() {
	const cleaning = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
	if id := o.ID(); o.Retains {
		o.row("19")
	} else {
		o.showRemoved(cleaning, id)
		o.abandoned = !o.cleanup(id, o.deployment().properties) || o.abandoned
	}
	o.set(cleaning, absent, "")
	o.empty()
}

// returnDependents makes dependents use the place again that the chain left.
func (o *stackOperation) returnDependents() {
	if o.From != nil {
		o.row("moved back")
	}
	if o.From != nil && !o.Kept {
		o.follow(*o.From)
	}
}
