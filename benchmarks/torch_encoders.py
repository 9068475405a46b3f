"""The encoders of JTAV in plain PyTorch, for ``torch_jtav.py``."""

import math

import torch
from torch import nn
from torch.nn import functional

CELLS, ORIENTATIONS, LEVELS = 4, 9, 4
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # means and deviations


class Attention(nn.Module):
    """Eq. 1: states to their weighted sum."""

    def __init__(self, dim, units):
        super().__init__()
        self.latent = nn.Linear(dim, units)
        self.context = nn.Linear(units, 1, bias=False)

    def forward(self, states):
        alpha = self.context(torch.tanh(self.latent(states))).softmax(dim=1)
        return (alpha * states).sum(dim=1)


class Text(nn.Module):
    """attBiGRU: gated word vectors, BiGRU, attention."""

    def __init__(self, spec, units=50, attention_units=100, **kwargs):
        super().__init__()
        self.word_mean = kwargs.get("word_mean", False)
        self.drop = nn.Dropout(kwargs.get("dropout", 0.0))
        self.table = nn.Embedding(spec.embedding_rows, spec.embedding_dim)
        self.table.weight.requires_grad = kwargs.get("trainable_vectors", False)
        self.gru = nn.GRU(
            spec.embedding_dim, units, batch_first=True, bidirectional=True
        )
        self.attention = Attention(2 * units, attention_units)
        self.dim = 2 * units + 2 * spec.embedding_dim * self.word_mean

    def forward(self, words, supporting):
        own, gate = self.table(words), self.table(supporting).mean(dim=1)
        states, _ = self.gru(self.drop(own * gate[:, None]))
        t = self.attention(states)
        if self.word_mean:
            t = torch.cat([t, own.mean(dim=1), gate], dim=1)
        return self.drop(t)


class DenseBlock(nn.Module):
    """Eq. 2: three stages in a row, and a fourth that also sees the first."""

    def __init__(self, channels, filters, momentum):
        super().__init__()
        sizes = (channels, filters, filters, 2 * filters)
        shrink, keep = nn.MaxPool2d(2, ceil_mode=True), nn.MaxPool2d(3, 1, 1)
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(size, filters, 3, padding=1, bias=False),
                nn.BatchNorm2d(filters, eps=1e-3, momentum=1 - momentum),
                nn.ReLU(),
                pool,
            )
            for size, pool in zip(sizes, (shrink, keep, keep, shrink), strict=True)
        )

    def forward(self, x):
        first, second, third, last = self.stages
        a1 = first(x)
        return last(torch.cat([a1, third(second(a1))], dim=1))


class Audio(nn.Module):
    """DCRNN over one segment."""

    def __init__(self, spec, filters=(32, 64), units=64, dim=128, **kwargs):
        super().__init__()
        momentum = kwargs.get("momentum", 0.99)
        self.drop = nn.Dropout(kwargs.get("dropout", 0.0))
        sizes = (1, *filters)
        self.blocks = nn.Sequential(
            *(
                DenseBlock(size, filters[i], momentum)
                for i, size in enumerate(sizes[:-1])
            )
        )
        bins = spec.bins
        for _ in range(2 * len(filters)):
            bins = -(-bins // 2)
        self.rnn_1 = nn.GRU(
            bins * filters[-1], units, batch_first=True, bidirectional=True
        )
        self.rnn_2 = nn.GRU(2 * units, units, batch_first=True, bidirectional=True)
        self.dense_1 = nn.Linear(2 * units, dim)
        self.over_time = None
        if kwargs.get("statistics", False):
            self.over_time = nn.BatchNorm1d(
                2 * spec.bins, eps=1e-3, momentum=1 - momentum, affine=False
            )
        self.dense_2 = nn.Linear(dim + 2 * spec.bins * bool(self.over_time), dim)
        self.dim = dim

    def forward(self, spectrogram):
        x = self.blocks(spectrogram[:, None])  # (batch, channels, steps, bins)
        x = x.permute(0, 2, 3, 1).flatten(start_dim=2)
        states, _ = self.rnn_1(x)
        _, last = self.rnn_2(states)
        x = functional.relu(self.dense_1(self.drop(torch.cat([*last], dim=1))))
        if self.over_time is not None:
            mean = spectrogram.mean(dim=1)
            deviation = spectrogram.std(dim=1, correction=0)
            x = torch.cat([x, self.over_time(torch.cat([mean, deviation], 1))], 1)
        return self.dense_2(self.drop(x))


class SmallCnn(nn.Module):
    """The small preset's backbone, with its statistics of colours and gradients."""

    def __init__(self, filters=(32, 48, 64, 128)):
        super().__init__()
        sizes = (3, *filters)
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, b, 3, 2 if a == 3 else 1, 0 if a == 3 else 1, bias=False),
                nn.BatchNorm2d(b, eps=1e-3),
                nn.ReLU(),
                nn.Identity() if a == 3 else nn.MaxPool2d(2, ceil_mode=True),
            )
            for a, b in zip(sizes, filters, strict=False)
        )
        self.dim = 2 * filters[-1] + LEVELS**3 + CELLS**2 * ORIENTATIONS

    def forward(self, image):
        x = functional.pad(image / 127.5 - 1, (0, 1, 0, 1))  # as Keras pads a stride
        for stage in self.stages:
            x = stage(x)
        pooled = [x.mean(dim=(2, 3)), x.amax(dim=(2, 3))]
        return torch.cat([*pooled, colours(image), gradients(image)], dim=1)


