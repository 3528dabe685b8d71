package cli

import (
	"strings"
	"testing"

	"feddag/torch"
)

// TestDoctorDescribesCUDA checks that doctor names libtorch's CUDA version and gives the reason why no GPU can be used only
// once.
func TestDoctorDescribesCUDA(t *testing.T) {
	old := "the driver knows CUDA 12.4, this libtorch is built for CUDA 13.0: update the driver, or use a libtorch for CUDA 12.4"
	for _, x := range []struct {
		info torch.Info
		want string
	}{
		{torch.Info{}, "not in this libtorch; to use a GPU, build with LIBTORCH=DIR of a CUDA build"},
		{torch.Info{CUDABuilt: true, CUDA: "13.0, no driver", CUDAProblem: "there is no NVIDIA driver"},
			"13.0 in this libtorch; no GPU can be used: there is no NVIDIA driver"},
		{torch.Info{CUDABuilt: true, CUDA: "13.0, driver 12.4", CUDAProblem: old}, "13.0 in this libtorch; no GPU can be used: " + old},
		{torch.Info{CUDABuilt: true, CUDA: "13.0, driver 13.1", CUDADevices: 1}, "13.0, driver 13.1, 1 device"},
		{torch.Info{CUDABuilt: true, CUDA: "13.0, driver 13.1", CUDADevices: 2}, "13.0, driver 13.1, 2 devices"},
	} {
		if got := describeCUDA(x.info); got != x.want {
			t.Errorf("%+v: %q, want %q", x.info, got, x.want)
		}
	}
	info, err := torch.Describe()
	if err != nil {
		t.Fatal(err)
	}
	if _, out, _ := feddag("doctor", "--data-dir", mnist(t)); !strings.Contains(out, "\nCUDA      "+describeCUDA(info)+"\n") {
		t.Errorf("doctor does not say %q:\n%s", describeCUDA(info), out)
	}
}

// TestDoctorFlagsHaveAnEffect checks that doctor looks for data sets in the folder that it is given and tries the device that it is
// given.
func TestDoctorFlagsHaveAnEffect(t *testing.T) {
	dir := mnist(t)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("FEDDAG_DATA_DIR", "")
	t.Chdir(t.TempDir())
	found := "data      mnist: " + dir
	if code, out, _ := feddag("doctor", "--data-dir", dir, "--device", "cpu"); code != exitDone || !strings.Contains(out, found) || strings.Contains(out, "! device") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	if _, out, _ := feddag("doctor"); strings.Contains(out, found) {
		t.Errorf("without --data-dir:\n%s", out)
	}
	if code, out, _ := feddag("doctor", "--data-dir", dir, "--device", "cuda:99"); code != exitFailed || !strings.Contains(out, "! device") {
		t.Errorf("--device cuda:99: exit code %d:\n%s", code, out)
	}
}
