// Package jpeg decodes JPEG files (ITU-T T.81) to the very bytes that libjpeg makes of them, and so Pillow and
// torchvision: the same inverse cosine transform in integers, the same interpolation of the chroma planes, the same
// conversion to RGB. Go's image/jpeg differs in all three, and from one release to the next; a data set should not.
//
// It reads baseline, extended and progressive files of 8 bits with Huffman codes, grey or of three components, in any
// sampling that libjpeg takes. Others are errors, as are files that end too soon.
//
//	decode.go   markers, tables, scans
//	huffman.go  codes and bits
//	scan.go     coefficients: sequential, progressive
//	idct.go     blocks to samples
//	colour.go   samples to pixels
package jpeg
