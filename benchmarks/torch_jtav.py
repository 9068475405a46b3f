"""JTAV for sentiment in plain PyTorch: what ``training_step.py`` compares with.

The network is the one that ``build_model`` returns for the same config, and takes its
weights, so that both can be shown to give the same logits. It is written as a PyTorch
user would: CMF-AP in its rank-one form with all positions computed, no matrix made. All
rows are taken as complete: no masks over words, segments or missing modalities, and no
augmentation of pictures.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch_encoders import Audio, Image, Text


class Pooling(nn.Module):
    """Eq. 3 for one side, without the matrix of rank one."""

    def __init__(self, dim, units):
        super().__init__()
        self.latent = nn.Linear(dim, units)
        self.context = nn.Linear(units, 1, bias=False)
        self.output = nn.Linear(dim, dim)

    def forward(self, vector, other):
        slopes = functional.linear(vector, self.latent.weight)[:, None]
        latent = torch.tanh(other[:, :, None] * slopes + self.latent.bias)
        alpha = self.context(latent)[..., 0].softmax(dim=1)
        read = (other * alpha).sum(dim=1, keepdim=True)
        return torch.tanh(self.output(read * vector))


class Jtav(nn.Module):
    """The whole network: features of complete posts to logits.

    Args:
        config: Of the run; ``att_bigru``, ``dcrnn`` and ``cmf_ap`` with their kwargs.
        spec: Sizes of the features.
        backbone: From pictures (batch, 3, size, size) to features; ``nn.Identity`` for
            features in place of pictures.
        features: How many features a picture has.
    """

    def __init__(self, config, spec, backbone, features):
        super().__init__()
        picture = {k: v for k, v in config.image.kwargs.items() if k == "dropout"}
        self.text = Text(spec, **config.text.kwargs)
        self.audio = Audio(spec, **config.audio.kwargs)
        self.image = Image(backbone, features, **picture)
        dims = (self.text.dim, self.audio.dim, self.image.dim)
        self.rate = config.train.modality_dropout
        self.absent = nn.ParameterList(torch.randn(d) * d**-0.5 for d in dims)
        text, audio, image = dims
        pairs = ((text, image), (text, audio), (audio, image))
        fusion = config.fusion.kwargs
        self.residual = fusion.get("residual", False)
        units = fusion.get("attention_units", 100)
        self.poolings = nn.ModuleList(
            nn.ModuleList((Pooling(m, units), Pooling(n, units))) for m, n in pairs
        )
        joined = 2 * sum(dims) + sum(dims) * self.residual
        self.reduce = nn.Linear(joined, fusion.get("units", 128))
        self.hidden = nn.Linear(self.reduce.out_features, 32)
        self.logit = nn.Linear(32, 1)

    def forward(self, words, supporting, spectrogram, image):
        vectors = [
            self.text(words, supporting),
            self.audio(spectrogram),
            self.image(image),
        ]
        if self.training:
            kept = torch.rand(len(image), 3, device=image.device) >= self.rate
            kept = torch.where(kept.any(dim=1, keepdim=True), kept, True)
            vectors = [
                torch.where(kept[:, i, None], vector, self.absent[i])
                for i, vector in enumerate(vectors)
            ]
        t, a, v = (functional.normalize(vector, dim=1) for vector in vectors)
        parts = []
        for (m, n), (rows, columns) in zip(
            ((t, v), (t, a), (a, v)), self.poolings, strict=True
        ):
            parts += [rows(m, n), columns(n, m)]
        u = torch.cat([*parts, *((t, a, v) if self.residual else ())], dim=1)
        u = functional.relu(self.reduce(u))
        return self.logit(functional.relu(self.hidden(u)))[:, 0]


def take_weights(network, model):
    """Give a ``Jtav`` the weights of a Keras model; both list theirs in one order.

    Args:
        network: The ``Jtav``.
        model: What ``build_model`` returned as ``train``, for the same config.
    """
    values = []
    for weight in model.weights:
        value = torch.tensor(np.array(weight))
        if "gru_cell" in weight.path:  # update, reset, new; PyTorch: reset, update, new
            update, reset, new = value.chunk(3, dim=-1)
            value = torch.cat([reset, update, new], dim=-1)
        if value.ndim == 4:
            values.append(value.permute(3, 2, 0, 1))
        elif weight.path.endswith(("kernel", "context")):
            values.append(value.T)
        elif weight.path.endswith("gru_cell/bias"):
            values += value
        else:
            values.append(value)
    own = {n: v for n, v in network.state_dict().items() if "num_batches" not in n}
    network.load_state_dict(dict(zip(own, values, strict=True)), strict=False)
