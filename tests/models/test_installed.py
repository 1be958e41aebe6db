"""Models are added whole or not at all, listed, and removed."""

from __future__ import annotations

import hashlib
import http.server
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs the extra 'train' (ONNX)")

from support.models import card_text, network, write_model
from tonotope.errors import InputError, ModelError, PathError, TonotopeError
from tonotope.models.cards import read_card
from tonotope.models.encoder import Encoder
from tonotope.models.installed import add, find_model, info, list_models, models_folder, remove

BUNDLED = read_card().name


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a folder of models that does not exist yet."""
    return tmp_path / "data" / "models"


@pytest.fixture
def source(tmp_path) -> Path:
    """Return a folder with a card and its network."""
    return write_model(tmp_path / "source").parent


def names(folder: Path) -> list[str]:
    return [model.name for model in list_models(folder)]


def left_in(folder: Path) -> list[str]:
    """Return all that lies in a folder of models but for the lock."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def test_the_bundled_model_is_there(folder):
    (model,) = list_models(folder)
    assert model.is_bundled
    assert model.problem is None
    assert model.size_bytes == read_card().file.stat().st_size
    assert info(BUNDLED, folder) == model
    assert not folder.exists()


@pytest.mark.parametrize("named", ["", "made.toml", "made.onnx"])
def test_a_model_is_added_by_folder_card_or_network(folder, source, named):
    model = add(source / named, folder)
    assert (model.name, model.is_bundled, model.problem) == ("made", False, None)
    assert names(folder) == [BUNDLED, "made"]
    assert left_in(folder) == ["made"]
    assert left_in(folder / "made") == ["model.onnx", "model.toml"]
    assert (folder / "made" / "model.onnx").read_bytes() == (source / "made.onnx").read_bytes()
    # The sum is filled in; all else is as it was.
    sha256 = hashlib.sha256((source / "made.onnx").read_bytes()).hexdigest()
    first, _, rest = (folder / "made" / "model.toml").read_text().partition("\n")
    assert first.startswith(f'sha256 = "{sha256}"')
    assert rest == (source / "made.toml").read_text()
    assert model.card == find_model("made", folder)
    Encoder(find_model("made", folder))


def test_a_card_with_a_sum_is_kept_as_it_is(folder, source):
    sha256 = hashlib.sha256((source / "made.onnx").read_bytes()).hexdigest()
    (source / "made.toml").write_text("# mine\n" + card_text(sha256=sha256))
    add(source, folder)
    assert (folder / "made" / "model.toml").read_text() == (source / "made.toml").read_text()


def test_a_network_may_be_called_otherwise(folder, source):
    (source / "made.onnx").rename(source / "weights.onnx")
    (source / "made.toml").write_text(card_text(file="weights.onnx"))
    add(source, folder)
    assert Encoder(find_model("made", folder)).card.file == folder / "made" / "model.onnx"


def test_models_are_found_by_name_and_by_path(folder, source, monkeypatch):
    add(source, folder)
    assert find_model(BUNDLED, folder).path == read_card().path
    assert find_model("made", folder).file == folder / "made" / "model.onnx"
    # An installed model by its path, and what is not installed.
    assert find_model(folder / "made") == find_model("made", folder)
    assert find_model(source / "made.onnx").file == source / "made.onnx"
    assert find_model(source / "made.toml").file == source / "made.onnx"
    monkeypatch.chdir(source.parent)
    assert find_model("source", folder).name == "made"
    with pytest.raises(ModelError, match=r"no model is called 'other' \(there are: .*made\)"):
        find_model("other", folder)


def test_the_folder_of_a_training_run_is_a_model(folder, source):
    (source / "made.toml").rename(source / "model.toml")
    (source / "made.onnx").rename(source / "model.onnx")
    (source / "config.toml").write_text("seed = 0\n")
    assert add(source, folder).name == "made"


def test_removing(folder, source):
    add(source, folder)
    remove("made", folder)
    assert names(folder) == [BUNDLED]
    assert left_in(folder) == []
    for name in ("made", "../source", "", ".", "..", ".lock", str(source)):
        with pytest.raises(ModelError, match="no model is called"):
            remove(name, folder)
    assert source.is_dir()
    with pytest.raises(ModelError, match="comes with Tonotope and cannot be removed"):
        remove(BUNDLED, folder)
    add(source, folder)


def test_a_link_is_removed_and_what_it_leads_to_is_not(folder, source):
    add(source, folder)
    (folder / "made").rename(source / "elsewhere")
    (folder / "made").symlink_to(source / "elsewhere")
    remove("made", folder)
    assert left_in(folder) == []
    assert left_in(source / "elsewhere") == ["model.onnx", "model.toml"]


