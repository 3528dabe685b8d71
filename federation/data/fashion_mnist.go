package data

// Fashion-MNIST: 60,000 + 10,000 grey images of clothing, 28 x 28 (Xiao, Rasul, Vollgraf, arXiv 1708.07747). It is
// scaled with the mean and standard deviation of MNIST, as in the paper's prototype.
func init() {
	registerIDX(&idxSet{
		name:    "fashion-mnist",
		title:   "Fashion-MNIST",
		aliases: []string{"fmnist", "fashionmnist", "fashion_mnist"},
		folders: []string{"fashion-mnist", "FashionMNIST", "fashion_mnist", "fmnist"},
		classNames: []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
			"Ankle boot"},
		mean: 0.1307, std: 0.3081,
		unpacked: [4]string{"f4a8712d7a061bf5bd6d2ca38dc4d50a", "9018921c3c673c538a1fc5bad174d6f9",
			"8181f5470baa50b63fa0f6fddb340f0a", "15d484375f8d13e6eb1aabb0c3f46965"},
		origin: origin{
			folder: "fashion-mnist", repacked: true, images: [2]int{60000, 10000}, perClass: [2]int{6000, 1000},
			files: idxDownloads([]string{
				"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
				"https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
			}, [4]download{
				{size: 26421880, md5: "8d4fb7e6c68d591d4c3dfef9ec88bf0d"},
				{size: 29515, md5: "25c81989df183df01b3e8a0aad5dffbe"},
				{size: 4422102, md5: "bef4ecab320f06d8554ea6380940ec79"},
				{size: 5148, md5: "bb300cfdad3c16e7a12a480ee83cd310"},
			}),
		},
		advice: "on Debian: apt-get install dataset-fashion-mnist; elsewhere feddag data fetch fashion-mnist, or put the four files there or name their folder with --data-dir",
	})
}
