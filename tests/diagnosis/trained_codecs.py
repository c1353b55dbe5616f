"""Tiny codecs, trained for seconds on pictures by formula: enough that what a spec says matters."""

from __future__ import annotations

import torch

import codecspec as cs
from codecspec.diagnosis.dead_leaves import dead_leaves
from codecspec.runtime.codec import Codec
from codecspec.schema.load import SpecLike

SLICES = """
codecspec: 1
name: slices
g_a:
  - {type: conv, out: 16, kernel: 5, stride: 2}
  - {type: gdn}
  - {type: conv, out: 16, kernel: 5, stride: 2}
  - {type: gdn}
  - {type: conv, out: 16, kernel: 5, stride: 2}
g_s:
  - {type: deconv, out: 16, kernel: 5, stride: 2}
  - {type: gdn, inverse: true}
  - {type: deconv, out: 16, kernel: 5, stride: 2}
  - {type: gdn, inverse: true}
  - {type: deconv, out: 3, kernel: 5, stride: 2}
latent_codec:
  type: hyperprior
  h_a: [{type: conv, out: 8, stride: 2}, {type: gelu}, {type: conv, out: 8, stride: 2}]
  h_s:
    type: dual
    mean: &h_s [{type: subpel, out: 8}, {type: gelu}, {type: subpel, out: 16}]
    scale: *h_s
  z: {type: entropy_bottleneck}
  y:
    type: channel_groups
    groups: {equal: 4}
    side_in_context: true
    support: {filter: first, max: 1}
    context:
      type: mean_scale
      widths: [16]
      transform: {type: sw_atten, width: 16, head_dim: 8, window: 4}
      emit_mean_support: pre
    leaf: {type: lrp_gaussian, widths: [16], lrp_scale: 0.5}
"""
LAMBDA = 0.02 * 255**2
SIDE = 64


def trained(spec: SpecLike, *, steps: int, **params: object) -> Codec:
    """A codec trained for rate and squared error; its quantiles where the densities have them."""
    torch.manual_seed(0)
    codec = cs.compile_spec(spec, **params).train()
    pictures = torch.cat([dead_leaves(256, 384, seed=seed, leaves=600) for seed in range(1, 5)])
    named = [parameter for name, parameter in codec.named_parameters() if not name.endswith("quantiles")]
    optimizer = torch.optim.Adam(named, lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=steps)
    for _ in range(steps):
        x = _crops(pictures, 8)
        out = codec(x)
        rate = sum(-each.log2().sum() for each in out["likelihoods"].values()) / (len(x) * SIDE**2)
        loss = rate + LAMBDA * (out["x_hat"] - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(named, 1.0)
        optimizer.step()
        schedule.step()
    for module in codec.modules():
        if hasattr(module, "_update_quantiles"):
            module._update_quantiles()
    return codec.eval()


def _crops(pictures: torch.Tensor, count: int) -> torch.Tensor:
    found = []
    for i in torch.randint(len(pictures), (count,)).tolist():
        top, left = (int(torch.randint(size - SIDE, ())) for size in pictures.shape[-2:])
        found.append(pictures[i, :, top : top + SIDE, left : left + SIDE])
    return torch.stack(found)
