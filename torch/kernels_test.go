package torch_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"feddag/torch"
)

// TestKernelsCompile checks that the kernels compile for old and new GPUs, and that the error for an unknown one names it.
func TestKernelsCompile(t *testing.T) {
	info, err := torch.Describe()
	if err != nil {
		t.Fatal(err)
	}
	if !info.CUDABuilt {
		t.Skip("this libtorch has no CUDA code")
	}
	for _, architecture := range []string{"sm_75", "sm_90", "sm_120"} {
		for _, p := range []torch.Precision{torch.FP32, torch.BF16} {
			n, err := torch.CompileKernels(architecture, p)
			if err != nil {
				t.Fatal(err)
			}
			if n < 10000 {
				t.Errorf("%s, %v: %d bytes", architecture, p, n)
			}
		}
	}
	if _, err := torch.CompileKernels("sm_20", torch.FP32); err == nil || !strings.Contains(err.Error(), "sm_20") {
		t.Errorf("an architecture of 2010: %v", err)
	}
}

// TestKernelCache checks that code is compiled once for a name and a key, that a damaged file is replaced, and that the code
// is compiled each time if the folder cannot be written.
func TestKernelCache(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "kernels")
	cached := func(folder, name, key, code, want string, wantMade bool) {
		t.Helper()
		got, made, err := torch.CachedKernels(folder, name, key, code)
		if err != nil {
			t.Fatal(err)
		}
		if got != want || made != wantMade {
			t.Errorf("%s, key %q: code %q, made %v; want %q, %v", name, key, got, made, want, wantMade)
		}
	}
	cached(folder, "sm_90-f32", "a", "first", "first", true)
	cached(folder, "sm_90-f32", "a", "second", "first", false)
	cached(folder, "sm_90-f32", "b", "third", "third", true)
	cached(folder, "sm_80-f32", "a", "fourth", "fourth", true)
	files, err := filepath.Glob(filepath.Join(folder, "sm_90-f32-*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(string(text), "first") {
			text[len(text)-1] ^= 1
		} else {
			text = text[:len(text)-1]
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cached(folder, "sm_90-f32", "a", "fifth", "fifth", true)
	cached(folder, "sm_90-f32", "b", "sixth", "sixth", true)
	cached(folder, "sm_90-f32", "a", "seventh", "fifth", false)

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"", file, filepath.Join(file, "below")} {
		cached(folder, "sm_90-f32", "a", "first", "first", true)
		cached(folder, "sm_90-f32", "a", "second", "second", true)
	}
	if left, err := filepath.Glob(filepath.Join(folder, "*.tmp*")); err != nil || len(left) > 0 {
		t.Errorf("files are left over: %v, %v", left, err)
	}
}
