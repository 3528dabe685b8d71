#!/usr/bin/env bash
# Writes NAME.jpg and, beside it, NAME.ppm.gz: what libjpeg-turbo makes of it. Needs cjpeg, djpeg and jpegtran (made with
# Debian's libjpeg-turbo 2.1.5) and python3.
set -euo pipefail
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -r "$tmp"' EXIT

# Smooth colours with an edge and some noise: what an inexact decoder shows in.
python3 - "$tmp" <<'PY'
import math, random, sys
random.seed(3)
for name, w, h in (("odd", 37, 29), ("even", 48, 32), ("narrow", 4, 21), ("dot", 1, 1), ("wide", 40, 3)):
    with open(f"{sys.argv[1]}/{name}.ppm", "wb") as f:
        f.write(b"P6\n%d %d\n255\n" % (w, h))
        for y in range(h):
            for x in range(w):
                for k in range(3):
                    v = 127 + 125 * math.sin(x / (2.1 + k)) * math.cos(y / (2.3 + k)) * (1 if x < w / 2 else -1)
                    f.write(bytes([max(0, min(255, round(v + random.gauss(0, 14))))]))
PY

make() { # NAME SOURCE CJPEG-FLAGS...
	cjpeg "${@:3}" -outfile "$1.jpg" "$tmp/$2.ppm"
	djpeg -pnm "$1.jpg" | gzip -9n >"$1.ppm.gz"
}
for source in odd even narrow dot wide; do
	make "$source-444" $source -quality 90 -sample 1x1
	make "$source-422" $source -quality 85 -sample 2x1
	make "$source-420" $source -quality 75 -sample 2x2
	make "$source-440" $source -quality 85 -sample 1x2
	make "$source-411" $source -quality 85 -sample 4x1
	make "$source-grey" $source -quality 80 -grayscale
	make "$source-progressive" $source -quality 70 -sample 2x2 -progressive
	make "$source-progressive-grey" $source -quality 95 -grayscale -progressive
done
make even-low even -quality 5 -sample 2x2
make even-high even -quality 100 -sample 1x1 -optimize
make odd-410 odd -quality 85 -sample 4x2
make odd-uneven odd -quality 85 -sample 2x2,2x1,1x2
make odd-restart odd -quality 75 -sample 2x2 -restart 2B
make odd-restart-progressive odd -quality 75 -sample 2x1 -progressive -restart 1
make odd-rgb odd -quality 90 -rgb
cat >"$tmp/alone.txt" <<'SCANS'
0; 1; 2;
SCANS
make odd-alone odd -quality 75 -sample 2x2 -scans "$tmp/alone.txt" # a scan for each component
cat >"$tmp/many.txt" <<'SCANS'
0,1,2: 0-0, 0, 1; 0: 1-9, 0, 3; 2: 1-63, 0, 1; 1: 1-63, 0, 1; 0: 10-63, 0, 3; 0: 1-63, 3, 2; 0: 1-63, 2, 1;
0,1,2: 0-0, 1, 0; 2: 1-63, 1, 0; 1: 1-63, 1, 0; 0: 1-63, 1, 0;
SCANS
make odd-many odd -quality 95 -sample 1x1 -scans "$tmp/many.txt"
cjpeg -arithmetic -outfile arithmetic.jpg "$tmp/odd.ppm" # not read
