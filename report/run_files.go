package report

import (
	"errors"
	"io"
	"io/fs"

	"feddag/torch"
)

// WritePartition writes partition.json.
func (d *Dir) WritePartition(text []byte) error { return d.writeBytes(PartitionFile, text) }

// WriteScenario writes scenario.json, the scenario as the user gave it.
func (d *Dir) WriteScenario(text []byte) error { return d.writeBytes(ScenarioFile, text) }

// ReadScenario reads scenario.json. It returns nil if the run has none.
func (d *Dir) ReadScenario() ([]byte, error) {
	text, err := d.read(ScenarioFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// WriteInitialWeights writes initial-weights.safetensors, the file as the user gave it.
func (d *Dir) WriteInitialWeights(content []byte) error {
	return d.writeBytes(InitialWeightsFile, content)
}

// WriteModel writes model/NAME.safetensors: the tensors with the names of a PyTorch state_dict, and the name of their
// encoder.
func (d *Dir) WriteModel(name, encoder string, tensors []torch.NamedTensor) error {
	return d.WriteFile(modelFile(name), func(w io.Writer) error {
		return torch.WriteSafetensors(w, tensors, map[string]string{"format": "pt", "model": encoder})
	})
}

func (d *Dir) writeBytes(name string, content []byte) error {
	return d.WriteFile(name, func(w io.Writer) error { _, err := w.Write(content); return err })
}
