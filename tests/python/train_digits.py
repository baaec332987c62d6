"""Trains the models of tests/data/digits and writes them with their samples.

    pip install -r tests/python/requirements_training.txt
    python tests/python/train_digits.py tests/data/digits [MODEL...]

The data are scikit-learn's `load_digits`: 1,797 pictures of handwritten digits, 8 by 8 pixels of 0 to 16. Models take
these levels as they are, or integers made of them. Of every model NAME there is a folder with

    model.onnx               operator set 17, as PyTorch exports it
    calibration_INPUT.npy    inputs from training pictures
    test_INPUT.npy           inputs from test pictures, which no training has seen
    test_y.npy               their labels
    float_OUTPUT.npy         what ONNX Runtime computes for the first test inputs
    float.toml               what the float model reaches on the test inputs, by ONNX Runtime

Models that read the pictures as they are share those of `images`. Seeds are fixed, but other machines may round
otherwise, so that a new run gives other weights of the same worth.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto, helper
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

import digits_models as models
import digits_pictures as pictures

TEST_PICTURES = 500
CALIBRATION_SAMPLES = 100
#: Of so many test samples the float outputs are written.
FLOAT_SAMPLES = 4
LEVELS = 16
#: Of so many test pictures the streaming model's inputs are written, row by row.
STREAMED_PICTURES = 8


def load():
    """Training and test pictures [n, 8, 8] of uint8, each with its labels, mixed by a fixed order."""
    digits = load_digits()
    order = np.random.default_rng(1).permutation(len(digits.target))
    images, labels = digits.images.astype(np.uint8)[order], digits.target.astype(np.uint8)[order]
    train, test = slice(TEST_PICTURES, None), slice(TEST_PICTURES)
    return (images[train], labels[train]), (images[test], labels[test])


def floats(levels):
    return torch.from_numpy(np.asarray(levels, dtype=np.float32))


def integers(values):
    return torch.from_numpy(np.asarray(values, dtype=np.int64))


class Levels(nn.Module):
    """A model of intensities from 0 to 1 that is given levels."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, levels, *others):
        return self.model(levels / LEVELS, *others)


def shifted(images, random):
    """Pictures moved by a pixel at most, in any direction."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    rows, columns = random.integers(0, 3, (2, len(images)))
    taken = [p[r : r + 8, c : c + 8] for p, r, c in zip(padded, rows, columns)]
    return np.stack(taken)


def train(model, batches, loss, epochs, rate=3e-3):
    """Minimizes `loss(model, *batch)` over what `batches(epoch)` gives."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    model.train()
    for epoch in range(epochs):
        for batch in batches(epoch):
            optimizer.zero_grad()
            loss(model, *batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        schedule.step()
    return model.eval()


def batches_of(make, size=64):
    """Batches of the arrays that `make(random)` gives for an epoch, in an order of its own."""

    def batches(epoch):
        random = np.random.default_rng(1000 + epoch)
        arrays = make(random)
        order = random.permutation(len(arrays[0]))
        for begin in range(0, len(order), size):
            yield [array[order[begin : begin + size]] for array in arrays]

    return batches


def cross_entropy(to_input):
    return lambda model, x, y: F.cross_entropy(model(to_input(x)), integers(y), label_smoothing=0.05)


class Folder:
    """Where a model and its samples go."""

    def __init__(self, root, name):
        self.path = root / name
        self.path.mkdir(parents=True, exist_ok=True)

    def export(self, model, inputs, output_names):
        names, examples = list(inputs), tuple(inputs.values())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                model.eval(), examples, self.path / "model.onnx", input_names=names, output_names=output_names,
                opset_version=17, dynamo=False,
            )

    def save(self, name, array):
        np.save(self.path / f"{name}.npy", array)

    def save_samples(self, kind, inputs):
        for name, array in inputs.items():
            self.save(f"{kind}_{name}", array)

    def run(self, inputs):
        """Outputs of ONNX Runtime by name, for arrays whose first axis counts samples."""
        session = ort.InferenceSession(str(self.path / "model.onnx"), providers=["CPUExecutionProvider"])
        takes, gives = session.get_inputs(), [output.name for output in session.get_outputs()]
        types = {"tensor(float)": np.float32, "tensor(int64)": np.int64}
        rows = []
        for sample in zip(*(inputs[port.name] for port in takes)):
            feeds = {p.name: x.astype(types[p.type]).reshape(p.shape) for p, x in zip(takes, sample)}
            rows.append(session.run(gives, feeds))
        return {name: [row[position] for row in rows] for position, name in enumerate(gives)}

    def finish(self, outputs, measures):
        """Writes the first outputs, and what the float model reaches."""
        for name, rows in outputs.items():
            if rows[0].dtype == np.float32:
                self.save(f"float_{name}", np.stack(rows[:FLOAT_SAMPLES]))
        lines = [f"{key} = {value}" for key, value in measures.items()]
        (self.path / "float.toml").write_text("\n".join(lines) + "\n")
        print(self.path.name, measures, flush=True)


