package report

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"feddag/federation"
	"feddag/torch"
)

// ModelsFile is the file with the Models of a run: what another program needs to use its models.
const ModelsFile = "models.json"

// Models describes the layers of the models of a run, their inputs, and which client predicts with which model. It is written
// when the run has ended.
type Models struct {
	Rounds int `json:"rounds"` // number of rounds trained

	// Encoder is the name of the encoder. Encoders are the prefixes of the tensors of each encoder: there are one or two
	// encoders with the same layers. The input of the head is the concatenation of the features of the encoders in this
	// order.
	Encoder  string       `json:"encoder"`
	Encoders []string     `json:"encoders"` // "primary.", "secondary."
	Layers   []torch.Call `json:"layers"`   // layers of each encoder
	Head     torch.Call   `json:"head"`

	// Input describes the input of the models: (pixel/255 - mean) / std per channel.
	Input   ModelInput `json:"input"`
	Classes []string   `json:"classes"` // name of each label; its number if the data set has no names

	// PredictsWith describes the model with which the clients predict. It is empty if this is the model of the client's
	// cluster.
	PredictsWith string `json:"predicts_with,omitempty"`

	Clients  []ModelClient `json:"clients"`   // by id
	TestSets [][]int32     `json:"test_sets"` // indices into the test images of the data set
}

// ModelInput is the shape and the normalisation of the images.
type ModelInput struct {
	DataSet string    `json:"data_set"`
	Shape   [3]int    `json:"shape"` // channels, height, width
	Mean    []float32 `json:"mean"`  // mean of pixels/255 per channel
	Std     []float32 `json:"std"`
}

// ModelClient is a client of a run with the models with which it predicts.
type ModelClient struct {
	Client  int  `json:"client"`
	Cluster *int `json:"cluster"` // null if the client is not present at the end

	// Files are the models in the run directory with which the client predicts: one, or several with weights for the mean of
	// their class probabilities. There are none if the client is not present, or if it predicts with a model that is not
	// kept, such as a model that it trains before each prediction.
	Files   []string  `json:"files"`
	Weights []float64 `json:"weights"`

	TestSet  *int  `json:"test_set"`            // index into test_sets; null if the client is not present
	LabelMap []int `json:"label_map,omitempty"` // class -> label that the client uses; absent for the identity
}

// modelFile returns the path of the model with the given name in the run directory.
func modelFile(name string) string { return "model/" + name + ".safetensors" }

// SetNetwork fills in the fields that describe the layers of a network.
func (m *Models) SetNetwork(encoder string, net *torch.Network) {
	m.Encoder, m.Layers, m.Head = encoder, net.EncoderCalls(), net.HeadCall()
	if m.Encoders = []string{"primary."}; net.Dual() {
		m.Encoders = append(m.Encoders, "secondary.")
	}
	m.Input.Shape = net.Input()
}

// SetClients fills in which client predicts with which models at the end of a run. Models that are not in the directory are
// left out.
func (m *Models) SetClients(d *Dir, env *federation.Env, clusters [][]int, result *federation.Result) error {
	cluster := make([]*int, len(env.Clients))
	for z, members := range clusters {
		for _, i := range members {
			cluster[i] = &z
		}
	}
	places := map[[sha256.Size]byte]int{} // index of each test set by the hash of its content
	for i, c := range env.Clients {
		row := ModelClient{Client: i, Cluster: cluster[i], Files: []string{}, Weights: []float64{}}
		for _, l := range c.LabelMap {
			row.LabelMap = append(row.LabelMap, int(l))
		}
		if use := result.Uses[i]; len(use.Models) > 0 {
			for _, name := range use.Models {
				row.Files = append(row.Files, modelFile(name))
			}
			row.Weights = use.Weights
			kept, err := d.have(row.Files)
			if err != nil {
				return err
			}
			if !kept {
				row.Files, row.Weights = []string{}, []float64{}
			}
		}
		if test := env.TestSamples(c); cluster[i] != nil && len(test) > 0 {
			raw, err := binary.Append(nil, binary.LittleEndian, test)
			if err != nil {
				return fmt.Errorf("test images of client %d: %w", i, err)
			}
			key := sha256.Sum256(raw)
			place, ok := places[key]
			if !ok {
				place = len(m.TestSets)
				places[key], m.TestSets = place, append(m.TestSets, test)
			}
			row.TestSet = &place
		}
		m.Clients = append(m.Clients, row)
	}
	return nil
}

// have reports whether the directory has all of the given files.
func (d *Dir) have(names []string) (bool, error) {
	for _, name := range names {
		if _, err := os.Stat(d.Path(name)); errors.Is(err, fs.ErrNotExist) {
			return false, nil
		} else if err != nil {
			return false, fmt.Errorf("looking for %s: %w", d.Path(name), cause(err))
		}
	}
	return true, nil
}

// WriteModels writes models.json.
func (d *Dir) WriteModels(m Models) error { return d.WriteJSON(ModelsFile, m) }

// ReadModels reads models.json and checks the fields that the program relies on.
func (d *Dir) ReadModels() (*Models, error) {
	var m Models
	if err := d.ReadJSON(ModelsFile, &m); err != nil {
		return nil, err
	}
	bad := func(format string, args ...any) (*Models, error) {
		return nil, fmt.Errorf("reading %s: %s", d.Path(ModelsFile), fmt.Sprintf(format, args...))
	}
	channels := m.Input.Shape[0]
	if m.Encoder == "" || len(m.Classes) == 0 || channels < 1 || len(m.Input.Mean) != channels || len(m.Input.Std) != channels {
		return bad("the encoder, the classes, or the shape and normalisation of the images are missing")
	}
	if !slices.Equal(m.Encoders, []string{"primary."}) && !slices.Equal(m.Encoders, []string{"primary.", "secondary."}) {
		return bad("encoders %q", m.Encoders)
	}
	for i, c := range m.Clients {
		if c.Client != i {
			return bad("client %d is at index %d", c.Client, i)
		}
		if len(c.Weights) != len(c.Files) {
			return bad("client %d has %d weights for %d files", i, len(c.Weights), len(c.Files))
		}
		if len(c.LabelMap) != 0 && len(c.LabelMap) != len(m.Classes) {
			return bad("client %d maps %d labels of %d", i, len(c.LabelMap), len(m.Classes))
		}
		for _, l := range c.LabelMap {
			if l < 0 || l >= len(m.Classes) {
				return bad("client %d has the label %d of %d", i, l, len(m.Classes))
			}
		}
	}
	return &m, nil
}

// ReadModel reads one of the Files of a client, which is the state of a network.
func (d *Dir) ReadModel(file string, net *torch.Network) ([]float32, error) {
	path, err := d.local(file)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the model %s: %w", path, cause(err))
	}
	defer f.Close()
	tensors, _, err := torch.ReadSafetensors(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	values, err := net.Values(tensors)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return values, nil
}
