package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

// Client is one line of clients.csv. Accuracies are on the client's test set, in percent. An accuracy that was not measured
// is NaN, or an empty cell in the file.
type Client struct {
	Client       int
	Group        int // true group in the partition; negative, or an empty cell, if there is none
	Cluster      int // negative, or an empty cell, if the client is not present
	TrainSamples int
	TestSamples  int
	Pre          ClientScore // last measured, before local training
	Post         ClientScore // last measured, after local training
	BestPre      ClientScore // highest value of all rounds, before local training
	BestPost     ClientScore // highest value of all rounds, after local training
}

// ClientScore is one client's accuracies, in percent.
type ClientScore struct {
	Balanced float64 // mean of per-class recalls
	Accuracy float64 // share of samples classified correctly
}

// clientScoreJSON is the JSON form of a ClientScore.
type clientScoreJSON struct {
	Balanced Float `json:"balanced_accuracy"`
	Accuracy Float `json:"accuracy"`
}

// MarshalJSON writes null for an accuracy that was not measured.
func (s ClientScore) MarshalJSON() ([]byte, error) {
	return json.Marshal(clientScoreJSON{Float(s.Balanced), Float(s.Accuracy)})
}

// UnmarshalJSON reads null as NaN.
func (s *ClientScore) UnmarshalJSON(raw []byte) error {
	var x clientScoreJSON
	err := json.Unmarshal(raw, &x)
	*s = ClientScore{float64(x.Balanced), float64(x.Accuracy)}
	return err
}

// NoClientScore is a score that was not measured.
var NoClientScore = ClientScore{math.NaN(), math.NaN()}

const preColumn = "pre_balanced_accuracy"

// WriteClients writes clients.csv.
func (d *Dir) WriteClients(rows []Client) error {
	return d.WriteFile(ClientsFile, func(w io.Writer) error {
		out := csv.NewWriter(w)
		err := out.Write([]string{
			"client", "group", "cluster", "train_samples", "test_samples",
			preColumn, "pre_accuracy", "post_balanced_accuracy", "post_accuracy",
			"best_pre_balanced_accuracy", "best_pre_accuracy", "best_post_balanced_accuracy", "best_post_accuracy",
		})
		if err != nil {
			return err
		}
		for _, r := range rows {
			record := []string{strconv.Itoa(r.Client), number(r.Group), number(r.Cluster), strconv.Itoa(r.TrainSamples), strconv.Itoa(r.TestSamples)}
			for _, s := range []ClientScore{r.Pre, r.Post, r.BestPre, r.BestPost} {
				record = append(record, cell(s.Balanced), cell(s.Accuracy))
			}
			if err := out.Write(record); err != nil {
				return err
			}
		}
		out.Flush()
		return out.Error()
	})
}

// number formats i. A negative number becomes an empty cell.
func number(i int) string {
	if i < 0 {
		return ""
	}
	return strconv.Itoa(i)
}

func cell(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return strconv.FormatFloat(v, 'f', 4, 64)
}

// CountClients counts the clients in clients.csv that have an accuracy before local training. These are the clients that were
// present when the run ended.
func (d *Dir) CountClients() (int, error) {
	path := d.Path(ClientsFile)
	raw, err := d.read(ClientsFile)
	if err != nil {
		return 0, err
	}
	rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		return 0, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(rows) == 0 {
		return 0, fmt.Errorf("reading %s: it is empty", path)
	}
	column := slices.Index(rows[0], preColumn)
	if column < 0 {
		return 0, fmt.Errorf("reading %s: no column %s", path, preColumn)
	}
	n := 0
	for _, row := range rows[1:] {
		if row[column] != "" {
			n++
		}
	}
	return n, nil
}

// ReadClients reads clients.csv. Columns that an earlier version did not write are treated as empty.
func (d *Dir) ReadClients() ([]Client, error) {
	path := d.Path(ClientsFile)
	raw, err := d.read(ClientsFile)
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("reading %s: it is empty", path)
	}
	var clients []Client
	for i, row := range rows[1:] {
		cell := func(name string) string {
			if k := slices.Index(rows[0], name); k >= 0 {
				return row[k]
			}
			return ""
		}
		c := Client{Group: -1, Cluster: -1}
		var errs []error
		for _, f := range []struct {
			name string
			to   *int
		}{{"client", &c.Client}, {"group", &c.Group}, {"cluster", &c.Cluster}, {"train_samples", &c.TrainSamples}, {"test_samples", &c.TestSamples}} {
			if text := cell(f.name); text != "" {
				var err error
				*f.to, err = strconv.Atoi(text)
				errs = append(errs, err)
			}
		}
		for _, f := range []struct {
			name string
			to   *ClientScore
		}{{"pre", &c.Pre}, {"post", &c.Post}, {"best_pre", &c.BestPre}, {"best_post", &c.BestPost}} {
			for name, to := range map[string]*float64{f.name + "_balanced_accuracy": &f.to.Balanced, f.name + "_accuracy": &f.to.Accuracy} {
				*to = math.NaN()
				if text := cell(name); text != "" {
					var err error
					*to, err = strconv.ParseFloat(text, 64)
					errs = append(errs, err)
				}
			}
		}
		if err := errors.Join(errs...); err != nil {
			return nil, fmt.Errorf("reading %s, line %d: %w", path, i+2, err)
		}
		clients = append(clients, c)
	}
	return clients, nil
}
