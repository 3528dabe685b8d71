package similarity

// Progress hears how far a clustering is: done of total in a step ("gradient angles", "class angles", "gates",
// "linkage" or "spectral", "candidates"). An error ends the clustering with that error, which is how to stop one early.
// It is called from one goroutine at a time.
type Progress func(step string, done, total int) error

// step returns what a step's code calls; it may be called where p is nil.
func (p Progress) step(name string) teller {
	if p == nil {
		return nil
	}
	return func(done, total int) error { return p(name, done, total) }
}

// teller is a Progress of one step.
type teller func(done, total int) error

func (t teller) tell(done, total int) error {
	if t == nil {
		return nil
	}
	return t(done, total)
}
