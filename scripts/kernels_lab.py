#!/usr/bin/env python3
"""Compiles the CUDA kernels without a GPU and reports properties of the compiled code.

    scripts/kernels_lab.sh                        # installs the compiler, then runs this script (make kernels-lab)
    scripts/kernels_lab.sh --check --arch sm_90a  # fails if a kernel spills or has too small a share of multiply-adds
    scripts/kernels_lab.sh --kernel conv_gemm_    # the kernels for shapes of layers whose names begin with these words

The source and the compiler (NVRTC) are the same as in the batched engine on a GPU. Columns of the report:

    registers     registers per thread
    stack         bytes of stack per thread: local arrays that the compiler could not keep in registers
    spills        bytes stored to and loaded from local memory because the registers did not suffice
    shared        bytes of static shared memory per block; a launch may request more in addition
    instructions  instructions of the whole kernel
    main loop     instructions of the innermost loop with the most multiply-adds (without any: of the longest loop); for
                  matrix instructions, without those of loops within it, which load the next operands
    loads         instructions of the loops within the main loop, if it has matrix instructions
    share         multiply-adds among the main loop's instructions; a matrix instruction counts as one

A kernel with numbers after its name is compiled for the shape of a layer (torch/fibers/shapes.h).
"""

import argparse
import ctypes
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHIM = ROOT / "torch" / "shim"
SHAPES = ROOT / "torch" / "fibers" / "shapes.h"
LAB = ROOT / "build" / "kernels-lab"
ARCHITECTURES = ["sm_80", "sm_90a", "sm_100"]
TYPES = ["f32", "bf16"]

# The smallest allowed share of multiply-adds in the main loop of the kernels that multiply, on every architecture. A lower
# share means that a change has made a kernel slower. The two gradients block_*_back have a low share because they visit a
# quarter of the products, one at a time. A matrix instruction (conv_gemm_*) takes the time of several others. The entry with
# the longest prefix of a kernel's name applies to the kernel.
LEAST_SHARE = {"block_ahead": 0.72, "block_ahead_5_f32_1_": 0.74, "block_ahead_5_bf16_1_": 0.69, "block_ahead_5_f32_6_": 0.86,
               "block_ahead_5_bf16_6_": 0.86, "block_weight_back": 0.12, "block_weight_back_5_f32_1_": 0.09,
               "block_weight_back_5_bf16_1_": 0.09, "block_weight_back_5_f32_6_": 0.08, "block_weight_back_5_bf16_6_": 0.08,
               "fused_forward": 0.80, "fused_forward_f32_2_1_": 0.89, "fused_forward_bf16_2_1_": 0.89,
               "fused_backward": 0.89, "fused_dense": 0.55, "fused_dense_f32_2_400_": 0.61, "fused_dense_bf16_2_400_": 0.61,
               "fused_features": 0.80, "fused_step": 0.65,
               "block_input_back": 0.02, "block_input_back_5_f32_6_": 0.03, "block_input_back_5_bf16_6_": 0.03,
               "conv_gemm_forward_3_f32_64_": 0.28, "conv_gemm_forward_3_f32_64_128_15_": 0.30, "conv_gemm_forward_3_f32_128_": 0.28,
               "conv_gemm_forward_3_f32_128_256_6_": 0.30, "conv_gemm_forward_3_f32_256_": 0.28, "conv_gemm_forward_3_f32_512_": 0.30,
               "conv_gemm_forward_3_bf16_64_": 0.35, "conv_gemm_forward_3_bf16_128_": 0.35, "conv_gemm_forward_3_bf16_128_256_6_": 0.42,
               "conv_gemm_forward_3_bf16_256_": 0.35, "conv_gemm_forward_3_bf16_512_": 0.42,
               "conv_gemm_input_3_f32_": 0.28, "conv_gemm_input_3_f32_64_128_15_": 0.33, "conv_gemm_input_3_f32_64_128_32_": 0.32,
               "conv_gemm_input_3_f32_128_256_6_": 0.33, "conv_gemm_input_3_f32_512_": 0.30,
               "conv_gemm_input_3_bf16_": 0.35, "conv_gemm_input_3_bf16_64_": 0.45, "conv_gemm_input_3_bf16_128_256_6_": 0.45,
               "conv_gemm_input_3_bf16_512_": 0.42,
               "conv_gemm_weight_3_f32_": 0.26, "conv_gemm_weight_3_bf16_": 0.26, "conv_gemm_weight_3_f32_3_": 0.07,
               "conv_gemm_weight_3_bf16_3_": 0.04,
               # Stride 2 and filters of 1x1 have fewer products for the same copies.
               "conv_gemm_input_3_f32_64_128_32_32_1_8_": 0.15, "conv_gemm_input_3_f32_128_256_16_16_1_4_": 0.14,
               "conv_gemm_input_3_f32_256_512_8_8_1_2_": 0.14, "conv_gemm_input_3_bf16_64_128_32_32_1_8_": 0.15,
               "conv_gemm_input_3_bf16_128_256_16_16_1_4_": 0.13, "conv_gemm_input_3_bf16_256_512_8_8_1_2_": 0.13,
               "conv_gemm_weight_3_f32_64_128_32_32_1_8_": 0.25, "conv_gemm_weight_3_f32_128_256_16_16_1_4_": 0.25,
               "conv_gemm_weight_3_f32_256_512_8_8_1_2_": 0.25,
               "conv_gemm_weight_3_bf16_64_128_32_32_1_8_": 0.24, "conv_gemm_weight_3_bf16_128_256_16_16_1_4_": 0.24,
               "conv_gemm_weight_3_bf16_256_512_8_8_1_2_": 0.24, "conv_gemm_forward_1_f32_": 0.09, "conv_gemm_forward_1_bf16_128_": 0.09,
               "conv_gemm_forward_1_bf16_256_": 0.09, "conv_gemm_input_1_": 0.08, "conv_gemm_weight_1_f32_": 0.09,
               "conv_gemm_weight_1_bf16_": 0.07}

