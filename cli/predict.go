package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"runtime"
	"strings"

	"feddag/federation"
	"feddag/federation/data"
	"feddag/internal/spelling"
	"feddag/models"
	"feddag/report"
	"feddag/torch"
)

func init() {
	register("predict", "classify image files with the model of a client", predict)
}

const predictIntro = `Classifies images (JPEG or PNG) with the model of a client: prints the most probable class of each image, its name and its
probability. The images are decoded, resized and scaled like the data set of the run, which need not be present.
The last line on standard output is one JSON object with the probabilities of all classes.

Usage: feddag predict --run DIR --client N IMAGE... [flags]
`

// predictFlags are the flags of the command.
type predictFlags struct {
	*storedFlags
	client int
	resize string
}

func newPredictFlags() *predictFlags {
	f := &predictFlags{storedFlags: newStoredFlags()}
	f.all.IntVar(&f.client, "client", -1, "number of the client whose model predicts")
	f.all.StringVar(&f.resize, "resize", "", "stretch images of another size: bilinear (as PIL, torchvision) or area (mean of the pixels covered) (default: as the run's --dataset-option size and resize say)")
	f.all.Lookup("client").DefValue = ""
	return f
}

func predict(ctx context.Context, args []string, out, _ io.Writer) error {
	f := newPredictFlags()
	if helped, err := parseCommand("predict", predictIntro, f.all, args, out); helped || err != nil {
		return err
	}
	if err := f.checkRun("predict"); err != nil {
		return err
	}
	if !f.all.Changed("client") {
		return usagef("predict: name the client whose model predicts: --client N")
	}
	if f.all.NArg() == 0 {
		return usagef("predict: name the image files after the flags")
	}
	p, err := openPredictor(f.run, f.client)
	if err != nil {
		return err
	}
	defer p.models.Close()
	options, err := keyValues("dataset-option", p.o.extra)
	if err != nil {
		return err
	}
	pixels, err := data.ReadFiles(ctx, f.all.Args(), p.file.Input.Shape, p.file.Input.DataSet, options, f.resize)
	if err != nil {
		return err
	}
	result, err := p.predict(f.all.Args(), pixels)
	if err != nil {
		return err
	}
	return result.print(out)
}

// predictor is a client's model, ready to predict.
type predictor struct {
	o      *options
	file   *report.Models
	client report.ModelClient
	models *loader
	model  federation.Model
}

// openPredictor reads the models of a client of a run.
func openPredictor(run string, client int) (*predictor, error) {
	dir, o, err := storedOptions(run)
	if err != nil {
		return nil, err
	}
	p := &predictor{o: o}
	p.file, err = dir.ReadModels()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no %s: the run has not ended, or is of an earlier program; feddag train --resume %s ends it and writes the file", run, report.ModelsFile, run)
	}
	if err != nil {
		return nil, err
	}
	if err := isThere(client, presentModels(p.file), len(p.file.Clients), run); err != nil {
		return nil, err
	}
	if p.client = p.file.Clients[client]; len(p.client.Files) == 0 {
		with := p.file.PredictsWith
		if with == "" {
			with = "a model that is not in model/"
		}
		return nil, fmt.Errorf("client %d of %s predicts with %s, which is not kept", client, run, with)
	}
	net, err := models.New(p.file.Encoder, p.file.Input.Shape, len(p.file.Classes), len(p.file.Encoders) == 2, models.Options{Norm: o.norm})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir.Path(report.ModelsFile), err)
	}
	p.models = newLoader(dir, net, torch.CPU)
	if p.model, err = p.models.model(p.client); err != nil {
		p.models.Close()
		return nil, err
	}
	return p, nil
}

// predictions is the result of the command, which is also its last line on standard output.
type predictions struct {
	Run    string       `json:"run"`
	Client int          `json:"client"`
	Files  []string     `json:"models"`
	Images []prediction `json:"images"`
}

// prediction is the prediction of a model for one image.
type prediction struct {
	Image         string    `json:"image"`
	Class         int       `json:"class"` // label as the client uses it
	Name          string    `json:"name"`
	Probability   float64   `json:"probability"`
	Probabilities []float64 `json:"probabilities"` // by label
}

// predict predicts the classes of images that have the input shape of the client's model.
func (p *predictor) predict(paths []string, pixels []byte) (*predictions, error) {
	torch.UseBLAS()
	input, classes := p.file.Input, len(p.file.Classes)
	images, err := torch.NewImages(torch.CPU, pixels, input.Shape, make([]uint8, len(paths)), input.Mean, input.Std)
	if err != nil {
		return nil, err
	}
	defer images.Close()
	engine, err := torch.NewEngine(torch.CPU, runtime.NumCPU())
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	states, weights := []*torch.Vector{p.model.State}, []float64{1}
	if p.model.Mix != nil {
		states, weights = p.model.Mix.States, p.model.Mix.Weights
	}
	all := make([]int32, len(paths))
	for i := range all {
		all[i] = int32(i)
	}
	jobs := make([]torch.Prediction, len(states))
	for k, s := range states {
		jobs[k] = torch.Prediction{State: s, Samples: all, LogProbabilities: true}
	}
	predicted, err := engine.Predict(p.model.Net, images, jobs)
	if err != nil {
		return nil, err
	}
	names := labelNames(p.file.Classes, p.client.LabelMap)
	result := &predictions{Run: p.o.resume, Client: p.client.Client, Files: p.client.Files}
	for i, path := range paths {
		probabilities := make([]float64, classes)
		for k, w := range weights {
			for y := range probabilities {
				probabilities[y] += w * math.Exp(float64(predicted[k].LogProbabilities[i*classes+y]))
			}
		}
		best := 0
		for y, v := range probabilities {
			if v > probabilities[best] {
				best = y
			}
		}
		result.Images = append(result.Images, prediction{path, best, names[best], probabilities[best], probabilities})
	}
	return result, nil
}

// labelNames returns a name for each label that a client uses: the names of the classes that it gives this label.
func labelNames(classes []string, labelMap []int) []string {
	if len(labelMap) == 0 {
		return classes
	}
	named := make([][]string, len(classes))
	for class, label := range labelMap {
		named[label] = append(named[label], classes[class])
	}
	names := make([]string, len(classes))
	for label := range names {
		names[label] = strings.Join(named[label], " or ")
	}
	return names
}

func (p *predictions) print(out io.Writer) error {
	var b strings.Builder
	width := len("image")
	for _, x := range p.Images {
		width = max(width, len(x.Image))
	}
	fmt.Fprintf(&b, "client %d of %s, with %s\n", p.Client, p.Run, strings.Join(p.Files, ", "))
	fmt.Fprintf(&b, "%-*s  %5s  %11s  name\n", width, "image", "class", "probability")
	for _, x := range p.Images {
		fmt.Fprintf(&b, "%-*s  %5d  %11.4f  %s\n", width, x.Image, x.Class, x.Probability, spelling.Plain(x.Name))
	}
	line, err := report.Marshal(p)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s%s\n", b.String(), line)
	return err
}
