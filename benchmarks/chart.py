"""Draw ratios as an SVG on standard output; runs in a project's image, which has matplotlib."""

import json
import sys

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams |= {"svg.hashsalt": "same", "svg.fonttype": "none", "font.size": 9}
from matplotlib import pyplot as plt  # noqa: E402

names, ratios = zip(*json.loads(sys.argv[1]), strict=True)
figure, axes = plt.subplots(figsize=(9, 0.26 * len(names) + 1), layout="constrained")
colours = ["#2a7f62" if ratio <= 1.1 else "#b8860b" for ratio in ratios]
axes.barh(names, [ratio - 1 for ratio in ratios], left=1, color=colours)
axes.axvline(1, color="black", linewidth=0.8)
axes.set_xscale("log")
axes.set_xticks([0.01, 0.1, 1, 3], ["0.01", "0.1", "1", "3"])
axes.invert_yaxis()
axes.margins(y=0.01)
axes.set_xlabel("ds-docker, compared with the other way (1): less is better")
figure.savefig(sys.stdout.buffer, format="svg", metadata={"Date": None})
