"""Seeded worlds: clean ones, and ones with every fault planted."""

from __future__ import annotations

from bench.recon import balance_faults, faults
from bench.recon.ordinary import live
from bench.recon.world import World


def clean_world(seed: int, stories: int = 60) -> World:
    """Sales, refunds, disputes and payouts in which nothing is wrong."""
    world = World(seed, fee_bands=True)
    live(world, stories)
    return world


def broken_world(seed: int, stories: int = 60, times: int = 3) -> World:
    """The same with each fault planted so many times."""
    world = clean_world(seed, stories)
    for plant in (*faults.FAULTS, *balance_faults.FAULTS):
        for number in range(times):
            plant(world, number)
    return world
