"""The models that train_digits.py trains: of many kinds, and small.

Each is written as its kind is written elsewhere, so that its ONNX file has the operators that such models have.
"""

import torch
from torch import nn
from torch.nn import functional as F

CLASSES = 10
HIDDEN = 32


class SelfAttention(nn.Module):
    """As timm's vision transformers have it: one product for queries, keys and values."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.depth = heads, width // heads
        self.qkv = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, self.depth).permute(2, 0, 3, 1, 4)
        queries, keys, values = qkv.unbind(0)
        attention = (queries * self.depth**-0.5) @ keys.transpose(-2, -1)
        x = attention.softmax(dim=-1) @ values
        return self.projection(x.transpose(1, 2).reshape(batch, tokens, width))


class VisionBlock(nn.Module):
    """Normalizes before attention and before the perceptron."""

    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads)
        self.perceptron = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.perceptron(self.norm2(x))


class VisionTransformer(nn.Module):
    """[1, 1, 8, 8] -> [1, 10]: patches of 2 by 2, a class token, learnt positions, two blocks."""

    def __init__(self, width=32, heads=4, blocks=2):
        super().__init__()
        self.patches = nn.Conv2d(1, width, 2, stride=2)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, 17, width) * 0.02)
        self.blocks = nn.Sequential(*(VisionBlock(width, heads) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, image):
        x = self.patches(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], dim=1) + self.positions
        return self.head(self.norm(self.blocks(x))[:, 0])


class RowClassifier(nn.Module):
    """[1, 8, 8] -> [1, 10]: reads an image row by row and answers of what is left in the hidden state."""

    def __init__(self, recurrent):
        super().__init__()
        self.recurrent = recurrent(8, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, CLASSES)

    def forward(self, rows):
        states, _ = self.recurrent(rows)
        return self.head(states[:, -1])


class StreamingGru(nn.Module):
    """[1, 8], [1, 32] -> [1, 10], [1, 32]: one row a run; the caller hands the hidden state from run to run."""

    def __init__(self):
        super().__init__()
        self.recurrent = nn.GRU(8, HIDDEN)
        self.head = nn.Linear(HIDDEN, CLASSES)

    def forward(self, row, hidden):
        states, hidden = self.recurrent(row.unsqueeze(0), hidden.unsqueeze(0))
        return self.head(states[0]), hidden[0]


def convolution(inputs, outputs, stride=1):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class Unet(nn.Module):
    """[1, 1, 16, 16] -> [1, 1, 16, 16]: for each pixel, the logit of its being ink. One step up is learnt
    (ConvTranspose), one interpolates (Resize)."""

    def __init__(self):
        super().__init__()
        self.down1 = nn.Sequential(convolution(1, 8), convolution(8, 8))
        self.down2 = convolution(8, 16)
        self.bottom = convolution(16, 24)
        self.up2 = nn.ConvTranspose2d(24, 16, 2, stride=2)
        self.merge2 = convolution(32, 16)
        self.up1 = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.merge1 = convolution(24, 8)
        self.head = nn.Conv2d(8, 1, 1)

    def forward(self, image):
        fine = self.down1(image)
        middle = self.down2(F.max_pool2d(fine, 2))
        x = self.up2(self.bottom(F.max_pool2d(middle, 2)))
        x = self.merge2(torch.cat([x, middle], dim=1))
        x = self.merge1(torch.cat([self.up1(x), fine], dim=1))
        return self.head(x)


DETECTOR_IMAGE = 32
DETECTOR_CELLS = 8
ANCHOR = 10.0


class Detector(nn.Module):
    """[1, 1, 32, 32] -> boxes [1, 64, 4] (top, left, bottom, right in pixels) and scores [1, 10, 64].

    One head for boxes, one for scores, on a grid of 8 by 8 cells with one anchor each, as RetinaNet has them.
    """

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            convolution(1, 8), convolution(8, 16, stride=2), convolution(16, 24), convolution(24, 24, stride=2)
        )
        self.to_scores = nn.Sequential(convolution(24, 24), nn.Conv2d(24, CLASSES, 1))
        self.to_boxes = nn.Sequential(convolution(24, 24), nn.Conv2d(24, 4, 1))
        nn.init.constant_(self.to_scores[-1].bias, -3.0)
        step = DETECTOR_IMAGE / DETECTOR_CELLS
        centers = (torch.arange(DETECTOR_CELLS) + 0.5) * step
        rows, columns = torch.meshgrid(centers, centers, indexing="ij")
        self.register_buffer("anchors", torch.stack([rows.flatten(), columns.flatten()], dim=1)[None])

    def heads(self, image):
        """Logits [batch, 64, 10] and offsets [batch, 64, 4]: of the center, and logarithms of the size."""
        features = self.trunk(image)
        flat = lambda x: x.permute(0, 2, 3, 1).flatten(1, 2)
        return flat(self.to_scores(features)), flat(self.to_boxes(features))

    def boxes(self, offsets):
        centers = self.anchors + offsets[..., :2] * ANCHOR
        halves = torch.exp(offsets[..., 2:]) * (ANCHOR / 2)
        return torch.cat([centers - halves, centers + halves], dim=-1)

    def forward(self, image):
        logits, offsets = self.heads(image)
        return self.boxes(offsets), logits.sigmoid().transpose(1, 2)


PIXEL_LEVELS = 4
PIXELS = 64


class Recommender(nn.Module):
    """[1, 64] and [1, 1] integers -> [1, 1]: the probability that what was seen goes with a candidate.

    What was seen is a bag of 64 tokens out of 256, the candidate one of 10. Their embeddings are crossed by a
    product, and all three go through a perceptron, as in deep recommendation models.
    """

    def __init__(self, width=16):
        super().__init__()
        self.tokens = nn.Embedding(PIXELS * PIXEL_LEVELS, width)
        self.candidates = nn.Embedding(CLASSES, width)
        self.perceptron = nn.Sequential(
            nn.Linear(3 * width, 48), nn.ReLU(), nn.Linear(48, 16), nn.ReLU(), nn.Linear(16, 1)
        )
        nn.init.normal_(self.tokens.weight, std=0.1)

    def forward(self, history, candidate):
        seen = self.tokens(history).sum(dim=1)
        wanted = self.candidates(candidate).squeeze(1)
        return torch.sigmoid(self.perceptron(torch.cat([seen, wanted, seen * wanted], dim=1)))


PATCH_LEVELS = 3
WORDS = PATCH_LEVELS**4
CLASS_WORD = WORDS


class BertLayer(nn.Module):
    """Normalizes after attention and after the perceptron."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.depth = heads, width // heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.output = nn.Linear(width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-12), nn.LayerNorm(width, eps=1e-12)
        self.intermediate, self.back = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def split(self, x):
        return x.view(x.shape[0], x.shape[1], self.heads, self.depth).permute(0, 2, 1, 3)

    def forward(self, x):
        scores = self.split(self.query(x)) @ self.split(self.key(x)).transpose(-1, -2)
        weights = (scores / self.depth**0.5).softmax(dim=-1)
        context = (weights @ self.split(self.value(x))).permute(0, 2, 1, 3).flatten(2)
        x = self.norm1(x + self.output(context))
        return self.norm2(x + self.back(F.gelu(self.intermediate(x))))


class Bert(nn.Module):
    """[1, 17] integers -> [1, 10]: a class word and 16 words of a vocabulary of 81.

    Embeddings of words, positions and one segment, two layers, a pooler on the class word, a classifier, as BERT.
    """

    def __init__(self, width=32, heads=4, layers=2):
        super().__init__()
        self.words = nn.Embedding(WORDS + 1, width)
        self.positions = nn.Embedding(17, width)
        self.segments = nn.Embedding(2, width)
        for table in (self.words, self.positions, self.segments):
            nn.init.normal_(table.weight, std=0.05)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.Sequential(*(BertLayer(width, heads) for _ in range(layers)))
        self.pooler = nn.Linear(width, width)
        self.classifier = nn.Linear(width, CLASSES)
        self.register_buffer("position_ids", torch.arange(17)[None])

    def forward(self, input_ids):
        x = self.words(input_ids) + self.segments(torch.zeros_like(input_ids))
        x = self.norm(x + self.positions(self.position_ids))
        x = self.layers(x)
        return self.classifier(torch.tanh(self.pooler(x[:, 0])))
