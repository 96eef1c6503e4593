# minigan learn 8.2: What returns
import numpy as np


def returns(pictures, back):
    return 1 - np.abs(back - pictures).mean() / np.abs(pictures - pictures.mean(0)).mean()
