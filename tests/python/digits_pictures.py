"""Pictures composed of digits, in noise: what train_digits.py trains the segmenter and the detector on."""

import numpy as np

import digits_models as models

LEVELS = 16
#: Pixels of at least this level are ink.
INK = 5


def noisy(canvas, random):
    """A canvas of levels on a background of its own, in noise; whole levels."""
    ground = random.uniform(0, 4, (len(canvas), 1, 1))
    noise = random.normal(0, 1.6, canvas.shape)
    return np.clip(np.rint(np.maximum(canvas, ground) + noise), 0, LEVELS).astype(np.uint8)


def inked(images, random, count):
    """Pictures of 16 by 16 with one digit or two, and which of their pixels are ink."""
    canvas = np.zeros((count, 16, 16))
    for picture in canvas:
        top, left = random.integers(0, 9), random.integers(0, 9)
        picture[top : top + 8, left : left + 8] = images[random.integers(len(images))]
        if random.random() < 0.5:
            rows, columns = slice(top + 8, 16) if top < 5 else slice(0, top), slice(0, 16)
            free = picture[rows, columns]
            if free.shape[0] >= 8:
                across = random.integers(0, 9)
                free[:8, across : across + 8] = images[random.integers(len(images))]
    return noisy(canvas, random), (canvas >= INK).astype(np.uint8)


def enlarged(image, size):
    """`image` of `size` by `size` pixels, linear between its own."""
    at = np.clip((np.arange(size) + 0.5) * 8 / size - 0.5, 0, 7)
    low = np.minimum(at.astype(int), 6)
    share = at - low
    rows = image[low] * (1 - share[:, None]) + image[low + 1] * share[:, None]
    return rows[:, low] * (1 - share) + rows[:, low + 1] * share


MOST_DIGITS = 3
NOTHING = 255


def composed(images, labels, random, count):
    """Pictures of 32 by 32 with one to three digits that do not overlap, and what is where: for each of three rows
    (top, left, size, digit), with 255 for a digit where there is none."""
    edge = models.DETECTOR_IMAGE
    canvas = np.zeros((count, edge, edge))
    truth = np.full((count, MOST_DIGITS, 4), NOTHING, np.uint8)
    for picture, rows in zip(canvas, truth):
        taken = np.zeros((edge, edge), bool)
        for row in rows[: random.integers(1, MOST_DIGITS + 1)]:
            for _ in range(20):
                size = int(random.integers(8, 15))
                top, left = random.integers(0, edge - size + 1, 2)
                window = (slice(top, top + size), slice(left, left + size))
                if not taken[window].any():
                    index = random.integers(len(images))
                    taken[window] = True
                    picture[window] = np.maximum(picture[window], enlarged(images[index].astype(float), size))
                    row[:] = top, left, size, labels[index]
                    break
    return noisy(canvas, random), truth


def detection_targets(pictures, truth):
    """For each anchor its class, from 1, or 0; and the offsets of its box."""
    cells, step = models.DETECTOR_CELLS, models.DETECTOR_IMAGE // models.DETECTOR_CELLS
    classes = np.zeros((len(pictures), cells * cells), np.int64)
    offsets = np.zeros((len(pictures), cells * cells, 4), np.float32)
    for picture, rows in enumerate(truth):
        for top, left, size, digit in rows.astype(int):
            if digit == NOTHING:
                continue
            center = np.array([top, left]) + size / 2
            row, column = np.minimum((center / step).astype(int), cells - 1)
            # The anchor that holds the center, and its neighbours that are nearly as near.
            for y, x in [(row, column), (row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]:
                if not (0 <= y < cells and 0 <= x < cells):
                    continue
                anchor = (np.array([y, x]) + 0.5) * step
                if np.abs(center - anchor).max() > 0.75 * step and (y, x) != (row, column):
                    continue
                index = y * cells + x
                classes[picture, index] = digit + 1
                offsets[picture, index, :2] = (center - anchor) / models.ANCHOR
                offsets[picture, index, 2:] = np.log(size / models.ANCHOR)
    return pictures, classes, offsets


def overlap(a, b):
    """Intersection over union of two boxes of (top, left, bottom, right)."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = np.prod(np.maximum(high - low, 0))
    return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


def found(boxes, scores, selected, truth):
    """How many digits there are, how many of them were found, with the right class and an overlap of a half and
    more, and how many detections are none of these."""
    digits = right = wrong = 0
    for boxes_of, chosen, rows in zip(boxes, selected, truth):
        wanted = [row.astype(float) for row in rows if row[3] != NOTHING]
        digits += len(wanted)
        for _, digit, index in chosen:
            box = boxes_of.reshape(-1, 4)[index]
            fits = lambda row: row[3] == digit and overlap(
                box, np.array([row[0], row[1], row[0] + row[2], row[1] + row[2]])
            ) >= 0.5
            match = next((place for place, row in enumerate(wanted) if fits(row)), None)
            if match is None:
                wrong += 1
            else:
                wanted.pop(match)
                right += 1
    return {"digits": digits, "found": right, "false_detections": wrong}
