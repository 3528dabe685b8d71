package cli

import (
	"os"

	"feddag/report"
)

// inputCopies has, for every flag whose value is a file that a run is given, the name of the copy in the run directory.
// A run that is resumed or repeated reads the copies, because the files may have moved or changed.
var inputCopies = map[string]string{
	"partition-file":  report.PartitionFile,
	"scenario":        report.ScenarioFile,
	"initial-weights": report.InitialWeightsFile,
}

// input returns the content of the file that is given to a flag, and the path to name in errors: the file itself, or its copy if
// the run is resumed. Ranks that have no run directory get the copy from rank 0.
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
