package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"feddag/report"

	"github.com/spf13/pflag"
)

func init() {
	register("serve", "show the report of a run in a browser, live while the run goes on", serve)
}

const serveIntro = `Serves the report of a run, or of a comparison, and the files of its directory over HTTP, for reading only. During the run,
the page shows the rounds so far and updates itself. The address is printed on standard output; Ctrl-C ends the server.

Usage: feddag serve RUN [flags]
`

// defaultListen is the address on which the server listens by default. Only browsers on this machine can reach it.
const defaultListen = "127.0.0.1:7474"

func newServeFlags(listen *string) *pflag.FlagSet {
	fs := newFlagSet()
	fs.StringVar(listen, "listen", defaultListen, "HOST:PORT to listen on; port 0 takes a free one; a HOST other than 127.0.0.1 or localhost lets other machines read the run")
	return fs
}

func serve(ctx context.Context, args []string, out, log io.Writer) error {
	var listen string
	fs := newServeFlags(&listen)
	if helped, err := parseCommand("serve", serveIntro, fs, args, out); helped || err != nil {
		return err
	}
	if fs.NArg() != 1 {
		return usagef("serve: name the directory of one run, got %d arguments", fs.NArg())
	}
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return usagef("--listen %q: use HOST:PORT, such as %s", listen, defaultListen)
	}
	dir, err := report.LookAny(fs.Arg(0))
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(fs.Arg(0))
	if err != nil {
		return fmt.Errorf("opening the run: %w", err)
	}
	defer root.Close()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("--listen %s: another program listens there; choose another port, or %s for a free one", listen, net.JoinHostPort(host, "0"))
	case err != nil:
		return fmt.Errorf("--listen %s: %w", listen, err)
	}
	loopback := isLoopback(listen)
	if !loopback {
		fmt.Fprintf(log, "warning: whoever reaches %s can read all files of %s\n", listener.Addr(), fs.Arg(0))
	}
	fmt.Fprintf(out, "http://%s/\n", listener.Addr())
	server := &http.Server{Handler: newRunServer(dir, root, loopback), ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() {
		wait, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if server.Shutdown(wait) != nil {
			server.Close()
		}
	})
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving %s: %w", fs.Arg(0), err)
	}
	return nil
}
