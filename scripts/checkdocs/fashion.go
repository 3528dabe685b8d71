package main

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// The sizes of the synthetic data set, which are a tenth of the sizes of Fashion-MNIST.
const (
	syntheticTrain = 6000
	syntheticTest  = 1000
	side           = 28
	classes        = 10
)

// writeFashion writes a data set of noisy bars in the format and with the file names of Fashion-MNIST. The position of the
// bar is the class.
func writeFashion(folder string) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, split := range []struct {
		name  string
		count int
	}{{"train", syntheticTrain}, {"t10k", syntheticTest}} {
		images := idxHeader(split.count, side, side)
		labels := idxHeader(split.count)
		for i := range split.count {
			class := i % classes
			labels = append(labels, byte(class))
			for y := range side {
				for range side {
					pixel := random.IntN(100)
					if y/2 == class+2 {
						pixel += 150
					}
					images = append(images, byte(pixel))
				}
			}
		}
		for name, content := range map[string][]byte{"images-idx3-ubyte": images, "labels-idx1-ubyte": labels} {
			if err := os.WriteFile(filepath.Join(folder, split.name+"-"+name), content, 0o666); err != nil {
				return err
			}
		}
	}
	return nil
}

// idxHeader returns the header of an IDX file with elements of type byte.
func idxHeader(shape ...int) []byte {
	header := []byte{0, 0, 8, byte(len(shape))}
	for _, n := range shape {
		header = binary.BigEndian.AppendUint32(header, uint32(n))
	}
	return header
}
