package federation

import (
	"fmt"
	"strings"

	"feddag/internal/spelling"
	"feddag/torch"

	"github.com/spf13/pflag"
)

// The values of ClientOptimizer.Name.
const (
	ClientSGD   = "sgd"
	ClientAdam  = "adam"
	ClientAdamW = "adamw"
)

// ClientOptimizers lists the values of ClientOptimizer.Name.
var ClientOptimizers = []string{ClientSGD, ClientAdam, ClientAdamW}

// ClientOptimizer is the optimiser of local training: SGD with momentum, Adam (Kingma, Ba, ICLR 2015) or AdamW (Loshchilov,
// Hutter, ICLR 2019), with the steps of PyTorch's classes of these names. Every local training starts with zero moments.
type ClientOptimizer struct {
	Name         string
	Beta1, Beta2 float64 // β1, β2 of Adam and AdamW
	Epsilon      float64 // added to the denominator of Adam and AdamW
}

// defaultClientOptimizer returns SGD, with PyTorch's default constants for Adam.
func defaultClientOptimizer() ClientOptimizer {
	return ClientOptimizer{Name: ClientSGD, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}
}

// Flags declares the flags of the optimiser.
func (o *ClientOptimizer) Flags(fs *pflag.FlagSet) {
	fs.StringVar(&o.Name, "optimizer", o.Name, "optimiser of local training: "+strings.Join(ClientOptimizers, ", ")+"; adam and adamw usually want a smaller --lr, such as 0.001")
	fs.Float64Var(&o.Beta1, "adam-beta1", o.Beta1, "decay β1 of the mean of gradients, 0 to below 1")
	fs.Float64Var(&o.Beta2, "adam-beta2", o.Beta2, "decay β2 of the mean of squared gradients, 0 to below 1")
	fs.Float64Var(&o.Epsilon, "adam-eps", o.Epsilon, "number ε that is added to the denominator of a step, above 0")
}

// adamFlags are the flags that only Adam and AdamW read.
var adamFlags = []string{"adam-beta1", "adam-beta2", "adam-eps"}

// ClientOptimizerFlags lists the flags of the optimiser. A method whose clients take steps of their own reads none of them.
func ClientOptimizerFlags() []string { return append([]string{"optimizer"}, adamFlags...) }

// validate returns an error that names the flag of the first invalid value.
func (o ClientOptimizer) validate() error {
	if err := spelling.OneOf("--optimizer", o.Name, ClientOptimizers); err != nil {
		return err
	}
	switch {
	case !(o.Beta1 >= 0 && o.Beta1 < 1):
		return fmt.Errorf("--adam-beta1 is %g: use a number from 0 to below 1", o.Beta1)
	case !(o.Beta2 >= 0 && o.Beta2 < 1):
		return fmt.Errorf("--adam-beta2 is %g: use a number from 0 to below 1", o.Beta2)
	case !(o.Epsilon > 0 && o.Epsilon < 1):
		return fmt.Errorf("--adam-eps is %g: use a number above 0 and below 1", o.Epsilon)
	}
	return nil
}

// Unread returns the flags of local training that have no effect with the optimiser.
func (o ClientOptimizer) Unread() (list []UnreadFlag) {
	where := "with --optimizer " + o.Name
	if o.Name != ClientSGD {
		return []UnreadFlag{{Name: "momentum", Where: where, Who: "it is read by --optimizer sgd; the momentum of " + o.Name + " is --adam-beta1"}}
	}
	for _, flag := range adamFlags {
		list = append(list, UnreadFlag{Name: flag, Where: where, Who: "it is read by --optimizer adam, adamw"})
	}
	return list
}

// adam returns the settings of Adam, or nil for SGD.
func (o ClientOptimizer) adam() *torch.Adam {
	if o.Name != ClientAdam && o.Name != ClientAdamW {
		return nil
	}
	return &torch.Adam{Beta1: o.Beta1, Beta2: o.Beta2, Epsilon: o.Epsilon, Decoupled: o.Name == ClientAdamW}
}

// warnOfAdam warns that Adam makes local training on the batched engine slower than SGD does.
func (e *Env) warnOfAdam(sgd torch.SGD) {
	if _, batched := e.Executor.(*torch.Batched); batched && sgd.Adam != nil {
		e.Warn("--optimizer %s trains one client after another, in fp32: only with sgd can the batched engine train all clients at once", e.Optimizer.Name)
	}
}
