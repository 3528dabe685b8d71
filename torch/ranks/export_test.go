package ranks

// StopBeating ends the signs of life of a rank, as if it were stopped.
func (r *Ranks) StopBeating() { r.mute.Store(true) }
