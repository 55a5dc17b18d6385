#!/usr/bin/env python3
"""Captions of the avatars as questions for a model that reads pictures and texts.

clip_captions.py split FOLDER COUNT   moves pictures whose captions hash lowest to FOLDER-held, at
                                      least COUNT of them, captions.tsv of both written anew
clip_captions.py texts HELD           prints every text that judge asks about, one a line
clip_captions.py judge HELD IMAGES.h5 TEXTS.h5   prints `name: share of right answers (of N)`
HELD: the folder of held-out pictures. Vectors as img2vec and txt2vec write them, ids the names.
"""
import hashlib
import re
import sys
from pathlib import Path

STYLES = ["adventurer", "big smile", "open peeps", "pixel art"]
BACKGROUNDS = ["lavender", "light blue", "light gray", "mint", "pale yellow", "peach", "pink", "violet"]
# Longest first, so that "dark brown" is not read as "brown".
COLOURS = ["light blue", "dark brown", "orange", "brown", "blond", "black", "green", "gray", "pink", "blue", "gold",
           "teal", "red"]


def table(folder):
    lines = (Path(folder) / "captions.tsv").read_text().splitlines()[1:]
    return [line.split("\t") for line in lines]


def article(noun):
    return "an" if noun[0] in "aeiou" else "a"


def split(folder, count):
    rows = table(folder)
    order = sorted({caption for _, caption in rows}, key=lambda c: hashlib.md5(c.encode()).hexdigest())
    held, taken = set(), 0
    number = {}
    for _, caption in rows:
        number[caption] = number.get(caption, 0) + 1
    for caption in order:
        if taken >= count:
            break
        held.add(caption)
        taken += number[caption]
    other = Path(folder + "-held")
    parts = {False: [], True: []}
    for path, caption in rows:
        parts[caption in held].append((path, caption))
        if caption in held:
            (other / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / path).rename(other / path)
    for where, part in ((Path(folder), parts[False]), (other, parts[True])):
        lines = ["filepath\ttitle", *("\t".join(row) for row in part)]
        (where / "captions.tsv").write_text("\n".join(lines) + "\n")


def style_of(caption):
    return caption.split(" avatar")[0]


def hair(caption):
    """The caption in three parts around the colour of the hair, or nothing."""
    found = re.match(r"(.* avatar with )([^,]*?)( hair.*)$", caption)
    if not found:
        return None
    for colour in COLOURS:
        at = re.search(rf"\b{colour}\b", found.group(2))
        if at:
            before, after = found.group(2)[: at.start()], found.group(2)[at.end() :]
            return found.group(1) + before, colour, after + found.group(3)
    return None


def questions(held):
    """(kind, picture, texts, index of the right one)."""
    rows = table(held)
    of_style = {s: sorted({hair(c)[1] for _, c in rows if style_of(c) == s and hair(c)}) for s in STYLES}
    asked = []
    for path, caption in rows:
        style = style_of(caption)
        parts = hair(caption)
        if parts:
            texts = [parts[0] + colour + parts[2] for colour in of_style[style]]
            asked.append(("hair colour swapped", path, texts, of_style[style].index(parts[1])))
        ground = re.match(r"(.* on )an? (.*)( background)$", caption)
        if ground:
            texts = [f"{ground.group(1)}{article(b)} {b}{ground.group(3)}" for b in BACKGROUNDS]
            asked.append(("background swapped", path, texts, BACKGROUNDS.index(ground.group(2))))
            texts = [f"{style} avatar on {article(b)} {b} background" for b in BACKGROUNDS]
            asked.append(("short prompt of the background", path, texts, BACKGROUNDS.index(ground.group(2))))
        texts = [s + caption[len(style) :] for s in STYLES]
        asked.append(("style swapped", path, texts, STYLES.index(style)))
        asked.append(("short prompt of the style", path, [f"{s} avatar" for s in STYLES], STYLES.index(style)))
    distinct = {}
    for path, caption in rows:
        distinct.setdefault(caption, path)
    chosen = sorted(distinct, key=lambda c: hashlib.md5(c.encode()).hexdigest())[:256]
    return asked, [(distinct[caption], caption) for caption in chosen]


def vectors(path):
    import h5py
    import numpy as np

    with h5py.File(path) as file:
        ids = [i.decode() for i in file["meta/ids"][:]]
        rows = np.asarray(file["vectors"], dtype=np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return dict(zip(ids, rows))


def judge(held, images, texts):
    import numpy as np

    asked, pairs = questions(held)
    seen, said = vectors(images), vectors(texts)
    picture = {path: seen[path] for path, _ in table(held)}
    right, total = {}, {}
    for kind, path, choices, answer in asked:
        scores = [picture[path] @ said[text] for text in choices]
        total[kind] = total.get(kind, 0) + 1
        right[kind] = right.get(kind, 0) + (int(np.argmax(scores)) == answer)
    similarity = np.array([picture[p] for p, _ in pairs]) @ np.array([said[c] for _, c in pairs]).T
    own = np.arange(len(pairs))
    for name, found in (("image to text, top 1", similarity.argmax(1)), ("text to image, top 1", similarity.argmax(0))):
        right[name], total[name] = int((found == own).sum()), len(pairs)
    for kind in right:
        print(f"{kind}: {right[kind] / total[kind]:.4f} (of {total[kind]})")


command, *rest = sys.argv[1:]
if command == "split":
    split(rest[0], int(rest[1]))
elif command == "texts":
    asked, pairs = questions(rest[0])
    print("\n".join(sorted({text for _, _, texts, _ in asked for text in texts} | {c for _, c in pairs})))
else:
    judge(*rest)
