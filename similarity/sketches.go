package similarity

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"feddag/internal/atomicfile"
	"feddag/internal/npy"
)

// Sketches on disk are four arrays, as .npy files in a folder or together in one .npz file, as np.savez writes it:
//
//	class_counts             n_i,c, N x C, whole numbers
//	sparse_updates           Δ~_i, N x k
//	principal_vectors        the columns of all U_c^i as rows, P x F, in any order
//	principal_vectors_owner  client, class and position in the basis of each vector, P x 3, whole numbers
//
// and, if the clients' true groups are known,
//
//	true_groups              a whole number for each client, N
//
// Clients, classes and positions count from 0.
const (
	countsArray  = "class_counts"
	updatesArray = "sparse_updates"
	vectorsArray = "principal_vectors"
	ownerArray   = "principal_vectors_owner"
	groupsArray  = "true_groups"
)

// WriteSketches writes sketches to a folder, which it creates if needed, or to a file whose name ends in .npz. Numbers are
// float64, and the vectors are in the order of their classes, so that a single class can be read. Each file is complete or
// absent. WriteSketches returns an error if the sketches do not fit together, or if the columns of a basis are not of unit
// length. groups are the true groups of the clients, or nil if they are unknown.
func WriteSketches(path string, sketches []Sketch, groups []int) error {
	if err := writeSketches(path, sketches, groups); err != nil {
		return fmt.Errorf("writing sketches to %s: %w", path, err)
	}
	return nil
}

func writeSketches(path string, sketches []Sketch, groups []int) error {
	m, err := split(sketches)
	if err != nil {
		return err
	}
	if groups != nil && len(groups) != len(sketches) {
		return fmt.Errorf("there are %d clients, but true groups for %d clients", len(sketches), len(groups))
	}
	if _, _, err := unitRows(m.updates); err != nil {
		return err
	}
	n, classes, k := len(m.counts), len(m.counts[0]), len(m.updates[0])
	counts := &npy.Array{Shape: []int{n, classes}}
	var countData []int64
	updates := make([]float64, 0, n*k)
	for i := range n {
		for _, x := range m.counts[i] {
			countData = append(countData, int64(x))
		}
		updates = append(updates, m.updates[i]...)
	}
	counts.Data = countData
	var owner []int64
	for c := range classes {
		for i := range n {
			if m.bases[i][c] == nil {
				continue
			}
			_, p := m.bases[i][c].Dims()
			for place := range p {
				owner = append(owner, int64(i), int64(c), int64(place))
			}
		}
		// stack is called only for its errors. The first class that a client holds sets F.
		if _, _, err := m.stack(c); err != nil {
			return err
		}
	}
	vectors := func(w io.Writer) error {
		if err := npy.WriteHeader(w, "<f8", []int{len(owner) / 3, m.f}); err != nil {
			return err
		}
		for c := range classes { // one class in memory at a time
			stack, _, err := m.stack(c)
			if err != nil {
				return err
			}
			if stack == nil {
				continue
			}
			if err := npy.WriteElements(w, stack.RawMatrix().Data); err != nil {
				return err
			}
		}
		return nil
	}
	of := func(a *npy.Array) func(io.Writer) error { return func(w io.Writer) error { return npy.Write(w, a) } }
	arrays := []named{
		{countsArray, of(counts)},
		{updatesArray, of(&npy.Array{Shape: []int{n, k}, Data: updates})},
		{vectorsArray, vectors},
		{ownerArray, of(&npy.Array{Shape: []int{len(owner) / 3, 3}, Data: owner})},
	}
	if groups != nil {
		arrays = append(arrays, named{groupsArray, of(&npy.Array{Shape: []int{n}, Data: wide(groups)})})
	}
	absent := []string{versionArray} // the folder may have features, or the true groups of other sketches
	if groups == nil {
		absent = append(absent, groupsArray)
	}
	return writeArrays(path, arrays, absent)
}

// named is an array's name and the function that writes the array.
type named struct {
	name  string
	write func(io.Writer) error
}

// writeArrays writes arrays to a folder or to a .npz file. Arrays that these sketches do not have are removed from the
// folder.
func writeArrays(path string, arrays []named, absent []string) error {
	if strings.HasSuffix(path, ".npz") {
		return atomicfile.Write(path, func(w io.Writer) error {
			z := npy.NewZip(w)
			for _, a := range arrays {
				entry, err := z.Create(a.name)
				if err != nil {
					return err
				}
				if err := a.write(entry); err != nil {
					return err
				}
			}
			return z.Close()
		})
	}
	for _, a := range arrays {
		if err := atomicfile.Write(filepath.Join(path, a.name+".npy"), a.write); err != nil {
			return err
		}
	}
	for _, name := range absent {
		if err := os.Remove(filepath.Join(path, name+".npy")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
