package ranks

// StopBeating stops the heartbeat of a rank, as if the rank were stopped.
func (r *Ranks) StopBeating() { r.mute.Store(true) }
