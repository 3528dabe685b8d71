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
	register("version", "which commit this is, and of what", func(_ context.Context, args []string, out, _ io.Writer) error {
		if len(args) > 0 && args[0] != "--help" {
			return usagef("version takes no argument, got %q", args[0])
		}
		libtorch := "unknown"
		if info, err := torch.Describe(); err == nil {
			libtorch = info.Version
		}
		fmt.Fprintf(out, "feddag %s (%s, libtorch %s, %s/%s)\n", revision(), runtime.Version(), libtorch, runtime.GOOS, runtime.GOARCH)
		return nil
	})
}

// revision is the commit the program was built from.
func revision() string {
	if commit != "" {
		return commit
	}
	return report.Commit()
}
