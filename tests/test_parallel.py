"""Several processes are as good as one: the same numbers, one folder, one message when one of them fails."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from commands import ROOT, write_digits
from small_extractor import SmallExtractor

from minigan import InputError, checkpoint, cli, data, gan, launched, nn, parallel
from minigan import backend as backends
from minigan.commands import sample
from minigan.metrics.shared import Shared
from minigan.parallel import communicator as communicators
from minigan.runs.best import Best

MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
WHY_NO_MPI = "" if importlib.util.find_spec("mpi4py") else "mpi4py is not installed"
needs_mpi = pytest.mark.skipif(bool(WHY_NO_MPI) or MPIEXEC is None, reason=WHY_NO_MPI or "no mpiexec")

RANKS = Path(__file__).parent / "ranks"
EXAMPLE = [str(ROOT / "examples/mnist_gan.py"), "--recipe", "dcgan2016", "--width", "2", "--batch-size", "16"]


def environment(**more):
    one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return {**os.environ, **one_thread, **more}


def start(count, *command, **more):
    """``mpiexec -n count python command``; where the commands differ, several, each with its count."""
    several = command if isinstance(command[0], list) else [[count, *command]]
    words = []
    for n, *one in several:
        words += [":"] * bool(words) + ["-n", str(n), sys.executable, "-W", "ignore", *map(str, one)]
    pipe = subprocess.PIPE
    return subprocess.Popen([MPIEXEC, *words], stdout=pipe, stderr=pipe, text=True, env=environment(**more))


def finish(process, status=0):
    out, err = process.communicate(timeout=120)
    assert process.returncode == status, (process.returncode, out, err)
    return out, err


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp("digits"), count=160)


# ---- the same numbers ------------------------------------------------------------------------------------------------


@needs_mpi
@pytest.mark.parametrize("count", [2, 4])
def test_ranks_with_parts_of_a_batch_are_one_process_with_the_whole(count):
    out, _ = finish(start(count, RANKS / "equality.py", 4 // count))
    found = json.loads(out)
    assert len(found) == 14
    assert {name: apart for name, apart in found.items() if not max(apart) < 1e-10} == {}


@needs_mpi
@pytest.mark.parametrize("count", [2, 4])
def test_they_still_are_after_fifty_steps(count):
    out, _ = finish(start(count, RANKS / "equality.py", 50, "accumulated" if count == 2 else "batch_norm"))
    for name, (first, last) in json.loads(out).items():
        assert first < 1e-10 and last < 1e-6, name


@needs_mpi
def test_gpus_exchange_by_nccl_within_captured_steps():
    out, _ = finish(start(2, RANKS / "nccl.py"))
    found = json.loads(out)
    assert found["reason"] == "" and found["exchanged"] > 0
    assert found["apart"] < 1e-10 and found["apart without capture"] == 0


# ---- ranks as threads ------------------------------------------------------------------------------------------------


class Thread(parallel.Communicator):
    """A rank that is a thread of this process."""

    def __init__(self, rank, size, barrier, board):
        self.rank, self.size, self.waits, self.board = rank, size, barrier, board

    def collect(self, value):
        self.board[self.rank] = value
        self.waits.wait()
        found = list(self.board)
        self.waits.wait()
        return found

    def add(self, array):
        array[...] = sum(self.collect(array.copy()))

    def stack(self, array):
        return np.stack(self.collect(array.copy()))

    def broadcast(self, value):
        return self.collect(value)[0]


def on_ranks(size, work):
    """``work(communicator)`` on so many ranks; what each returned or raised."""
    barrier, board, found = threading.Barrier(size, timeout=20), [None] * size, [None] * size

    def run(rank):
        try:
            found[rank] = work(Thread(rank, size, barrier, board))
        except Exception as error:
            found[rank] = error

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.parametrize("size", [2, 3])
def test_arrays_are_averaged_in_place_however_they_lie(size, monkeypatch):
    monkeypatch.setattr(communicators, "BUCKET", 200)  # bytes: some arrays share one, some are larger

    def work(ranks):
        rng = np.random.default_rng(ranks.rank)
        arrays = [rng.standard_normal((2, 3, 4, 5)).transpose(0, 3, 1, 2), rng.standard_normal(3), np.array(7.0)]
        arrays += [rng.standard_normal((8, 4))[::2, ::-1], rng.standard_normal((2, 2)).astype(np.float32)]
        before = [array.copy() for array in arrays]
        ranks.average(*arrays)
        return before, arrays

    found = on_ranks(size, work)
    for number in range(5):
        mean = np.mean([before[number] for before, _ in found], axis=0)
        for _, after in found:
            np.testing.assert_allclose(after[number], mean, rtol=1e-6 if number == 4 else 1e-14)


def test_buckets_keep_the_order_and_the_dtype():
    arrays = [np.zeros(100, np.float64), np.zeros(3), np.zeros(3, np.float32), np.zeros(10**6), np.zeros(2)]
    assert [list(map(len, bucket)) for bucket in communicators.buckets(arrays)] == [[100, 3], [3], [10**6], [2]]


@pytest.mark.parametrize("rows", [6, 7])
def test_rows_that_were_dealt_are_gathered_in_their_order(rows):
    whole = np.arange(2 * rows).reshape(rows, 2)

    def work(ranks):
        own = ranks.own(whole)
        return ranks.gather_uneven(own), ranks.gather(own) if rows % 3 == 0 else whole

    for uneven, even in on_ranks(3, work):
        assert (uneven == whole).all() and (even == whole).all()


def test_what_the_first_rank_finds_or_raises_all_do():
    def work(ranks):
        found = ranks.on_first(lambda: ranks.rank + 5)
        ranks.check_same("the run", {"seed": 0, "width": 4})
        with pytest.raises(InputError, match="taken"):
            ranks.on_first(lambda: (_ for _ in ()).throw(InputError("taken")))
        with pytest.raises(InputError, match="the run: seed is 0 on rank 0 and 1 on rank 1: start all"):
            ranks.check_same("the run", {"width": 4, "seed": ranks.rank})
        return found, ranks.first_word("stop" if ranks.rank == 1 else ""), ranks.first_word("")

    assert on_ranks(2, work) == [(5, "stop", "")] * 2


def test_a_trainer_and_a_loader_refuse_ranks_that_differ():
    dataset = data.Dataset(np.zeros((8, 1, 4, 4), np.uint8))

    def work(seed, ranks):
        rng = np.random.default_rng(0)
        networks = nn.Linear(2, 3, rng=rng), nn.Linear(3, 1, rng=rng)
        game = gan.TwoPlayer(*networks, z_dim=2, rng=np.random.default_rng(seed(ranks.rank)))
        gan.Trainer(game, communicator=ranks)

    def load(ranks):
        place, rng = backends.get("numpy"), np.random.default_rng(ranks.rank)
        next(iter(data.Loader(dataset, 4, backend=place, rng=rng, communicator=ranks)))

    assert on_ranks(2, lambda ranks: work(lambda rank: 3, ranks)) == [None, None]
    for error in on_ranks(2, lambda ranks: work(lambda rank: rank, ranks)):
        assert isinstance(error, InputError) and "the random stream of trainer is" in str(error)
    for error in on_ranks(2, load):
        assert isinstance(error, InputError) and "the loader: rng is" in str(error)


def test_a_batch_that_cannot_be_split_is_refused():
    dataset = data.Dataset(np.zeros((14, 1, 4, 4), np.uint8))

    def load(ranks, **settings):
        data.Loader(
            dataset, backend=backends.get("numpy"), rng=np.random.default_rng(0), communicator=ranks, **settings
        )

    for error in on_ranks(2, lambda ranks: load(ranks, batch_size=3)):
        assert re.match("batch_size 3 cannot be split into equal parts for 2 processes", str(error))
    for error in on_ranks(4, lambda ranks: load(ranks, batch_size=4, drop_last=False)):
        assert "last batch, of 2 items, cannot be split" in str(error)


def test_random_numbers_without_rows_are_refused_where_all_would_have_the_same():
    from minigan.ops.drawn import drawn

    def work(ranks):
        layer, rng = nn.Linear(2, 3), np.random.default_rng(0)
        with parallel.within(ranks):
            part = drawn(lambda n: rng.random((n, 2)), layer, rows=2).numpy()
            with pytest.raises(InputError, match="say rows="):
                drawn(lambda: rng.random((2, 2)), layer)
        return part

    parts = on_ranks(2, work)
    whole = np.random.default_rng(0).random((4, 2)).astype(np.float32)
    assert (parts[0] == whole[0::2]).all() and (parts[1] == whole[1::2]).all()


@pytest.mark.parametrize("synced", [True, False])
def test_batch_norm_of_its_own_part_is_a_choice(synced):
    x = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32) + np.arange(8, dtype=np.float32)[:, None]

    def work(ranks):
        layer = nn.BatchNorm1d(3)
        with parallel.within(ranks, synced):
            return layer(gan.trainer.Tensor(ranks.own(x))).numpy(), layer.running_mean

    for rank, (y, mean) in enumerate(on_ranks(2, work)):
        seen = x if synced else x[rank::2]
        np.testing.assert_allclose(y, ((x[rank::2] - seen.mean(0)) / np.sqrt(seen.var(0) + 1e-5)), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(mean, 0.1 * seen.mean(0), rtol=1e-5)


def test_ranks_with_statistics_of_their_own_still_have_the_same_state():
    pictures = np.random.default_rng(1).uniform(-1, 1, (8, 1, 4, 4)).astype(np.float32)

    def work(synced, ranks):
        rng = np.random.default_rng(0)
        g = nn.Sequential(nn.Linear(2, 16, rng=rng), nn.BatchNorm1d(16), nn.Reshape(1, 4, 4))
        d = nn.Sequential(nn.Flatten(), nn.Linear(16, 1, rng=rng))
        game = gan.TwoPlayer(g, d, z_dim=2, rng=np.random.default_rng(0))
        trainer = gan.Trainer(game, communicator=ranks, sync_batch_norm=synced)
        records = [*trainer.steps([ranks.own(pictures)] * 3)]
        trainer.check_ranks()  # or InputError
        return records[-1].values, trainer.arrays()["generator/1.running_var"]

    (own, own_var), (same, same_var) = on_ranks(2, lambda ranks: work(False, ranks))
    assert own == same and (own_var == same_var).all()
    (whole, _), _ = on_ranks(2, lambda ranks: work(True, ranks))
    assert whole != own


def test_no_sync_is_refused_where_there_is_nothing_to_be_synchronised(monkeypatch, capsys):
    for name in [name for names in launched.LAUNCHERS for name in names]:
        monkeypatch.delenv(name, raising=False)
    assert cli.main(["train", "--no-sync-batch-norm"]) == 2
    told = "error: --no-sync-batch-norm does nothing in one process: start several with mpiexec, or leave it out\n"
    assert capsys.readouterr().err == told


def test_samples_that_are_measured_together_have_the_distance_of_one_process():
    rng = np.random.default_rng(0)
    dataset = data.Dataset(rng.integers(0, 256, (40, 1, 28, 28), np.uint8), rng.integers(0, 3, 40), tuple("abc"))
    architecture = {"model": "cgan", "classes": 3, "z_dim": 6, "width": 4}

    def work(ranks):
        generator, _ = gan.build(architecture, np.random.default_rng(0))
        settings = {"z_dim": 6, "conditional": True, "rng": np.random.default_rng(1)}
        best = Best(dataset, SmallExtractor(), every=2, samples=21, **settings)  # an odd number: not all have as many
        assert best.look(2, generator, ranks)
        return best.last

    (alone,) = on_ranks(1, work)
    assert on_ranks(2, work) == pytest.approx([alone, alone], rel=1e-6)
    found = on_ranks(3, lambda ranks: Shared(SmallExtractor(), ranks)(dataset.images))
    for features, probabilities in found:
        np.testing.assert_allclose(features, SmallExtractor()(dataset.images).features, rtol=1e-6)
        assert len(probabilities) == 40


# ---- one process, and how several are told ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "variables, told",
    [
        ({}, None),
        ({"PMI_SIZE": "1", "PMI_RANK": "0"}, None),
        ({"PMI_SIZE": "4", "PMI_RANK": "3", "MPI_LOCALRANKID": "1", "MPI_LOCALNRANKS": "2"}, (4, 3, 1, 2)),
        ({"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"}, (2, 1, 0, 1)),
        ({"SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "5", "SLURM_LOCALID": "1"}, (8, 5, 1, 1)),
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, None),  # a batch script, before srun
    ],
)
def test_a_launcher_is_known_by_its_variables(variables, told, monkeypatch):
    for name in [name for names in launched.LAUNCHERS for name in names]:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert launched.launched() == told


def test_a_launcher_of_another_mpi_is_refused(monkeypatch):
    for name, value in {"PMI_SIZE": "2", "PMI_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(InputError, match=r"one of 2 processes.*pip install minigan\[mpi\]"):
        parallel.world.__wrapped__()


# ---- one folder ------------------------------------------------------------------------------------------------------


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@needs_mpi
def test_two_processes_write_one_folder_and_one_goes_on_with_it(digits, tmp_path, capsys):
    settings = [*EXAMPLE, "--data", digits, "--threads", "1", "--quiet", "--out", tmp_path / "out"]
    out, err = finish(start(2, *settings, "--steps", "4"))
    assert out == f"4 steps; samples and model in {tmp_path / 'out'}\n" and err == ""
    assert {"model.safetensors", "metrics.jsonl", "training.gif"} <= contents(tmp_path / "out").keys()

    from minigan.commands.example import options

    sys.path.insert(0, str(ROOT / "examples"))
    import mnist_gan

    sys.path.pop(0)
    args = options("", mnist_gan.BASE).parse_args([*map(str, settings[1:]), "--steps", "6", "--resume"])
    assert cli.user_errors(mnist_gan.train, args) == 0  # one process goes on with what two have begun,
    assert "mpi4py" not in sys.modules  # and needs no MPI
    assert "'processes': '2'" in capsys.readouterr().err  # a warning: sums are taken in another order now
    lines = [json.loads(line) for line in (tmp_path / "out/metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 7))


@needs_mpi
def test_samples_and_their_measures_are_those_of_one_process(digits, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sample, "SHARD", 150)
    model, into = tmp_path / "model.safetensors", tmp_path / "one"
    architecture = {"model": "dcgan", "width": 2, "z_dim": 5}
    checkpoint.save_model(model, gan.build(architecture, np.random.default_rng(0))[0], architecture)
    asked = ["sample", str(model), "-n", "400", "--into"]
    assert cli.main([*asked, str(into)]) == 0
    (into / "samples-00001.npz").unlink()
    before = contents(into)
    assert cli.main([*asked, str(into)]) == 0
    assert capsys.readouterr().out.endswith(f"400 images in {into}, in 3 files, 2 of which were there\n")
    after = contents(into)
    assert {**after, **before} == after and len(np.load(into / "samples-00002.npz")["images"]) == 100
    assert cli.main([*asked, str(into), "--seed", "1"]) == 2
    assert "was begun with seed 0, now it is 1" in capsys.readouterr().err

    measure = ["evaluate", str(into), "--data", str(digits), "-n", "300", "--no-baselines", "--quiet"]
    assert cli.main(measure) == 0
    one = capsys.readouterr().out
    code = "from minigan.commands import sample; sample.SHARD = 150; from minigan import cli; "
    two = start(2, "-c", f"{code}raise SystemExit(cli.main({[*asked, str(tmp_path / 'two')]}) or cli.main({measure}))")
    out, err = finish(two)
    assert out.splitlines()[1:] == one.splitlines() and err == ""
    assert contents(tmp_path / "two") == after


# ---- faults ----------------------------------------------------------------------------------------------------------


@needs_mpi
def test_an_error_that_all_make_is_told_once(digits, tmp_path):
    _, err = finish(start(2, *EXAMPLE, "--data", digits, "--out", tmp_path, "--batch-size", "15"), status=2)
    assert err.startswith("error: batch_size 15 cannot be split") and err.count("error") == 1


@needs_mpi
def test_different_settings_are_refused_before_anything_is_written(digits, tmp_path):
    command = [1, *EXAMPLE, "--data", digits, "--out", tmp_path / "out", "--quiet", "--steps"]
    _, err = finish(start(0, [*command, "20"], [*command, "30"]), status=2)
    assert err.startswith("error: the run: steps is 20 on rank 0 and 30 on rank 1") and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@needs_mpi
@pytest.mark.parametrize("fault", ["raise", "hang"])
def test_a_rank_that_fails_or_hangs_ends_all_with_one_message(fault):
    before = time.monotonic()
    process = start(2, RANKS / "fault.py", fault, MINIGAN_PATIENCE="1" if fault == "hang" else "4")
    out, err = process.communicate(timeout=60)
    assert process.returncode != 0 and time.monotonic() - before < 30
    told = "ValueError: planted" if fault == "raise" else "error: rank 0 has waited 1 s for the other processes"
    assert err.count(told) == 1 and "rank 1 goes on" not in out


@needs_mpi
def test_a_killed_rank_ends_all_and_the_last_checkpoint_resumes(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import kill_test

    data = write_digits(tmp_path / "data", count=160)
    settings = ["--data", str(data), "--width", "2", "--batch-size", "16", "--threads", "1", "--checkpoint-every", "1"]
    outcome = kill_test.run(1, 0, tmp_path, [*settings, "--steps", "12"], pause=0.1, ranks=2)
    assert (outcome.kills, outcome.steps, outcome.differing) == (1, 12, [])