MATRIX = re.compile(r"(HMMA|HGMMA|UTCHMMA)\b")
MULTIPLY_ADDS = {"FFMA", "FFMA2", "HFMA2", "HMMA", "HGMMA", "UTCHMMA"}


def fail(text):
    sys.exit(f"kernels_lab: {text}")


def shaped(kind, only):
    """Returns the source of the kernels for the shapes of layers, or of those whose names begin with one of the given words."""
    lines = [line for line in SHAPES.read_text().splitlines() if line.startswith("FD_SHAPED(")]
    if not lines:
        fail(f"{SHAPES} has no kernels")
    if kind == "bf16":
        lines = [line.replace("_f32_", "_bf16_", 1).replace(", float,", ", fd::bfloat,", 1) for line in lines]
    if only:
        lines = [line for line in lines if line.removeprefix("FD_SHAPED(").startswith(tuple(only))]
    return "\n".join(lines) + "\n"


def sources():
    """Returns the names of the kernels' files, in the order in which the engine includes them."""
    text = (SHIM / "kernel_source.cc").read_text()
    names = [f"kernel_{n}.h" for n in re.findall(r"^FD_FILE\((\w+)\)", text, re.M)]
    if not names:
        fail(f"{SHIM / 'kernel_source.cc'} lists no kernels")
    return names


