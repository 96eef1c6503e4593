# minigan learn 8.3: Earlier fakes
def show(kept, fake, size, rng):
    if len(kept) < size:
        kept.append(fake)
        return fake
    if rng.random() < 0.5:
        return fake
    slot = rng.integers(size)
    earlier, kept[slot] = kept[slot], fake
    return earlier
