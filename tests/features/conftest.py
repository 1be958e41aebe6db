"""What the tests of the descriptors share."""

from __future__ import annotations

import numpy as np
import pytest

from tonotope.features.stream import DescriptorStream


def describe(*blocks) -> tuple[np.ndarray, np.ndarray]:
    """Push the blocks through a stream; return the summary and the mel power of all frames."""
    stream = DescriptorStream()
    mel_power = [stream.push(block) for block in blocks]
    mel_power.append(stream.finish())
    return stream.summary(), np.concatenate(mel_power)


@pytest.fixture(name="describe", scope="session")
def describe_fixture():
    """Return the function that describes a signal given in blocks."""
    return describe
