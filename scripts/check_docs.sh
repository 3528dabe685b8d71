#!/usr/bin/env bash
# Runs the commands that README.md and the pages of docs/ print, page by page and in order, each page in a scratch folder with
# copies of docs/ and benchmarks/. The comment before a block says how to run it; internal/docblock lists the forms. The
# output on a page is compared with the output of its commands, except for numbers. The script uses Fashion-MNIST if feddag
# finds it, otherwise a small synthetic data set. Blocks that need a program or a Python package that is missing are skipped,
# with the reason.
#
#   scripts/check_docs.sh [-program FILE] [-synthetic] [-limit 30m] [PAGE...]
#
# A failure is reported with page, line and command, and the last lines of output. Runs whose output is on a page are not made
# smaller.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
CGO_ENABLED=0 exec go run ./scripts/checkdocs "$@"
