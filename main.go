// Feddag trains clustered federated learning: FedDAG and what it is compared with.
package main

import (
	"os"

	"feddag/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
