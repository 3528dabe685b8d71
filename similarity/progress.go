package similarity

// Progress is called with the progress of a clustering: done of total in a step ("gradient angles", "class angles", "gates",
// "linkage" or "spectral", "candidates"). If it returns an error, the clustering ends with this error, so a caller can stop a
// clustering early. It is called from one goroutine at a time.
type Progress func(step string, done, total int) error

// step returns the function that the code of a step calls; p may be nil.
func (p Progress) step(name string) teller {
	if p == nil {
		return nil
	}
	return func(done, total int) error { return p(name, done, total) }
}

// teller is the Progress of one step.
type teller func(done, total int) error

func (t teller) tell(done, total int) error {
	if t == nil {
		return nil
	}
	return t(done, total)
}
