package algorithm

import (
	"feddag/federation"
	"feddag/torch"
)

// TrainingLosses returns the losses of every state on every client's training samples, [states][clients], with the client's
// own labels. counted says that the clients compute the losses for the method, so they count as work in the ledger. It is not
// set for evaluation.
func TrainingLosses(e *federation.Env, net *torch.Network, states torch.Vectors, clients []*federation.Client, counted bool) ([][]torch.Predicted, error) {
	var jobs []torch.Prediction
	for _, s := range states {
		for _, c := range clients {
			jobs = append(jobs, torch.Prediction{State: s, Samples: c.Train, LabelMap: c.LabelMap})
		}
	}
	predicted, err := e.Predict(net, e.Train, jobs)
	if err != nil {
		return nil, err
	}
	byState := make([][]torch.Predicted, len(states))
	for k := range states {
		byState[k] = predicted[k*len(clients) : (k+1)*len(clients)]
	}
	if counted {
		for _, c := range clients {
			e.Ledger.Forwarded(c, int64(len(states))*int64(c.Size()))
		}
	}
	return byState, nil
}

// LowestLoss returns, for every client, the index of the state with the lowest mean loss on its training samples. If losses
// are equal, it returns the lowest index. counted is as in [TrainingLosses]. A single state is returned without any
// computation.
func LowestLoss(e *federation.Env, net *torch.Network, states torch.Vectors, clients []*federation.Client, counted bool) ([]int, error) {
	best := make([]int, len(clients))
	if len(states) == 1 {
		return best, nil
	}
	losses, err := TrainingLosses(e, net, states, clients, counted)
	if err != nil {
		return nil, err
	}
	for i := range clients {
		for k := range states {
			if losses[k][i].Loss < losses[best[i]][i].Loss {
				best[i] = k
			}
		}
	}
	return best, nil
}