def correct(scores, labels):
    """How many samples the first of the greatest scores answers as labelled."""
    return int(sum(np.argmax(row) == label for row, label in zip(scores, labels)))


class Trainer:
    """Trains one model after the other, on the same pictures."""

    def __init__(self, root):
        self.root = root
        self.train, self.test = load()
        images = Folder(root, "images")
        images.save("calibration_x", self.train[0][:CALIBRATION_SAMPLES])
        images.save("test_x", self.test[0])
        images.save("test_y", self.test[1])

    def moved(self, random):
        return shifted(self.train[0], random), self.train[1]

    def classifier(self, name, model, shape, epochs):
        """Trains what answers of a whole picture, which it takes in `shape`."""
        folder = Folder(self.root, name)
        to_input = lambda x: floats(x).reshape(len(x), *shape[1:])
        model = train(Levels(model), batches_of(self.moved), cross_entropy(to_input), epochs, rate=5e-3)
        folder.export(model, {"x": torch.zeros(shape)}, ["scores"])
        outputs = folder.run({"x": self.test[0]})
        labels = self.test[1]
        folder.finish(outputs, {"samples": len(labels), "correct": correct(outputs["scores"], labels)})

    def vit(self):
        self.classifier("vit", models.VisionTransformer(), (1, 1, 8, 8), 60)

    def lstm(self):
        self.classifier("lstm", models.RowClassifier(nn.LSTM), (1, 8, 8), 150)

    def gru(self):
        self.classifier("gru", models.RowClassifier(nn.GRU), (1, 8, 8), 150)

    def streaming_gru(self):
        folder = Folder(self.root, "streaming_gru")

        def loss(model, x, y):
            hidden, total = torch.zeros(len(x), models.HIDDEN), 0.0
            share = np.arange(1, 9) ** 4 / 8772
            for step in range(8):
                scores, hidden = model(floats(x[:, step]), hidden)
                total = total + F.cross_entropy(scores, integers(y)) * share[step]
            return total

        model = train(Levels(models.StreamingGru()), batches_of(self.moved), loss, 150, rate=5e-3)
        examples = {"row": torch.zeros(1, 8), "h_in": torch.zeros(1, models.HIDDEN)}
        folder.export(model, examples, ["scores", "h_out"])
        # A calibration sample is a row with the state that the rows before it have left.
        rows, states = self.streamed(model, self.train[0][:CALIBRATION_SAMPLES])
        taken = np.random.default_rng(2).permutation(len(rows))[: 2 * CALIBRATION_SAMPLES]
        folder.save_samples("calibration", {"row": rows[taken], "h_in": states[taken]})
        rows, states = self.streamed(model, self.test[0][:STREAMED_PICTURES])
        inputs = {"row": rows, "h_in": states}
        folder.save_samples("test", inputs)
        last = [self.last_scores(folder, image) for image in self.test[0]]
        labels = self.test[1]
        folder.finish(folder.run(inputs), {"samples": len(labels), "correct": correct(last, labels)})

    def streamed(self, model, images):
        rows, states = [], []
        with torch.no_grad():
            for image in images:
                hidden = torch.zeros(1, models.HIDDEN)
                for row in image:
                    rows.append(row)
                    states.append(hidden.numpy()[0])
                    _, hidden = model(floats(row)[None], hidden)
        return np.stack(rows), np.stack(states)

    def last_scores(self, folder, image):
        if not hasattr(self, "session"):
            self.session = ort.InferenceSession(str(folder.path / "model.onnx"))
        hidden = np.zeros((1, models.HIDDEN), np.float32)
        for row in image.astype(np.float32):
            scores, hidden = self.session.run(None, {"row": row[None], "h_in": hidden})
        return scores[0]

    def unet(self):
        folder = Folder(self.root, "unet")
        make = lambda random: pictures.inked(self.train[0], random, 1200)
        loss = lambda model, x, y: F.binary_cross_entropy_with_logits(model(floats(x)[:, None]), floats(y)[:, None])
        model = train(Levels(models.Unet()), batches_of(make, 32), loss, 25)
        folder.export(model, {"x": torch.zeros(1, 1, 16, 16)}, ["mask"])
        calibration, _ = pictures.inked(self.train[0], np.random.default_rng(3), CALIBRATION_SAMPLES)
        images, masks = pictures.inked(self.test[0], np.random.default_rng(4), 200)
        folder.save_samples("calibration", {"x": calibration})
        folder.save_samples("test", {"x": images, "y": np.packbits(masks.reshape(len(masks), -1), axis=1)})
        outputs = folder.run({"x": images})
        found = np.stack(outputs["mask"]).reshape(masks.shape) > 0
        wanted = masks > 0
        overlap = (found & wanted).sum() / (found | wanted).sum()
        pixels = int((found == wanted).sum())
        folder.finish(outputs, {"samples": len(images), "correct_pixels": pixels, "overlap": round(float(overlap), 4)})

    def detector(self):
        folder = Folder(self.root, "detector")
        make = lambda random: pictures.detection_targets(*pictures.composed(*self.train, random, 1200))

        def loss(model, x, classes, offsets):
            logits, found = model.heads(floats(x)[:, None] / LEVELS)
            wanted = F.one_hot(integers(classes), models.CLASSES + 1)[..., 1:].float()
            plain = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
            unsure = (torch.sigmoid(logits) - wanted).abs() ** 2
            is_digit = floats(classes)[..., None] > 0
            of_boxes = F.smooth_l1_loss(found, floats(offsets), reduction="none", beta=0.1)
            digits = is_digit.sum().clamp(min=1)
            return (plain * unsure).sum() / digits + 2 * (of_boxes * is_digit).sum() / digits

        model = train(models.Detector(), batches_of(make, 32), loss, 60)
        folder.export(Levels(model), {"x": torch.zeros(1, 1, 32, 32)}, ["boxes", "scores"])
        add_suppression(folder.path / "model.onnx")
        calibration, _ = pictures.composed(*self.train, np.random.default_rng(5), CALIBRATION_SAMPLES)
        images, truth = pictures.composed(*self.test, np.random.default_rng(6), 100)
        folder.save_samples("calibration", {"x": calibration})
        folder.save_samples("test", {"x": images, "y": truth})
        outputs = folder.run({"x": images})
        found = pictures.found(outputs["boxes"], outputs["scores"], outputs["selected"], truth)
        folder.finish(outputs, {"samples": len(images), **found})

    def recommender(self):
        folder = Folder(self.root, "recommender")
        make = lambda random: pairs(*self.moved(random), random)
        loss = lambda model, history, candidate, y: F.binary_cross_entropy(
            model(integers(history), integers(candidate)), floats(y)
        )
        model = train(models.Recommender(), batches_of(make, 64), loss, 60)
        examples = {"history": torch.zeros(1, 64, dtype=torch.int64), "candidate": torch.zeros(1, 1, dtype=torch.int64)}
        folder.export(model, examples, ["probability"])
        history, candidate, _ = pairs(*self.train, np.random.default_rng(7))
        taken = slice(CALIBRATION_SAMPLES)
        folder.save_samples("calibration", {"history": history[taken], "candidate": candidate[taken]})
        history, candidate, wanted = pairs(*self.test, np.random.default_rng(8))
        inputs = {"history": history, "candidate": candidate}
        folder.save_samples("test", {**inputs, "y": wanted[:, 0].astype(np.uint8)})
        outputs = folder.run(inputs)
        right = (np.stack(outputs["probability"]).ravel() > 0.5) == (wanted[:, 0] > 0.5)
        folder.finish(outputs, {"samples": len(wanted), "correct": int(right.sum())})

    def bert(self):
        folder = Folder(self.root, "bert")
        loss = cross_entropy(lambda x: integers(words(x)))
        model = train(models.Bert(), batches_of(self.moved), loss, 80)
        folder.export(model, {"input_ids": torch.zeros(1, 17, dtype=torch.int64)}, ["scores"])
        folder.save_samples("calibration", {"input_ids": words(self.train[0][:CALIBRATION_SAMPLES])})
        inputs, labels = {"input_ids": words(self.test[0])}, self.test[1]
        folder.save_samples("test", {**inputs, "y": labels})
        outputs = folder.run(inputs)
        folder.finish(outputs, {"samples": len(labels), "correct": correct(outputs["scores"], labels)})


