package cli

import "testing"

// TestWholeNumbersAreDecimal checks that zeros in front of a number, as seq -w writes them, do not make it octal: on the
// command line, in a file and in the environment.
func TestWholeNumbersAreDecimal(t *testing.T) {
	t.Setenv("FEDDAG_BATCH", "064")
	o, err := parse([]string{"--config", configFile(t, "rounds: 010\n"), "--clients", "010", "--seed=08", "--eval-every", "00"})
	if err != nil {
		t.Fatal(err)
	}
	if r := o.run; o.partition.Clients != 10 || r.Seed != 8 || r.Rounds != 10 || r.Batch != 64 || r.EvalEvery != 0 {
		t.Errorf("010 clients, seed 08, 010 rounds, batches of 064, evaluation every 00 rounds are %d, %d, %d, %d, %d",
			o.partition.Clients, r.Seed, r.Rounds, r.Batch, r.EvalEvery)
	}
	for _, wrong := range []string{"", "-", "--1", "1 0", "0a", "-010"} {
		if _, err := parse([]string{"--seed", wrong}); err == nil {
			t.Errorf("--seed %q is accepted", wrong)
		}
	}
}
