"""One training step of the network in plain PyTorch, for ``training_step.py``."""

import contextlib

import torch
from torch_encoders import DenseNet121, SmallCnn
from torch_jtav import Jtav

DENSENET_FEATURES = 1024
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
# Whether a form is compiled, by the name it is printed under.
FORMS = {"PyTorch": False, "PyTorch, torch.compile": True}

# As in `keras_step.py`: float32 is float32, and no TF32. Both choose their convolutions
# by trying them (XLA always does).
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
torch.backends.cudnn.benchmark = True


def description():
    """Return the version and the device."""
    on_card = DEVICE.type == "cuda"
    place = torch.cuda.get_device_name() if on_card else "cpu"
    return f"PyTorch {torch.__version__} on {place}"


def torch_network(config, spec):
    """Return the PyTorch network, on the CPU."""
    if spec.image_features:
        return Jtav(config, spec, torch.nn.Identity(), spec.image_features)
    if config.image.name == "small_cnn":
        backbone = SmallCnn()
        return Jtav(config, spec, backbone, backbone.dim)
    return Jtav(config, spec, DenseNet121(), DENSENET_FEATURES)


def torch_inputs(posts):
    """Return the batch as PyTorch takes it, on the device."""
    image = torch.from_numpy(posts["image"]).float()
    inputs = (
        torch.from_numpy(posts["words"][..., 0]).long(),
        torch.from_numpy(posts["supporting_words"][..., 0]).long(),
        torch.from_numpy(posts["spectrogram"][:, 0]),
        image.permute(0, 3, 1, 2).contiguous() if image.ndim == 4 else image,
    )
    return tuple(tensor.to(DEVICE) for tensor in inputs)


def logits(network, posts):
    """Return a network's answers as in inference, float ``(batch,)``."""
    with torch.no_grad():
        return network.eval()(*torch_inputs(posts)).cpu().numpy()


def training_step(network, posts, labels, precision, compiled):
    """Return a function that makes one step, without the wait for its end.

    Args:
        network: What ``torch_network`` returned, on the device.
        posts: Inputs of the Keras model, arrays.
        labels: Float ``(batch,)``.
        precision: ``float32`` or ``mixed_bfloat16``.
        compiled: Whether ``torch.compile`` is used.
    """
    inputs = torch_inputs(posts)
    labels = torch.from_numpy(labels).to(DEVICE)
    learned = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(learned)
    run = torch.compile(network.train(), dynamic=False) if compiled else network.train()

    def step():
        optimizer.zero_grad(set_to_none=True)
        with _scope(precision):
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                run(*inputs), labels
            )
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def wait():
    """Return when all that the device was given is done."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def forget():
    """Drop compiled code and free memory, so that a measurement starts without them."""
    torch.compiler.reset()
    if DEVICE.type == "cuda":
        torch.cuda.empty_cache()


def _scope(precision):
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(DEVICE.type, dtype=torch.bfloat16)
