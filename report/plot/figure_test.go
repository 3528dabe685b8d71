package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg/draw"
)

// render writes a figure as SVG, and checks that it is well-formed, has an svg root, no id, no coordinate that is not a
// number, and no text outside of it. It also writes a PDF. If FEDDAG_PLOTS is set, it writes the figure in every format to
// that folder, for inspection.
func render(t *testing.T, f *Figure, name string) string {
	t.Helper()
	var b bytes.Buffer
	if err := f.Write(&b, SVG); err != nil {
		t.Fatal(err)
	}
	checkSVG(t, b.Bytes())
	checkTexts(t, f)
	var pdf bytes.Buffer
	if err := f.Write(&pdf, PDF); err != nil || !bytes.HasPrefix(pdf.Bytes(), []byte("%PDF-")) {
		t.Errorf("%s as a PDF: %v, %.20q", name, err, pdf.Bytes())
	}
	if dir := os.Getenv("FEDDAG_PLOTS"); dir != "" {
		for _, format := range Formats() {
			var b bytes.Buffer
			if err := f.Write(&b, format); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name+"."+string(format)), b.Bytes(), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b.String()
}

func checkSVG(t *testing.T, raw []byte) {
	t.Helper()
	checkXML(t, raw)
}

// checkXML checks for well-formed XML with an svg root, no id, and no coordinate that is not a number.
func checkXML(t *testing.T, raw []byte) {
	t.Helper()
	first := ""
	for dec := xml.NewDecoder(bytes.NewReader(raw)); ; {
		token, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v\n%.300s", err, raw)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if first == "" {
			first = e.Name.Local
		}
		for _, a := range e.Attr {
			if e.Name.Local != "image" && (strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf")) {
				t.Errorf("%s %s=%q", e.Name.Local, a.Name.Local, a.Value)
			}
			if a.Name.Local == "id" {
				t.Errorf("%s has an id, which may collide with that of another drawing", e.Name.Local)
			}
		}
	}
	if first != "svg" {
		t.Errorf("root element %q", first)
	}
}

func TestFormats(t *testing.T) {
	got, err := ParseFormats([]string{"svg", " PDF", "png", "svg"})
	if err != nil || !slices.Equal(got, []Format{SVG, PDF, PNG}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, names := range [][]string{nil, {"svg", "jpeg"}, {""}} {
		_, err := ParseFormats(names)
		if err == nil {
			t.Errorf("%q: no error", names)
			continue
		}
		for _, known := range Formats() {
			if !strings.Contains(err.Error(), string(known)) {
				t.Errorf("%q: %v does not name %s", names, err, known)
			}
		}
	}
}

// sample returns a figure with text, lines, a band, points and an image of colours.
func sample(t *testing.T) []*Figure {
	t.Helper()
	lines, err := Lines(LineChart{Title: "Title & <text>\nα → β, ± 1", XLabel: "round", YLabel: "percent", MaxY: 100, Series: []Series{
		{Name: "one λ", X: []float64{0, 1, 2}, Y: []float64{3, 4, 5}, Low: []float64{2, 3, 4}, High: []float64{4, 5, 6}},
		{Name: "two", X: []float64{0, 1, 2}, Y: []float64{5, 4, 5}, Dashed: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	a, clusters := blocks(30, 3)
	heat, err := HeatMap("Heat", a, clusters)
	if err != nil {
		t.Fatal(err)
	}
	return []*Figure{lines, heat}
}

func TestSameFigureSameBytes(t *testing.T) {
	for _, format := range Formats() {
		for k := range sample(t) {
			var first, second bytes.Buffer
			if err := sample(t)[k].Write(&first, format); err != nil {
				t.Fatal(err)
			}
			if err := sample(t)[k].Write(&second, format); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(first.Bytes(), second.Bytes()) {
				t.Errorf("%s: figure %d differs from itself", format, k)
			}
		}
	}
}

func TestPDF(t *testing.T) {
	var b bytes.Buffer
	if err := sample(t)[0].Write(&b, PDF); err != nil {
		t.Fatal(err)
	}
	raw := b.String()
	if !strings.HasPrefix(raw, "%PDF-") || !strings.Contains(raw, "D:20000101") {
		t.Errorf("no PDF of the fixed date: %.200q", raw)
	}
}

func TestPNG(t *testing.T) {
	f := sample(t)[0]
	var b bytes.Buffer
	if err := f.Write(&b, PNG); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := img.Bounds().Dx(), int(2*f.width); got != want {
		t.Errorf("%d pixels wide, want %d", got, want)
	}
	if r, g, b, _ := img.At(0, 0).RGBA(); r != 0xffff || g != 0xffff || b != 0xffff {
		t.Error("the corner is not white")
	}
}

// TestAnyText checks that control characters and invalid UTF-8 in names do not break the files.
func TestAnyText(t *testing.T) {
	f, err := Lines(LineChart{Title: "a\x01\xff\nb\x02", XLabel: "\xc3", YLabel: "日本", Series: []Series{{Name: "]]>\x00&\"'", X: []float64{1}, Y: []float64{1}}}})
	if err != nil {
		t.Fatal(err)
	}
	render(t, f, "any-text")
	for _, format := range []Format{PDF, PNG} {
		if err := f.Write(io.Discard, format); err != nil {
			t.Error(err)
		}
	}
}

// TestWriteErrors checks that a back end that panics gives an error that names the figure and the format.
func TestWriteErrors(t *testing.T) {
	f := newFigure("broken\nsecond line", 10, 10, func(draw.Canvas) { panic("no room") })
	if err := f.Write(io.Discard, PNG); err == nil || !strings.Contains(err.Error(), `"broken" as png: no room`) {
		t.Errorf("%v", err)
	}
	if err := sample(t)[0].Write(io.Discard, "jpeg"); err == nil || !strings.Contains(err.Error(), "jpeg") {
		t.Errorf("%v", err)
	}
	full := errors.New("disk full")
	for _, format := range Formats() {
		if err := sample(t)[0].Write(failing{full}, format); !errors.Is(err, full) {
			t.Errorf("%s: %v", format, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestWrap(t *testing.T) {
	style := labelStyle(12, ink)
	text := "every client's test set, mean over clients; band: one standard deviation over clients"
	lines := wrap(text, 200, style)
	if strings.Join(lines, " ") != text || len(lines) < 2 {
		t.Errorf("%q", lines)
	}
	for _, l := range lines {
		if style.Width(l) > 200 {
			t.Errorf("%q is %g wide", l, style.Width(l))
		}
	}
	if got := shorten(text, 100, style); !strings.HasSuffix(got, "…") || style.Width(got) > 100 {
		t.Errorf("%q", got)
	}
	if got := shorten("short", 100, style); got != "short" {
		t.Errorf("%q", got)
	}
}
