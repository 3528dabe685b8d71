package federation

// TrainScores is like [Env.Scores], but on all training images of the clients in place of their test images.
func (e *Env) TrainScores(clients []*Client, models []Model) ([]Score, error) {
	set := *e.Data
	set.Test = e.Data.Train
	on := *e
	on.Data, on.Test, on.EvalShare = &set, e.Train, 1
	on.scores, on.subsets = scoreCache{}, testSubsets{}
	own := make([]*Client, len(clients))
	for i, c := range clients {
		tested := *c
		tested.Test = c.Train
		own[i] = &tested
	}
	return on.Scores(own, models)
}
