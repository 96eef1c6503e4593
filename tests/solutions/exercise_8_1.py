# minigan learn 8.1: Both are right
def both_lines(a, b):
    slope = (b[1] - b[0]) / (a[1] - a[0])
    return [(slope, b[0] - slope * a[0]), (-slope, b[1] + slope * a[0])]
