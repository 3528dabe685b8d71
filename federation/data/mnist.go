package data

// MNIST: 60,000 + 10,000 handwritten digits, 28 x 28 grey (LeCun, Cortes, Burges).
func init() {
	registerIDX(&idxSet{
		name:       "mnist",
		title:      "MNIST",
		folders:    []string{"mnist", "MNIST"},
		classNames: []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
		mean:       0.1307, std: 0.3081,
		trainCount: []int{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949},
		advice:     "put the four files there or name their folder with --data-dir",
	})
}
