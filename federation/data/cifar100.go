package data

// CIFAR-100: a hundred classes of objects, 600 images each, in twenty superclasses of five classes.
func init() {
	registerCIFAR(&cifarSet{
		name: "cifar100", title: "CIFAR-100", aliases: []string{"cifar-100", "cifar_100"},
		folders: []string{"cifar100", "cifar-100", "CIFAR100"},
		binary:  publication{"cifar-100-binary", "cifar-100-binary.tar.gz", []string{"train.bin", "test.bin"}},
		python:  publication{"cifar-100-python", "cifar-100-python.tar.gz", []string{"train", "test"}},
		tests:   1, labels: 2, key: "fine_labels", coarseKey: "coarse_labels",
		classNames: []string{
			"apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle",
			"bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle",
			"chair", "chimpanzee", "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur",
			"dolphin", "elephant", "flatfish", "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard",
			"lamp", "lawn_mower", "leopard", "lion", "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain",
			"mouse", "mushroom", "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree",
			"plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road", "rocket",
			"rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake", "spider",
			"squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank", "telephone", "television", "tiger", "tractor",
			"train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
		},
		superclass: []uint8{
			4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11,
			6, 11, 5, 10, 7, 6, 13, 15, 3, 15, 0, 11, 1, 10, 12, 14, 16, 9, 11, 5,
			5, 19, 8, 8, 15, 13, 14, 17, 18, 10, 16, 4, 17, 4, 2, 0, 17, 4, 18, 17,
			10, 3, 2, 12, 12, 16, 12, 1, 9, 19, 2, 10, 0, 1, 16, 12, 9, 13, 15, 13,
			16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13,
		},
		superNames: []string{
			"aquatic_mammals", "fish", "flowers", "food_containers", "fruit_and_vegetables", "household_electrical_devices",
			"household_furniture", "insects", "large_carnivores", "large_man-made_outdoor_things",
			"large_natural_outdoor_scenes", "large_omnivores_and_herbivores", "medium_mammals", "non-insect_invertebrates",
			"people", "reptiles", "small_mammals", "trees", "vehicles_1", "vehicles_2",
		},
		mean: []float32{.507, .487, .441}, std: []float32{.267, .256, .276},
		origin: origin{
			folder: "cifar100", images: [2]int{50000, 10000}, perClass: [2]int{500, 100},
			files: []download{
				{file: "cifar-100-binary.tar.gz", mirrors: cifarMirrors, size: 168513733, md5: "03b5dce01913d631647c71ecec9e9cb8"},
				{file: "cifar-100-python.tar.gz", mirrors: cifarMirrors, size: 169001437, md5: "eb9058c3a382ffc7106e4002c42a8d85",
					sha256: "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7", optional: true},
			},
		},
		advice: "feddag data fetch cifar100, or name its folder with --data-dir",
	})
}
