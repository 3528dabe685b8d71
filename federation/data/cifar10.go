package data

// cifar10Classes are the class names by label, which is their alphabetical order.
var cifar10Classes = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

// These are the mean and standard deviation by which CIFAR-10's pixels are scaled. The deviation is the one in common use,
// which is the mean of the deviations of the single images, and not the deviation of all pixels (.247, .243, .262).
var (
	cifar10Mean = []float32{.4914, .4822, .4465}
	cifar10Std  = []float32{.2023, .1994, .2010}
)

// CIFAR-10: ten classes of objects, 6,000 images each.
func init() {
	registerCIFAR(&cifarSet{
		name: "cifar10", title: "CIFAR-10", aliases: []string{"cifar-10", "cifar_10"},
		folders: []string{"cifar10", "cifar-10", "CIFAR10"},
		binary: publication{"cifar-10-batches-bin", "cifar-10-binary.tar.gz",
			[]string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"}},
		python: publication{"cifar-10-batches-py", "cifar-10-python.tar.gz",
			[]string{"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"}},
		tests: 1, labels: 1, key: "labels",
		classNames: cifar10Classes, mean: cifar10Mean, std: cifar10Std,
		origin: origin{
			folder: "cifar10", images: [2]int{50000, 10000}, perClass: [2]int{5000, 1000},
			files: []download{
				{file: "cifar-10-binary.tar.gz", mirrors: cifarMirrors, size: 170052171, md5: "c32a1d4ab5d03f1284b67883e8d87530",
					sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
				{file: "cifar-10-python.tar.gz", mirrors: cifarMirrors, size: 170498071, md5: "c58f30108f718f92721af3b95e74349a",
					sha256: "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce", optional: true},
			},
		},
		advice: "feddag data fetch cifar10, or name its folder with --data-dir (CIFAR-10 as JPEG files: --dataset cifar10-jpeg)",
	})
}
