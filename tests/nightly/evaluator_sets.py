#!/usr/bin/env python3
"""Sets that an evaluator must tell apart.

evaluator_sets.py sets SOURCE.h5 COUNT CLASSES   writes reference.h5, real.h5, unseen.h5 (disjoint),
                           noised.h5 (real, with normal noise of 0.5), dropped.h5 (the first CLASSES
                           classes alone) and copied.h5 (rows of the reference, drawn with return)
evaluator_sets.py table    reads NAME.json of each and prints the figures and how they moved
"""
import json
import sys

SETS = ["real", "noised", "dropped", "copied"]
KEYS = ["frechet", "kernel", "kernel_standard_error", "precision", "recall", "density", "coverage", "copying_z", "copies"]


def write_sets(source, count, classes):
    import h5py
    import numpy as np

    with h5py.File(source) as file:
        images, labels = file["images"][:], file["labels"][:]
    rng = np.random.default_rng(0)
    order = rng.permutation(len(images))
    reference, real, unseen, rest = np.split(order, [count, 2 * count, 3 * count])
    kept = [i for i in np.concatenate([real, rest]) if labels[i] < classes][:count]
    rows = {
        "reference": images[reference],
        "real": images[real],
        "unseen": images[unseen],
        "noised": (images[real] + rng.normal(0, 127.5, images[real].shape)).clip(0, 255).astype("u1"),
        "dropped": images[kept],
        "copied": images[rng.choice(reference, count)],
    }
    for name, pictures in rows.items():
        with h5py.File(f"{name}.h5", "w") as file:
            file["images"] = pictures


def table():
    figures = {name: json.load(open(f"{name}.json")) for name in SETS}
    control = figures["real"]
    print(f"{'':16}" + "".join(f"{key.replace('kernel_standard_error', '+-'):>10}" for key in KEYS))
    for name in SETS:
        print(f"{name:16}" + "".join(f"{figures[name][key]:10.4f}" for key in KEYS))
    print(f"{'Gaussian control':16}" + "".join(f"{control['control_' + key]:10.4f}" for key in KEYS[:7]))
    real, noised, dropped, copied = (figures[name] for name in SETS)

    def farther(other):
        bar = real["kernel"] + 5 * real["kernel_standard_error"]
        return other["frechet"] > 2 * real["frechet"] and other["kernel"] > bar

    moves = [
        ("noise: Frechet and kernel distance rise", farther(noised)),
        ("noise: precision falls by more than a tenth", noised["precision"] < real["precision"] - 0.1),
        ("noise: no copies are seen", noised["copying_z"] < 3),
        ("dropped classes: Frechet and kernel distance rise", farther(dropped)),
        ("dropped classes: recall and coverage fall by more than a tenth",
         dropped["recall"] < real["recall"] - 0.1 and dropped["coverage"] < real["coverage"] - 0.1),
        ("dropped classes: precision stays within 0.05", abs(dropped["precision"] - real["precision"]) < 0.05),
        ("copies: z above 3, nearly all rows are copies, the distances are no larger than of real pictures",
         copied["copying_z"] > 3 and copied["copies"] > 0.95 and copied["frechet"] < 1.5 * real["frechet"]),
        ("real pictures: no copies are seen", real["copying_z"] < 3 and real["copies"] < 0.1),
        ("dropped classes: no more copies than of real pictures", dropped["copies"] < 2 * dropped["copies_real"]),
        ("control, of the same mean and covariance: precision and coverage are less than half of real pictures",
         control["control_precision"] < 0.5 * real["precision"] and control["control_coverage"] < 0.5 * real["coverage"]),
    ]
    for name, right in moves:
        print(f"{name}: {'ok' if right else 'MISSED'}")
    sys.exit(not all(right for _, right in moves))


if sys.argv[1] == "sets":
    write_sets(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
else:
    table()
