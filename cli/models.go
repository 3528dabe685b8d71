package cli

import (
	"strconv"

	"feddag/federation"
	"feddag/report"
)

// writeModels writes models.json, which says how to use the models of the run.
func (s *session) writeModels(result *federation.Result) error {
	net := s.o.alg.Models()[0].Net
	m := report.Models{Rounds: result.Rounds, Classes: s.set.ClassNames}
	m.SetNetwork(s.o.model, net)
	m.Input.DataSet, m.Input.Mean, m.Input.Std = s.set.Name, s.set.Mean, s.set.Std
	if len(m.Classes) == 0 {
		for label := range s.set.Classes {
			m.Classes = append(m.Classes, strconv.Itoa(label))
		}
	}
	if p, ok := s.o.alg.(federation.Predictor); ok {
		m.PredictsWith = p.PredictsWith()
	}
	if err := m.SetClients(s.dir, s.env, s.assigned(), result); err != nil {
		return err
	}
	return s.dir.WriteModels(m)
}
