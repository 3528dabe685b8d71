package cli

import (
	"os"

	"feddag/report"
)

// inputCopies maps each flag whose value is an input file of a run to the name of the file's copy in the run directory. A run
// that is resumed or repeated reads the copies, because the files may have moved or changed.
var inputCopies = map[string]string{
	"partition-file":  report.PartitionFile,
	"scenario":        report.ScenarioFile,
	"initial-weights": report.InitialWeightsFile,
}

// input returns the content of a flag's input file, and the path to name in errors. If the run is resumed, it reads the copy
// in the run directory. Ranks without a run directory get the copy from rank 0.
func (s *session) input(flag, given string) (content []byte, path string, err error) {
	o, name := s.o, inputCopies[flag]
	if o.team != nil && o.team.begun != nil {
		return o.team.begun.Inputs[name], given, nil
	}
	if o.resume != "" {
		given = s.dir.Path(name)
	}
	content, err = os.ReadFile(given)
	return content, given, err
}
