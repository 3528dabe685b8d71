package plot

import "feddag/similarity"

// branches is the top of a tree. Each of its leaves is a client, or a merge whose branches are not drawn.
type branches struct {
	tree   *similarity.Dendrogram
	leaves int
	first  []int // for each node, the smallest client below it
	label  []int // for each node, the cluster of all clients below it; -1 for several
}

func newBranches(tree *similarity.Dendrogram, labels []int, leaves int) *branches {
	n := tree.N
	t := &branches{tree: tree, leaves: leaves, first: make([]int, n+len(tree.Merges)), label: make([]int, n+len(tree.Merges))}
	for i := range n {
		t.first[i], t.label[i] = i, labels[i]
	}
	for k, m := range tree.Merges {
		t.first[n+k], t.label[n+k] = min(t.first[m.A], t.first[m.B]), t.label[m.A]
		if t.label[m.A] != t.label[m.B] {
			t.label[n+k] = -1
		}
	}
	return t
}

func (t *branches) isLeaf(node int) bool { return node < 2*t.tree.N-t.leaves }

// children returns the two children of a merge. The one with the smallest client comes first, so that clusters are
// approximately in order.
func (t *branches) children(node int) (first, second int) {
	m := t.tree.Merges[node-t.tree.N]
	if t.first[m.A] > t.first[m.B] {
		return m.B, m.A
	}
	return m.A, m.B
}

// walk visits the drawn nodes, leaves from left to right, children before their
// parent.
func (t *branches) walk(visit func(node int)) {
	type entry struct {
		node int
		done bool
	}
	stack := []entry{{t.tree.N + len(t.tree.Merges) - 1, false}}
	for len(stack) > 0 {
		e := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if e.done || t.isLeaf(e.node) {
			visit(e.node)
			continue
		}
		first, second := t.children(e.node)
		stack = append(stack, entry{e.node, true}, entry{second, false}, entry{first, false})
	}
}

// height returns the height of a node: the height of its merge, or 0 for a client.
func (t *branches) height(node int) float64 {
	if node < t.tree.N {
		return 0
	}
	return t.tree.Merges[node-t.tree.N].Height
}

// top returns the height of the tree.
func (t *branches) top() float64 { return t.height(t.tree.N + len(t.tree.Merges) - 1) }

// size returns the number of clients below a node.
func (t *branches) size(node int) int {
	if node < t.tree.N {
		return 1
	}
	return t.tree.Merges[node-t.tree.N].Size
}
