#!/usr/bin/env bash
# Runs the commands that README.md and the pages of docs/ print, page by page and in order, each page in a scratch folder with copies
# of docs/ and benchmarks/. The comment before a block says how: internal/docblock lists the forms. What a page prints as output is
# compared with what its commands print, except for numbers. Fashion-MNIST is the real one if feddag finds it, otherwise a small
# synthetic set. Blocks that need a program or a Python package that is missing are skipped, with the reason.
#
#   scripts/check_docs.sh [-program FILE] [-synthetic] [-limit 30m] [PAGE...]
#
# A failure names page, line and command, with the last lines of what it printed. Runs that the pages show with their output
# are not made smaller.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
CGO_ENABLED=0 exec go run ./scripts/checkdocs "$@"
