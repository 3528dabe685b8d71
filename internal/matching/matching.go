// Package matching matches the rows of a matrix with its columns.
package matching

import "math"

// Least matches the rows of a cost matrix with its columns, in as many pairs as possible, such that the sum of the costs is
// minimal. It returns the column of each row, -1 for none. It uses the Hungarian method with potentials, which takes O(rows^2
// columns) time, or O(columns^2 rows) if there are fewer columns (R. Jonker and A. Volgenant, A shortest augmenting path
// algorithm, Computing 1987).
func Least(cost [][]float64) []int {
	rows := len(cost)
	if rows == 0 {
		return nil
	}
	columns := len(cost[0])
	if rows > columns {
		turned := make([][]float64, columns)
		for j := range turned {
			turned[j] = make([]float64, rows)
			for i := range rows {
				turned[j][i] = cost[i][j]
			}
		}
		match := make([]int, rows)
		for i := range match {
			match[i] = -1
		}
		for j, i := range Least(turned) {
			match[i] = j
		}
		return match
	}
	u, v := make([]float64, rows+1), make([]float64, columns+1) // potentials; row and column 0 are auxiliary
	owner, from := make([]int, columns+1), make([]int, columns+1)
	for i := 1; i <= rows; i++ {
		owner[0] = i
		slack, used := make([]float64, columns+1), make([]bool, columns+1)
		for j := range slack {
			slack[j] = math.Inf(1)
		}
		at := 0
		for owner[at] != 0 {
			used[at] = true
			row, least, next := owner[at], math.Inf(1), 0
			for j := 1; j <= columns; j++ {
				if used[j] {
					continue
				}
				if x := cost[row-1][j-1] - u[row] - v[j]; x < slack[j] {
					slack[j], from[j] = x, at
				}
				if slack[j] < least || next == 0 {
					least, next = slack[j], j
				}
			}
			for j := range slack {
				if used[j] {
					u[owner[j]] += least
					v[j] -= least
				} else {
					slack[j] -= least
				}
			}
			at = next
		}
		for at != 0 {
			owner[at], at = owner[from[at]], from[at]
		}
	}
	match := make([]int, rows)
	for j := 1; j <= columns; j++ {
		if owner[j] > 0 {
			match[owner[j]-1] = j - 1
		}
	}
	return match
}