class Compiler:
    """NVRTC, from the package nvidia-cuda-nvrtc."""

    def __init__(self, nvidia):
        found = sorted(nvidia.glob("lib/libnvrtc.so.*"))
        if not found:
            fail(f"no libnvrtc in {nvidia}: run scripts/kernels_lab.sh, which installs it")
        for builtins in nvidia.glob("lib/libnvrtc-builtins.so.*"):
            ctypes.CDLL(str(builtins), mode=ctypes.RTLD_GLOBAL)
        self.lib = ctypes.CDLL(str(found[0]))
        self.version = Path(found[0]).stat().st_size

    def text(self, program, size, read):
        n = ctypes.c_size_t()
        getattr(self.lib, size)(program, ctypes.byref(n))
        buffer = ctypes.create_string_buffer(n.value)
        getattr(self.lib, read)(program, buffer)
        return buffer.raw

    def compile(self, options, more):
        """Returns the compiler's log and the cubin of the kernels followed by more source."""
        names = sources()
        main = "".join(f'#include "{n}"\n' for n in names) + more
        strings = lambda values: (ctypes.c_char_p * len(values))(*values)
        program = ctypes.c_void_p()
        if self.lib.nvrtcCreateProgram(ctypes.byref(program), main.encode(), b"feddag.cu", len(names),
                                       strings([(SHIM / n).read_bytes() for n in names]),
                                       strings([n.encode() for n in names])):
            fail("NVRTC does not start")
        options = [o.encode() for o in options]
        failed = self.lib.nvrtcCompileProgram(program, len(options), strings(options))
        log = self.text(program, "nvrtcGetProgramLogSize", "nvrtcGetProgramLog").rstrip(b"\0").decode()
        if failed:
            fail(f"the kernels do not compile with {options}:\n{log}")
        code = self.text(program, "nvrtcGetCUBINSize", "nvrtcGetCUBIN")
        self.lib.nvrtcDestroyProgram(ctypes.byref(program))
        return log, code


def compiled(compiler, architecture, kind, shapes, only):
    """Returns the log and the cubin's path of the kernels, for all shapes or for the shapes of layers, cached if nothing has changed."""
    # The options are those of torch/shim/cuda_kernels.cc, plus the assembler's remarks. The engine compiles the kernels for
    # shapes one by one.
    options = [f"--gpu-architecture={architecture}", "--std=c++17", "--ptxas-options=-v"]
    more = ""
    if shapes:
        options.append("-DFD_ALONE")
        more = shaped(kind, only)
    elif kind == "bf16":
        options.append("-DFD_BF16")
    key = hashlib.sha256(repr([options, compiler.version, more]).encode())
    for name in sources():
        key.update((SHIM / name).read_bytes())
    cache = LAB / "cubins"
    cache.mkdir(parents=True, exist_ok=True)
    name = f"{architecture}-{kind}-{'some' if only else 'shaped' if shapes else 'general'}"
    cubin = cache / f"{name}-{key.hexdigest()[:12]}.cubin"
    log = cubin.with_suffix(".log")
    if not (cubin.exists() and log.exists()):
        for old in cache.glob(f"{name}-*"):
            old.unlink()
        remarks, code = compiler.compile(options, more)
        log.write_text(remarks)
        half = cubin.with_suffix(".tmp")
        half.write_bytes(code)
        half.rename(cubin)
    return log.read_text(), cubin


def resources(log):
    """Returns the assembler's remarks by kernel."""
    found = {}
    for part in log.split("Compiling entry function ")[1:]:
        number = lambda pattern: int((re.search(pattern, part) or [0, 0])[1])
        found[re.match(r"'(\w+)'", part)[1]] = {
            "registers": number(r"Used (\d+) registers"),
            "stack": number(r"(\d+) bytes stack frame"),
            "spills": number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads"),
            "shared": number(r"(\d+) bytes smem"),
        }
    return found


def multiply_adds(instructions):
    n = 0
    for text in instructions:
        words = re.sub(r"^@!?U?P\w+\s+", "", text).split()
        # HFMA2 R0, -RZ, RZ, ... is how the compiler moves a constant.
        if words[0].split(".")[0] in MULTIPLY_ADDS and "-RZ, RZ," not in text:
            n += 1
    return n