def words(images):
    """[n, 17] of uint8: the class word, then a word for each 2 by 2 patch, whose letters are its pixels, of 3 levels."""
    letters = np.digitize(images, [4, 11]).reshape(-1, 4, 2, 4, 2).transpose(0, 1, 3, 2, 4).reshape(-1, 16, 4)
    patches = letters @ models.PATCH_LEVELS ** np.arange(4)
    return np.concatenate([np.full((len(images), 1), models.CLASS_WORD), patches], axis=1).astype(np.uint8)


def pairs(images, labels, random):
    """For each picture its tokens, and its digit or, every other time, any other as the candidate."""
    tokens = np.arange(64) * models.PIXEL_LEVELS + np.digitize(images.reshape(-1, 64), [1, 6, 12])
    wanted = np.arange(len(images)) % 2 == 0
    others = (labels + random.integers(1, models.CLASSES, len(labels))) % models.CLASSES
    candidates = np.where(wanted, labels, others)
    return tokens.astype(np.uint8), candidates[:, None].astype(np.uint8), wanted[:, None].astype(np.float32)


def add_suppression(path):
    """Adds a NonMaxSuppression to a file that has boxes and scores, as exporters of detectors do."""
    model = onnx.load(path)
    graph = model.graph
    constant = lambda name, kind, value: helper.make_tensor(name, kind, [1], [value])
    graph.initializer.extend([
        constant("most_of_a_class", TensorProto.INT64, 2),
        constant("most_overlap", TensorProto.FLOAT, 0.4),
        constant("least_score", TensorProto.FLOAT, 0.4),
    ])
    operands = ["boxes", "scores", "most_of_a_class", "most_overlap", "least_score"]
    graph.node.append(helper.make_node("NonMaxSuppression", operands, ["selected"], name="suppression"))
    graph.output.append(helper.make_tensor_value_info("selected", TensorProto.INT64, ["detections", 3]))
    onnx.checker.check_model(model)
    onnx.save(model, path)


ALL = ["vit", "lstm", "gru", "streaming_gru", "unet", "detector", "recommender", "bert"]


def main():
    torch.set_num_threads(1)
    trainer = Trainer(Path(sys.argv[1]))
    for name in sys.argv[2:] or ALL:
        torch.manual_seed(ALL.index(name))
        getattr(trainer, name)()


if __name__ == "__main__":
    main()
