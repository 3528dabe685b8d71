package data

// Fashion-MNIST: 60,000 + 10,000 articles of clothing, 28 x 28 grey (Xiao, Rasul, Vollgraf, arXiv 1708.07747). It is
// scaled with MNIST's mean and deviation, as the paper's prototype does.
func init() {
	registerIDX(&idxSet{
		name:    "fashion-mnist",
		title:   "Fashion-MNIST",
		aliases: []string{"fmnist", "fashionmnist", "fashion_mnist"},
		folders: []string{"fashion-mnist", "FashionMNIST", "fashion_mnist", "fmnist"},
		classNames: []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
			"Ankle boot"},
		mean: 0.1307, std: 0.3081,
		trainCount: []int{6000, 6000, 6000, 6000, 6000, 6000, 6000, 6000, 6000, 6000},
		advice:     "on Debian: apt-get install dataset-fashion-mnist; elsewhere put the four files there or name their folder with --data-dir",
	})
}
