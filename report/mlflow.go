package report

import (
	"errors"
	"io/fs"

	"feddag/internal/mlflow"
)

// MLflowFile is the file that identifies the run on an MLflow server, so that a resumed run continues it.
const MLflowFile = "mlflow.json"

// MLflow is the content of mlflow.json.
type MLflow struct {
	Server string     `json:"server"`
	Run    mlflow.Run `json:"run"`
}

// WriteMLflow writes mlflow.json.
func (d *Dir) WriteMLflow(m MLflow) error { return d.WriteJSON(MLflowFile, m) }

// ReadMLflow reads mlflow.json. It returns nil if the run has none.
func (d *Dir) ReadMLflow() (*MLflow, error) {
	var m MLflow
	err := d.ReadJSON(MLflowFile, &m)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return &m, err
}
