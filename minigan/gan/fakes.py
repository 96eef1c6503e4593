"""Earlier fakes, kept so that a detective does not forget them (Shrivastava et al. 2017)."""

from __future__ import annotations

import numpy as np

from ..backend import Array, backend_of
from ..errors import InputError
from ..ops.across import gathered, own
from ..ops.drawn import drawn
from ..sizes import size as read_size
from ..tensor import Tensor


class FakeBuffer:
    """The last few fakes of a generator. For each new one ``show`` tosses a coin: it is shown itself, or an earlier one
    is, whose place it takes. Until there are ``size``, each is kept, and shown itself.

    With 0 every fake is shown itself, and none is kept. ``state_dict`` has the pictures. Where they are kept is drawn
    from the game's own generator, which a checkpoint has as well.

    >>> buffer, rng = FakeBuffer(2), np.random.default_rng(0)
    >>> fakes = [Tensor(np.full((1, 1, 1, 1), value)) for value in (1.0, 2.0, 3.0, 4.0, 5.0)]
    >>> [buffer.show(fake, rng, step).item() for step, fake in enumerate(fakes, start=1)]
    [1.0, 2.0, 3.0, 1.0, 4.0]
    """

    def __init__(self, size: int) -> None:
        self.size = read_size("buffer", size, least=0)
        self.kept: Array | None = None  # (size, C, H, W), from the first step on
        self.step = self.shows = 0  # how often the step under way has shown some

    def show(self, fakes: Tensor, rng: np.random.Generator, step: int, rounds: int = 1) -> Tensor:
        """What a detective is shown for these fakes (N, C, H, W) of step ``step``, from 1 on, of ``rounds`` in each. No
        graph leads back.

        Of several processes all keep the same, of what all have made."""
        if not self.size:
            return fakes.detach()
        fakes = gathered(fakes.detach())
        count, place = len(fakes), fakes.backend
        self.step, self.shows = step, self.shows % rounds + 1 if step == self.step else 1  # a step may be tried twice
        shows = self.shows
        if self.kept is None or self.kept.shape[1:] != fakes.shape[1:]:
            self.kept = np.zeros((self.size, *fakes.shape[1:]))
        if backend_of(self.kept) is not place or self.kept.dtype != fakes.dtype:  # the first step, or a resumed one
            self.kept = place.channels_last(place.asarray(np.asarray(self.kept), fakes.dtype))

        def choose(step: int) -> np.ndarray:
            """Which of the kept and then the new ones are to be kept now, and which shown."""
            known = min(self.size, ((step - 1) * rounds + shows - 1) * count)
            kept, shown = np.arange(self.size), self.size + np.arange(count)
            for new in range(count):
                if known < self.size:
                    kept[known] = self.size + new
                    known += 1
                elif rng.random() < 0.5:
                    slot = rng.integers(self.size)
                    shown[new], kept[slot] = kept[slot], self.size + new
            return np.concatenate([kept, shown])

        chosen = drawn(choose, fakes, step, same=True, dtype=np.int64).data
        both = place.xp.concatenate([self.kept, fakes.data])
        self.kept[...] = both[chosen[: self.size]]
        return own(Tensor(place.asarray(place.channels_last(both[chosen[self.size :]]))))

    def state_dict(self) -> dict[str, np.ndarray]:
        return {} if self.kept is None else {"kept": np.array(backend_of(self.kept).to_numpy(self.kept))}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Raises InputError for the contents of a buffer of another size."""
        kept = state.get("kept")
        if kept is not None and (kept.ndim != 4 or len(kept) != self.size):
            raise InputError(f"the state has fakes {kept.shape}, this buffer keeps {self.size} pictures")
        if kept is not None and self.kept is not None and kept.shape == self.kept.shape:
            self.kept[...] = backend_of(self.kept).asarray(kept)  # in place: a captured step writes there
        elif kept is not None:
            self.kept = kept