def loops(section):
    """Returns the numbers of instructions of a kernel, of its main loop and of the loops within it, and of the main loop's
    multiply-adds."""
    instructions, labels = [], {}
    for line in section.splitlines():
        label = re.match(r"\s*(\.L_x_\d+):", line)
        if label:
            labels[label[1]] = len(instructions)
        instruction = re.match(r"\s*/\*[0-9a-f]{4,}\*/\s+(.*?)\s*;", line)
        if instruction:
            instructions.append(instruction[1])
    spans = []
    for i, text in enumerate(instructions):
        target = re.search(r"\bBRA\b.*`\((\.L_x_\d+)\)", text)
        if target and labels.get(target[1], i) < i:
            spans.append((labels[target[1]], i + 1))
    within = lambda s: [o for o in spans if o != s and s[0] <= o[0] and o[1] <= s[1]]
    count = lambda s: multiply_adds(instructions[s[0]:s[1]])
    matrix = lambda s: any(MATRIX.match(i) for i in instructions[s[0]:s[1]])
    # The innermost loops, and loops with matrix instructions around loops without any.
    inner = [s for s in spans if not within(s) or matrix(s) and not any(matrix(o) for o in within(s))]
    if not inner:
        return len(instructions), 0, 0, 0
    best = max(inner, key=lambda s: (count(s), s[1] - s[0]))
    nested = {i for o in within(best) for i in range(*o)}
    return len(instructions), best[1] - best[0] - len(nested), len(nested), count(best)


def report(compiler, nvidia, architecture, kind, shapes, only):
    """Returns a row for each kernel."""
    log, cubin = compiled(compiler, architecture, kind, shapes, only)
    used = resources(log)
    text = subprocess.run([nvidia / "bin" / "nvdisasm", "-c", cubin], check=True, capture_output=True, text=True).stdout
    parts = re.split(r"^//-+ \.text\.(\S+)\s+-+$", text, flags=re.M)
    rows = []
    for name, section in sorted(zip(parts[1::2], parts[2::2])):
        n, loop, nested, fma = loops(section)
        rows.append({"kernel": name, "architecture": architecture, **used[name], "instructions": n, "main loop": loop,
                     "loads": nested, "share": round(fma / loop, 3) if loop else 0.0})
    if not rows or set(used) != {r["kernel"] for r in rows}:
        fail(f"{cubin}: the compiler names {len(used)} kernels, the disassembler {len(rows)}")
    return rows


def findings(rows, only):
    """Returns the violations of what --check requires."""
    found = []
    for r in rows:
        where = f"{r['kernel']} on {r['architecture']}"
        if r["spills"] or r["stack"]:
            found.append(f"{where} has {r['spills']} bytes of spills and a stack of {r['stack']} bytes")
        names = [n for n in LEAST_SHARE if r["kernel"].startswith(n)]
        if names:
            least = LEAST_SHARE[max(names, key=len)]
            if r["share"] < least:
                found.append(f"{where}: {100 * r['share']:.0f}% of the main loop's instructions multiply, at least {100 * least:.0f}% must")
    types = {t for r in rows for t in TYPES if f"_{t}" in r["kernel"]}
    for name in LEAST_SHARE if not only else ():
        wanted = not any(f"_{t}_" in name for t in TYPES) or any(f"_{t}_" in name for t in types)
        if wanted and not any(r["kernel"].startswith(name) for r in rows):
            found.append(f"there is no kernel {name}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", action="append", help="architecture, such as sm_90a; may be repeated (default: %s)" % " ".join(ARCHITECTURES))
    parser.add_argument("--type", action="append", choices=TYPES, help="type of the activations (default: both)")
    parser.add_argument("--kernel", action="append", help="only the kernels for shapes whose names begin so; may be repeated")
    parser.add_argument("--check", action="store_true", help="fail if a kernel spills or multiplies too little")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    o = parser.parse_args()
    found = list(Path(sys.prefix).glob("lib/python*/site-packages/nvidia/cu*"))
    if not found:
        fail(f"no CUDA compiler in {sys.prefix}: run scripts/kernels_lab.sh, which installs it")
    compiler = Compiler(found[0])
    rows = [r for a in o.arch or ARCHITECTURES for k in o.type or TYPES for s in ((True,) if o.kernel else (False, True))
            for r in report(compiler, found[0], a, k, s, o.kernel)]
    if o.json:
        print(json.dumps(rows, indent=1))
    else:
        columns = list(rows[0])
        print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
        for r in rows:
            print("| " + " | ".join(f"{100 * r[c]:.0f}%" if c == "share" else str(r[c]) for c in columns) + " |")
    problems = findings(rows, o.kernel) if o.check else []
    for p in problems:
        print(f"kernels_lab: {p}", file=sys.stderr)
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