def test_a_name_is_taken_once(folder, source):
    add(source, folder)
    with pytest.raises(ModelError, match=r"already.*tonotope models remove made"):
        add(source, folder)
    (source / "made.toml").write_text(card_text("MADE"))
    with pytest.raises(ModelError, match="already"):
        add(source, folder)
    (source / "made.toml").write_text(card_text(BUNDLED))
    with pytest.raises(ModelError, match="comes with Tonotope"):
        add(source, folder)
    assert left_in(folder) == ["made"]


@pytest.mark.parametrize(
    "name", ["../made", "/tmp/made", ".made", "a b", "a/b", "-made", "ma\u00f6", "a" * 65, "a\\\\b"]
)
def test_a_name_that_could_be_a_path_is_refused(folder, source, name):
    (source / "made.toml").write_text(card_text(name, file="made.onnx"), "utf-8")
    with pytest.raises(InputError, match="a model cannot be called"):
        add(source, folder)
    assert left_in(folder) == []
    assert not (folder.parent / "made").exists()


@pytest.mark.parametrize("file", ["../made.onnx", "/etc/made.onnx", ".made.onnx", "..", "made"])
def test_a_card_reaches_no_other_folder(folder, source, file):
    (source.parent / "made.onnx").write_bytes(network(["n", 8000]))
    (source / "made.toml").write_text(card_text(file=file))
    with pytest.raises(ModelError, match=r"not the name of an \.onnx file beside the card"):
        add(source, folder)


@pytest.mark.parametrize(
    ("model", "card", "reason"),
    [
        ({"n_labels": 4}, {}, "shape"),
        ({"factor": np.nan}, {}, "not finite"),
        ({"input_shape": ["n", 100]}, {}, "makes windows of"),
        ({}, {"sha256": "00"}, "sha256 differs"),
        ({}, {"hears": {"representation": "cqt"}}, "asks for input 'cqt'"),
        ({}, {"hears": {"representation": "waveform"}}, "lacks 'sample_rate_hz' in"),
    ],
)
def test_a_broken_model_leaves_nothing_behind(folder, source, model, card, reason):
    made = network(**{"input_shape": ["n", 8000], **model})
    write_model(source, made, card_text(**card))
    with pytest.raises(ModelError, match=reason) as caught:
        add(source, folder)
    assert str(source) in str(caught.value)
    assert left_in(folder) == []


@pytest.mark.parametrize(
    "path", ["none", "none.toml", "none.onnx", "song.mp3", "empty", "two", "lonely.toml", "a.onnx"]
)
def test_what_is_no_model_is_refused_in_one_line(folder, source, path):
    (source / "song.mp3").write_bytes(b"")
    (source / "empty").mkdir()
    (source / "lonely.toml").write_text(card_text())
    (source / "a.onnx").write_bytes(network(["n", 8000]))
    for name in ("a.toml", "b.toml"):
        (source / "two").mkdir(exist_ok=True)
        (source / "two" / name).write_text(card_text())
    with pytest.raises(ModelError) as caught:
        add(source / path, folder)
    assert "\n" not in str(caught.value)
    assert path.partition(".")[0] in str(caught.value)
    assert left_in(folder) == []


def test_a_damaged_installed_model_does_not_hide_the_others(folder, source):
    add(source, folder)
    (source / "made.toml").write_text(card_text("second"))
    add(source, folder)
    (folder / "made" / "model.toml").write_text("name = ")
    (folder / "second" / "model.onnx").unlink()
    (folder / "stray file").write_text("")
    (folder / "empty").mkdir()
    _, empty, made, second = list_models(folder)
    assert (empty.name, made.name, second.name) == ("empty", "made", "second")
    assert "cannot read model card" in empty.problem
    assert "malformed" in made.problem
    assert "No such file" in second.problem
    with pytest.raises(ModelError, match="malformed"):
        find_model("made", folder)
    for name in ("empty", "made", "second"):
        remove(name, folder)
    assert names(folder) == [BUNDLED]


def test_what_a_killed_process_left_is_no_model_and_goes(folder, source):
    left_over = folder / ".unfinished-abc" / "model"
    write_model(left_over)
    assert names(folder) == [BUNDLED]
    add(source, folder)
    assert left_in(folder) == ["made"]


