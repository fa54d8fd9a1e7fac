"""Finished networks that a later stage builds on: from a run's folder, or from an exported
bundle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import nn

from swaptalk.assets import catalogue
from swaptalk.errors import InputError
from swaptalk.faces.geometry.mouth_motion import MotionStatistics
from swaptalk.inference.validate import BUNDLE_NAME
from swaptalk.losses.lpips import LPIPS
from swaptalk.losses.perceptual import LPIPS_STAGES, PerceptualLoss
from swaptalk.models.audio import AudioConfig, MelEncoder
from swaptalk.models.expert import ExpertConfig, VQLipExpert
from swaptalk.models.eyes import EyeConfig, EyeModel
from swaptalk.models.lips import LipConfig, LipModel
from swaptalk.models.lipsync import LipSync, LipSyncConfig
from swaptalk.models.occlusion import OcclusionConfig, OcclusionModel
from swaptalk.models.restoration import RestorationConfig, RestorationNetwork
from swaptalk.models.swap import SwapConfig, SwapTransformer
from swaptalk.models.sync_scorer import SyncScorerConfig, SyncScorerNetwork
from swaptalk.models.vqgan import VQGAN, VQGANConfig
from swaptalk.models.weights import load_weights
from swaptalk.training.checkpoint import full_state, load_full_state, read_config, trained_weights
from swaptalk.training.options import from_dict, read_json

#: Stage that trains each network, its option that holds the shape, the shape's class and the
#: network's. Stage ``mel-encoder`` trains the network ``audio``, too.
NETWORKS: dict[str, tuple[str, str, type, type[nn.Module]]] = {
    "vqgan": ("vqgan", "model", VQGANConfig, VQGAN),
    "expert": ("expert", "model", ExpertConfig, VQLipExpert),
    "swap": ("swap", "model", SwapConfig, SwapTransformer),
    "lipsync": ("lipsync", "model", LipSyncConfig, LipSync),
    "audio": ("lipsync", "audio", AudioConfig, MelEncoder),
    "restoration": ("restoration", "model", RestorationConfig, RestorationNetwork),
    "lips": ("lips", "model", LipConfig, LipModel),
    "eyes": ("eyes", "model", EyeConfig, EyeModel),
    "occlusion": ("occlusion", "model", OcclusionConfig, OcclusionModel),
    "eyewear": ("eyewear", "model", OcclusionConfig, OcclusionModel),
    "hair": ("hair", "model", OcclusionConfig, OcclusionModel),
    "scorer": ("sync-scorer", "model", SyncScorerConfig, SyncScorerNetwork),
}


def load_network(name: str, folder: Path) -> Any:
    """A trained network in evaluation mode, frozen: its moving average, in float32.

    Args:
        name: key of `NETWORKS`.
        folder: run of its stage, or a bundle of ``swaptalk export``.

    Raises:
        InputError: neither, or the run of another stage, or one that has no checkpoint yet.
    """
    stage, option, config, network = NETWORKS[name]
    if (folder / BUNDLE_NAME).exists():
        shapes = read_json(folder / BUNDLE_NAME)["networks"]
        if name not in shapes:
            raise InputError(
                f"this bundle holds no {name}",
                path=folder,
                remedy=f"name the run of 'train {stage}'",
            )
        loaded = network(from_dict(config, shapes[name]))
        load_weights(loaded, folder / f"{name}.safetensors")
    else:
        found, options = read_config(folder)
        if found != stage and (name, found) != ("audio", "mel-encoder"):
            raise InputError(
                f"is a run of stage {found}", path=folder, remedy=f"name the run of 'train {stage}'"
            )
        loaded = network(from_dict(config, options[option]))
        _, weights = trained_weights(folder)
        load_full_state(loaded, weights[name])
    return loaded.eval().requires_grad_(False)


def motion_statistics(run: Path) -> MotionStatistics:
    """Scale of the motion tokens that a run of stage ``lipsync``, or that of a bundle, learned
    with.

    Raises:
        InputError: the run has no checkpoint.
    """
    if (run / BUNDLE_NAME).exists():
        values = read_json(run / BUNDLE_NAME)["motion"]
    else:
        values = trained_weights(run)[0].extra["motion"]
    return MotionStatistics(
        *(np.array(values[key], np.float32) for key in ("mean", "spread", "silence"))
    )


def measured_by(run: Path) -> str:
    """Fingerprint of the lip network that measured the mouths of a run of stage ``lipsync``; empty
    in older runs.

    Tokens of another network's mouths have another scale.
    """
    checkpoint, _ = trained_weights(run)
    return str(checkpoint.extra.get("lips", ""))


#: Files of the perceptual networks.
PERCEPTUAL_FILES = {"vgg": "lpips-vgg16", "alex": "lpips-alexnet"}
#: File of the recogniser of the identity loss.
RECOGNISER_FILE = "sface"


def judges_files(weights: Any, network: Literal["vgg", "alex"]) -> tuple[str, ...]:
    """Names of the files of a stage's perceptual network and recogniser, if their losses have a
    weight.

    Args:
        weights: weights of the losses ``perceptual`` and ``identity``.
        network: of the perceptual loss.
    """
    perceptual = (PERCEPTUAL_FILES[network],) if weights.perceptual else ()
    return (*perceptual, *((RECOGNISER_FILE,) if weights.identity else ()))


def load_perceptual(network: Literal["vgg", "alex"]) -> PerceptualLoss:
    """The perceptual loss on VGG-16, or on AlexNet, whose file is a tenth as large."""
    file = catalogue.resolve(PERCEPTUAL_FILES[network])
    return PerceptualLoss(LPIPS(network, file, LPIPS_STAGES))


def compile_judges(frozen: Mapping[str, nn.Module]) -> None:
    """Compile a stage's frozen recogniser and perceptual network; the choice of windows stays as it
    is, being random.

    Args:
        frozen: the stage's frozen networks by name.
    """
    if "recogniser" in frozen:
        frozen["recogniser"].compile()
    perceptual = frozen.get("perceptual")
    if isinstance(perceptual, PerceptualLoss):
        perceptual.lpips.compile()


def fingerprint(network: nn.Module) -> str:
    """Sixteen hexadecimal digits that change with any weight; names the caches made with a
    network.
    """
    digest = hashlib.sha256()
    for name, value in sorted(full_state(network).items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