class DenseLayer(nn.Module):
    """What each layer of a DenseNet adds to its input."""

    def __init__(self, channels, growth=32):
        super().__init__()
        self.add = nn.Sequential(
            *_norm_relu(channels),
            nn.Conv2d(channels, 4 * growth, 1, bias=False),
            *_norm_relu(4 * growth),
            nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False),
        )

    def forward(self, x):
        return torch.cat([x, self.add(x)], dim=1)


class DenseNet121(nn.Sequential):
    """Huang et al. 2017, pooled; batch normalisation always as in inference."""

    def __init__(self, blocks=(6, 12, 24, 16)):
        layers = [
            nn.Conv2d(3, 64, 7, 2, 3, bias=False),
            *_norm_relu(64),
            nn.MaxPool2d(3, 2, 1),
        ]
        channels = 64
        for number, length in enumerate(blocks):
            if number:
                layers += _norm_relu(channels)
                layers += [nn.Conv2d(channels, channels // 2, 1, bias=False)]
                layers += [nn.AvgPool2d(2)]
                channels //= 2
            layers += [DenseLayer(channels + 32 * layer) for layer in range(length)]
            channels += 32 * length
        super().__init__(*layers, *_norm_relu(channels))
        mean, deviation = torch.tensor(IMAGENET)[:, :, None, None]
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("deviation", deviation, persistent=False)

    def forward(self, image):
        x = super().forward((image / 255 - self.mean) / self.deviation)
        return x.mean(dim=(2, 3))

    def train(self, mode=True):
        return super().train(False)


def _norm_relu(channels):
    return [nn.BatchNorm2d(channels, eps=1.001e-5), nn.ReLU(inplace=False)]


class Image(nn.Module):
    """A backbone, or its features, to ``v``."""

    def __init__(self, backbone, features, dropout=0.2, dim=300):
        super().__init__()
        self.backbone = backbone
        self.norm = nn.BatchNorm1d(features, eps=1e-3, affine=False)
        self.drop = nn.Dropout(dropout)
        self.v = nn.Linear(features, dim)
        self.dim = dim

    def forward(self, image):
        return torch.tanh(self.v(self.drop(self.norm(self.backbone(image)))))


def colours(image):
    """Return the square roots of the shares of 64 colours, (batch, 64)."""
    levels = (image * (LEVELS / 256)).floor().clamp(0, LEVELS - 1).long()
    red, green, blue = levels.flatten(start_dim=2).unbind(dim=1)
    colour = functional.one_hot((red * LEVELS + green) * LEVELS + blue, LEVELS**3)
    return colour.float().mean(dim=1).sqrt()


def gradients(image):
    """Return histograms of gradients in 16 cells, (batch, 144)."""
    size = image.shape[-1]
    weights = torch.tensor((0.299, 0.587, 0.114), device=image.device)
    gray = (torch.einsum("bchw,c->bhw", image, weights) / 255).sqrt()
    down, right = torch.gradient(gray, dim=(1, 2))
    length = (down.square() + right.square()).sqrt()
    turns = torch.atan2(down, right).remainder(math.pi) / math.pi
    orientations = torch.arange(ORIENTATIONS, device=image.device)
    distance = (turns[..., None] * ORIENTATIONS - orientations).abs()
    shares = (1 - torch.minimum(distance, ORIENTATIONS - distance)).relu()
    shares = (shares * length[..., None]).reshape(
        len(image), CELLS, size // CELLS, CELLS, size // CELLS, ORIENTATIONS
    )
    histogram = shares.sum(dim=(2, 4)) * ((16 * CELLS) ** 2 / size**2)
    energy = histogram.square().sum(dim=3)[:, None]
    energy = functional.pad(energy, (1, 1, 1, 1), mode="replicate")
    blocks = functional.avg_pool2d(energy, 2, 1) * 4
    norm = functional.avg_pool2d(blocks.sqrt(), 2, 1)[:, 0] + 0.1
    return (histogram / norm[..., None]).flatten(start_dim=1)
