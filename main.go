// Feddag trains clustered federated learning with FedDAG and the methods that it is compared with.
package main

import (
	"os"

	"feddag/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