def test_kill_in_the_middle_leaves_no_half_model(folder, tmp_path):
    # 40 MB take a while to copy; killed at any moment, there is a whole model or none.
    source = write_model(tmp_path / "big").parent
    model = (source / "made.onnx").read_bytes()
    import onnx

    big = onnx.load_from_string(model)
    ballast = np.random.default_rng(0).standard_normal(10_000_000).astype(np.float32)
    big.graph.initializer.append(onnx.numpy_helper.from_array(ballast, "ballast"))
    (source / "made.onnx").write_bytes(big.SerializeToString())
    code = (
        "from pathlib import Path\nfrom tonotope.models.installed import add\n"
        f"add(Path({str(source)!r}), Path({str(folder)!r}))"
    )
    seen = set()
    for wait_s in (0.0, 0.02, 0.05, 0.1):
        process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        while process.poll() is None and not list(folder.glob(".unfinished-*/model/*")):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(wait_s)
        process.kill()
        process.communicate()
        found = list_models(folder)[1:]
        seen.add(len(found))
        for model in found:
            assert model.problem is None
            Encoder(model.card)
            remove(model.name, folder)
    assert 0 in seen
    add(source, folder)
    assert left_in(folder) == ["made"]


def test_one_process_at_a_time(folder, source):
    folder.mkdir(parents=True)
    code = (
        "import fcntl, os, sys, time\n"
        f"d = os.open({str(folder / '.lock')!r}, os.O_RDWR | os.O_CREAT)\n"
        "fcntl.flock(d, fcntl.LOCK_EX); print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(PathError, match="being changed by another process"):
            add(source, folder)
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    add(source, folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to(folder, source):
    folder.mkdir(parents=True)
    folder.chmod(0o500)
    with pytest.raises(PathError, match="Permission denied"):
        add(source, folder)


def test_a_folder_that_is_a_file(folder, source):
    folder.parent.mkdir(parents=True)
    folder.write_text("")
    with pytest.raises(PathError, match="cannot write"):
        add(source, folder)
    with pytest.raises(PathError, match="cannot read"):
        list_models(folder)


def test_the_default_folder_is_in_the_platforms_data_folder(monkeypatch, tmp_path, source):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    assert models_folder().name == "models"
    assert models_folder().parent.name == "tonotope"
    if sys.platform == "linux":
        assert models_folder() == tmp_path / "share" / "tonotope" / "models"
        add(source)
        assert names(models_folder()) == [model.name for model in list_models()]


# What is downloaded


@pytest.fixture
def address(source):
    """Return the address of a local server of the source's folder."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            if self.path.startswith("/elsewhere/"):
                self.send_response(302)
                self.send_header("Location", self.path.removeprefix("/elsewhere"))
                self.end_headers()
            elif self.path.startswith("/local/"):
                self.send_response(302)
                self.send_header("Location", (source / "made.toml").as_uri())
                self.end_headers()
            else:
                self.path = self.path.partition("?")[0]
                super().do_GET()

    handler = partial(Quiet, directory=source)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def signed(source) -> str:
    """Put the network's sum into its card; return it."""
    sha256 = hashlib.sha256((source / "made.onnx").read_bytes()).hexdigest()
    (source / "made.toml").write_text(card_text(sha256=sha256))
    return sha256


@pytest.mark.parametrize(
    "path", ["made.toml", "made.onnx", "made.toml?download=true", "elsewhere/made.onnx"]
)
def test_a_model_is_downloaded_by_its_address(folder, source, address, signed, path):
    seen = {}
    model = add(
        f"{address}/{path}",
        folder,
        on_download=lambda name, done, total: seen.update({name: (done, total)}),
    )
    assert model.card.sha256 == signed
    assert left_in(folder) == ["made"]
    size = (source / "made.onnx").stat().st_size
    assert seen["made.onnx"] == (size, size)
    assert set(seen) == {"made.toml", "made.onnx"}


def test_what_is_downloaded_must_have_the_cards_sum(folder, source, address, signed):
    (source / "made.onnx").write_bytes(network(["batch", 8000], factor=2.0))
    with pytest.raises(ModelError, match="sha256 differs") as caught:
        add(f"{address}/made.toml", folder)
    assert f"{address}/made.onnx" in str(caught.value)
    assert left_in(folder) == []


def test_a_card_without_a_sum_is_not_downloaded_for(folder, address):
    with pytest.raises(ModelError, match="lacks 'sha256'"):
        add(f"{address}/made.toml", folder)
    assert left_in(folder) == []


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("none.toml", "HTTP 404"),
        ("made.zip", "neither a card"),
        ("", "neither a card"),
        ("local/made.toml", "cannot download"),
    ],
)
def test_addresses_that_lead_nowhere(folder, address, signed, path, reason):
    with pytest.raises(TonotopeError, match=reason) as caught:
        add(f"{address}/{path}", folder)
    assert "\n" not in str(caught.value)
    assert left_in(folder) == []


def test_a_server_that_is_not_there(folder):
    with pytest.raises(ModelError, match="Connection refused"):
        add("http://127.0.0.1:9/made.toml", folder)


def test_a_card_too_large_to_be_one_is_not_fetched(folder, source, address, signed):
    (source / "made.toml").write_bytes(b"#" * (2 << 20))
    with pytest.raises(ModelError, match="larger than 1 MiB"):
        add(f"{address}/made.toml", folder)
