"""From a fitted scikit-learn pipeline to ONNX."""

from __future__ import annotations

import warnings
from functools import wraps
from pathlib import Path
from typing import Any

from tonotope.training.extras import require
from tonotope.training.run_folders import write_whole

__all__ = ["write_onnx"]

# The first with every operator that is used, known to ONNX Runtime since 1.14.
_OPSET = 18


def write_onnx(estimator: Any, n_features: int, path: Path) -> None:
    """Write a pipeline: float32 ``features`` in, ``probabilities`` out.

    Raises
    ------
    InputError
        If skl2onnx is not installed.
    PathError
        If the file cannot be written.
    """
    require("skl2onnx", "exporting a classical model")
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType
    from skl2onnx.helpers.onnx_helper import select_model_inputs_outputs
    from sklearn.ensemble import HistGradientBoostingClassifier

    with warnings.catch_warnings():
        # It looks at attributes that scikit-learn will remove.
        warnings.simplefilter("ignore", FutureWarning)
        model = convert_sklearn(
            estimator,
            initial_types=[("features", FloatTensorType([None, n_features]))],
            options={"zipmap": False},
            target_opset=_OPSET,
            custom_conversion_functions={
                HistGradientBoostingClassifier: _convert_gradient_boosting
            },
        )
    (probabilities,) = (given for given in model.graph.output if given.name == "probabilities")
    without_label = select_model_inputs_outputs(model, outputs=["probabilities"])
    # Its shape has been lost on the way.
    without_label.graph.output[0].CopyFrom(probabilities)
    write_whole(path, without_label.SerializeToString(deterministic=True))


def _convert_gradient_boosting(scope: Any, operator: Any, container: Any) -> None:
    """Convert as skl2onnx does, but truth values to the integers that ONNX has for them.

    skl2onnx hands them on as they are, which onnx from 1.19 on refuses.
    """
    from skl2onnx.operator_converters.random_forest import convert_sklearn_random_forest_classifier

    add_node = container.add_node

    @wraps(add_node)
    def add_node_of_integers(*arguments: Any, **attributes: Any) -> None:
        key = "nodes_missing_value_tracks_true"
        if key in attributes:
            attributes[key] = [int(value) for value in attributes[key]]
        add_node(*arguments, **attributes)

    container.add_node = add_node_of_integers
    try:
        convert_sklearn_random_forest_classifier(scope, operator, container)
    finally:
        container.add_node = add_node
