package cli

import (
	"context"
	"fmt"
	"io"
	"runtime"

	"feddag/report"
	"feddag/torch"
)

func init() {
	register("version", "print the commit and the versions of Go, libtorch and CUDA", func(_ context.Context, args []string, out, _ io.Writer) error {
		if len(args) > 0 && args[0] != "--help" {
			return usagef("version takes no argument, got %q", args[0])
		}
		info, err := torch.Describe()
		if err != nil {
			info.Version = "unknown"
		}
		fmt.Fprintf(out, "feddag %s (%s, libtorch %s, %s/%s)\n", revision(), runtime.Version(), info.Version, runtime.GOOS, runtime.GOARCH)
		fmt.Fprintf(out, "CUDA %s\n", describeCUDA(info))
		return nil
	})
}

// revision returns the commit from which the program was built.
func revision() string {
	if commit != "" {
		return commit
	}
	return report.Commit()
}
