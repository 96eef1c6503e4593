import pytest


@pytest.fixture(autouse=True)
def one_thread():
    """PyTorch with a single thread: the tests run side by side, and its sums are then always in the same order."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
