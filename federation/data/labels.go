package data

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// isMissing reports whether a label or a user is a text that pandas or NumPy writes for a missing value.
func isMissing(text string) bool {
	switch strings.ToLower(text) {
	case "nan", "<na>", "n/a", "#n/a":
		return true
	}
	return false
}

// number returns the value of a label that is a finite number in decimal notation.
func number(label string) (float64, bool) {
	if strings.ContainsAny(label, "xXpP_iI") { // hexadecimal numbers, separators, and infinity
		return 0, false
	}
	v, err := strconv.ParseFloat(label, 64)
	return v, err == nil && !math.IsNaN(v)
}

// wholeNumber returns the digits of a label that is a whole number, however it is written: 2 for 2.0, 0 for 000. It
// returns every other label unchanged.
func wholeNumber(label string) string {
	v, ok := number(label)
	if !ok || v != math.Trunc(v) || math.Abs(v) >= 1<<53 {
		return label
	}
	return strconv.FormatInt(int64(v), 10)
}

// simplifyLabels writes the labels as whole numbers if all labels are numbers, so that 2, 2.0 and 02 are the same class. A
// label such as null among numbers is an error.
func simplifyLabels(rows []csvRow) error {
	numbers, name := 0, csvRow{}
	for _, r := range rows {
		if _, ok := number(r.label); ok {
			numbers++
		} else if !slices.Contains([]string{"na", "none", "null"}, strings.ToLower(r.label)) {
			return nil
		} else if name.label == "" {
			name = r
		}
	}
	switch {
	case numbers == 0:
		return nil
	case name.label != "":
		return fmt.Errorf("%s: the label is %s, but the other labels are numbers: write the label of the image or remove the line", name.place, name.label)
	}
	for i := range rows {
		rows[i].label = wholeNumber(rows[i].label)
	}
	return nil
}

// sortLabels sorts class names as numbers if all of them are numbers, and otherwise as text.
func sortLabels(names []string) {
	if slices.ContainsFunc(names, func(s string) bool { _, ok := number(s); return !ok }) {
		slices.Sort(names)
		return
	}
	slices.SortFunc(names, func(a, b string) int {
		x, _ := number(a)
		y, _ := number(b)
		return cmp.Or(cmp.Compare(x, y), strings.Compare(a, b))
	})
}

// labelNames returns the class names by label. Whole numbers are used as labels: class 3 has label 3 even if there are no
// images of class 2. Other labels are numbered in the order of sortLabels.
func labelNames(rows []csvRow) ([]string, error) {
	names, top := map[string]bool{}, -1
	for _, r := range rows {
		names[r.label] = true
	}
	for name := range names {
		if _, err := strconv.Atoi(name); err != nil {
			sorted := sortedKeys(names)
			sortLabels(sorted)
			return sorted, nil
		}
	}
	for _, r := range rows {
		n, _ := strconv.Atoi(r.label)
		if n < 0 || n >= maxClasses {
			return nil, fmt.Errorf("%s: label %s is out of range: it must be 0 to %d, or a name", r.place, r.label, maxClasses-1)
		}
		top = max(top, n)
	}
	numbers := make([]string, top+1)
	for i := range numbers {
		numbers[i] = strconv.Itoa(i)
	}
	return numbers, nil
}
