package federation

import (
	"math"
	"slices"

	"feddag/internal/stream"
)

// testSubsets chooses the test samples on which clients are scored if [Options].EvalShare is below 1.
type testSubsets struct {
	rank   []int32             // [test images] position of each image in a random order of the images of its class
	chosen map[testSet][]int32 // by test set
}

// TestSamples returns the test samples on which a client is scored, in the order of its test set. If [Options].EvalShare is 1,
// it returns all of them. Otherwise, if the client has n test samples of a class of the data set, it returns round(share n) of
// these, at least one: the first in a random order of all test images of the class.
//
// The order depends only on the seed of the run, so all algorithms and all rounds of a seed use the same samples. Clients with
// the same images of a class get the same samples of the class, so a model still predicts once for all of them. The result must
// not be changed.
func (e *Env) TestSamples(c *Client) []int32 {
	if e.EvalShare == 1 || len(c.Test) == 0 {
		return c.Test
	}
	key := testSetOf(c)
	samples, ok := e.subsets.chosen[key]
	if !ok {
		if e.subsets.chosen == nil {
			e.subsets = testSubsets{rank: e.rankTestImages(), chosen: map[testSet][]int32{}}
		}
		samples = e.chooseTestSamples(c.Test)
		e.subsets.chosen[key] = samples
	}
	return samples
}

// rankTestImages returns the position of each test image in a random order of the images of its class.
func (e *Env) rankTestImages() []int32 {
	rank := make([]int32, e.Data.Test.Len())
	for class, images := range e.testImagesByClass(nil) {
		for place, k := range stream.New(e.Seed, "evaluation/share", uint64(class)).Perm(len(images)) {
			rank[images[k]] = int32(place)
		}
	}
	return rank
}

// testImagesByClass divides test images by their class in the data set; nil stands for all of them.
func (e *Env) testImagesByClass(images []int32) [][]int32 {
	divided := make([][]int32, e.Data.Classes)
	labels := e.Data.Test.Labels
	if images == nil {
		for k, class := range labels {
			divided[class] = append(divided[class], int32(k))
		}
	}
	for _, k := range images {
		divided[labels[k]] = append(divided[labels[k]], k)
	}
	return divided
}

// chooseTestSamples returns the chosen samples of a test set.
func (e *Env) chooseTestSamples(test []int32) []int32 {
	chosen := make(map[int32]bool, len(test))
	for _, images := range e.testImagesByClass(test) {
		if len(images) == 0 {
			continue
		}
		slices.SortFunc(images, func(a, b int32) int { return int(e.subsets.rank[a] - e.subsets.rank[b]) })
		for _, k := range images[:max(1, int(math.Round(e.EvalShare*float64(len(images)))))] {
			chosen[k] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(test), func(k int32) bool { return !chosen[k] })
}
