package data

// MNIST: 60,000 + 10,000 handwritten digits, 28 x 28 grey (LeCun, Cortes, Burges).
func init() {
	registerIDX(&idxSet{
		name:       "mnist",
		title:      "MNIST",
		folders:    []string{"mnist", "MNIST"},
		classNames: []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
		mean:       0.1307, std: 0.3081,
		unpacked: [4]string{"6bbc9ace898e44ae57da46a324031adb", "a25bea736e30d166cdddb491f175f624",
			"2646ac647ad5339dbf082846283269ea", "27ae3e4e09519cfbb04c329615203637"},
		origin: origin{
			folder: "mnist", repacked: true, images: [2]int{60000, 10000},
			files: idxDownloads([]string{"https://storage.googleapis.com/cvdf-datasets/mnist", "https://ossci-datasets.s3.amazonaws.com/mnist"}, [4]download{
				{size: 9912422, md5: "f68b3c2dcbeaaa9fbdd348bbdeb94873", sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
				{size: 28881, md5: "d53e105ee54ea40749a09fcbcd1e9432", sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
				{size: 1648877, md5: "9fb629c4189551a2d022fa330f9573f3", sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
				{size: 4542, md5: "ec29112dd5afa0611ce80d1b7f02629c", sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"},
			}),
		},
		advice: "feddag data fetch mnist, or put the four files there or name their folder with --data-dir",
	})
}
